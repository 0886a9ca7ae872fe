"""Photographs rendered in a material: paint, graphite, glass, stone, ink or light.

`MATERIALS` maps the name of a look to a function of images. Open `oil.py` first, one file a look;
`canvas.py` (noise, paper, colour), `flow.py` (direction of the forms), `strokes.py`, `hatching.py`
and `screen.py` are what they share. They need OpenCV (the extra `train`), which is imported when a
material is first drawn.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TypeAlias

from torch import Tensor

__all__ = ["MATERIALS", "Material"]

Material: TypeAlias = Callable[[Tensor], Tensor]


def _drawn(file: str, function: str) -> Material:
    """A material whose file is imported when it is first drawn."""

    def draw(images: Tensor) -> Tensor:
        try:
            import_module("cv2")
        except ImportError as error:
            message = "rendering a material needs OpenCV; install turbolens[train]"
            raise ImportError(message) from error
        material: Material = getattr(import_module(f".{file}", __name__), function)
        return material(images)

    return draw


MATERIALS: dict[str, Material] = {
    "oil painting": _drawn("oil", "oil_painting"),
    "watercolour": _drawn("watercolour", "watercolour"),
    "pencil sketch": _drawn("pencil", "pencil_sketch"),
    "ink and wash": _drawn("ink", "ink_and_wash"),
    "ukiyo-e": _drawn("ukiyo_e", "ukiyo_e"),
    "comic": _drawn("comic", "comic"),
    "pop art": _drawn("pop_art", "pop_art"),
    "pastel": _drawn("pastel", "pastel"),
    "stained glass": _drawn("stained_glass", "stained_glass"),
    "mosaic": _drawn("mosaic", "mosaic"),
    "charcoal": _drawn("charcoal", "charcoal"),
    "linocut": _drawn("linocut", "linocut"),
    "noir": _drawn("noir", "noir"),
    "neon": _drawn("neon", "neon"),
    "blueprint": _drawn("blueprint", "blueprint"),
}
"""Images (B, 3, H, W) in 0…1 → the same size and range, the same for the same images."""

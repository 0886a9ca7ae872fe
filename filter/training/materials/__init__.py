"""Photographs rendered in a material: paint, graphite, glass, stone, ink or light.

`MATERIALS` maps the name of a look to a function of images. Open `oil.py` first, one file a look;
`canvas.py` (noise, paper, colour), `flow.py` (direction of the forms), `strokes.py`, `hatching.py`
and `screen.py` are what they share.
"""

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from .blueprint import blueprint
from .charcoal import charcoal
from .comic import comic
from .ink import ink_and_wash
from .linocut import linocut
from .mosaic import mosaic
from .neon import neon
from .noir import noir
from .oil import oil_painting
from .pastel import pastel
from .pencil import pencil_sketch
from .pop_art import pop_art
from .stained_glass import stained_glass
from .ukiyo_e import ukiyo_e
from .watercolour import watercolour

__all__ = ["MATERIALS", "Material"]

Material: TypeAlias = Callable[[Tensor], Tensor]

MATERIALS: dict[str, Material] = {
    "oil painting": oil_painting,
    "watercolour": watercolour,
    "pencil sketch": pencil_sketch,
    "ink and wash": ink_and_wash,
    "ukiyo-e": ukiyo_e,
    "comic": comic,
    "pop art": pop_art,
    "pastel": pastel,
    "stained glass": stained_glass,
    "mosaic": mosaic,
    "charcoal": charcoal,
    "linocut": linocut,
    "noir": noir,
    "neon": neon,
    "blueprint": blueprint,
}
"""Images (B, 3, H, W) in 0…1 → the same size and range, the same for the same images."""

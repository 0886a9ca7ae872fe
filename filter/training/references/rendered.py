"""The reference looks: each renders a photograph as a pure function of the image.

They are the training targets of the embedded model and the references of its evaluation. Those of
a material are in `materials/`; here are the ones that are a matter of tone and colour.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from turbolens.filter.training.materials import MATERIALS

from .operators import blur, contrast, curve, luma, palette, saturate

Look = Callable[[Tensor], Tensor]


def photograph(image: Tensor) -> Tensor:
    """The unchanged image, the target of an empty prompt."""
    return image


def vaporwave(image: Tensor) -> Tensor:
    """Night drive of the eighties: violet shadows, magenta middle tones, cyan lights."""
    tone = contrast(luma(image), 1.25)
    mapped = palette(tone, [(0.0, "#1a0638"), (0.35, "#7b1fa2"), (0.6, "#ff4fa3"), (0.85, "#6ff3ff"), (1.0, "#f4ffff")])  # fmt: skip  # noqa: E501
    bloom = blur(mapped * curve(tone, 0.6, 0.95), 5.0)
    return (torch.lerp(mapped, saturate(image, 1.3), 0.12) + 0.3 * bloom).clamp(0, 1)


def vintage(image: Tensor) -> Tensor:
    """A faded print from an old album: sepia, lifted blacks."""
    tone = 0.1 + 0.85 * curve(luma(blur(image, 0.8)), -0.1, 1.05)
    return palette(tone, [(0.0, "#22140a"), (0.5, "#9a7448"), (1.0, "#f6e7c4")])


def thermal(image: Tensor) -> Tensor:
    """A heat camera: dark is cold blue, light is white hot."""
    tone = blur(luma(image), 1.2)
    stops = [
        (0.0, "#06023a"),
        (0.25, "#5a0fa8"),
        (0.5, "#e0325c"),
        (0.75, "#ff9d1c"),
        (1.0, "#fffbd6"),
    ]
    return palette(contrast(tone, 1.15), stops)


LOOKS: dict[str, Look] = {
    "oil painting": MATERIALS["oil painting"],
    "watercolour": MATERIALS["watercolour"],
    "pencil sketch": MATERIALS["pencil sketch"],
    "ink and wash": MATERIALS["ink and wash"],
    "ukiyo-e": MATERIALS["ukiyo-e"],
    "comic": MATERIALS["comic"],
    "pop art": MATERIALS["pop art"],
    "pastel": MATERIALS["pastel"],
    "stained glass": MATERIALS["stained glass"],
    "noir": MATERIALS["noir"],
    "neon": MATERIALS["neon"],
    "charcoal": MATERIALS["charcoal"],
    "vaporwave": vaporwave,
    "blueprint": MATERIALS["blueprint"],
    "vintage": vintage,
    "linocut": MATERIALS["linocut"],
    "thermal": thermal,
}
"""The looks by name, in the order of the model's list."""

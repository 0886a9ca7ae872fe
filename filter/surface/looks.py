"""The surface of each look, by its name in a model's `looks.json`."""

from collections.abc import Mapping

from .drawing import blueprint, charcoal, film, ink, linocut, pencil
from .painting import Strokes, Surface, watercolour
from .planes import Colour
from .printing import Halftone, Tiles, Woodblock

VAN_GOGH: tuple[Colour, ...] = (
    (0.05, 0.09, 0.24), (0.10, 0.26, 0.48), (0.36, 0.52, 0.50), (0.86, 0.66, 0.22),
    (0.98, 0.90, 0.62),
)  # fmt: skip
MONET: tuple[Colour, ...] = (
    (0.18, 0.20, 0.36), (0.32, 0.42, 0.50), (0.55, 0.60, 0.66), (0.86, 0.74, 0.72),
    (0.98, 0.95, 0.86),
)  # fmt: skip
MUNCH: tuple[Colour, ...] = (
    (0.06, 0.07, 0.13), (0.24, 0.20, 0.24), (0.62, 0.30, 0.16), (0.86, 0.56, 0.26),
    (0.94, 0.86, 0.62),
)  # fmt: skip
HOKUSAI: tuple[Colour, ...] = (
    (0.09, 0.13, 0.26), (0.16, 0.30, 0.48), (0.48, 0.60, 0.62), (0.86, 0.80, 0.66),
    (0.97, 0.94, 0.84),
)  # fmt: skip
"""Colours of the painters' best-known works, from dark to light."""

SURFACES: Mapping[str, Surface] = {
    "oil painting": Strokes(rest=-0.6),
    "van gogh": Strokes(width=2.2, length=5, smear=4, ragged=2.6, variation=0.09, warmth=0.035,
                        rest=0.5, palette=VAN_GOGH),
    "monet": Strokes(width=1.9, length=3, smear=3, ragged=3.0, variation=0.08, warmth=0.025,
                     palette=MONET),
    "munch": Strokes(width=2.4, length=6, smear=5, ragged=2.0, variation=0.07, warmth=0.02,
                     thickness=0.012, rest=0.15, palette=MUNCH),
    "pastel": Strokes(width=1.0, length=3, smear=2, ragged=1.4, variation=0.07, warmth=0.02,
                      thickness=0.012, paper=0.02, rest=-0.8, vivid=1.35),
    "watercolour": watercolour,
    "pencil sketch": pencil,
    "charcoal": charcoal,
    "ink and wash": ink,
    "linocut": linocut,
    "ukiyo-e": Woodblock(),
    "hokusai": Woodblock(palette=HOKUSAI),
    "comic": Halftone(),
    "pop art": Halftone(dots=8.0, steps=4, vivid=1.35, ink=1.6),
    "mosaic": Tiles(side=9, irregular=0.55, joint=(0.72, 0.69, 0.63), gap=1.1, whole=0.75),
    "stained glass": Tiles(side=42, irregular=0.95, joint=(0.05, 0.05, 0.06), gap=2.2, whole=0.4,
                           vivid=1.5, outline=2.0, faces=0.1),
    "noir": film,
    "vintage": film,
    "blueprint": blueprint,
}  # fmt: skip

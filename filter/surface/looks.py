"""The surface of each look, by its name in a model's `looks.json`."""

from collections.abc import Mapping

from .drawing import blueprint, charcoal, film, ink, linocut, pencil
from .painting import Strokes, Surface, watercolour
from .printing import Halftone, Tiles, woodblock

SURFACES: Mapping[str, Surface] = {
    "oil painting": Strokes(rest=-0.6),
    "van gogh": Strokes(width=2.2, length=5, smear=4, ragged=2.6, variation=0.09, warmth=0.04,
                        rest=0.5, cast=(1.02, 1.0, 0.98)),
    "monet": Strokes(width=1.9, length=3, smear=2, ragged=3.0, variation=0.08, warmth=0.03,
                     cast=(1.06, 1.08, 1.16)),
    "munch": Strokes(width=2.4, length=6, smear=4, ragged=2.0, variation=0.08, warmth=0.025,
                     rest=0.15, cast=(1.08, 0.95, 0.92)),
    "pastel": Strokes(width=1.0, length=3, smear=2, ragged=1.4, variation=0.07, warmth=0.02,
                      thickness=0.012, paper=0.02, rest=-0.8, vivid=1.35),
    "watercolour": watercolour,
    "pencil sketch": pencil,
    "charcoal": charcoal,
    "ink and wash": ink,
    "linocut": linocut,
    "ukiyo-e": woodblock,
    "hokusai": woodblock,
    "comic": Halftone(),
    "pop art": Halftone(dots=8.0, steps=4, vivid=1.35, ink=1.2),
    "mosaic": Tiles(side=9, irregular=0.55, joint=(0.72, 0.69, 0.63), gap=1.1, whole=0.75),
    "stained glass": Tiles(side=42, irregular=0.95, joint=(0.05, 0.05, 0.06), gap=2.2, whole=0.4,
                           vivid=1.5, outline=2.0, faces=0.1),
    "noir": film,
    "vintage": film,
    "blueprint": blueprint,
}  # fmt: skip

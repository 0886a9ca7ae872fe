"""The surface of each look, by its name in a model's `looks.json`."""

from collections.abc import Mapping

from .canvas import Surface
from .media.drawing import blueprint, charcoal, ink, linocut, pencil
from .media.glass import stained_glass
from .media.light import neon, noir, thermal, vaporwave, vintage
from .media.mosaic import Mosaic
from .media.painting import Strokes, watercolour
from .media.printing import Comic, PopArt, Woodblock
from .planes import Colour

VAN_GOGH: tuple[Colour, ...] = (
    (0.05, 0.09, 0.26), (0.10, 0.28, 0.52), (0.34, 0.55, 0.58), (0.84, 0.72, 0.36),
    (0.97, 0.92, 0.70),
)  # fmt: skip
MONET: tuple[Colour, ...] = (
    (0.16, 0.20, 0.42), (0.30, 0.46, 0.56), (0.56, 0.66, 0.66), (0.92, 0.78, 0.70),
    (1.0, 0.96, 0.86),
)  # fmt: skip
MUNCH: tuple[Colour, ...] = (
    (0.05, 0.07, 0.19), (0.15, 0.24, 0.36), (0.62, 0.30, 0.22), (0.94, 0.60, 0.26),
    (0.97, 0.90, 0.68),
)  # fmt: skip
POP: tuple[Colour, ...] = (
    (0.16, 0.05, 0.36), (0.90, 0.10, 0.42), (1.0, 0.62, 0.12), (1.0, 0.92, 0.35),
    (0.55, 0.90, 0.98),
)  # fmt: skip
HOKUSAI: tuple[Colour, ...] = (
    (0.07, 0.13, 0.30), (0.15, 0.36, 0.60), (0.66, 0.70, 0.60), (0.93, 0.86, 0.68),
    (0.98, 0.95, 0.86),
)  # fmt: skip
UKIYO_E: tuple[Colour, ...] = (
    (0.11, 0.12, 0.20), (0.35, 0.27, 0.30), (0.76, 0.56, 0.44), (0.94, 0.84, 0.66),
    (0.98, 0.94, 0.82),
)  # fmt: skip
"""Colours of the painters' best-known works, from dark to light."""

SURFACES: Mapping[str, Surface] = {
    "oil painting": Strokes(side=20, finer=0.48, shares=(0.24,), bristles=0.32,
                            variation=0.1, hue=0.03, thickness=0.054, rest=-0.6, swirl=0.5,
                            vivid=1.15),
    "van gogh": Strokes(side=14, length=2.8, width=0.6, finer=0.65, shares=(0.32,), bristles=0.25,
                        variation=0.15, hue=0.075, thickness=0.046, rest=0.5, swirl=1.2,
                        palette=VAN_GOGH, share=0.55, vivid=1.35, contrast=1.15),
    "monet": Strokes(side=8, length=1.9, width=0.72, finer=0.65, shares=(0.25,), bristles=0.2,
                     variation=0.08, hue=0.12, thickness=0.015, rest=0.3, swirl=0.9, level=3e-4,
                     palette=MONET, share=0.36, vivid=1.7),
    "munch": Strokes(side=17, length=6.0, width=0.5, shares=(0.3,), bristles=0.4,
                     variation=0.15, hue=0.08, thickness=0.062, rest=0.15, swirl=1.3, palette=MUNCH,
                     share=0.4, vivid=1.45),
    "pastel": Strokes(side=12, length=2.9, width=0.6, finer=0.65, shares=(0.25,), bristles=0.35,
                      variation=0.11, hue=0.04, thickness=0.04, paper=0.04, rest=-0.8, vivid=1.25,
                      contrast=1.4, clear=0.45),
    "watercolour": watercolour,
    "pencil sketch": pencil,
    "charcoal": charcoal,
    "ink and wash": ink,
    "linocut": linocut,
    "ukiyo-e": Woodblock(UKIYO_E, share=0.55, fade=(0.78, 0.34, 0.24)),
    "hokusai": Woodblock(HOKUSAI, share=0.78, skin=0.12, key=(0.07, 0.15, 0.38)),
    "comic": Comic(),
    "pop art": PopArt(POP),
    "mosaic": Mosaic(),
    "stained glass": stained_glass,
    "noir": noir,
    "vintage": vintage,
    "neon": neon,
    "vaporwave": vaporwave,
    "thermal": thermal,
    "blueprint": blueprint,
}  # fmt: skip

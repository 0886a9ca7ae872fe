"""The looks of the style stage: how often each is drawn, and the weights of its losses."""

from dataclasses import dataclass

PALETTE_SHARE = 0.75  # of a painter's palette in the tone of a result


@dataclass(frozen=True)
class LookRecipe:
    """How a look is trained.

    often: relative frequency. judged: the same in the rows with features. grams, content: weights
    of the losses on features. tone: weight of the blurred image. sharp: weight of pixels and edges.
    """

    often: float = 1.0
    judged: float = 1.0
    grams: float = 0.15
    content: float = 0.1
    tone: float = 1.0
    sharp: float = 1.0


_FLAT = LookRecipe(often=0.4, judged=0)  # pixels alone are enough
RECIPES: dict[str, LookRecipe] = {
    "oil painting": LookRecipe(often=1.3, judged=2.0),
    "watercolour": LookRecipe(often=1.5),
    "pencil sketch": LookRecipe(often=1.5, judged=1.5),
    "ink and wash": LookRecipe(often=1.5),
    "ukiyo-e": LookRecipe(often=1.5),
    "comic": LookRecipe(often=1.5),
    "pop art": LookRecipe(often=0.8),
    "pastel": LookRecipe(often=0.4),
    "stained glass": LookRecipe(often=1.2),
    "mosaic": LookRecipe(often=1.2, judged=1.5),
    "charcoal": LookRecipe(often=1.2, judged=1.2),
    "linocut": LookRecipe(often=1.0),
    "noir": _FLAT,
    "neon": LookRecipe(often=0.6, judged=0.3),
    "blueprint": LookRecipe(often=0.6, judged=0.3),
    "vaporwave": _FLAT,
    "vintage": _FLAT,
    "thermal": _FLAT,
    "van gogh": LookRecipe(often=0.8, judged=6.0, grams=0.5, content=0.3, sharp=0.3),
    "hokusai": LookRecipe(often=0.8, judged=4.0, grams=0.5, content=0.3, sharp=0.3),
    "monet": LookRecipe(often=0.8, judged=3.0, grams=0.5, content=0.3, sharp=0.3),
    "munch": LookRecipe(often=0.8, judged=3.0, grams=0.5, content=0.3, sharp=0.3),
}
"""A painter's rendering is the photograph in the palette of the works, whose statistics judge."""

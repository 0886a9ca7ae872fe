"""The looks of the style stage: how often each is drawn, what it is compared with, and how."""

from dataclasses import dataclass

PALETTE_SHARE = 0.75  # of a painter's palette in the tone of a result


@dataclass(frozen=True)
class LookRecipe:
    """How a look is trained.

    often: relative frequency. works: the file names, without suffix, of a painter's works, whose
    mean Gram matrices are the target; empty: the target is the look's rendering. grams, content:
    weights of the losses on features. tone: weight of the blurred image. sharp: weight of pixels
    and edges, for looks whose rendering is flat. Looks without `grams` cost no features.
    """

    often: float = 1.0
    works: tuple[str, ...] = ()
    grams: float = 1.0
    content: float = 0.8
    tone: float = 4.0
    sharp: float = 0.3


_FLAT = LookRecipe(often=0.5, grams=0, content=0, tone=1.0, sharp=1.0)
RECIPES: dict[str, LookRecipe] = {
    "oil painting": LookRecipe(often=1.5),
    "watercolour": LookRecipe(often=1.5),
    "pencil sketch": LookRecipe(often=1.5),
    "ink and wash": LookRecipe(often=1.5),
    "ukiyo-e": LookRecipe(often=1.5, sharp=0.4),
    "comic": LookRecipe(often=1.5, sharp=0.4),
    "pop art": LookRecipe(often=0.6, sharp=0.6),
    "pastel": LookRecipe(often=0.4),
    "stained glass": LookRecipe(often=1.2, sharp=0.3),
    "mosaic": LookRecipe(often=1.5),
    "charcoal": LookRecipe(often=1.2),
    "linocut": LookRecipe(often=0.8, sharp=0.4),
    "noir": _FLAT,
    "neon": LookRecipe(often=0.3, sharp=0.6),
    "blueprint": LookRecipe(often=0.3, sharp=0.6),
    "vaporwave": _FLAT,
    "vintage": _FLAT,
    "thermal": _FLAT,
    "van gogh": LookRecipe(
        often=2.0, tone=3.0, sharp=0.0,
        works=(
            "starry_night_google", "vg_wheat_field", "vg_self", "vg_olive", "nga_106382",
            "clevelandart_1947.209", "metmuseum_436535", "metmuseum_436532",
        ),
    ),
    "hokusai": LookRecipe(
        often=1.2, tone=3.0, sharp=0.0,
        works=(
            "wave", "the_fuji", "wind", "fields", "horses", "canal_2", "the_beach", "hashi",
            "artic_24645",
        ),
    ),
    "monet": LookRecipe(
        often=0.8, tone=3.0, sharp=0.0,
        works=(
            "water-lilies-1919-2", "nga_46523", "nga_46657", "nga_61379", "nga_74796",
        ),
    ),
    "munch": LookRecipe(often=0.8, tone=3.0, sharp=0.0, works=("the_scream", "artic_154235")),
}  # fmt: skip

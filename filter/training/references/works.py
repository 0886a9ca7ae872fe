"""Real works of each look: which of them training may use, and which only judge.

The rule: a work is used for training if its look lists it under `training` here, and judges a look
if that look lists it under `held_out`. No work is in both. Names are file names without suffix,
those of the art collection that `turbolens train --art` names. Photographs and works that are
not listed follow `data.is_held_out`.
"""

from dataclasses import dataclass
from pathlib import Path

from turbolens.filter.training.data import is_held_out, pictures_in


@dataclass(frozen=True)
class Works:
    """Works of a look by file name without suffix; a name that ends in `*` is a beginning."""

    held_out: tuple[str, ...] = ()
    training: tuple[str, ...] = ()


WORKS: dict[str, Works] = {
    "oil painting": Works(
        held_out=(
            "metmuseum_438817", "metmuseum_11130", "metmuseum_14931", "nga_46569", "nga_61368",
            "nga_219555", "clevelandart_1924.963", "nga_46492", "nga_52220", "nga_46622",
            "clevelandart_1964.282", "metmuseum_437999", "artic_81512", "nga_108382",
        ),
    ),
    "watercolour": Works(
        held_out=(
            "metmuseum_16577", "si_saam_1970.355.736", "clevelandart_1950.397.a", "nga_66431",
            "artic_111164", "metmuseum_11114",
        ),
    ),
    "ink and wash": Works(held_out=("metmuseum_44918", "metmuseum_656430")),
    "ukiyo-e": Works(held_out=("artic_88977", "artic_89856", "yama", "roses")),
    "comic": Works(held_out=("gfx_Pepper-and-Carrot*",)),
    "charcoal": Works(held_out=("metmuseum_339671",)),
    "van gogh": Works(
        held_out=(
            "vg_houses", "vg_la_cafe", "metmuseum_436528", "artic_28560", "metmuseum_336327",
        ),
        training=(
            "starry_night_google", "vg_wheat_field", "vg_self", "vg_olive", "nga_106382",
            "clevelandart_1947.209", "metmuseum_436535", "metmuseum_436532",
        ),
    ),
    "hokusai": Works(
        held_out=("yama", "roses"),
        training=(
            "wave", "the_fuji", "wind", "fields", "horses", "canal_2", "the_beach", "hashi",
            "artic_24645",
        ),
    ),
    "monet": Works(  # five works of his are few: other Impressionists judge
        held_out=(
            "the-garden-at-bougival-1884", "in-the-bois-de-boulogne", "clevelandart_1964.282",
            "roses-tremieres-hollyhocks-1884",
        ),
        training=(
            "water-lilies-1919-2", "nga_46523", "nga_46657", "nga_61379", "nga_74796",
        ),
    ),
    "munch": Works(  # two works of his are few: other Expressionists judge
        held_out=("nga_71239", "nga_130841", "artic_8980"),
        training=("the_scream", "artic_154235"),
    ),
}  # fmt: skip
"""A look without an entry has no real works in the collection."""


def training_works(look: str, art: Path) -> list[Path]:
    """The works below `art` that a look may be trained on."""
    return _named(WORKS.get(look, Works()).training, art)


def held_out_works(look: str, art: Path) -> list[Path]:
    """The works below `art` that judge a look and are never trained on.

    Of names that end in `*` only the files that `is_held_out` holds out.
    """
    return _named(WORKS.get(look, Works()).held_out, art)


def _named(names: tuple[str, ...], art: Path) -> list[Path]:
    beginnings = tuple(name[:-1] for name in names if name.endswith("*"))
    return [
        path
        for path in pictures_in(art)
        if path.stem in names
        or (beginnings and path.stem.startswith(beginnings) and is_held_out(path))
    ]

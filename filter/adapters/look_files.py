"""Tells own looks from LoRAs, which the same option loads."""

from collections.abc import Sequence

from turbolens.filter.errors import SettingsError
from turbolens.filter.loading.own_looks import OwnLook, read_own_look

from .lora import LoraSource
from .lora_files import locate_lora


def split_looks(sources: Sequence[LoraSource]) -> tuple[list[OwnLook], list[LoraSource]]:
    """The own looks among these files, and the LoRAs.

    Raises `ModelNotFoundError`, `UnsupportedModelError` and `ModelError` for files, and
    `SettingsError` for a look with a weight.
    """
    looks, loras = list[OwnLook](), list[LoraSource]()
    for source in sources:
        look = read_own_look(locate_lora(source.source))
        if look is None:
            loras.append(source)
            continue
        if source.weight != 1.0:
            raise SettingsError(
                f"the look {look.name!r} has no weight, got {source.weight:g}; set strength and "
                "texture instead"
            )
        looks.append(look)
    return looks, loras

"""Own looks: their file, which `turbolens train look` writes and `--lora` takes.

A safetensors file with the arrays of an `Exemplar`, and JSON in its metadata. It holds no weights
of a network: the model's other looks stay as they are.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from turbolens.filter.diffusion.vocabulary import Vocabulary
from turbolens.filter.errors import ModelError, SettingsError, UnsupportedModelError
from turbolens.filter.surface.media.colour_match import ColourMatch
from turbolens.filter.surface.media.exemplar import LIMITS, Exemplar, Handling

_KEY = "turbolens_look"  # in the metadata
_COLOURS = tuple(each.name for each in fields(ColourMatch))
_DIMENSIONS = {"tiles": 4, "tones": 1, "mean": 1, "covariance": 2, "ramp": 2, "palette": 2,
               "weights": 1}  # fmt: skip


@dataclass(frozen=True, eq=False)
class OwnLook:
    """name: in prompts. text: what the network is given for it. strength: suggested, 0…1."""

    name: str
    text: str
    material: Exemplar
    strength: float = 0.8


def save_own_look(look: OwnLook, file: Path) -> None:
    """Write the file, atomically."""
    match = look.material.match
    arrays = {"tiles": look.material.tiles, "tones": look.material.tones}
    arrays |= {name: getattr(match, name) for name in _COLOURS}
    about = {
        "name": look.name, "text": look.text, "strength": look.strength,
        "handling": asdict(look.material.handling),
    }  # fmt: skip
    temporary = file.with_name(f"{file.name}.tmp")
    save_file({name: np.ascontiguousarray(each) for name, each in arrays.items()}, temporary,
              {_KEY: json.dumps(about)})  # fmt: skip
    temporary.replace(file)


def read_own_look(file: Path) -> OwnLook | None:
    """The look in a safetensors file; `None` if it holds none, such as a LoRA or a damaged file.

    Raises `ModelError` for a look that is incomplete or out of range.
    """
    try:
        with safe_open(file, framework="np") as content:
            about = (content.metadata() or {}).get(_KEY)
            names = [] if about is None else content.keys()
            arrays = {name: content.get_tensor(name) for name in names}
    except (OSError, SafetensorError):
        return None
    if about is None:
        return None
    try:
        return _own_look(json.loads(about), arrays)
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{file} is no look that can be read ({error}); make it again with turbolens train look"
        ) from error


def _own_look(about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> OwnLook:
    """Raises `ValueError`, `KeyError` or `TypeError` if something is missing or out of range."""
    for name, count in _DIMENSIONS.items():
        if arrays[name].ndim != count or not arrays[name].size:
            raise ValueError(f"{name} has the shape {arrays[name].shape}")
    tiles = arrays["tiles"]
    if tiles.dtype != np.uint8 or tiles.shape[1] != tiles.shape[2] or tiles.shape[3] != 3:
        raise ValueError(f"tiles are {tiles.dtype} {tiles.shape}")
    if len(arrays["tones"]) != len(tiles) - 1:
        raise ValueError("one tone between two tiles is needed")
    handling = Handling(**about["handling"])
    for name, (low, high) in LIMITS.items():
        if not low <= getattr(handling, name) <= high:
            raise ValueError(f"{name} must be within {low:g} and {high:g}")
    match = ColourMatch(*(arrays[name].astype(np.float32) for name in _COLOURS))
    material = Exemplar(tiles, arrays["tones"].astype(np.float32), match, handling)
    return OwnLook(str(about["name"]), str(about["text"]), material, float(about["strength"]))


def with_own_looks(vocabulary: Vocabulary | None, looks: Iterable[OwnLook]) -> Vocabulary | None:
    """The vocabulary with further looks.

    Raises `UnsupportedModelError` for a model without one, and `SettingsError` for a name that the
    model has.
    """
    for look in looks:
        if vocabulary is None:
            raise UnsupportedModelError(
                f"the look {look.name!r} was made for the embedded model, and this one takes any "
                "prompt; leave out --model"
            )
        if (known := vocabulary.look_of(look.name)) is not None:
            raise SettingsError(
                f"the model has the look {known!r}, so {look.name!r} cannot be added; train it "
                "with another --name"
            )
        vocabulary = replace(
            vocabulary,
            phrases={**vocabulary.phrases, look.name: ()},
            surfaces={**vocabulary.surfaces, look.name: look.name},
            texts={**vocabulary.texts, look.name: look.text},
        )
    return vocabulary

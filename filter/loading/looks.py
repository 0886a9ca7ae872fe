"""Reads the looks of a model folder, their surfaces, and the words of its tokenizer."""

from collections.abc import Container
from pathlib import Path
from typing import Any

from turbolens.filter.diffusion.vocabulary import Vocabulary, words_of
from turbolens.filter.errors import ModelError

from .json_files import read_json

LOOKS_FILE, SURFACES_FILE = "looks.json", "surfaces.json"
_WORD_END = "</w>"  # of a token at the end of a word, in CLIP's tokenizers


def load_looks(folder: Path) -> tuple[str, ...]:
    """The names of the looks of a model folder; empty if it lists none. Raises `ModelError`."""
    return tuple(map(str, _read_looks(folder)))


def load_vocabulary(folder: Path) -> Vocabulary | None:
    """The vocabulary of a model folder; `None` if the model takes any prompt.

    A model with a fixed list of looks has them as an object in `looks.json`, from names to phrases.
    A plain list of names is a gallery of a model that takes any prompt. Raises `ModelError`.
    """
    looks = _read_looks(folder)
    if not isinstance(looks, dict) or not looks:
        return None
    phrases = {
        str(look): tuple(map(str, given)) if isinstance(given, list) else ()
        for look, given in looks.items()
    }
    surfaces = _read_surfaces(folder)
    return Vocabulary(
        phrases, _tokenizer_words(folder),
        surfaces={look: each["surface"] for look, each in surfaces.items() if "surface" in each},
        texts={look: each["text"] for look, each in surfaces.items() if "text" in each},
    )  # fmt: skip


def _read_surfaces(folder: Path) -> dict[str, dict[str, str]]:
    """From looks to "surface", its name, and perhaps "text", what the network is given instead of
    the look's name; a model without the file has none."""
    path = folder / SURFACES_FILE
    if not path.is_file():
        return {}
    from turbolens.filter.surface.looks import SURFACES  # noqa: PLC0415 - OpenCV: only for models

    surfaces = read_json(path)
    if not isinstance(surfaces, dict) or not all(
        _is_surface(each, SURFACES) for each in surfaces.values()
    ):
        known = ", ".join(SURFACES)
        raise ModelError(
            f"{path} must map looks to objects with a surface ({known}) and perhaps a text, "
            f"got {surfaces!r:.80}"
        )
    return surfaces


def _is_surface(given: object, known: Container[str]) -> bool:
    if not isinstance(given, dict) or given.get("surface") not in known:
        return False
    return isinstance(given.get("text", ""), str)


def _read_looks(folder: Path) -> dict[str, Any] | list[Any]:
    path = folder / LOOKS_FILE
    if not path.is_file():
        return []
    looks = read_json(path)
    if not isinstance(looks, dict | list):
        raise ModelError(f"{path} must list the looks by name, got {looks!r:.80}")
    return looks


def _tokenizer_words(folder: Path) -> frozenset[str]:
    """The words that the model's tokenizer was trained on: tokens that are whole words."""
    path = folder / "tokenizer" / "vocab.json"
    if not path.is_file():
        return frozenset()
    tokens = read_json(path)
    whole = (str(token).removesuffix(_WORD_END) for token in tokens if token.endswith(_WORD_END))
    return frozenset(word for word in whole if len(word) > 1 and words_of(word) == [word])

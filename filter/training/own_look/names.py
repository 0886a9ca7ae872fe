"""Checks the name and the file of a new look before anything is computed."""

from pathlib import Path

from turbolens.filter.diffusion.vocabulary import Vocabulary, words_of
from turbolens.filter.errors import SettingsError

FORBIDDEN = frozenset('/\\:*?"<>|()[]')  # in file names, and in the notation of weights
MAX_CHARACTERS = 60


def check_name(name: str, vocabulary: Vocabulary | None) -> None:
    """Raise `SettingsError` unless the name can be a prompt and a file name, and is new."""
    if not words_of(name) or len(name) > MAX_CHARACTERS or name != name.strip() or name[0] == ".":
        raise SettingsError(
            f"--name must be words of at most {MAX_CHARACTERS} characters, as in a prompt, "
            f"got {name!r}"
        )
    forbidden = sorted(FORBIDDEN.intersection(name))
    if forbidden or not name.isprintable():
        raise SettingsError(
            f"--name must be words without {' '.join(sorted(FORBIDDEN))}, got {name!r}"
        )
    if vocabulary is None:
        return
    reading = vocabulary.read(name)
    if reading.is_photograph:
        raise SettingsError(f"--name must name a look, and {name!r} is a photograph; take another")
    look = vocabulary.look_of(name)
    if look is not None:
        also = "" if look == name else f" (as a phrase of {look!r})"
        raise SettingsError(
            f"--name must be new, and the embedded model has the look {name!r}{also}; take "
            f"another name, for example 'my {name}'"
        )


def check_file(file: Path, run: Path) -> None:
    """Raise `SettingsError` if the file exists and is not of the run that is resumed."""
    if file.exists() and not run.is_dir():
        raise SettingsError(f"{file} exists already: take another --name or --out, or remove it")
    if not file.parent.is_dir():
        raise SettingsError(f"--out must be in a folder that exists, got {file}")

"""Where the files of LoRAs, ControlNets and IP-Adapters lie: a file, a folder, or on the hub."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from turbolens.filter.errors import ModelNotFoundError, UnsupportedModelError
from turbolens.filter.loading.cached_adapters import find_adapter
from turbolens.filter.loading.folders import load_weights, quiet_transformers, variant_of
from turbolens.filter.loading.needed_files import PICKLES, SAFETENSORS


def locate_file(source: str | Path, what: str, beside: Sequence[str] = ()) -> Path:
    """The safetensors file that is meant by FILE, FOLDER, org/name or org/name/path/to/file.

    what: its kind, for messages. beside: patterns of files that belong to it, from its folder. A
    folder or repository must hold exactly one. Nothing is downloaded. Raises `ModelNotFoundError`
    where there is nothing, `UnsupportedModelError` for a pickle.
    """
    path = Path(source).expanduser()
    _refuse_pickle(path, what)
    if not path.exists():
        path = find_adapter(str(source), what, ("*.safetensors",), beside)
    if path.is_dir():
        found = sorted(path.glob("*.safetensors"))
        if len(found) != 1:
            names = ", ".join(each.name for each in found) or "none"
            raise ModelNotFoundError(
                f"{path} must hold one safetensors file of a {what}, and holds {names}; "
                "name the file itself"
            )
        path = found[0]
    if path.suffix != SAFETENSORS:
        raise UnsupportedModelError(f"a {what} must be a safetensors file, got {path}")
    return path


def locate_folder(source: str | Path, what: str, patterns: Sequence[str]) -> Path:
    """The folder that is meant by FOLDER, org/name or org/name/path/to/folder.

    patterns: the files in it that are needed. Nothing is downloaded. Raises `ModelNotFoundError`
    where there is none, `UnsupportedModelError` for a file.
    """
    path = Path(source).expanduser()
    if path.is_file() or (path.suffix in (SAFETENSORS, *PICKLES) and not path.is_dir()):
        raise UnsupportedModelError(f"a {what} must be a folder in diffusers' layout, got {path}")
    return path if path.is_dir() else find_adapter(str(source), what, patterns)


def load_network(kind: Any, folder: Path, stem: str, **options: Any) -> Any:
    """The network of a folder, all of its weights from safetensors named STEM.safetensors.

    Raises `ModelError` for what is damaged or missing, `UnsupportedModelError` for pickles.
    """
    with quiet_transformers():
        return load_weights(kind, folder, variant=variant_of(folder, stem), **options)


def _refuse_pickle(path: Path, what: str) -> None:
    if path.suffix in PICKLES and not path.is_dir():
        raise UnsupportedModelError(
            f"a {what} must be a safetensors file, got {path} (a pickle can run any code)"
        )

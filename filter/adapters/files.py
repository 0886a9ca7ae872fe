"""Finds and loads the files of LoRAs, ControlNets and IP-Adapters."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from turbolens.filter.errors import ModelNotFoundError, UnsupportedModelError
from turbolens.filter.loading.cached_adapters import find_adapter
from turbolens.filter.loading.folders import load_weights, quiet_transformers, variant_of
from turbolens.filter.loading.needed_files import PICKLES, SAFETENSORS


def locate_file(source: str | Path, kind: str, companions: Sequence[str] = ()) -> Path:
    """The safetensors file of an adapter, from FILE, FOLDER, org/name or org/name/path/to/file.

    kind: for messages, such as "LoRA". companions: patterns of files that belong beside it. A
    folder or repository must hold exactly one file. Nothing is downloaded. Raises
    `ModelNotFoundError` if there is none, `UnsupportedModelError` for a pickle.
    """
    path = Path(source).expanduser()
    _refuse_pickle(path, kind)
    if not path.exists():
        path = find_adapter(str(source), kind, ("*.safetensors",), companions=companions)
    if path.is_dir():
        path = _only_file(path, kind)
    if path.suffix != SAFETENSORS:
        raise UnsupportedModelError(f"a {kind} must be a safetensors file, got {path}")
    return path


def _only_file(folder: Path, kind: str) -> Path:
    found = sorted(folder.glob("*.safetensors"))
    if len(found) != 1:
        names = ", ".join(each.name for each in found) or "none"
        raise ModelNotFoundError(
            f"{folder} must hold one safetensors file of a {kind}, and holds {names}; "
            "name the file itself"
        )
    return found[0]


def locate_folder(source: str | Path, kind: str, required: Sequence[str]) -> Path:
    """The folder of an adapter, from FOLDER, org/name or org/name/path/to/folder.

    required: patterns of the files that it must hold. Nothing is downloaded. Raises
    `ModelNotFoundError` if there is none, `UnsupportedModelError` for a file.
    """
    path = Path(source).expanduser()
    if path.is_file() or (path.suffix in (SAFETENSORS, *PICKLES) and not path.is_dir()):
        raise UnsupportedModelError(f"a {kind} must be a folder in diffusers' layout, got {path}")
    return path if path.is_dir() else find_adapter(str(source), kind, required)


def load_network(network: Any, folder: Path, stem: str, **options: Any) -> Any:
    """Load a network class from a folder, with all of its weights from STEM.safetensors.

    Raises `ModelError` for damaged or missing files, `UnsupportedModelError` for pickles.
    """
    with quiet_transformers():
        return load_weights(network, folder, variant=variant_of(folder, stem), **options)


def _refuse_pickle(path: Path, kind: str) -> None:
    if path.suffix in PICKLES and not path.is_dir():
        raise UnsupportedModelError(
            f"a {kind} must be a safetensors file, got {path} (a pickle can run any code)"
        )

"""Where the files of LoRAs, ControlNets and IP-Adapters lie: a file, a folder, or on the hub."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from turbolens.filter.errors import ModelError, ModelNotFoundError, UnsupportedModelError
from turbolens.filter.loading.folders import _load_weights, _quiet_transformers, _variant

_HUB = re.compile(r"([\w-][\w.-]*/[\w-][\w.-]*)(?:/(.+))?")
_PICKLES = {".bin", ".pt", ".pth", ".ckpt"}


def locate_file(source: str | Path, what: str, beside: Sequence[str] = ()) -> Path:
    """The safetensors file that is meant by FILE, FOLDER, org/name or org/name/path/to/file.

    what: its kind, for messages. beside: patterns of files that belong to it, from its folder. A
    folder or repository must hold exactly one. Raises `ModelNotFoundError` where there is nothing,
    `UnsupportedModelError` for a pickle.
    """
    path = Path(source).expanduser()
    if not path.exists():
        path = _from_hub(str(source), what, ("*.safetensors", *beside))
    if path.is_dir():
        found = sorted(path.glob("*.safetensors"))
        if len(found) != 1:
            names = ", ".join(each.name for each in found) or "none"
            raise ModelNotFoundError(
                f"{path} must hold one safetensors file of a {what}, and holds {names}; "
                "name the file itself"
            )
        path = found[0]
    if path.suffix != ".safetensors":
        danger = " (a pickle can run any code)" if path.suffix in _PICKLES else ""
        raise UnsupportedModelError(f"a {what} must be a safetensors file, got {path}{danger}")
    return path


def locate_folder(source: str | Path, what: str, patterns: Sequence[str]) -> Path:
    """The folder that is meant by FOLDER, org/name or org/name/path/to/folder.

    patterns: the files in it that are needed. Raises `ModelNotFoundError` where there is none.
    """
    path = Path(source).expanduser()
    if path.is_file():
        raise UnsupportedModelError(f"a {what} must be a folder in diffusers' layout, got {path}")
    return path if path.is_dir() else _from_hub(str(source), what, patterns)


def load_network(kind: Any, folder: Path, stem: str, **options: Any) -> Any:
    """The network of a folder, all of its weights from safetensors named STEM.safetensors.

    Raises `ModelError` for what is damaged or missing, `UnsupportedModelError` for pickles.
    """
    with _quiet_transformers():
        return _load_weights(kind, folder, variant=_variant(folder, stem), **options)


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a network. Raises `ModelError` where it cannot be read."""
    path = folder / "config.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} must be JSON, and cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} must hold a JSON object, got a {type(content).__name__}")
    return content


def _from_hub(source: str, what: str, patterns: Sequence[str]) -> Path:
    """A path in the local snapshot of a repository, downloaded if it is not there."""
    named = _HUB.fullmatch(source)
    if named is None:
        raise ModelNotFoundError(
            f"there is no {what} at {source!r}: give a file, a folder, or a hub id as org/name"
        )
    repository, inside = named[1], named[2] or ""
    within = str(Path(inside).parent) if inside.endswith(".safetensors") else inside
    prefix = "" if within in ("", ".") else f"{within}/"
    wanted = [f"{prefix}{pattern}" for pattern in patterns]
    if within != inside:  # a file is named: it alone, and what belongs beside it
        wanted = [inside, *wanted[1:]]
    try:
        folder = Path(snapshot_download(repository, allow_patterns=wanted))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelNotFoundError(
            f"there is no {what} {source!r} here, and it is not to be had from the hub: {reason}"
        ) from error
    path = folder / inside
    if not path.exists():
        raise ModelNotFoundError(f"the hub's {repository} holds no {inside}")
    return path

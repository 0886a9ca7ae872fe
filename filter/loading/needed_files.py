"""Chooses the files of a repository to download: of a model, autoencoder, tokenizer or adapter."""

import fnmatch
import re
from collections.abc import Iterable

from turbolens.filter.errors import ModelNotFoundError, UnsupportedModelError

from .activation_ranges import RANGES_FILE
from .hub import RemoteFile, RemoteRepo

INDEX = "model_index.json"
SAFETENSORS = ".safetensors"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".msgpack", ".h5")

_COMPONENTS = (
    "scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "unet", "vae",
)  # fmt: skip
_CONFIGS = (
    INDEX, "looks.json", RANGES_FILE, *(f"{name}/*.json" for name in _COMPONENTS),
    "tokenizer*/*.txt",
)  # fmt: skip
_WEIGHTS = re.compile(
    r"(?P<folder>(?:.*/)?)(?:model|diffusion_pytorch_model)"
    r"(?P<half>\.fp16)?(?:-\d+-of-\d+)?\.safetensors"
)
_NETWORK_CONFIGS = ("config.json", "*.index*.json")  # the second: the index of sharded weights
_IMAGE_ENCODER = "image_encoder/"
_MAX_CHOICES = 12


def repo_files(repo: RemoteRepo, path: str = "") -> list[RemoteFile]:
    """The files of a hub id: of a model in diffusers' layout, or else of an adapter.

    path: a file or folder of the repository, which is then an adapter. Raises `ModelNotFoundError`,
    which lists what can be pulled, and `UnsupportedModelError` for pickles.
    """
    if path.endswith(SAFETENSORS):
        return _file_with_image_encoder(repo, path)
    if path.endswith(PICKLES):
        raise UnsupportedModelError(
            f"a file must be {SAFETENSORS}, got {repo.name}/{path}; pickled weights can run any "
            "code and are never loaded"
        )
    if not path and any(file.path == INDEX for file in repo.files):
        return pipeline_files(repo)
    return _adapter_files(repo, f"{path}/" if path else "")


def pipeline_files(repo: RemoteRepo) -> list[RemoteFile]:
    """The configs, tokenizers and weights of a repository in diffusers' layout."""
    configs = _matching(repo.files, _CONFIGS)
    if INDEX not in {file.path for file in configs}:
        raise UnsupportedModelError(
            f"{repo.name} is not in diffusers' layout: it has no {INDEX}; give the path of one of "
            f"its {SAFETENSORS} files too, as {repo.name}/FILE"
        )
    folders = [
        name for name in _COMPONENTS if any(each.path.startswith(f"{name}/") for each in repo.files)
    ]
    needed = [name for name in folders if not name.startswith(("scheduler", "tokenizer"))]
    return configs + [file for name in needed for file in _weights(repo, f"{name}/")]


def pipeline_files_without_unet(repo: RemoteRepo) -> list[RemoteFile]:
    """The same without the UNet's weights, which come from another file."""
    return [
        file for file in pipeline_files(repo)
        if not (file.path.startswith("unet/") and file.path.endswith(SAFETENSORS))
    ]  # fmt: skip


def autoencoder_files(repo: RemoteRepo) -> list[RemoteFile]:
    """The config and weights of a repository that holds one autoencoder."""
    return _matching(repo.files, ("config.json",)) + _weights(repo, "")


def tokenizer_files(repo: RemoteRepo) -> list[RemoteFile]:
    """The files of CLIP's tokenizer."""
    return _matching(repo.files, ("vocab.json", "merges.txt"))


def _file_with_image_encoder(repo: RemoteRepo, path: str) -> list[RemoteFile]:
    """A file, and before it the image encoder beside it, if any: an IP-Adapter needs it."""
    file = next((each for each in repo.files if each.path == path), None)
    if file is None:
        raise _no_match(repo, path)
    beside = f"{path.rpartition('/')[0]}/{_IMAGE_ENCODER}".lstrip("/")
    encoder: list[RemoteFile] = []
    if any(each.path.startswith(beside) for each in repo.files):
        encoder = _network_files(repo, beside)
    return [*encoder, file]


def _adapter_files(repo: RemoteRepo, folder: str) -> list[RemoteFile]:
    """The network of a folder ("": the root), or its only safetensors file, such as a LoRA."""
    names = {name: file for file in repo.files if (name := _name_in(file, folder)) is not None}
    if "config.json" in names and _weights_in(repo, folder):
        return _network_files(repo, folder)
    files = [name for name in names if name.endswith(SAFETENSORS)]
    if len(files) != 1:
        raise _no_match(repo, folder.rstrip("/"))
    config = [names["config.json"]] if "config.json" in names else []
    return config + _file_with_image_encoder(repo, folder + files[0])


def _network_files(repo: RemoteRepo, folder: str) -> list[RemoteFile]:
    named = ((file, _name_in(file, folder)) for file in repo.files)
    configs = [
        file for file, name in named
        if name and any(fnmatch.fnmatchcase(name, each) for each in _NETWORK_CONFIGS)
    ]  # fmt: skip
    return configs + _weights(repo, folder)


def _name_in(file: RemoteFile, folder: str) -> str | None:
    """The name of a file directly in the folder; `None` if it is elsewhere."""
    name = file.path.removeprefix(folder)
    return name if file.path.startswith(folder) and "/" not in name else None


def _no_match(repo: RemoteRepo, path: str) -> ModelNotFoundError | UnsupportedModelError:
    """The error for a path that matches nothing or several files: lists what can be pulled."""
    choices = _choices(repo)
    if not choices:
        return UnsupportedModelError(
            f"{repo.name} has no safetensors; pickled weights can run any code and are never loaded"
        )
    under = [each for each in choices if each.startswith(f"{path}/")] if path else []
    shown = (under or choices)[:_MAX_CHOICES]
    more = len(under or choices) - len(shown)
    reason = (
        f"{repo.name} has no {path}" if path and not under
        else f"{path or 'the root'} of {repo.name} is neither one network nor one file"
    )  # fmt: skip
    return ModelNotFoundError(
        f"{reason}; pull one of {', '.join(f'{repo.name}/{each}' for each in shown)}"
        + (f" and {more} more" if more else "")
    )


def _choices(repo: RemoteRepo) -> list[str]:
    """The paths that can be pulled: folders of networks and single files; no image encoders."""
    configs = {file.path for file in repo.files if file.path.endswith("config.json")}
    found: dict[str, None] = {}
    for file in sorted(repo.files, key=lambda each: each.path):
        folder = file.path.rpartition("/")[0]
        if not file.path.endswith(SAFETENSORS) or f"/{folder}/".endswith(f"/{_IMAGE_ENCODER}"):
            continue
        is_network = _WEIGHTS.fullmatch(file.path) and f"{folder}/config.json" in configs
        found[folder if is_network else file.path] = None
    return list(found)


def _matching(files: Iterable[RemoteFile], patterns: Iterable[str]) -> list[RemoteFile]:
    return [
        file for file in files
        if any(fnmatch.fnmatchcase(file.path, pattern) for pattern in patterns)
    ]  # fmt: skip


def _weights(repo: RemoteRepo, folder: str) -> list[RemoteFile]:
    """The safetensors of a folder. Raises `UnsupportedModelError` if there are none."""
    chosen = _weights_in(repo, folder)
    if not chosen:
        raise UnsupportedModelError(
            f"{repo.name} has no safetensors in {folder or 'its root'}; pickled weights can run "
            "any code and are never loaded"
        )
    return chosen


def _weights_in(repo: RemoteRepo, folder: str) -> list[RemoteFile]:
    """The safetensors of a folder: in half precision if there are any."""
    found = [
        (bool(match["half"]), file) for file in repo.files
        if (match := _WEIGHTS.fullmatch(file.path)) and match["folder"] == folder
    ]  # fmt: skip
    half = [file for is_half, file in found if is_half]
    return half or [file for _, file in found]

"""What a frame filter's results depend on besides its input, and how long videos are divided."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av

from turbolens.filter import ModelNotFoundError, UnsupportedModelError
from turbolens.filter.loading.locating import locate
from turbolens.pipelines.model_choice import ModelChoice
from turbolens.pipelines.video.segments.identity import Identity, content_identity, model_identity
from turbolens.pipelines.video.segments.run_up import run_up_frames
from turbolens.pipelines.video.segments.segmentation import Segmentation

if TYPE_CHECKING:
    from turbolens.filter import FrameFilter


COMPANIONS = ("control video", "mask")
"""The files beside an input, by name."""
MODEL_FILES = "model's files"


def segmentation_for(
    frame_filter: "FrameFilter",
    choice: ModelChoice,
    *,
    seconds: Fraction,
    resume: bool,
    files: Mapping[str, str | None],
) -> Segmentation:
    """Segments of this length, as far as the filter's settings allow them.

    files: those of `COMPANIONS` that there are.
    """
    identity = filter_identity(frame_filter, choice, files)
    return Segmentation(seconds, resume, run_up_frames(frame_filter.settings), identity)


def expected_identity(choice: ModelChoice) -> Identity:
    """The part of `filter_identity` that is known without loading the model, if it is here."""
    try:
        return {MODEL_FILES: model_identity(locate(choice.model))}
    except (ModelNotFoundError, UnsupportedModelError):
        return {}


def filter_identity(
    frame_filter: "FrameFilter", choice: ModelChoice, files: Mapping[str, str | None]
) -> Identity:
    """Settings, model, weights, device and versions, by the names of their options."""
    model, adapters = frame_filter.model, choice.adapters
    values: dict[str, object] = {
        **frame_filter.settings.model_dump(),
        "model": model.name,
        MODEL_FILES: model_identity(model.folder),
        "device": model.device,
        "dtype": model.dtype,
        "vae": choice.vae,
        "acceleration": choice.acceleration,
        "lora": [_file(each) for each in adapters.lora],
        "controlnet": _file(adapters.controlnet),
        "control picture": adapters.control,
        "ip adapter": _file(adapters.ip_adapter),
        "image prompt": _file(adapters.image_prompt),
        **{name: _file(files.get(name)) for name in COMPANIONS},
        "version of PyAV": av.__version__,
    }
    return {name.replace("_", " "): str(value) for name, value in values.items()}


def _file(name: str | None) -> str:
    """The name and, if it is a file or folder here, with an optional weight, its identity."""
    if name is None:
        return ""
    for path in (Path(name), Path(name.rpartition(":")[0] or name)):
        if path.is_file():
            return f"{name}, {content_identity(path)}"
        if path.is_dir():
            return f"{name}, {model_identity(path)}"
    return name

"""How `turbolens video` divides long videos: what an interrupted run must have been made with."""

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av

from turbolens.pipelines.model_choice import ModelChoice
from turbolens.pipelines.video.segments.identity import Identity, file_identity, model_identity
from turbolens.pipelines.video.segments.run_up import run_up_frames
from turbolens.pipelines.video.segments.segmentation import Segmentation

from .companions import Companions

if TYPE_CHECKING:
    from turbolens.filter import FrameFilter


def segmentation_for(
    frame_filter: "FrameFilter",
    choice: ModelChoice,
    companions: Companions,
    *,
    seconds: Fraction,
    resume: bool,
) -> Segmentation:
    """Segments of this length, as far as the filter's settings allow them."""
    identity = filter_identity(frame_filter, choice, companions)
    return Segmentation(seconds, resume, run_up_frames(frame_filter.settings), identity)


def filter_identity(
    frame_filter: "FrameFilter", choice: ModelChoice, companions: Companions
) -> Identity:
    """Settings, model, weights, device and versions, by the names of their options."""
    model, adapters = frame_filter.model, choice.adapters
    values: dict[str, object] = {
        **frame_filter.settings.model_dump(),
        "model": model.name,
        "model's files": model_identity(model.folder),
        "device": model.device,
        "dtype": model.dtype,
        "vae": choice.vae,
        "acceleration": choice.acceleration,
        "lora": [_file(each) for each in adapters.lora],
        "controlnet": _file(adapters.controlnet),
        "control picture": adapters.control,
        "ip adapter": _file(adapters.ip_adapter),
        "image prompt": _file(adapters.image_prompt),
        "control video": _file(companions.control_video),
        "mask": _file(companions.mask),
        "version of PyAV": av.__version__,
    }
    return {name.replace("_", " "): str(value) for name, value in values.items()}


def _file(name: str | None) -> str:
    """The name and, if it is a file or folder here, with an optional weight, its identity."""
    if name is None:
        return ""
    for path in (Path(name), Path(name.rpartition(":")[0] or name)):
        if path.is_file():
            return f"{name}, {file_identity(path)}"
        if path.is_dir():
            return f"{name}, {model_identity(path)}"
    return name

"""What a call needs: its settings, its source, its sinks and its filter, as chosen."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import Any

from turbolens.filter import FilterSettings
from turbolens.filter.loading.catalogue import EMBEDDED_FOLDER
from turbolens.filter.loading.locating import locate
from turbolens.pipelines.base import Notify, Sink, Source, rate_of
from turbolens.pipelines.camera.camera import Camera
from turbolens.pipelines.camera.framing import Framed, cropped_size
from turbolens.pipelines.camera.virtual_camera import VirtualCamera
from turbolens.pipelines.live.pacing import OnStall
from turbolens.pipelines.live.running import RunOptions
from turbolens.pipelines.live.working_size import SizeSearch
from turbolens.pipelines.model_choice import ModelChoice, load_filter
from turbolens.pipelines.scene.camera import FileCamera, SceneCamera
from turbolens.pipelines.video.media import MediaOptions, is_scene, open_reader

from .call import HANG_AFTER, CallOptions, Webcam
from .filter import WebcamFilter
from .presets import load_preset
from .preview import Preview

NONE = "none"
SCENE_SIZE = 640, 360  # a larger one takes long to paint


@dataclass(frozen=True)
class Choices:
    """The options of `turbolens webcam`, parsed."""

    camera: str | None = None
    size: tuple[int, int] | None = None
    rate: Fraction = Fraction(30)
    pixel_format: str | None = None
    mirror: bool = False
    aspect: Fraction | None = None
    virtual_camera: str | None = None
    preview: bool = False
    record: Path | None = None
    overwrite: bool = False
    on_stall: OnStall = "slate"
    seconds: float = inf
    metrics_port: int | None = None
    control_port: int | None = None
    choice: ModelChoice = field(default_factory=ModelChoice)


def wanted_settings(given: dict[str, Any], preset: str | None, size: int | None) -> FilterSettings:
    """The preset's settings, and on top of them what was given. Raises `SettingsError`."""
    values = load_preset(preset) if preset is not None else {}
    if size is not None:
        values["size"] = size
    return FilterSettings(**{**values, **given})


def open_source(choices: Choices) -> Source:
    """The camera, the test scene, or a file as a camera. Raises `MediaError`."""
    source = _camera(choices)
    if choices.mirror or choices.aspect is not None:
        return Framed(source, mirror=choices.mirror, aspect=choices.aspect)
    return source


def _camera(choices: Choices) -> Source:
    name = choices.camera
    if name is not None and is_scene(name):
        return SceneCamera(*(choices.size or SCENE_SIZE), rate=choices.rate)
    if name is not None and _is_file(name):
        return FileCamera(lambda: open_reader(name, MediaOptions(), _ignore))
    width, height = choices.size or (1280, 720)
    return Camera(
        name, width=width, height=height, rate=choices.rate, pixel_format=choices.pixel_format
    )


def _is_file(name: str) -> bool:
    return Path(name).is_file()


def open_sinks(choices: Choices, source: Source, notify: Notify) -> list[Sink]:
    """The virtual camera and the window, as far as they were chosen. Raises `MediaError`.

    The virtual camera is open before the model is loaded, so that a call can choose it at once.
    """
    sinks: list[Sink] = [Preview()] if choices.preview else []
    if choices.virtual_camera == NONE:
        return sinks
    width, height = _size_of(source, choices)
    camera = VirtualCamera(
        choices.virtual_camera, width=width, height=height, rate=_rate(source)
    )  # fmt: skip
    notify(f"showing on {camera.device} ({camera.backend}): choose it in the call")
    return [camera, *sinks]


def _size_of(source: Source, choices: Choices) -> tuple[int | None, int | None]:
    """How large the frames will be, where the source tells; else the first one decides."""
    inner = getattr(source, "source", source)
    width, height = getattr(inner, "width", None), getattr(inner, "height", None)
    if width is None or height is None or choices.aspect is None:
        return width, height
    return cropped_size(width, height, choices.aspect)


def _rate(source: Source) -> Fraction:
    return rate_of(source) or Fraction(30)


def prepared_call(
    choices: Choices,
    settings: FilterSettings,
    source: Source,
    sinks: Sequence[Sink],
    notify: Notify,
) -> Webcam:
    """The call, ready to run. Raises `ModelNotFoundError` for a model that is not to be had."""
    folder = locate(choices.choice.model)
    frame_filter = WebcamFilter(
        lambda wanted: load_filter(
            choices.choice, wanted, live=True
        ),
        settings, search=SizeSearch(), notify=notify,
    )  # fmt: skip
    running = RunOptions(on_stall=choices.on_stall, hang_after=HANG_AFTER, rate=_rate(source))
    options = CallOptions(
        running, record=choices.record, overwrite=choices.overwrite,
        metrics_port=choices.metrics_port, control_port=choices.control_port,
        seconds=choices.seconds, adapters=choices.choice.adapters.kinds,
    )  # fmt: skip
    return Webcam(
        source, frame_filter, sinks, looks=looks_of(folder), options=options, notify=notify
    )


def looks_of(folder: Path) -> list[str]:
    """The looks of the model in a folder; the embedded ones for a model that takes any prompt."""
    for place in (folder, EMBEDDED_FOLDER):
        file = place / "looks.json"
        if file.is_file():
            return list(json.loads(file.read_text(encoding="utf-8")))
    return []


def quiet_log() -> None:
    """The command says in one line what a log would say with a traceback."""
    logging.getLogger("turbolens").addHandler(logging.NullHandler())


def _ignore(_: str) -> None:
    """What a reader notices is not news in a call."""

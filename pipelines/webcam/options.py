"""The options of a call."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import inf
from pathlib import Path

from turbolens.pipelines.live.options import RunOptions
from turbolens.pipelines.model_choice import ModelChoice
from turbolens.pipelines.osc.server import OscAddress
from turbolens.pipelines.webrtc.client.options import ClientOptions

HANG_AFTER = 60.0  # seconds; the first call of the filter loads the model, which may take long


def _run_options() -> RunOptions:
    return RunOptions(hang_after=HANG_AFTER)


@dataclass(frozen=True)
class CallOptions:
    """What a call does while it runs.

    running: what is shown when the filter or the camera is late. folder: where snapshots and
    recordings are saved. record: a file to record to from the beginning. metrics_port and
    control_port: where to serve statistics and the control page, 0 for any free port, `None` for
    not at all. browser: open the control page in a browser. osc: where to listen for OSC, `None`
    for nowhere. adapters: the kinds of adapters that the control page shows. seconds: how long the
    call lasts.
    """

    running: RunOptions = field(default_factory=_run_options)
    folder: Path = Path()
    record: Path | None = None
    overwrite: bool = False
    metrics_port: int | None = None
    control_port: int | None = None
    browser: bool = False
    osc: OscAddress | None = None
    adapters: tuple[str, ...] = ()
    seconds: float = inf


@dataclass(frozen=True)
class WebcamOptions:
    """The options of `turbolens webcam`: camera, model, where to show the result, and the call.

    camera: number, path, part of the name, "test-scene", or a file; `None` is the first camera.
    size: width and height asked of the camera. rate: frames per second asked of it. pixel_format:
    FFmpeg's name. aspect: width divided by height to crop to. virtual_camera: its name or path,
    "pipewire" for a camera of PipeWire, "none" for no virtual camera, `None` for the first one.
    preview: show the result in a window.
    client: the server that filters, `None` to filter here.
    """

    camera: str | None = None
    size: tuple[int, int] | None = None
    rate: Fraction = Fraction(30)
    pixel_format: str | None = None
    mirror: bool = False
    aspect: Fraction | None = None
    virtual_camera: str | None = None
    preview: bool = False
    model: ModelChoice = field(default_factory=ModelChoice)
    call: CallOptions = field(default_factory=CallOptions)
    client: ClientOptions | None = None

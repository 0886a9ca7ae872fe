"""`turbolens webcam`: filter a camera into a virtual camera for video calls."""

import sys
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import Annotated, Any

import typer

from turbolens.pipelines.live.options import OnStall, RunOptions
from turbolens.pipelines.model_choice import ModelChoice
from turbolens.pipelines.webrtc.client.options import ClientOptions

from .options.client import check_no_model
from .options.osc import OscOption, osc_address
from .options.panels import OUTPUT
from .options.shared import with_shared_options
from .usage import parse_size, usage_errors

CAMERA, RUNNING = "Camera", "Run"
NONE = "none"


@with_shared_options
def webcam(  # noqa: PLR0913 - each one is an option of the command
    *,
    settings: dict[str, Any],
    choice: ModelChoice,
    client: ClientOptions | None,
    camera: Annotated[str | None, typer.Option(
        help="Number, path or part of the name of a camera; test-scene; or a video file, played"
             " like a camera [default: the first camera, see turbolens devices].",
        rich_help_panel=CAMERA)] = None,
    camera_size: Annotated[str | None, typer.Option(
        metavar="WxH", help="Frame size to request from the camera [default: 1280x720].",
        rich_help_panel=CAMERA)] = None,
    camera_rate: Annotated[float, typer.Option(
        min=1, max=240, help="Frame rate to request from the camera.",
        rich_help_panel=CAMERA)] = 30,
    camera_format: Annotated[str | None, typer.Option(
        help="Camera format: mjpeg, yuyv422, nv12, … [default: one with that frame rate].",
        rich_help_panel=CAMERA)] = None,
    mirror: Annotated[bool, typer.Option(
        "--mirror", help="Flip the frames left to right.", rich_help_panel=CAMERA)]
    = False,
    crop: Annotated[str | None, typer.Option(
        metavar="W:H", help="Crop the frames to this aspect ratio, for example 1:1 or 4:3.",
        rich_help_panel=CAMERA)] = None,
    virtual_camera: Annotated[str | None, typer.Option(
        metavar="DEVICE|pipewire|none",
        help="Device or name of the virtual camera; pipewire: a camera of PipeWire, for desktops"
             " that list no other [default: the first virtual camera].",
        rich_help_panel=OUTPUT)] = None,
    preview: Annotated[bool, typer.Option(
        "--preview", help="Also show the result in a window (needs ffplay).",
        rich_help_panel=OUTPUT)]
    = False,
    record: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Record the result to a video file.", rich_help_panel=OUTPUT)]
    = None,
    overwrite: Annotated[bool, typer.Option(
        "--overwrite", help="Replace an existing recording.", rich_help_panel=OUTPUT)] = False,
    on_stall: Annotated[OnStall, typer.Option(
        help="What to show if the filter gives no frame for two seconds: a slate, the last frame,"
             " or the unfiltered camera.", rich_help_panel=OUTPUT)] = "slate",
    size: Annotated[str, typer.Option(
        metavar="auto|N", help="Longer side of the working image in pixels. auto: the largest of"
                               " 512 … 256 that runs at 24 frames per second on this machine.",
        rich_help_panel=RUNNING)] = "auto",
    duration: Annotated[float, typer.Option(
        min=0.1, help="Stop after this many seconds [default: never].", show_default=False,
        rich_help_panel=RUNNING)] = inf,
    json_lines: Annotated[bool, typer.Option(
        "--json", help="Print statistics and notices as JSON lines on stdout.",
        rich_help_panel=RUNNING)]
    = False,
    metrics: Annotated[int | None, typer.Option(
        metavar="PORT", min=0, max=65535,
        help="Serve Prometheus metrics on 127.0.0.1 at this port.",
        rich_help_panel=RUNNING)] = None,
    control: Annotated[int | None, typer.Option(
        metavar="PORT", min=0, max=65535, rich_help_panel=RUNNING,
        help="Serve a control page on 127.0.0.1 at this port, and open it in the browser."
             " 0 or none: any free port.")] = None,
    no_browser: Annotated[bool, typer.Option(
        "--no-browser", help="Only print the address of the control page.",
        rich_help_panel=RUNNING)] = False,
    osc: OscOption = None,
) -> None:  # fmt: skip
    """Filter the camera into a virtual camera that a video call can use.

    Everything happens on this machine: no picture leaves it, unless --server names another machine
    that filters. The unfiltered camera is never shown after a failure, unless --on-stall
    passthrough is given. Keys change the look during the run; q quits.

    Examples:
    turbolens webcam -p watercolour --control
    turbolens webcam --camera test-scene --preview --virtual-camera none
    turbolens webcam --server https://gpu.example.org:8443 --token TOKEN
    """
    from turbolens.pipelines.webcam.options import (  # noqa: PLC0415
        HANG_AFTER,
        CallOptions,
        WebcamOptions,
    )
    from turbolens.pipelines.webcam.setup import (  # noqa: PLC0415
        merge_settings,
        open_devices,
        prepare_call,
        silence_log,
    )

    from .live_status import LiveReporter  # noqa: PLC0415

    if client is not None:
        check_no_model(choice)
    with usage_errors():
        choice.adapters.check()
    options = WebcamOptions(
        camera=camera, rate=Fraction(str(camera_rate)),
        size=parse_size("--camera-size", camera_size) if camera_size else None,
        pixel_format=camera_format, mirror=mirror, aspect=_aspect(crop),
        virtual_camera=virtual_camera, preview=preview, model=choice, client=client,
        call=CallOptions(
            running=RunOptions(on_stall=on_stall, hang_after=HANG_AFTER), record=record,
            overwrite=overwrite, seconds=duration, metrics_port=metrics, control_port=control,
            browser=not (no_browser or json_lines),
            osc=osc_address(osc),
        ),
    )  # fmt: skip
    shown = preview or record or json_lines or metrics is not None or control is not None
    if virtual_camera == NONE and not shown:
        raise typer.BadParameter(
            "nothing would be shown: leave out --virtual-camera none, or add --preview, --control"
            " or --record FILE"
        )
    wanted = merge_settings(choice.with_look(settings), _working_size(size))
    silence_log()
    with (
        LiveReporter(as_json=json_lines, stream=sys.stdout) as reporter,
        open_devices(options, reporter.notice) as devices,
    ):
        call = prepare_call(options, wanted, devices, notify=reporter.notice)
        reporter.run = call
        try:
            reporter.done(call.run(reporter.stats))
        except KeyboardInterrupt:
            reporter.done(reporter.last)  # the usual end of a call


def _aspect(text: str | None) -> Fraction | None:
    if text is None:
        return None
    width, _, height = text.partition(":")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise typer.BadParameter(f"--crop must be W:H, for example 16:9, got {text!r}")
    return Fraction(int(width), int(height))


def _working_size(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal():
        raise typer.BadParameter(f"--size must be auto or a number of pixels, got {text!r}")
    return int(text)

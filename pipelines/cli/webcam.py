"""`turbolens webcam`: the camera, filtered, as a camera that a video call can choose."""

import sys
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import Annotated, Any

import typer

from turbolens.pipelines.live.options import OnStall, RunOptions

from .filter_options import parse_size, with_filter_options
from .model_options import ModelChoice, with_model_options

CAMERA, SHOWING, RUNNING = "The camera", "What is shown", "While it runs"
NONE = "none"


@with_filter_options
@with_model_options
def webcam(  # noqa: PLR0913 - each one is an option of the command
    *,
    settings: dict[str, Any],
    choice: ModelChoice,
    camera: Annotated[str | None, typer.Option(
        help="Number, path or part of the name; test-scene; or a file, as if it were a camera"
             " [default: the first camera, see turbolens devices].",
        rich_help_panel=CAMERA)] = None,
    camera_size: Annotated[str | None, typer.Option(
        metavar="WxH", help="Size to ask the camera for [default: 1280x720].",
        rich_help_panel=CAMERA)] = None,
    camera_rate: Annotated[float, typer.Option(
        min=1, max=240, help="Frames a second to ask the camera for.",
        rich_help_panel=CAMERA)] = 30,
    camera_format: Annotated[str | None, typer.Option(
        help="mjpeg, yuyv422, nv12, … [default: what gives that rate].",
        rich_help_panel=CAMERA)] = None,
    mirror: Annotated[bool, typer.Option(
        "--mirror", help="Turn the picture around as a mirror does.", rich_help_panel=CAMERA)]
    = False,
    crop: Annotated[str | None, typer.Option(
        metavar="W:H", help="Keep the middle in this shape, as 1:1 or 4:3.",
        rich_help_panel=CAMERA)] = None,
    virtual_camera: Annotated[str | None, typer.Option(
        metavar="DEVICE|none", help="/dev/video10, or a name [default: the first there is].",
        rich_help_panel=SHOWING)] = None,
    preview: Annotated[bool, typer.Option(
        "--preview", help="Show it in a window, too (needs ffplay).", rich_help_panel=SHOWING)]
    = False,
    record: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Write what is shown to a video file.", rich_help_panel=SHOWING)]
    = None,
    overwrite: Annotated[bool, typer.Option(
        "--overwrite", help="Replace a recording that exists.", rich_help_panel=SHOWING)] = False,
    on_stall: Annotated[OnStall, typer.Option(
        help="Shown when the filter gives nothing for two seconds: a slate, the last picture, or"
             " the unfiltered camera.", rich_help_panel=SHOWING)] = "slate",
    preset: Annotated[str | None, typer.Option(
        help="Settings saved by key S; options given beside it come on top.",
        rich_help_panel=RUNNING)] = None,
    size: Annotated[str, typer.Option(
        metavar="auto|N", help="Longer side of the working picture in pixels; auto: the largest of"
                               " 512 … 256 that runs at 24 frames a second here.",
        rich_help_panel=RUNNING)] = "auto",
    duration: Annotated[float, typer.Option(
        min=0.1, help="End after so many seconds [default: never].", show_default=False,
        rich_help_panel=RUNNING)] = inf,
    json_lines: Annotated[bool, typer.Option(
        "--json", help="Statistics and notices as JSON lines on stdout.", rich_help_panel=RUNNING)]
    = False,
    metrics: Annotated[int | None, typer.Option(
        metavar="PORT", min=0, max=65535, help="Serve statistics to Prometheus on 127.0.0.1.",
        rich_help_panel=RUNNING)] = None,
    control: Annotated[int | None, typer.Option(
        metavar="PORT", min=0, max=65535, rich_help_panel=RUNNING,
        help="A page of dials on 127.0.0.1; 0 chooses a port.")] = None,
) -> None:  # fmt: skip
    """Filter the camera, and show it as a camera that a video call can choose.

    Everything happens on this machine: no picture leaves it. A failure never shows the unfiltered
    camera unless --on-stall passthrough was chosen. Keys change the look while it runs; q ends it.

    Examples:  turbolens webcam -p watercolour  ·  turbolens webcam --camera test-scene --preview
    --virtual-camera none
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

    choice.adapters.check()
    options = WebcamOptions(
        camera=camera, rate=Fraction(str(camera_rate)),
        size=parse_size("--camera-size", camera_size) if camera_size else None,
        pixel_format=camera_format, mirror=mirror, aspect=_aspect(crop),
        virtual_camera=virtual_camera, preview=preview, model=choice,
        call=CallOptions(
            running=RunOptions(on_stall=on_stall, hang_after=HANG_AFTER), record=record,
            overwrite=overwrite, seconds=duration, metrics_port=metrics, control_port=control,
        ),
    )  # fmt: skip
    if virtual_camera == NONE and not (preview or record or json_lines or metrics is not None):
        raise typer.BadParameter(
            "nothing would be shown: leave out --virtual-camera none, or add --preview or"
            " --record FILE"
        )
    wanted = merge_settings(choice.with_look(settings), preset, _working_size(size))
    silence_log()
    with (
        LiveReporter(as_json=json_lines, stream=sys.stdout) as reporter,
        open_devices(options, reporter.notice) as devices,
    ):
        call = prepare_call(options, wanted, devices, notify=reporter.notice)
        reporter.state = call.state
        try:
            reporter.done(call.run(reporter.stats))
        except KeyboardInterrupt:
            reporter.done(reporter.last)  # the usual way to end a call


def _aspect(text: str | None) -> Fraction | None:
    if text is None:
        return None
    width, _, height = text.partition(":")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise typer.BadParameter(f"--crop must be as 1:1 or 16:9, got {text!r}")
    return Fraction(int(width), int(height))


def _working_size(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal():
        raise typer.BadParameter(f"--size must be auto or a number of pixels, got {text!r}")
    return int(text)

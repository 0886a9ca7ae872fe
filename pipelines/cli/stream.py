"""`turbolens stream`: filter any stream, file or screen to any stream or file, with its audio."""

import sys
from contextlib import nullcontext
from fractions import Fraction
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from turbolens.filter import FilterSettings
from turbolens.pipelines.base import AdjustableFilter, Notify
from turbolens.pipelines.live.options import OnStall, RunOptions
from turbolens.pipelines.model_choice import ModelChoice, load_filter, vocabulary_of
from turbolens.pipelines.osc.server import OscAddress, OscServer
from turbolens.pipelines.streams.endpoints import input_endpoint, output_endpoint
from turbolens.pipelines.video.destination import is_piped
from turbolens.pipelines.video.encoders.presets import check_encoder_preset
from turbolens.pipelines.webcam.filter import WebcamFilter

from .live_status import LiveReporter
from .options.osc import OscOption, osc_address
from .options.panels import EXPERT, INPUT, OUTPUT
from .options.shared import with_shared_options
from .usage import usage_errors

if TYPE_CHECKING:
    from turbolens.pipelines.webrtc.control.controls import Controls

CAMERA, VIRTUAL = "camera", "virtual-camera"


@with_shared_options
def stream(  # noqa: PLR0913 - each one is an option of the command
    source: Annotated[str, typer.Argument(
        metavar="INPUT", show_default=False,
        help="rtsp://, rtmp://, udp://, rtp://, http(s):// (also HLS), tcp://, a file (played in "
             "real time), screen, screen:DISPLAY, camera, camera:NAME, or - for stdin.")],
    target: Annotated[str, typer.Argument(
        metavar="OUTPUT", show_default=False,
        help="rtmp://, rtsp:// (push), udp://, tcp://, https://…/whip, a file, virtual-camera, "
             "virtual-camera:DEVICE, or - for stdout.")],
    *,
    settings: dict[str, Any],
    choice: ModelChoice,
    listen: Annotated[bool, typer.Option(
        "--listen", help="Listen, and wait for a sender to connect (RTMP, RTSP, TCP, HTTP).",
        rich_help_panel=INPUT)] = False,
    until_end: Annotated[bool, typer.Option(
        "--until-end", help="Stop when the input ends, instead of waiting for it to return.",
        rich_help_panel=INPUT)] = False,
    loop: Annotated[bool, typer.Option(
        "--loop", help="Play a file in a loop.", rich_help_panel=INPUT)] = False,
    input_format: Annotated[str | None, typer.Option(
        help="Container format of the input, by FFmpeg's name [default: detected].",
        rich_help_panel=INPUT)] = None,
    bit_rate: Annotated[int | None, typer.Option(
        min=50, help="Video bit rate in kbit/s [default: by size and rate, 2800 for 720p30].",
        rich_help_panel=OUTPUT)] = None,
    keyframe_interval: Annotated[float, typer.Option(
        min=0.1, max=60,
        help="Seconds between keyframes, which is the longest wait for a new viewer.",
        rich_help_panel=OUTPUT)] = 2,
    rate: Annotated[float | None, typer.Option(
        min=1, max=240, help="Frames per second to send [default: as the input].",
        rich_help_panel=OUTPUT)] = None,
    codec: Annotated[Literal["h264", "hevc"], typer.Option(
        help="Video codec.", rich_help_panel=OUTPUT)] = "h264",
    hardware: Annotated[bool, typer.Option(
        "--hardware", help="Encode on the GPU.", rich_help_panel=OUTPUT)] = False,
    encoder_preset: Annotated[str | None, typer.Option(
        help="Speed preset of the encoder [default: veryfast].", rich_help_panel=EXPERT)] = None,
    sound: Annotated[bool, typer.Option(
        "--sound/--no-sound", help="Also send the input's audio.", rich_help_panel=OUTPUT)] = True,
    on_stall: Annotated[OnStall, typer.Option(
        help="What to send while the filter gives no frames: a slate, the last frame, or the "
             "unfiltered input.",
        rich_help_panel=OUTPUT)] = "slate",
    output_format: Annotated[str | None, typer.Option(
        "--format",
        help="Container format of the output, by FFmpeg's name [default: from the file name].",
        rich_help_panel=OUTPUT)] = None,
    token: Annotated[str | None, typer.Option(
        help="Bearer token of the WHIP server.", envvar="TURBOLENS_WHIP_TOKEN",
        rich_help_panel=OUTPUT)]
    = None,
    overwrite: Annotated[bool, typer.Option(
        "--overwrite", help="Replace an existing output file.", rich_help_panel=OUTPUT)]
    = False,
    osc: OscOption = None,
    json_lines: Annotated[bool, typer.Option(
        "--json",
        help="Print statistics as JSON lines (on stderr if the output is a pipe).")] = False,
) -> None:  # fmt: skip
    """Filter a live stream, with its audio in sync. Lost connections are opened again.

    Examples:
    turbolens stream rtsp://camera/1 rtmp://server/live/key -p watercolour
    turbolens stream rtmp://0.0.0.0/live/in udp://239.0.0.1:5000 --listen
    ffmpeg -i srt://host:9000 -c copy -f mpegts - | turbolens stream - out.mkv
    """
    check_encoder_preset(codec, encoder_preset, hardware=hardware)
    incoming = outgoing = None
    if not _is_device(source, CAMERA):
        incoming = input_endpoint(source, listen=listen, input_format=input_format)
    if not _is_device(target, VIRTUAL):
        outgoing = output_endpoint(
            target, output_format=output_format, overwrite=overwrite, token=token
        )  # fmt: skip
    from turbolens.pipelines.streams.encoding import StreamEncoding  # noqa: PLC0415
    from turbolens.pipelines.streams.filter_stream import StreamOptions, filter_stream  # noqa: PLC0415 - after parsing

    encoding = StreamEncoding(
        codec=codec, bit_rate=None if bit_rate is None else bit_rate * 1000, preset=encoder_preset,
        keyframe_interval=Fraction(str(keyframe_interval)), hardware=hardware,
    )  # fmt: skip
    options = StreamOptions(
        encoding=encoding, rate=None if rate is None else Fraction(str(rate)), audio=sound,
        until_end=until_end, loop=loop, running=RunOptions(on_stall=on_stall),
    )  # fmt: skip
    wanted = FilterSettings(**choice.with_look(settings))
    with usage_errors():
        choice.adapters.check()
    listen_at = osc_address(osc)
    stop = Event()
    current = _CurrentFilter(choice, wanted)
    if incoming is not None and incoming.opens_early:
        current.load_in_background(stop)
    else:
        current.load()
    report_to = sys.stderr if is_piped(target) else sys.stdout
    with (
        LiveReporter(as_json=json_lines, stream=report_to) as reporter,
        nullcontext() if listen_at is None else _osc(current, listen_at, reporter.notice),
    ):
        try:
            stats = filter_stream(
                incoming or _camera(source), outgoing or _virtual_camera(target), current.filter,
                options, on_stats=reporter.stats, on_notice=reporter.notice, reload=current.reload,
                stop=stop,
            )  # fmt: skip
        except KeyboardInterrupt:
            stats = reporter.last  # the usual end of a stream
        current.check_loaded()
    reporter.done(stats)


class _CurrentFilter:
    """The filter in use: one that keeps failing is loaded again."""

    def __init__(self, choice: ModelChoice, settings: FilterSettings) -> None:
        self._choice, self._settings = choice, settings
        self._error: Exception | None = None
        self.filter: AdjustableFilter

    def load(self) -> None:
        """Load the filter, and wait for it."""
        self.filter = self._loaded(self._settings)

    def load_in_background(self, stop: Event) -> None:
        """Load the filter on another thread. The first frame waits for it.

        If it cannot be loaded, `stop` is set, and `check_loaded` raises the error.
        """

        def load(settings: FilterSettings) -> AdjustableFilter:
            try:
                return self._loaded(settings)
            except Exception as error:
                self._error = error
                stop.set()
                raise

        vocabulary_of(self._choice)  # raises if there is no such model
        self.filter = waiting = WebcamFilter(load, self._settings)
        waiting.preload()

    def check_loaded(self) -> None:
        """Raise the error of loading in the background, if there was one."""
        if self._error is not None:
            raise self._error

    def reload(self) -> AdjustableFilter:
        """A new filter with the present settings."""
        self.filter = self._loaded(self.filter.settings)
        return self.filter

    def _loaded(self, settings: FilterSettings) -> AdjustableFilter:
        return load_filter(self._choice, settings, live=True)

    def controls(self) -> "Controls":
        """The settings of whatever filter is in use, for control surfaces."""
        from turbolens.pipelines.webcam.control_page import CurrentFilter  # noqa: PLC0415
        from turbolens.pipelines.webrtc.control.controls import Controls  # noqa: PLC0415

        vocabulary = vocabulary_of(self._choice)
        looks = () if vocabulary is None else vocabulary.looks
        return Controls(CurrentFilter(lambda: self.filter, looks, vocabulary))


def _osc(current: _CurrentFilter, address: OscAddress, notify: Notify) -> OscServer:
    """Listens for OSC inside a `with` block."""
    server = OscServer(current.controls(), address)
    notify(f"OSC: {server.url}")
    return server


def _is_device(name: str, kind: str) -> bool:
    return name.partition(":")[0] == kind


def _camera(name: str) -> Any:
    from turbolens.pipelines.camera.camera import Camera  # noqa: PLC0415 - opened after the model is loaded

    return Camera(name.partition(":")[2] or None)


def _virtual_camera(name: str) -> Any:
    from turbolens.pipelines.camera.virtual_camera import VirtualCamera  # noqa: PLC0415

    return VirtualCamera(name.partition(":")[2] or None)

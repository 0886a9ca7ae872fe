"""What a name on the command line means as an input or output of a live stream."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from turbolens.filter.errors import MediaError
from turbolens.pipelines.video.destination import is_piped
from turbolens.pipelines.video.outputs import CONTAINERS

Sound = Literal["aac", "libopus"]

OPEN_SECONDS, STALL_SECONDS = 10.0, 5.0
MICROSECONDS = 1_000_000
PACED = ("", "file", "http", "https")  # read faster than they play: held back to their own time
INPUTS = ("rtsp", "rtsps", "rtmp", "rtmps", "udp", "rtp", "tcp", "unix", *PACED[1:])
OUTPUTS = ("rtmp", "rtmps", "rtsp", "udp", "tcp", "http", "https")
RTSP_LISTEN = {"rtsp_flags": "listen", "listen_timeout": "86400"}  # its own default is refused
SRT = {
    "input": "ffmpeg -i '{0}' -c copy -f mpegts - | turbolens stream - OUTPUT",
    "output": "turbolens stream INPUT - | ffmpeg -i - -c copy -f mpegts '{0}'",
}


@dataclass(frozen=True)
class Place:
    """How FFmpeg opens it. `paced`: it gives frames faster than they are to be seen."""

    name: str
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    paced: bool = False
    waits: bool = False
    """It listens, and may wait for its peer for ever."""
    sound: Sound = "aac"

    @property
    def connects(self) -> bool:
        """Whether a server must take the stream, and may keep who sends it waiting."""
        return self.reopens and _scheme(self.name) not in ("udp", "rtp")

    @property
    def reopens(self) -> bool:
        """Whether sending can begin anew: a file would lose what it holds, a pipe has no reader."""
        return bool(_scheme(self.name))


def input_place(name: str, *, listen: bool = False, input_format: str | None = None) -> Place:
    """Where frames come from: a URL, a file, `-`, or `screen`, `screen:DISPLAY`.

    Raises `MediaError` for what cannot be read here.
    """
    if name.partition(":")[0] == "screen":
        return screen_place(name.partition(":")[2])
    if is_piped(name):
        return Place("pipe:0", input_format, waits=True)
    scheme = _scheme(name)
    _refuse_srt(name, scheme, "input")
    if scheme and scheme not in INPUTS:
        raise MediaError(f"cannot read {name}: the input must be a file, screen, - or one of "
                         f"{', '.join(INPUTS)}, got {scheme}")  # fmt: skip
    if not scheme and not Path(name).exists():
        raise MediaError(f"cannot read {name}: there is no such file")
    waits = listen or "listen=1" in urlsplit(name).query
    options = {"listen": "1"} if listen else {}
    if scheme in ("rtsp", "rtsps"):
        options = RTSP_LISTEN if listen else {"rtsp_transport": "tcp"}
    return Place(name, input_format, options, paced=scheme in PACED and not waits, waits=waits)


def output_place(
    name: str,
    *,
    output_format: str | None = None,
    overwrite: bool = False,
    token: str | None = None,
) -> Place:
    """Where frames go: a URL, a file, or `-`. `token` is for WHIP.

    Raises `MediaError` for what cannot be written.
    """
    if is_piped(name):
        return Place("pipe:1", output_format or "nut")
    scheme = _scheme(name)
    _refuse_srt(name, scheme, "output")
    if not scheme:
        return _file(name, output_format, overwrite=overwrite)
    if scheme not in OUTPUTS:
        raise MediaError(f"cannot send to {name}: the output must be a file, - or one of "
                         f"{', '.join(OUTPUTS)}, got {scheme}")  # fmt: skip
    waiting = str(round(STALL_SECONDS * MICROSECONDS))
    if scheme in ("http", "https"):
        options = {"authorization": token} if token else {}
        return Place(name, output_format or "whip", options, sound="libopus")
    if scheme in ("rtmp", "rtmps"):
        return Place(name, output_format or "flv")
    if scheme == "rtsp":
        return Place(name, output_format or "rtsp", {"rtsp_transport": "tcp", "timeout": waiting})
    return Place(name, output_format or "mpegts", {"pkt_size": "1316"} if scheme == "udp" else {})


def _file(name: str, output_format: str | None, *, overwrite: bool) -> Place:
    path = Path(name)
    suffix = path.suffix.lower()
    if suffix not in (*CONTAINERS, ".m3u8") and output_format is None:
        raise MediaError(f"{name}: the name must end in .m3u8 or one of {', '.join(CONTAINERS)}, "
                         "or --format must name the container")  # fmt: skip
    if path.exists() and not overwrite:
        raise MediaError(f"{name} exists; --overwrite replaces it")
    if not path.resolve().parent.is_dir():
        raise MediaError(f"{name}: there is no folder {path.resolve().parent}")
    fragmented = suffix in (".mp4", ".m4v", ".mov")  # plays to where it came, whatever happens
    options = {"movflags": "+frag_keyframe+empty_moov+delay_moov"} if fragmented else {}
    return Place(name, output_format, options, sound="libopus" if suffix == ".webm" else "aac")


def screen_place(display: str, platform: str = sys.platform) -> Place:
    """The screen: `display` is an X display, a number on macOS, `title=…` for a window of Windows.

    Raises `MediaError` where nothing says which X display it is.
    """
    options = {"framerate": "30"}
    if platform == "darwin":
        shown = f"Capture screen {display or 0}" if display.isdecimal() or not display else display
        return Place(f"{shown}:none", "avfoundation", {**options, "capture_cursor": "1"})
    if platform == "win32":
        return Place(display or "desktop", "gdigrab", options)
    display = display or os.environ.get("DISPLAY", "")
    if not display:
        raise MediaError("there is no X display to capture: DISPLAY is not set (screen::0.0 names"
                         " one; under Wayland only windows of XWayland can be seen)")  # fmt: skip
    return Place(display, "x11grab", options)


def _scheme(name: str) -> str:
    """The part before ://, in small letters; none for a file, also of a Windows drive."""
    return urlsplit(name).scheme.lower() if "://" in name else ""


def _refuse_srt(name: str, scheme: str, side: str) -> None:
    if scheme == "srt":
        raise MediaError(f"FFmpeg in PyAV is built without SRT; use: {SRT[side].format(name)}")

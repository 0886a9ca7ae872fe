"""What a name on the command line means as the input or output of a live stream."""

import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from turbolens.filter.errors import MediaError
from turbolens.pipelines.video.destination import check_writable, is_piped
from turbolens.pipelines.video.outputs import CONTAINERS

AudioCodec: TypeAlias = Literal["aac", "libopus"]

OPEN_SECONDS, STALL_SECONDS = 10.0, 5.0
MICROSECONDS = 1_000_000
RECORDED = ("", "file", "http", "https")  # schemes that can be read faster than real time
INPUTS = ("rtsp", "rtsps", "rtmp", "rtmps", "udp", "rtp", "tcp", "unix", *RECORDED[1:])
OUTPUTS = ("rtmp", "rtmps", "rtsp", "udp", "tcp", "http", "https")
SDP_PROTOCOLS = "file,pipe,http,https,tcp,tls,crypto,udp,rtp,srtp"
RTSP_LISTEN = {"rtsp_flags": "listen", "listen_timeout": "86400"}  # FFmpeg refuses its own default
SRT_COMMANDS = {
    "input": "ffmpeg -i '{0}' -c copy -f mpegts - | turbolens stream - OUTPUT",
    "output": "turbolens stream INPUT - | ffmpeg -i - -c copy -f mpegts '{0}'",
}


@dataclass(frozen=True)
class Endpoint:
    """Where a stream comes from or goes to, and how FFmpeg opens it.

    format: FFmpeg's name of the container, `None` to choose by the name. paced: it can be read
    faster than real time, so frames are held back to their timestamps. listens: it waits for a peer
    without a time limit.
    """

    name: str
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    paced: bool = False
    listens: bool = False
    audio_codec: AudioCodec = "aac"

    @property
    def has_server(self) -> bool:
        """True if a server must accept the stream; it may block without answering."""
        return self.can_reopen and _scheme(self.name) not in ("udp", "rtp")

    @property
    def connectionless(self) -> bool:
        """True for UDP and RTP: a sender needs no receiver, and the end is not announced."""
        return self.format == "sdp" or _scheme(self.name) in ("udp", "rtp")

    @property
    def opens_early(self) -> bool:
        """True for an input that must be open before the model is loaded.

        Packets without a connection are lost until then, and a sender that connects is refused.
        """
        return self.connectionless or (self.listens and bool(_scheme(self.name)))

    @property
    def square_pixels(self) -> bool:
        """True if the receiver shows every pixel as a square: WebRTC has no sample aspect ratio."""
        return self.format == "whip"

    @property
    def can_reopen(self) -> bool:
        """True if sending can start again. A file would be emptied; a pipe has lost its reader."""
        return bool(_scheme(self.name))


def input_endpoint(name: str, *, listen: bool = False, input_format: str | None = None) -> Endpoint:
    """The source of frames: a URL, a file, `-`, `screen` or `screen:DISPLAY`.

    Raises `MediaError` for what cannot be read.
    """
    if name.partition(":")[0] == "screen":
        return screen_endpoint(name.partition(":")[2])
    if is_piped(name):
        return Endpoint("pipe:0", input_format, _sdp_options(name, input_format), listens=True)
    scheme = _scheme(name)
    _refuse_srt(name, scheme, "input")
    if scheme and scheme not in INPUTS:
        raise MediaError(f"cannot read {name}: the input must be a file, screen, - or one of "
                         f"{', '.join(INPUTS)}, got {scheme}")  # fmt: skip
    if not scheme and not Path(name).exists():
        raise MediaError(f"cannot read {name}: there is no such file")
    if sdp_options := _sdp_options(name, input_format):
        return Endpoint(name, "sdp", sdp_options)
    listens = listen or "listen=1" in urlsplit(name).query
    return Endpoint(
        name, input_format, _input_options(scheme, listen=listen),
        paced=scheme in RECORDED and not listens, listens=listens,
    )  # fmt: skip


def _sdp_options(name: str, input_format: str | None) -> dict[str, str]:
    """The protocols that a session description (SDP) may use; empty if it is none.

    FFmpeg allows only the protocols of the description's own address, not the RTP that it names.
    """
    is_description = urlsplit(name).path.lower().endswith(".sdp") and input_format is None
    return {"protocol_whitelist": SDP_PROTOCOLS} if is_description or input_format == "sdp" else {}


def _input_options(scheme: str, *, listen: bool) -> dict[str, str]:
    if scheme in ("rtsp", "rtsps"):
        return RTSP_LISTEN if listen else {"rtsp_transport": "tcp"}
    return {"listen": "1"} if listen else {}


def output_endpoint(
    name: str,
    *,
    output_format: str | None = None,
    overwrite: bool = False,
    token: str | None = None,
) -> Endpoint:
    """The destination of frames: a URL, a file, or `-`. token: bearer token for WHIP.

    Raises `MediaError` for what cannot be written.
    """
    if is_piped(name):
        return Endpoint("pipe:1", output_format or "nut")
    scheme = _scheme(name)
    _refuse_srt(name, scheme, "output")
    if not scheme:
        _check_file(name, output_format, overwrite=overwrite)
        return _file_endpoint(name, output_format)
    if scheme not in OUTPUTS:
        raise MediaError(f"cannot send to {name}: the output must be a file, - or one of "
                         f"{', '.join(OUTPUTS)}, got {scheme}")  # fmt: skip
    endpoint = _network_endpoint(name, scheme, token)
    return replace(endpoint, format=output_format or endpoint.format)


def _network_endpoint(name: str, scheme: str, token: str | None) -> Endpoint:
    """The protocol's usual container and options."""
    if scheme in ("http", "https"):
        options = {"authorization": token} if token else {}
        return Endpoint(name, "whip", options, audio_codec="libopus")
    if scheme in ("rtmp", "rtmps"):
        return Endpoint(name, "flv")
    if scheme == "rtsp":
        timeout = str(round(STALL_SECONDS * MICROSECONDS))
        return Endpoint(name, "rtsp", {"rtsp_transport": "tcp", "timeout": timeout})
    return Endpoint(name, "mpegts", {"pkt_size": "1316"} if scheme == "udp" else {})


def _check_file(name: str, output_format: str | None, *, overwrite: bool) -> None:
    path = Path(name)
    if path.suffix.lower() not in (*CONTAINERS, ".m3u8") and output_format is None:
        raise MediaError(f"{name}: the name must end in .m3u8 or one of {', '.join(CONTAINERS)}, "
                         "or --format must name the container")  # fmt: skip
    if path.exists() and not overwrite:
        raise MediaError(f"{name} exists; --overwrite replaces it")
    if not path.resolve().parent.is_dir():
        raise MediaError(f"{name}: there is no folder {path.resolve().parent}")
    check_writable(path)


def _file_endpoint(name: str, output_format: str | None) -> Endpoint:
    suffix = Path(name).suffix.lower()
    options = {}
    if suffix in (".mp4", ".m4v", ".mov"):  # fragments, so that an interrupted file still plays
        options = {"movflags": "+frag_keyframe+empty_moov+delay_moov"}
    audio_codec: AudioCodec = "libopus" if suffix == ".webm" else "aac"
    return Endpoint(name, output_format, options, audio_codec=audio_codec)


def screen_endpoint(display: str, platform: str = sys.platform) -> Endpoint:
    """Capture of the screen, 30 frames per second.

    display: an X display on Linux, a number on macOS, `title=…` for a window on Windows; empty for
    the default. Raises `MediaError` if the X display is unknown.
    """
    options = {"framerate": "30"}
    if platform == "darwin":
        shown = f"Capture screen {display or 0}" if display.isdecimal() or not display else display
        return Endpoint(f"{shown}:none", "avfoundation", {**options, "capture_cursor": "1"})
    if platform == "win32":
        return Endpoint(display or "desktop", "gdigrab", options)
    display = display or os.environ.get("DISPLAY", "")
    if not display:
        raise MediaError("there is no X display to capture: DISPLAY is not set (screen::0.0 names"
                         " one; under Wayland only windows of XWayland can be seen)")  # fmt: skip
    return Endpoint(display, "x11grab", options)


def _scheme(name: str) -> str:
    """The lowercase scheme of a URL; empty for a file, including one on a Windows drive."""
    return urlsplit(name).scheme.lower() if "://" in name else ""


def _refuse_srt(name: str, scheme: str, side: str) -> None:
    if scheme == "srt":
        command = SRT_COMMANDS[side].format(name)
        raise MediaError(f"FFmpeg in PyAV is built without SRT; use: {command}")

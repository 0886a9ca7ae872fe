"""Which encoder writes a video, in which pixel format and with which options."""

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

import av
from av.codec.hwaccel import HWAccel

from turbolens.filter.errors import MediaError

CodecName = Literal["h264", "hevc", "av1", "vp9", "prores", "ffv1"]
CODEC_NAMES: tuple[CodecName, ...] = get_args(CodecName)
HardwareName = Literal[
    "h264_nvenc", "h264_videotoolbox", "h264_qsv", "h264_amf", "hevc_nvenc", "hevc_videotoolbox",
    "hevc_qsv", "hevc_amf", "av1_nvenc", "av1_qsv", "av1_amf",
]  # fmt: skip

SVT_ERRORS = "1"
"""The level of SVT-AV1's own log, which it writes to the terminal, at which only errors appear."""

X265_CUTREE_WIDTH = 64
"""x265 4.2 writes beyond its memory if frames are narrower than four blocks of its lookahead."""


@dataclass(frozen=True)
class Codec:
    """A codec's encoders and pixel formats.

    preset: the encoder's option for its speed, and the default. alpha: the pixel format with
    transparency. odd: pairs of a pixel format and its replacement if width or height is odd.
    hardware: encoders, best first.
    """

    encoder: str
    eight_bit: str
    ten_bit: str
    crf: int | None
    preset: tuple[str, str] | None
    options: tuple[tuple[str, str], ...] = ()
    alpha: str | None = None
    odd: tuple[tuple[str, str], ...] = ()
    hardware: tuple[str, ...] = ()


CODECS: dict[CodecName, Codec] = {
    "h264": Codec(
        # "medium" takes 1.6 times as long, from the filter's processors, for 0.8 dB at 46 dB.
        "libx264", "yuv420p", "yuv420p", 20, ("preset", "faster"),
        odd=(("yuv420p", "yuv444p"),),
        hardware=("h264_nvenc", "h264_videotoolbox", "h264_qsv", "h264_amf"),
    ),
    "hevc": Codec(
        "libx265", "yuv420p", "yuv420p10le", 23, ("preset", "medium"),
        options=(("x265-params", "log-level=none"), ("a53cc", "1")),
        odd=(("yuv420p", "yuv444p"), ("yuv420p10le", "yuv444p10le")),
        hardware=("hevc_nvenc", "hevc_videotoolbox", "hevc_qsv", "hevc_amf"),
    ),
    "av1": Codec(
        "libsvtav1", "yuv420p", "yuv420p10le", 30, ("preset", "8"),
        hardware=("av1_nvenc", "av1_qsv", "av1_amf"),
    ),
    "vp9": Codec(
        "libvpx-vp9", "yuv420p", "yuv420p10le", 31, ("cpu-used", "4"),
        options=(("b", "0"), ("row-mt", "1"), ("deadline", "good")), alpha="yuva420p",
    ),
    "prores": Codec(
        "prores_ks", "yuv422p10le", "yuv422p10le", None, None,
        options=(("profile", "hq"), ("vendor", "apl0")), alpha="yuva444p10le",
    ),
    "ffv1": Codec(
        "ffv1", "yuv420p", "yuv420p10le", None, None,
        options=(("level", "3"),), alpha="yuva420p",
    ),
}  # fmt: skip

HARDWARE_QUALITY = {
    "nvenc": {"rc": "vbr", "cq": "{crf}"},
    "qsv": {"global_quality": "{crf}"},
    "amf": {"rc": "cqp", "qp_i": "{crf}", "qp_p": "{crf}"},
}


@dataclass(frozen=True)
class EncoderChoice:
    """An encoder ready to be opened."""

    codec: CodecName
    encoder: str
    options: dict[str, str]


def default_codec(path: Path, *, transparent: bool) -> CodecName:
    """The codec for a file name; one with an alpha channel for transparent video if possible."""
    suffix = path.suffix.lower()
    if suffix == ".webm":
        return "vp9"
    if transparent and suffix == ".mov":
        return "prores"
    return "h264"


def choose_encoder(
    codec: CodecName | HardwareName, *, crf: int | None, preset: str | None, hardware: bool
) -> EncoderChoice:
    """The encoder and its options. Raises `MediaError` if no wanted hardware encoder works."""
    wanted = codec if codec in get_args(HardwareName) else None
    name: CodecName = codec.partition("_")[0]  # type: ignore[assignment]
    chosen = CODECS[name]
    os.environ.setdefault("SVT_LOG", SVT_ERRORS)
    quality = chosen.crf if crf is None else crf
    if wanted or hardware:
        candidates = (wanted,) if wanted else chosen.hardware
        return _hardware_choice(name, candidates, crf=quality, preset=preset)
    options = dict(chosen.options)
    if quality is not None:
        options["crf"] = str(quality)
    if chosen.preset is not None:
        option, default = chosen.preset
        options[option] = preset or default
    return EncoderChoice(name, chosen.encoder, options)


def options_for_size(choice: EncoderChoice, width: int) -> dict[str, str]:
    """The encoder's options for frames of this width in pixels."""
    options = dict(choice.options)
    if choice.encoder == "libx265" and width < X265_CUTREE_WIDTH:
        options["x265-params"] += ":cutree=0"
    return options


def encoder_of(codec: CodecName | HardwareName) -> str:
    """The name of the encoder that is used without `hardware`."""
    return codec if codec in get_args(HardwareName) else CODECS[codec].encoder  # type: ignore[index]


def _hardware_choice(
    codec: CodecName, candidates: tuple[str, ...], *, crf: int | None, preset: str | None
) -> EncoderChoice:
    usable = next((name for name in candidates if encodes(name)), None)
    if usable is None:
        names = ", ".join(candidates) or "none known"
        raise MediaError(
            f"no hardware encoder for {codec} works here (tried {names}); --codec {codec} "
            "without --hardware encodes on the CPU, and turbolens doctor lists what works"
        )
    interface = usable.partition("_")[2]
    options = {key: value.format(crf=crf if crf is not None else 23)
               for key, value in HARDWARE_QUALITY.get(interface, {}).items()}  # fmt: skip
    if preset:
        options["preset"] = preset
    return EncoderChoice(codec, usable, options)


def hardware_encoders(codec: CodecName) -> list[str]:
    """The hardware encoders that work on this machine, best first."""
    return [name for name in CODECS[codec].hardware if encodes(name)]


def encodes(name: str, *, hardware: HWAccel | None = None) -> bool:
    """True if the encoder exists and encodes a frame on this machine.

    hardware: the device that frames are uploaded to, for an encoder that does not do that itself.
    """
    if not has_encoder(name):
        return False
    try:
        context = av.CodecContext.create(name, "w", hwaccel=hardware)
        assert isinstance(context, av.VideoCodecContext)  # noqa: S101 - for the type checker
        context.width, context.height, context.pix_fmt = 256, 256, eight_bit_format(name)
        context.framerate, context.time_base = Fraction(30), Fraction(1, 30)
        frame = av.VideoFrame(256, 256, eight_bit_format(name))
        frame.pts = 0
        packets = [*context.encode(frame), *context.encode(None)]
    except (av.FFmpegError, OSError, ValueError, RuntimeError, NotImplementedError):
        return False
    return any(packet.size for packet in packets)


def eight_bit_format(encoder: str) -> str:
    """The pixel format of an H.264, HEVC or AV1 encoder. Intel's and VAAPI's want nv12."""
    return "nv12" if encoder.endswith(("_qsv", "_vaapi")) else "yuv420p"


def has_encoder(name: str) -> bool:
    """True if the installed PyAV has an encoder of this name."""
    try:
        av.Codec(name, "w")
    except (av.FFmpegError, ValueError):  # PyAV's UnknownCodecError is a ValueError
        return False
    return True


def pixel_format(choice: EncoderChoice, frame: av.VideoFrame) -> str:
    """The format to encode in. It keeps the frame's bit depth and alpha if the codec can."""
    codec = CODECS[choice.codec]
    hardware = choice.encoder in codec.hardware
    if codec.alpha and has_alpha(frame) and not hardware:
        return codec.alpha
    deep = max(component.bits for component in frame.format.components) > 8
    deep = deep and accepts_format(choice.encoder, codec.ten_bit)
    eight_bit = eight_bit_format(choice.encoder) if hardware else codec.eight_bit
    wanted = codec.ten_bit if deep and not hardware else eight_bit
    return dict(codec.odd).get(wanted, wanted) if has_odd_side(frame) else wanted


def accepts_format(encoder: str, name: str) -> bool:
    """True if the encoder takes this pixel format. Builds of libvpx may lack ten bits."""
    formats = av.Codec(encoder, "w").video_formats
    return formats is None or any(known.name == name for known in formats)


def has_odd_side(frame: av.VideoFrame) -> bool:
    """True if width or height is odd, which halved colour resolution does not allow."""
    return bool(frame.width % 2 or frame.height % 2)


def has_alpha(frame: av.VideoFrame) -> bool:
    """True if the frame's format has an alpha channel."""
    return any(component.is_alpha for component in frame.format.components)

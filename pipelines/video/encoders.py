"""Which encoder writes the video, in which pixel format, with which options."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

import av

from turbolens.filter.errors import MediaError

CodecName = Literal["h264", "hevc", "av1", "vp9", "prores", "ffv1"]
CODEC_NAMES: tuple[CodecName, ...] = get_args(CodecName)
HardwareName = Literal[
    "h264_nvenc", "h264_videotoolbox", "h264_qsv", "h264_amf", "hevc_nvenc", "hevc_videotoolbox",
    "hevc_qsv", "hevc_amf", "av1_nvenc", "av1_qsv", "av1_amf",
]  # fmt: skip


@dataclass(frozen=True)
class Family:
    """A codec, its encoders and the pixel formats it is written in."""

    encoder: str
    eight_bit: str
    ten_bit: str
    crf: int | None
    preset: tuple[str, str] | None  # option and default
    options: tuple[tuple[str, str], ...] = ()
    alpha: str | None = None
    odd: tuple[tuple[str, str], ...] = ()  # what replaces a format when a side is odd
    hardware: tuple[str, ...] = ()


FAMILIES: dict[CodecName, Family] = {
    "h264": Family(
        "libx264", "yuv420p", "yuv420p", 20, ("preset", "medium"),
        odd=(("yuv420p", "yuv444p"),),
        hardware=("h264_nvenc", "h264_videotoolbox", "h264_qsv", "h264_amf"),
    ),
    "hevc": Family(
        "libx265", "yuv420p", "yuv420p10le", 23, ("preset", "medium"),
        options=(("x265-params", "log-level=none"),),
        odd=(("yuv420p", "yuv444p"), ("yuv420p10le", "yuv444p10le")),
        hardware=("hevc_nvenc", "hevc_videotoolbox", "hevc_qsv", "hevc_amf"),
    ),
    "av1": Family(
        "libsvtav1", "yuv420p", "yuv420p10le", 30, ("preset", "8"),
        hardware=("av1_nvenc", "av1_qsv", "av1_amf"),
    ),
    "vp9": Family(
        "libvpx-vp9", "yuv420p", "yuv420p10le", 31, ("cpu-used", "4"),
        options=(("b", "0"), ("row-mt", "1"), ("deadline", "good")), alpha="yuva420p",
    ),
    "prores": Family(
        "prores_ks", "yuv422p10le", "yuv422p10le", None, None,
        options=(("profile", "hq"), ("vendor", "apl0")), alpha="yuva444p10le",
    ),
    "ffv1": Family(
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
    """The codec that belongs to the name of a file, one with alpha where the picture has it."""
    suffix = path.suffix.lower()
    if suffix == ".webm":
        return "vp9"
    if transparent and suffix == ".mov":
        return "prores"
    return "h264"


def choose_encoder(
    codec: CodecName | HardwareName, *, crf: int | None, preset: str | None, hardware: bool
) -> EncoderChoice:
    """The encoder and its options. Raises `MediaError` where the hardware has none that opens."""
    wanted = codec if codec in get_args(HardwareName) else None
    family_name: CodecName = codec.partition("_")[0]  # type: ignore[assignment]
    family = FAMILIES[family_name]
    quality = family.crf if crf is None else crf
    if wanted or hardware:
        tried = (wanted,) if wanted else family.hardware
        return _hardware_choice(family_name, tried, crf=quality, preset=preset)
    options = dict(family.options)
    if quality is not None:
        options["crf"] = str(quality)
    if family.preset is not None:
        name, default = family.preset
        options[name] = preset or default
    return EncoderChoice(family_name, family.encoder, options)


def _hardware_choice(
    codec: CodecName, tried: tuple[str, ...], *, crf: int | None, preset: str | None
) -> EncoderChoice:
    usable = next((name for name in tried if _opens(name)), None)
    if usable is None:
        names = ", ".join(tried) or "none known"
        raise MediaError(
            f"no hardware encoder for {codec} works here (tried {names}); --codec {codec} "
            "without --hardware encodes on the CPU, and turbolens doctor lists what works"
        )
    maker = usable.partition("_")[2]
    options = {key: value.format(crf=crf if crf is not None else 23)
               for key, value in HARDWARE_QUALITY.get(maker, {}).items()}  # fmt: skip
    if preset:
        options["preset"] = preset
    return EncoderChoice(codec, usable, options)


def hardware_encoders(codec: CodecName) -> list[str]:
    """The hardware encoders that really open on this machine, best first."""
    return [name for name in FAMILIES[codec].hardware if _opens(name)]


def _opens(name: str) -> bool:
    try:
        context = av.CodecContext.create(name, "w")
        assert isinstance(context, av.VideoCodecContext)  # noqa: S101 - for the type checker
        context.width, context.height, context.pix_fmt = 256, 256, eight_bit_format(name)
        context.framerate = Fraction(30)
        context.open()
    except (av.FFmpegError, OSError, ValueError):
        return False
    return True


def eight_bit_format(encoder: str) -> str:
    """What an encoder of H.264, HEVC or AV1 takes: Intel's take no planar colour."""
    return "nv12" if encoder.endswith("_qsv") else "yuv420p"


def has_encoder(name: str) -> bool:
    """Whether the installed PyAV knows an encoder of this name."""
    try:
        av.Codec(name, "w")
    except (av.FFmpegError, ValueError):  # PyAV's own error of an unknown codec is a ValueError
        return False
    return True


def pixel_format(choice: EncoderChoice, frame: av.VideoFrame) -> str:
    """The format to encode in: the depth and alpha of the frame where the codec has them."""
    family = FAMILIES[choice.codec]
    hardware = choice.encoder in family.hardware
    if family.alpha and has_alpha(frame) and not hardware:
        return family.alpha
    deep = max(component.bits for component in frame.format.components) > 8
    eight_bit = eight_bit_format(choice.encoder) if hardware else family.eight_bit
    wanted = family.ten_bit if deep and not hardware else eight_bit
    return dict(family.odd).get(wanted, wanted) if _odd(frame) else wanted


def _odd(frame: av.VideoFrame) -> bool:
    return bool(frame.width % 2 or frame.height % 2)


def has_alpha(frame: av.VideoFrame) -> bool:
    """Whether the frame's format carries transparency."""
    return any(component.is_alpha for component in frame.format.components)

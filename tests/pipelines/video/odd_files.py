"""Media files of many kinds, whole and damaged, as recipes: a frozen dataclass that makes bytes."""

import shutil
import subprocess
from base64 import b64encode
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import av
from hypothesis import strategies as st

from tests.pipelines.conftest import write_clip

FFMPEG = shutil.which("ffmpeg") or "ffmpeg"
VIDEO_CODECS = {
    "mp4": ("libx264", "mpeg4", "libx265", "mjpeg", "png", "libvpx-vp9"),
    "mov": ("libx264", "prores_ks", "mjpeg", "png", "qtrle", "rawvideo"),
    "mkv": ("libx264", "libvpx", "ffv1", "mjpeg", "mpeg2video", "rawvideo", "huffyuv"),
    "avi": ("rawvideo", "mpeg4", "mjpeg", "libx264", "zmbv", "msvideo1", "huffyuv"),
    "ts": ("libx264", "mpeg2video", "libx265"), "mpg": ("mpeg2video", "mpeg1video"),
    "flv": ("libx264", "flv"), "webm": ("libvpx", "libvpx-vp9"), "nut": ("ffv1", "libx264"),
    "mxf": ("mpeg2video",), "wmv": ("wmv2", "msmpeg4"), "ogv": ("libtheora",), "gif": ("gif",),
    "3gp": ("h263", "mpeg4"), "y4m": ("wrapped_avframe",), "h264": ("libx264",),
    "jpg": ("mjpeg",), "png": ("png",), "bmp": ("bmp",), "tiff": ("tiff",), "webp": ("libwebp",),
}  # fmt: skip
AUDIO_CODECS = {
    "mp4": ("aac", "ac3", "alac"), "mov": ("aac", "pcm_s16le", "pcm_u8"),
    "mkv": ("aac", "libopus", "flac", "pcm_s16le", "ac3", "mp2"),
    "avi": ("pcm_s16le", "mp2", "ac3"), "ts": ("aac", "ac3", "mp2"), "mpg": ("mp2",),
    "flv": ("aac", "libmp3lame"),
    "webm": ("libopus", "libvorbis"), "nut": ("pcm_s16le",), "mxf": ("pcm_s16le",),
    "wmv": ("wmav2",), "ogv": ("libvorbis", "flac"), "3gp": ("aac",),
}  # fmt: skip
SUBTITLES = {"mp4": ("mov_text",), "mov": ("mov_text",), "mkv": ("srt", "ass"), "webm": ("webvtt",)}
SUBTITLE_FILE = (
    "data:text/plain;base64," + b64encode(b"1\n00:00:00,000 --> 00:00:00,080\nHi\n").decode()
)
PHOTOS = ("jpg", "png", "bmp", "tiff", "webp")
PIXEL_FORMATS = ("yuv420p", "yuvj420p", "yuv444p", "yuv422p", "yuv420p10le", "yuva420p", "gray",
                 "pal8", "rgb24", "rgba", "bgr24", "rgb48be", "monow")  # fmt: skip
MISSING_DECODERS = {
    b"mp4a": b"apac", b"ac-3": b"ac-4", b"avc1": b"zzzz", b"mp4v": b"zzzz", b"hev1": b"zzzz",
    b"tx3g": b"zzzz", b"A_AAC": b"A_XYZ", b"A_OPUS": b"A_NONE", b"A_FLAC": b"A_NONE",
    b"V_MPEG4/ISO/AVC": b"V_MPEG4/ISO/XYZ", b"V_VP8": b"V_XYZ", b"S_TEXT/UTF8": b"S_TEXT/XYZZ",
    b"H264": b"ZZZZ", b"FMP4": b"ZZZZ", b"FFV1": b"ZZZZ",
}  # fmt: skip
"""Names of codecs in containers, and names of the same length that no decoder has."""

Damage = Literal["cut", "flip", "zero", "drop", "repeat", "noise"]


class CannotMakeError(Exception):
    """FFmpeg does not make such a file."""


@dataclass(frozen=True)
class Recipe:
    """How a file is made, and what is wrong with it.

    rotation: degrees, by a display matrix. extra: arguments of the `ffmpeg` program. undecodable:
    codec names to replace, see `MISSING_DECODERS`. orientation: of EXIF, 0 for none. damage: (kind,
    position from 0 to 1, number of bytes), one after another.
    """

    suffix: str
    video: str
    pixel_format: str = "yuv420p"
    size: tuple[int, int] = (64, 48)
    frames: int = 3
    audio: str | None = None
    subtitles: str | None = None
    sample_aspect_ratio: str = "1"
    rotation: int = 0
    extra: tuple[str, ...] = ()
    undecodable: tuple[bytes, ...] = ()
    orientation: int = 0
    damage: tuple[tuple[Damage, float, int], ...] = ()

    def write(self, path: Path) -> None:
        """Make the file. Raises `CannotMakeError`."""
        content = _whole(self)
        if self.orientation:
            content = with_exif(content, self.orientation)
        for name in self.undecodable:
            content = content.replace(name, MISSING_DECODERS[name])
        for damage in self.damage:
            content = damaged(content, *damage)
        path.write_bytes(content)


def damaged(content: bytes, kind: Damage, position: float, length: int) -> bytes:
    """The bytes with one damage."""
    start = round(position * len(content))
    before, piece, after = (
        content[:start],
        content[start : start + length],
        content[start + length :],
    )
    return {
        "cut": before,
        "flip": before + bytes(byte ^ 0x41 for byte in piece) + after,
        "zero": before + bytes(len(piece)) + after,
        "drop": before + after,
        "repeat": before + piece + piece + after,
        "noise": before + bytes((7 * i * i + start) % 256 for i in range(length)) + piece + after,
    }[kind]


def with_exif(jpeg: bytes, orientation: int) -> bytes:
    """Every JPEG picture in the bytes with an EXIF segment, as cameras write it."""
    tiff = b"MM\0\x2a\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1" + bytes((0, orientation, 0, 0)) + bytes(4)
    segment = b"Exif\0\0" + tiff
    app1 = b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment
    return jpeg.replace(b"\xff\xd8\xff", b"\xff\xd8" + app1 + b"\xff")


@lru_cache(maxsize=256)
def _made_by_ffmpeg(command: tuple[str, ...], suffix: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"made.{suffix}"
        made = subprocess.run(  # noqa: S603
            [FFMPEG, "-v", "error", "-y", *command, str(path)], capture_output=True,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if made.returncode or not path.exists() or not path.stat().st_size:
            raise CannotMakeError(made.stderr.decode(errors="replace"))
        return path.read_bytes()


def _whole(recipe: Recipe) -> bytes:
    if recipe.rotation:
        return _made_by_pyav(recipe)
    return _made_by_ffmpeg(_ffmpeg_arguments(recipe), recipe.suffix)


def _made_by_pyav(recipe: Recipe) -> bytes:
    """A file with a display matrix, which the `ffmpeg` program of some versions cannot write."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"made.{recipe.suffix}"
        try:
            write_clip(
                path, pts=range(recipe.frames), size=recipe.size, codec=recipe.video,
                pixel_format=recipe.pixel_format, rotation=recipe.rotation,
                tags={"sample_aspect_ratio": Fraction(recipe.sample_aspect_ratio)},
                audio=[recipe.audio] if recipe.audio else (),
            )  # fmt: skip
        except (av.FFmpegError, ValueError, OSError) as error:
            raise CannotMakeError(str(error)) from error
        return path.read_bytes()


def _ffmpeg_arguments(recipe: Recipe) -> tuple[str, ...]:
    width, height = recipe.size
    inputs = ["-f", "lavfi", "-i", f"testsrc2=s={width}x{height}:r=25"]
    maps = ["-map", "0:v", "-frames:v", str(recipe.frames), "-c:v", recipe.video,
            "-pix_fmt", recipe.pixel_format, "-aspect", _display_aspect(recipe)]  # fmt: skip
    if recipe.audio:
        inputs += ["-f", "lavfi", "-i", f"sine=440:d={recipe.frames / 25}:r=48000"]
        maps += ["-map", "1:a", "-c:a", recipe.audio, "-strict", "-2"]
    if recipe.subtitles:
        inputs += ["-f", "srt", "-i", SUBTITLE_FILE]
        maps += ["-map", f"{2 if recipe.audio else 1}:s", "-c:s", recipe.subtitles]
    return (*inputs, *maps, *recipe.extra)


def _display_aspect(recipe: Recipe) -> str:
    aspect = Fraction(*recipe.size) * Fraction(recipe.sample_aspect_ratio)
    return f"{aspect.numerator}:{aspect.denominator}"


EXTRAS: tuple[tuple[str, ...], ...] = (
    (), ("-timecode", "10:00:00:00"), ("-vf", "tinterlace=4", "-flags", "+ildct+ilme"),
    ("-color_trc", "smpte2084", "-color_primaries", "bt2020", "-colorspace", "bt2020nc"),
    ("-metadata", "title=\xff\udc80"), ("-output_ts_offset", "-5"), ("-bf", "3"),
    ("-movflags", "frag_keyframe+empty_moov"), ("-g", "1"), ("-disposition:v", "0"),
    ("-movflags", "faststart"), ("-itsoffset", "1"), ("-metadata:s:v", "rotate=90"),
)  # fmt: skip


def _maybe(draw: st.DrawFn, table: dict[str, tuple[str, ...]], suffix: str) -> str | None:
    return draw(st.sampled_from((None, *table.get(suffix, ()))))


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Recipes of files: container, codecs, side data, missing decoders and damage."""
    suffix = draw(st.sampled_from(sorted(VIDEO_CODECS)))
    sides = st.sampled_from((2, 16, 33, 48, 64, 130))
    rotated = suffix in ("mp4", "mov") and draw(st.integers(0, 4)) == 0
    damage: Any = st.tuples(
        st.sampled_from(("cut", "flip", "zero", "drop", "repeat", "noise")),
        st.floats(0, 1), st.sampled_from((1, 2, 4, 16, 100, 1000)),
    )  # fmt: skip
    return Recipe(
        suffix, draw(st.sampled_from(VIDEO_CODECS[suffix])),
        draw(st.just("yuv420p") | st.sampled_from(PIXEL_FORMATS)),
        (draw(sides), draw(sides)), draw(st.sampled_from((1, 3, 8))),
        _maybe(draw, AUDIO_CODECS, suffix), None if rotated else _maybe(draw, SUBTITLES, suffix),
        draw(st.sampled_from(("1", "64/45", "1/2"))),
        draw(st.sampled_from((90, 180, 270, 45))) if rotated else 0,
        draw(st.just(()) | st.sampled_from(EXTRAS)),
        tuple(draw(st.just([]) | st.lists(st.sampled_from(sorted(MISSING_DECODERS)), max_size=3))),
        draw(st.integers(0, 9)) if suffix in ("jpg", "mkv", "avi", "mov") else 0,
        tuple(draw(st.just([]) | st.lists(damage, max_size=3))),
    )  # fmt: skip

"""The part of the picture that a Matroska or MP4 file declares visible. PyAV does not expose it."""

from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.container import InputContainer
from av.video.stream import VideoStream

from .boxes import box, boxes, elements, matroska_tracks, top_level_box

TRACK_ENTRY, TRACK_TYPE, VIDEO = b"\xae", b"\x83", b"\xe0"
CROPS = (b"\x54\xcc", b"\x54\xbb", b"\x54\xdd", b"\x54\xaa")  # PixelCrop left, top, right, bottom
SAMPLE_ENTRY = 8 + 70  # bytes of a video sample entry before its boxes, without the header


@dataclass(frozen=True)
class Cropping:
    """Pixels to cut off on each side of the decoded picture."""

    left: int
    top: int
    right: int
    bottom: int


def cropping_of(name: str, demuxer: InputContainer, video: VideoStream) -> Cropping | None:
    """The cropping of a video stream by its container. `None` if there is none, and for pipes."""
    path, formats = Path(name), demuxer.format.name
    sides = None
    with suppress(OSError, ValueError, IndexError, ZeroDivisionError):  # a damaged header
        if path.is_file() and "matroska" in formats:
            sides = _matroska(path, demuxer, video)
        elif path.is_file() and "mp4" in formats:
            sides = _iso(path, video)
    if sides is None or not any(sides) or not _leaves_a_picture(sides, video):
        return None
    return Cropping(*sides)


def _leaves_a_picture(sides: tuple[int, ...], video: VideoStream) -> bool:
    left, top, right, bottom = sides
    width, height = video.codec_context.width, video.codec_context.height
    return min(sides) >= 0 and left + right < width and top + bottom < height


def _matroska(
    path: Path, demuxer: InputContainer, video: VideoStream
) -> tuple[int, int, int, int] | None:
    """The crop of the track at the stream's place among the video tracks."""
    place = [stream.index for stream in demuxer.streams.video].index(video.index)
    tracks = [dict(elements(content)) for identity, content in elements(matroska_tracks(path))
              if identity == TRACK_ENTRY]  # fmt: skip
    videos = [track for track in tracks if track.get(TRACK_TYPE) == b"\x01"]
    if place >= len(videos):
        return None
    settings = dict(elements(videos[place].get(VIDEO, b"")))
    left, top, right, bottom = (int.from_bytes(settings.get(side, b""), "big") for side in CROPS)
    return left, top, right, bottom


def _iso(path: Path, video: VideoStream) -> tuple[int, int, int, int] | None:
    """The clean aperture (ISO 14496-12, `clap`) of the track with the stream's id."""
    for kind, track in boxes(top_level_box(path, b"moov")):
        if kind == b"trak" and _track_id(track) == video.id:
            entry = box(track, b"mdia", b"minf", b"stbl", b"stsd")[8:]
            aperture = box(next(boxes(entry), (b"", b""))[1][SAMPLE_ENTRY:], b"clap")
            return _sides_of(aperture, video) if len(aperture) >= 32 else None
    return None


def _track_id(track: bytes) -> int:
    header = box(track, b"tkhd")
    at = 20 if header[:1] == b"\1" else 12
    return int.from_bytes(header[at : at + 4], "big")


def _sides_of(aperture: bytes, video: VideoStream) -> tuple[int, int, int, int]:
    """From width, height and offset of the centre, each a fraction of two 32-bit numbers."""
    numbers = [int.from_bytes(aperture[at : at + 4], "big", signed=True) for at in range(0, 32, 4)]
    width, height, across, down = (Fraction(a, b) for a, b in zip(numbers[::2], numbers[1::2],
                                                                  strict=True))  # fmt: skip
    context = video.codec_context
    left = round((context.width - width) / 2 + across)
    top = round((context.height - height) / 2 + down)
    return left, top, context.width - round(width) - left, context.height - round(height) - top

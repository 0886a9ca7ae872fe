"""Whether a file named like one image is an animation: APNG, animated WebP or AVIF sequence."""

from pathlib import Path
from typing import BinaryIO

PNG, WEBP, AVIF_SEQUENCE = b"\x89PNG\r\n\x1a\n", b"WEBP", b"avis"
ANIMATION_FLAG = 2  # of the VP8X chunk


def is_animated(path: Path) -> bool:
    """True if the file holds several pictures in time. False if it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(32)
            if start.startswith(PNG):
                return _has_animation_chunk(file)
    except OSError:
        return False
    return _is_webp(start) or start[4:12] == b"ftyp" + AVIF_SEQUENCE


def is_animated_webp(path: Path) -> bool:
    """True for an animated WebP, which FFmpeg cannot decode. False if it cannot be read."""
    try:
        with path.open("rb") as file:
            return _is_webp(file.read(32))
    except OSError:
        return False


def _is_webp(start: bytes) -> bool:
    return start[8:16] == WEBP + b"VP8X" and bool(start[20:21]) and bool(start[20] & ANIMATION_FLAG)


def _has_animation_chunk(file: BinaryIO) -> bool:
    """True if a PNG has the chunk acTL before its pixels, with more than one picture."""
    file.seek(len(PNG))
    while len(header := file.read(8)) == 8 and header[4:] != b"IDAT":
        size = int.from_bytes(header[:4], "big")
        if header[4:] == b"acTL":
            return int.from_bytes(file.read(4), "big") > 1
        file.seek(size + 4, 1)
    return False

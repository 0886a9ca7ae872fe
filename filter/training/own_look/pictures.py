"""Reads the pictures of a look, and photographs to try it on."""

from pathlib import Path

import av
import numpy as np
from rich.console import Console

from turbolens.filter.errors import MediaError, SettingsError
from turbolens.filter.surface.planes import Plane, cv2
from turbolens.filter.training.data import pictures_in, read_square

from .material import PICTURE
from .samples import Picture

MIN_PICTURES, MAX_PICTURES = 1, 50
MAX_PHOTOGRAPHS = 200
_LONGEST = 3  # times the shorter side: of a scroll, the middle is used


def paths_of(folder: Path, option: str, most: int, console: Console) -> list[Path]:
    """The first `most` pictures of a folder. A line says so if there are more.

    Raises `SettingsError` if there is none.
    """
    found = pictures_in(folder) if folder.is_dir() else []
    if len(found) < MIN_PICTURES:
        raise SettingsError(
            f"{option} must hold {MIN_PICTURES} to {most} pictures (JPEG, PNG, WebP), "
            f"found none in {folder}"
        )
    if len(found) > most:
        console.print(f"{option}: the first {most} of {len(found)} pictures are used",
                      soft_wrap=True, highlight=False)  # fmt: skip
    return found[:most]


def read_work(path: Path) -> Plane:
    """A picture of a look, RGB (H, W, 3) in 0…1, its shorter side scaled to `PICTURE`.

    Raises `MediaError` if it cannot be read.
    """
    try:
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
    except (OSError, StopIteration, ValueError) as error:
        raise MediaError(f"{path} cannot be read as a picture: {error}") from error
    scale = PICTURE / min(frame.width, frame.height)
    width, height = (min(round(side * scale), _LONGEST * PICTURE)
                     for side in (frame.width, frame.height))  # fmt: skip
    how = "AREA" if scale < 1 else "BICUBIC"
    pixels = frame.reformat(
        round(frame.width * scale), round(frame.height * scale), "rgb24", interpolation=how
    ).to_ndarray()
    left, top = (pixels.shape[1] - width) // 2, (pixels.shape[0] - height) // 2
    part = pixels[top : top + height, left : left + width]
    return np.ascontiguousarray(part, np.float32) / np.float32(255)


def read_squares(paths: list[Path], count: int) -> list[Picture]:
    """The middles of up to `count` pictures, evenly from all, RGB (PICTURE, PICTURE, 3)."""
    spread = np.unique(np.linspace(0, len(paths) - 1, min(count, len(paths))).round().astype(int))
    squares = [read_square(paths[index], PICTURE) for index in spread]
    return [np.ascontiguousarray(each.permute(1, 2, 0).numpy()) for each in squares]


def without_material(picture: Picture) -> Picture:
    """The same picture in even areas: what a photograph of its motif might look like."""
    for _ in range(2):
        picture = cv2.bilateralFilter(picture, 9, 40, 5)
    return picture

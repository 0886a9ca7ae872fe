"""Writes pictures for training tests."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write an RGB picture (H, W, 3) as PNG."""
    Image.fromarray(picture).save(path, "PNG")


def write_drawn(folder: Path, count: int, shape: tuple[int, int], cell: int) -> Path:
    """Make a folder of pictures of random cells; shape: rows and columns of them, `cell` pixels a
    side. Returns the folder."""
    folder.mkdir()
    for seed in range(count):
        levels = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
        write_png(folder / f"{seed}.png", levels.repeat(cell, 0).repeat(cell, 1))
    return folder

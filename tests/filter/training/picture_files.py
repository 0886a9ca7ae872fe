"""Writes pictures for training tests."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write an RGB picture (H, W, 3) as PNG."""
    Image.fromarray(picture).save(path, "PNG")

"""Small sets of pictures with captions."""

from pathlib import Path

import numpy as np
import pytest

from tests.filter.training.picture_files import write_png
from turbolens.filter.training.captions import CaptionedPictures

from .parts import SIDE, picture


@pytest.fixture
def pictures_folder(tmp_path: Path) -> Path:
    """Two looks by folder, and two pictures with captions beside them."""
    folder = tmp_path / "data"
    for look in ("oil_painting", "pencil-sketch"):
        (folder / look).mkdir(parents=True)
        for seed in range(6):
            write_png(folder / look / f"{look}{seed}.png", picture(seed))
    (folder / "oil_painting" / "oil_painting0.txt").write_text("a (wet) oil\n\nold oil\n")
    return folder


@pytest.fixture
def data() -> CaptionedPictures:
    planes = np.stack([picture(seed, 20).transpose(2, 0, 1) for seed in range(6)])
    return CaptionedPictures(planes, [("ink",), ("oil",)] * 3, SIDE)

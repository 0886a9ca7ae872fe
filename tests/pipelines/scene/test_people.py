"""Pictures of the scene's person, for training."""

from pathlib import Path

import cv2
import numpy as np

from turbolens.pipelines.scene.people import FIRST_SEED, SIDE, write_people
from turbolens.pipelines.scene.shots import SHOTS


def test_each_shot_is_written_with_its_mask_as_transparency(tmp_path: Path) -> None:
    paths = list(write_people(tmp_path, scenes=1, frames=1, seed=3))
    assert [path.name.split("-")[:2] for path in paths] == [
        [str(FIRST_SEED), str(shot)] for shot in range(len(SHOTS))
    ]
    for path in paths:
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        assert picture.shape == (SIDE, SIDE, 4)
        assert 0.02 < (picture[..., 3] > 127).mean() < 0.6
    assert list(tmp_path.iterdir()), "nothing unfinished is left"
    assert len(list(tmp_path.iterdir())) == len(paths)


def test_a_file_that_exists_is_kept_and_the_times_come_from_the_seed(tmp_path: Path) -> None:
    first = next(iter(write_people(tmp_path, scenes=1, frames=1, seed=3)))
    cv2.imwrite(str(first), np.zeros((8, 8, 4), np.uint8))
    assert next(iter(write_people(tmp_path, scenes=1, frames=1, seed=3))) == first
    again = cv2.imread(str(first), cv2.IMREAD_UNCHANGED)
    assert again is not None
    assert again.shape == (8, 8, 4)

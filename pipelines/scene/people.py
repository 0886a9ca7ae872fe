"""Pictures of the scene's person with exact masks, for training.

They are PNG files whose transparency is the mask, as `turbolens train segmenter` reads its people.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .frames import TestScene
from .shots import SHOTS

SIZE = 640, 360
SIDE = 384  # of the written pictures, which are stretched to squares
FIRST_SEED = 100  # of the scenes; lower ones are for measurements


def write_people(folder: Path, *, scenes: int, frames: int, seed: int = 0) -> Iterator[Path]:
    """Write frames at random times of each shot of scenes with different persons.

    scenes: their number. frames: of each shot. seed: of the times. Yields each path as it is
    written; files that exist are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(FIRST_SEED, FIRST_SEED + scenes):
        scene = TestScene(*SIZE, seed=number)
        for shot in range(len(SHOTS)):
            for index in rng.choice(scene.shot_frames, frames, replace=False):
                path = folder / f"{number}-{shot}-{index:02d}.png"
                if not path.exists():
                    _write(path, scene, shot * scene.shot_frames + int(index))
                yield path


def _write(path: Path, scene: TestScene, index: int) -> None:
    frame = scene[index]
    mask: NDArray[np.uint8] = (frame.person * 255).round().astype(np.uint8)
    bgra = np.dstack([frame.picture[..., ::-1], mask])
    unfinished = path.with_name(f".{path.name}.tmp.png")
    cv2.imwrite(str(unfinished), cv2.resize(bgra, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    unfinished.replace(path)

"""One picture in every look of the model: python examples/looks.py sheet.png [picture]."""

import sys

import av
import numpy as np

from turbolens.filter import FrameFilter, TurboModel
from turbolens.pipelines.test_scene import TestScene

COLUMNS = 6
WIDTH, HEIGHT = 320, 180


def input_frame() -> av.VideoFrame:
    if len(sys.argv) > 2:
        return next(av.open(sys.argv[2]).decode(video=0))
    return TestScene(1280, 720)[8].frame


def small(frame: av.VideoFrame) -> np.ndarray:
    return frame.reformat(WIDTH, HEIGHT, "rgb24", interpolation="AREA").to_ndarray()


def main() -> None:
    frame = input_frame()
    frame_filter = FrameFilter(TurboModel.load("embedded"), strength=0.9)
    tiles = [small(frame)]
    for look in frame_filter.model.looks:
        frame_filter.reset()
        frame_filter.update(prompt=look)
        tiles.append(small(frame_filter(frame)))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    sheet = av.VideoFrame.from_ndarray(np.vstack(rows), format="rgb24")
    sheet.save(sys.argv[1])


if __name__ == "__main__":
    main()

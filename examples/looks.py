"""Pictures in every look of the model: python examples/looks.py sheet.jpg [picture ...].

The first of each is what the model gives where no look is asked for.
"""

import sys

import av
import numpy as np

from turbolens.filter import FrameFilter, TurboModel
from turbolens.pipelines import TestScene

COLUMNS = 6
WIDTH, HEIGHT = 256, 192


def input_frames() -> list[av.VideoFrame]:
    if len(sys.argv) > 2:
        return [next(av.open(path).decode(video=0)) for path in sys.argv[2:]]
    return [TestScene(1280, 720)[8].frame]


def tile(frame: av.VideoFrame) -> np.ndarray:
    """The frame at the tile's height and shape; what is too wide or high is cut."""
    scale = max(WIDTH / frame.width, HEIGHT / frame.height)
    width, height = round(frame.width * scale), round(frame.height * scale)
    pixels = frame.reformat(width, height, "rgb24", interpolation="AREA").to_ndarray()
    left, top = (width - WIDTH) // 2, (height - HEIGHT) // 3
    return pixels[top : top + HEIGHT, left : left + WIDTH]


def main() -> None:
    frame_filter = FrameFilter(TurboModel.load("embedded"), strength=0.9)
    rows = []
    for frame in input_frames():
        tiles = []
        for look in ["photo", *frame_filter.model.looks]:
            frame_filter.reset()
            frame_filter.update(prompt=look)
            tiles.append(tile(frame_filter(frame)))
        tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
        rows += [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    av.VideoFrame.from_ndarray(np.vstack(rows), format="rgb24").save(sys.argv[1])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main()

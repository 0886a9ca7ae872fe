"""Two threads use one frame, although PyAV converts it in a context that belongs to it."""

from collections.abc import Callable
from pathlib import Path
from threading import Thread

import av
import numpy as np
import pytest

from turbolens.pipelines.video.recorder import Recorder, RecordingSink

from .live_parts import WAIT

pytestmark = pytest.mark.slow

SIZE = 640, 360  # large enough for FFmpeg to cut it into slices, a thread for each


def noisy(pixel_format: str) -> av.VideoFrame:
    pixels = np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pixel_format)
    frame.pts = 0
    return frame


def both_end(*work: Callable[[], object]) -> bool:
    threads = [Thread(target=each, daemon=True) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * WAIT)
    return not any(thread.is_alive() for thread in threads)


def test_snapshots_of_a_frozen_picture_and_its_recording_end(tmp_path: Path) -> None:
    shown, frame = RecordingSink(), noisy("yuv420p")
    shown.start_recording(Recorder(tmp_path / "a.mkv"))
    shown.write(frame)

    def take_pictures() -> None:
        for _ in range(30):
            shown.snapshot(tmp_path / "a.png")

    def go_on_showing() -> None:
        for _ in range(200):
            shown.write(frame)
        shown.close()

    assert both_end(take_pictures, go_on_showing)
    assert (tmp_path / "a.mkv").exists()

"""Shared by the tests of streams: the peer of a stream, and a stream in the background."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import av
import numpy as np

from tests.pipelines.conftest import invert
from turbolens.pipelines.scene.camera import SceneCamera
from turbolens.pipelines.streams.endpoints import Endpoint
from turbolens.pipelines.streams.filter_stream import StreamOptions, filter_stream

TIME_LIMIT = 60.0
ROOT = Path(__file__).parents[3]


class Peer:
    """The other side of a stream, in a process of its own: `stream_peer.py` or `whip_peer.py`."""

    def __init__(self, *arguments: object, program: str = "stream_peer") -> None:
        command = [sys.executable, "-m", f"tests.pipelines.streams.{program}"]
        self._process = subprocess.Popen(  # noqa: S603
            [*command, *map(str, arguments)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def result(self) -> Any:
        """What it has received, once it has ended."""
        output, _ = self._process.communicate(timeout=TIME_LIMIT)
        assert self._process.returncode == 0
        return json.loads(output)


@contextmanager
def streaming(
    source: Endpoint | SceneCamera, target: Endpoint, **options: Any
) -> Iterator[list[str]]:
    """`filter_stream` in the background until the block ends. Gives its notices."""
    notices: list[str] = []
    errors: list[Exception] = []
    stop = Event()

    def run() -> None:
        try:
            filter_stream(
                source, target, invert, StreamOptions(**options), on_notice=notices.append,
                stop=stop,
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001 - raised below, on the test's own thread
            errors.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield notices
    finally:
        stop.set()
        thread.join(TIME_LIMIT)
    if errors:
        raise errors[0]


def is_inverted(levels: list[float]) -> bool:
    """True for a bright video with dark flashes: the clip is dark with bright flashes."""
    return float(np.median(levels)) > 180


def frame_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [frame.time or 0.0 for frame in container.decode(video=0)]


def flashes_and_tones(path: Path) -> tuple[list[float], list[float]]:
    """When the flashes and the tones of a clip begin, in seconds."""
    levels: list[float] = []
    times: list[float] = []
    volumes: list[float] = []
    audio_times: list[float] = []
    with av.open(str(path)) as container:
        for frame in container.decode():
            if isinstance(frame, av.VideoFrame):
                levels.append(float(frame.to_ndarray(format="gray").mean()))
                times.append(frame.time or 0.0)
            elif isinstance(frame, av.AudioFrame):
                wave = np.abs(frame.to_ndarray()[0])
                for start in range(0, len(wave), 128):
                    audio_times.append((frame.time or 0.0) + start / frame.sample_rate)
                    volumes.append(float(wave[start : start + 128].max()))
    return _rises(times, levels, 120), _rises(audio_times, volumes, 0.1)


def _rises(times: list[float], values: Any, threshold: float) -> list[float]:
    """The times when a value rises above the threshold."""
    high = np.asarray(values) > threshold
    return [times[i] for i in range(1, len(high)) if high[i] and not high[i - 1]]

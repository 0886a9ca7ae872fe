"""What the tests of streams have in common: the other side, a stream in the background, waiting."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import av
import numpy as np
import pytest

from tests.pipelines.conftest import invert
from turbolens.pipelines.scene.camera import SceneCamera
from turbolens.pipelines.streams.endpoints import Endpoint
from turbolens.pipelines.streams.filter_stream import StreamOptions, filter_stream

PATIENCE = 60.0


class Peer:
    """The other side of a stream, in a process of its own (`stream_peer.py`)."""

    def __init__(self, *arguments: object, program: str = "stream_peer.py") -> None:
        command = [sys.executable, str(Path(__file__).with_name(program))]
        self._process = subprocess.Popen(  # noqa: S603
            [*command, *map(str, arguments)], stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def result(self) -> Any:
        """What it has seen, when it is done."""
        said, _ = self._process.communicate(timeout=PATIENCE)
        assert self._process.returncode == 0
        return json.loads(said)


@contextmanager
def streaming(
    source: Endpoint | SceneCamera, target: Endpoint, **options: Any
) -> Iterator[list[str]]:
    """`filter_stream` in the background, with its notices; it is stopped in the end."""
    notices: list[str] = []
    failures: list[Exception] = []
    stop = Event()

    def work() -> None:
        try:
            filter_stream(
                source, target, invert, StreamOptions(**options), on_notice=notices.append,
                stop=stop,
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001 - told below, on the test's own thread
            failures.append(error)

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        yield notices
    finally:
        stop.set()
        thread.join(PATIENCE)
    assert not failures


def is_inverted(levels: list[float]) -> bool:
    """Mostly bright with dark flashes, where the clip is dark with bright ones."""
    return float(np.median(levels)) > 180


def is_listening(port: int) -> bool:
    """Read from the kernel's table: to connect would take the place of the stream."""
    wanted = f":{port:04X} 00000000:0000 0A"
    return any(wanted in line for line in Path("/proc/net/tcp").read_text().splitlines())


def until(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        Event().wait(0.1)
    pytest.fail("it did not come")


def picture_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [frame.time or 0.0 for frame in container.decode(video=0)]

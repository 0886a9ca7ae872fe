"""Segments that take more memory than Ray lets its machine give them, on a real cluster."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.video.segments.films import content_of

from .conftest import Run, nodes
from .filters import Growing, Make, run_tasks

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]

ROOM = 0.15  # share of the memory; more than other programs take or free in the meantime
MOST_USED = 0.9  # share at which Linux itself would begin to end programs


def memory() -> tuple[int, float]:
    """Of this machine: bytes, and the share that is in use."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total, available = (int(lines[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    return total * 1024, 1 - available / total


@pytest.fixture
def small() -> Iterator[Any]:
    """A cluster of two nodes whose programs may take `ROOM` more memory than is in use now."""
    _, used = memory()
    if used + ROOM > MOST_USED:
        pytest.skip(f"{used:.0%} of the memory is in use")
    limits = {"RAY_memory_usage_threshold": f"{used + ROOM:.3f}",
              "RAY_memory_monitor_refresh_ms": "50"}  # fmt: skip
    with nodes("second", **limits) as cluster:
        yield cluster


def too_much() -> int:
    """Bytes: more than the room, and less than the machine has."""
    total, used = memory()
    return int(total * min(2 * ROOM, MOST_USED + 0.05 - used))


def test_a_segment_without_enough_memory_is_made_again(
    small: Any, film: Path, tmp_path: Path
) -> None:
    make = Make(Growing(tmp_path / "spared", 200, too_much()), run_up=10)
    run_tasks(film, tmp_path / "expected.mkv", Make(run_up=10), seconds=0.5)
    run = Run().on(small.address, {film: tmp_path / "out.mkv"}, make)
    assert (tmp_path / "spared").exists()
    assert content_of(tmp_path / "out.mkv") == content_of(tmp_path / "expected.mkv")
    assert run.summary is not None
    assert run.summary.lost_nodes == 0
    assert run.summary.retries == run.summary.lost_workers >= 1  # Ray may choose the other worker
    for notice in run.notices:
        assert notice.endswith("has ended (not enough memory): its segment is made again")
    assert len(run.notices) == run.summary.retries

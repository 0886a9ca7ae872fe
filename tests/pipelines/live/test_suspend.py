"""A run that is suspended and resumed, with the whole program: the clock jumps meanwhile."""

import signal
import sys
import time
from typing import IO

import pytest

from tests.pipelines.conftest import started

SLOW_FILTER = """
import sys
from threading import Event
from tests.pipelines.live.live_parts import Camera, Screen, lighter
from turbolens.pipelines.live.options import RunOptions
from turbolens.pipelines.live.running import run

never = Event()

def slow(frame):
    never.wait(0.3)
    return lighter(frame)

def say(line):
    print(line, flush=True)

run(
    Camera(10**9, lambda _: never.wait(0.01)), slow, Screen(rate=30),
    options=RunOptions(hang_after=1.5, deadline=1.5), reload=lambda: slow, on_notice=say,
    on_stats=lambda stats: say(f"count {stats.filtered}"),
)
"""
SUSPENDED = 3.0  # seconds, twice what a call may take


def lines_until_counted(output: IO[str], least: int) -> list[str]:
    """The notices until the program has filtered this many frames."""
    notices: list[str] = []
    while line := output.readline():
        word, _, number = line.partition(" ")
        if word != "count":
            notices.append(line)
        elif int(number) >= least:
            return notices
    raise AssertionError(f"the program ended: {notices}")


@pytest.mark.slow
def test_a_suspend_is_no_failure_of_the_filter() -> None:
    command = [sys.executable, "-c", SLOW_FILTER]
    with started(command, stdout=-1, text=True) as process:
        assert process.stdout is not None
        lines_until_counted(process.stdout, 3)
        process.send_signal(signal.SIGSTOP)
        time.sleep(SUSPENDED)
        process.send_signal(signal.SIGCONT)
        assert lines_until_counted(process.stdout, 12) == []

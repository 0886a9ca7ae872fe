"""Ctrl-C that waits for a safe point."""

import signal
from collections.abc import Iterator
from threading import Thread

import pytest

from turbolens.pipelines.interrupts import DeferredInterrupts
from turbolens.pipelines.video.bounded_queue import BoundedQueue


@pytest.fixture(autouse=True)
def _python_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    # Not os.kill: the system may give that to any thread, and Python would act on it later on,
    # when the test is over, and end the whole run.
    signal.raise_signal(signal.SIGINT)


def test_the_first_waits_for_check_and_happens_once() -> None:
    with DeferredInterrupts() as interrupts:
        press()
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
        interrupts.check()


def test_the_second_strikes_at_once() -> None:
    with DeferredInterrupts() as interrupts:
        press()
        with pytest.raises(KeyboardInterrupt):
            press()
        interrupts.check()  # nothing is pending any more


def test_what_came_last_happens_on_the_way_out() -> None:
    with pytest.raises(KeyboardInterrupt), DeferredInterrupts():
        press()
    with pytest.raises(KeyboardInterrupt):
        press()  # the handler is back


def test_an_error_is_not_hidden_by_it() -> None:
    def fail() -> None:
        with DeferredInterrupts():
            press()
            raise ValueError("of the body")

    with pytest.raises(ValueError, match="of the body"):
        fail()


def test_it_ends_a_wait_for_an_empty_queue() -> None:
    queue: BoundedQueue[int] = BoundedQueue()
    with DeferredInterrupts() as interrupts:
        presser = Thread(target=press)
        presser.start()
        with pytest.raises(KeyboardInterrupt):
            next(queue.items(interrupts.check))
        presser.join()


def test_it_does_nothing_off_the_main_thread() -> None:
    handler = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def work() -> None:
        with DeferredInterrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [handler]

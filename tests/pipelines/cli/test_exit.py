"""The command ends at once, also while a thread prepares an acceleration."""

import os
from threading import Event, Thread

import pytest

from turbolens.pipelines.cli import app


@pytest.mark.parametrize("daemon", [False, True])
def test_the_command_does_not_wait_for_an_acceleration(
    monkeypatch: pytest.MonkeyPatch, daemon: bool
) -> None:
    """Python waits for threads that are not daemons. One that runs torch may take minutes."""
    monkeypatch.setattr(app, "GRACE", 0)
    done = Event()
    thread = Thread(target=done.wait, args=(60,), name="acceleration", daemon=daemon)
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "_exit", leave)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            app._exit(3)
    finally:
        done.set()
        thread.join()
    assert codes == [3]


def test_an_acceleration_that_is_about_to_end_is_waited_for() -> None:
    thread = Thread(target=Event().wait, args=(0.1,), name="acceleration")
    thread.start()
    with pytest.raises(SystemExit) as ended:
        app._exit(3)
    assert ended.value.code == 3
    assert not thread.is_alive()

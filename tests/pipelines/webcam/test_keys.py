"""Keys of a call: look, strength, off, frozen, snapshot, recording; keys from a terminal."""

import os
import sys
from pathlib import Path
from threading import Event

import av
import pytest

from tests.pipelines.conftest import times_of
from tests.pipelines.live.live_parts import WAIT, Camera, Screen, numbered
from tests.pipelines.webcam.call_parts import LOOKS, call_with
from turbolens.pipelines.webcam.filter import WebcamFilter
from turbolens.pipelines.webcam.keys import Keys


def test_keys_change_look_and_strength_and_wrap_around(tmp_path: Path) -> None:
    webcam, _ = call_with(tmp_path)
    seen = []
    for key in "nnnpp":
        webcam.press(key)
        seen.append(webcam.filter.settings.prompt[0][0])
    assert seen == ["noir", "neon", LOOKS[0], "neon", "noir"]
    for key in "+=---":
        webcam.press(key)
    assert webcam.filter.settings.strength == pytest.approx(0.65)
    for _ in range(30):
        webcam.press("+")
    assert webcam.filter.settings.strength == 1.0


@pytest.mark.parametrize(("key", "expected"), [("n", LOOKS[0]), ("p", LOOKS[-1])])
def test_from_another_prompt_the_keys_go_to_the_first_or_last_look(
    tmp_path: Path, key: str, expected: str
) -> None:
    webcam, _ = call_with(tmp_path)
    webcam.filter.update(prompt="a castle of glass")
    webcam.press(key)
    assert webcam.filter.settings.prompt[0][0] == expected


def test_off_shows_the_camera_and_frozen_shows_one_picture(tmp_path: Path) -> None:
    webcam, _ = call_with(tmp_path)
    assert isinstance(webcam.filter, WebcamFilter)
    first = webcam.filter(numbered(1))
    assert first.to_ndarray().max() == 254
    webcam.press("f")
    assert webcam.filter(numbered(2)) is first
    assert webcam.filter.reproject(numbered(3)) is None
    webcam.press("f")
    webcam.press(" ")
    camera = numbered(4)
    assert webcam.filter(camera) is camera
    assert "OFF" in webcam.state()
    webcam.press("o")
    assert webcam.filter(camera) is not camera


def test_a_snapshot_and_a_recording_are_made_by_keys(tmp_path: Path) -> None:
    class Pressing(Screen):
        def write(self, frame: av.VideoFrame) -> None:
            super().write(frame)
            for key in {10: "r", 20: "s", 40: "r", 50: "q"}.get(len(self.shown), ""):
                webcam.press(key)

    camera = Camera(10**6)
    camera.size = (64, 48)
    webcam, notices = call_with(tmp_path, source=camera, sink=Pressing())
    webcam.run(lambda _: None)
    recorded = next(tmp_path.glob("*.mp4"))
    assert len(times_of(recorded)) >= 20
    assert next(tmp_path.glob("*.png")).stat().st_size > 0
    assert [notice.partition(":")[0] for notice in notices[1:]] == ["snapshot", "recorded"]


def test_an_unknown_key_shows_the_list_and_a_failure_is_a_notice(tmp_path: Path) -> None:
    webcam, notices = call_with(tmp_path)
    webcam.press("?")
    assert "snapshot" in notices[-1]
    webcam.press("s")
    assert "nothing has been shown yet" in notices[-1]


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of Unix")
def test_keys_come_from_a_terminal_one_by_one_and_it_is_restored() -> None:
    import pty  # noqa: PLC0415
    import termios  # noqa: PLC0415

    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    pressed, enough = list[str](), Event()

    def note(key: str) -> None:
        pressed.append(key)
        if key == "q":
            enough.set()

    with Keys(note, descriptor=theirs) as keys:
        assert keys.listening
        os.write(ours, b"n+")
        os.write(ours, b"q")
        assert enough.wait(WAIT)
    assert pressed == ["n", "+", "q"]
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of Unix")
def test_key_q_ends_a_call(tmp_path: Path) -> None:
    import pty  # noqa: PLC0415

    ours, theirs = pty.openpty()
    webcam, notices = call_with(tmp_path, source=Camera(10**7))
    os.write(ours, b"nq")
    stats = webcam.run(lambda _: None, keyboard=theirs)
    assert any(notice.startswith("keys:") for notice in notices)
    assert webcam.filter.settings.prompt[0][0] == "noir"
    assert stats.failures == 0
    os.close(ours)
    os.close(theirs)

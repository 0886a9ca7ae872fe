"""A call in a real browser: only the background is restyled, and the person is as the camera saw.

CALL_SECONDS=45 CALL_FOLDER=FOLDER python -m pytest -s -k chromium with this file prints how many
pictures of 1280x720 per second the browser shows, and keeps what it saw.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.pipelines.conftest import started
from tests.real.browser_call import SWITCHES, BrowserCall
from turbolens.pipelines.scene.frames import SceneFrame, TestScene

from .desktop import needs_pipewire, until
from .test_firefox import PATIENCE, TRIES, firefox, portal

__all__ = ["portal"]
pytestmark = [pytest.mark.slow, needs_pipewire, pytest.mark.timeout(3 * PATIENCE)]
SECONDS = float(os.environ.get("CALL_SECONDS", "0"))
FOLDER = os.environ.get("CALL_FOLDER")
FRAMES = 30  # of the clip that plays as a camera
WIDTH, HEIGHT = (1280, 720) if SECONDS else (640, 360)
OPTIONS = ["--size", "auto"] if SECONDS else ["--size", "128"]
INSIDE, BESIDE = 0.02, 0.06  # of the height: from the person's edge
Floats = NDArray[np.float32]
Browser = Callable[[str, str], list[str]]


def chromium(profile: str, address: str) -> list[str]:
    """With a window on the display of the test: without one it does not ask the portal."""
    shown = [each for each in SWITCHES if each != "--headless"]
    return [
        "chromium", *shown, "--ozone-platform=x11", "--enable-features=WebRtcPipeWireCamera",
        f"--user-data-dir={profile}", address,
    ]  # fmt: skip


def started_call(browser: Browser) -> BrowserCall:
    """A call that has sent a picture. A browser that asked too early for a camera begins anew."""
    for _ in range(TRIES):
        call = BrowserCall(browser)
        if waited(lambda call=call: bool(call.picture or call.error), PATIENCE) and call.picture:  # type: ignore[misc]
            return call
        call.close()
    raise AssertionError(f"no picture: offered {call.cameras}, {call.error}")


def write_camera(path: Path) -> list[SceneFrame]:
    """A clip of the test scene, there and back, as a camera would give it. Returns its frames."""
    scene = TestScene(WIDTH, HEIGHT, rate=Fraction(30))
    frames = [scene[index] for index in range(FRAMES)]
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("mjpeg", rate=30, width=WIDTH, height=HEIGHT)
        stream.pix_fmt, stream.options = "yuvj420p", {"qmin": "2", "qmax": "4"}
        for number, each in enumerate([*frames, *frames[::-1]]):
            frame = each.frame.reformat(format="yuvj420p")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return frames


def compared(picture: Floats, frames: list[SceneFrame]) -> tuple[float, float]:
    """Levels by which the person and the background differ from the camera's nearest frame."""

    def differences(each: SceneFrame) -> tuple[float, float]:
        person = np.asarray(each.person > 0.5, np.uint8)
        inside = cv2.erode(person, _square(INSIDE)) > 0
        beside = cv2.dilate(person, _square(BESIDE)) == 0
        difference = np.abs(picture - each.picture).mean(2)
        return float(np.median(difference[inside])), float(difference[beside].mean())

    return min(differences(each) for each in frames)


def _square(share: float) -> NDArray[np.uint8]:
    side = 2 * round(share * HEIGHT) + 1
    return np.ones((side, side), np.uint8)


def waited(condition: Callable[[], bool], seconds: float) -> bool:
    """True as soon as the condition is; False if that takes longer."""
    ends = time.monotonic() + seconds
    while not condition() and time.monotonic() < ends:
        time.sleep(0.1)
    return condition()


def picture_of(call: BrowserCall) -> Floats:
    pixels: Any = cv2.imdecode(np.frombuffer(call.picture, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(pixels[..., ::-1], np.float32)


@pytest.mark.usefixtures("portal")
@pytest.mark.skipif(sys.platform != "linux", reason="a portal of Linux desktops")
@pytest.mark.parametrize("browser", [firefox, chromium])
def test_a_call_shows_the_person_as_she_is_before_a_restyled_background(
    browser: Browser, tmp_path: Path
) -> None:
    if browser is chromium and shutil.which("chromium") is None and "CI" not in os.environ:
        pytest.skip("needs chromium")
    frames = write_camera(tmp_path / "camera.mkv")
    log = tmp_path / "webcam.log"
    command = [
        sys.executable, "-m", "turbolens", "webcam", "--camera", str(tmp_path / "camera.mkv"),
        "--virtual-camera", "pipewire", "--prompt", "watercolour", "--region", "background",
        "--detail", "1", "--json", *OPTIONS,
    ]  # fmt: skip
    with log.open("w") as output, started(command, stdout=output, stderr=subprocess.STDOUT):
        assert waited(lambda: '"filtered": ' in log.read_text(), PATIENCE), log.read_text()
        until(lambda: "showing on" in log.read_text(), "the virtual camera")
        call = started_call(browser)
        try:
            differences = [(99.0, 0.0)]
            # The first pictures may be the slate, or wholly restyled until the mask is sure.
            looked = time.monotonic()
            while time.monotonic() < looked + (SECONDS or 60.0):
                time.sleep(1.0)
                differences.append(compared(picture_of(call), frames))
                if not SECONDS and differences[-1][0] < 8:
                    break
            if SECONDS:
                print(f"{call.rate(SECONDS / 2):.1f} pictures per second")  # noqa: T201
        finally:
            call.close()
    if FOLDER is not None:
        (Path(FOLDER) / "call.png").write_bytes(call.picture)
        (Path(FOLDER) / "call.log").write_text(log.read_text())
    person, background = differences[-1]
    print(f"person {person:.1f}, background {background:.1f} levels")  # noqa: T201
    assert picture_of(call).shape == (HEIGHT, WIDTH, 3)
    assert person < 8, "the person is the camera's own"
    assert background > 12, "the background is restyled"

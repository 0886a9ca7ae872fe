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
from pathlib import Path

import pytest

from tests.pipelines.conftest import started
from tests.real.browser_call import SWITCHES, BrowserCall
from tests.real.region_call import OTHER, SAME, compared, picture_from, write_camera

from .desktop import needs_pipewire, until
from .test_firefox import PATIENCE, TRIES, firefox, portal

__all__ = ["portal"]
pytestmark = [pytest.mark.slow, needs_pipewire, pytest.mark.timeout(3 * PATIENCE)]
SECONDS = float(os.environ.get("CALL_SECONDS", "0"))
FOLDER = os.environ.get("CALL_FOLDER")
WIDTH, HEIGHT = (1280, 720) if SECONDS else (640, 360)
OPTIONS = ["--size", "auto", "--acceleration", "auto"] if SECONDS else ["--size", "128"]
EVERY = 20 if SECONDS else 1  # the page looks at one picture in so many
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
        call = BrowserCall(browser, every=EVERY)
        if waited(lambda call=call: bool(call.picture or call.error), PATIENCE) and call.picture:  # type: ignore[misc]
            return call
        call.close()
    raise AssertionError(f"no picture: offered {call.cameras}, {call.error}")


def waited(condition: Callable[[], bool], seconds: float) -> bool:
    """True as soon as the condition is; False if that takes longer."""
    ends = time.monotonic() + seconds
    while not condition() and time.monotonic() < ends:
        time.sleep(0.1)
    return condition()


@pytest.mark.usefixtures("portal")
@pytest.mark.skipif(sys.platform != "linux", reason="a portal of Linux desktops")
@pytest.mark.parametrize("browser", [firefox, chromium])
def test_a_call_shows_the_person_as_she_is_before_a_restyled_background(
    browser: Browser, tmp_path: Path
) -> None:
    if browser is chromium and shutil.which("chromium") is None and "CI" not in os.environ:
        pytest.skip("needs chromium")
    frames = write_camera(tmp_path / "camera.mkv", WIDTH, HEIGHT)
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
                differences.append(compared(picture_from(call.picture), frames))
                if not SECONDS and differences[-1][0] < SAME:
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
    assert picture_from(call.picture).shape == (HEIGHT, WIDTH, 3)
    assert person < SAME, "the person is the camera's own"
    assert background > OTHER, "the background is restyled"

"""A call in a real Firefox, which asks the desktop for cameras through its portal."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from tests.pipelines.conftest import started
from tests.real.browser_call import BrowserCall
from turbolens.pipelines.camera.pipewire.sink import PipeWireCamera
from turbolens.pipelines.live.slate import slate

from .desktop import QUIET, Desktop, needs_pipewire, showing, until

FIREFOX = shutil.which("firefox-esr")
LIBRARIES = Path("/usr/libexec")
PORTALS = ("xdg-permission-store", "xdg-desktop-portal-gtk", "xdg-desktop-portal")
PATIENCE, TRIES = 120.0, 3  # seconds, for Firefox on a busy machine
PREFERENCES = """
user_pref("media.webrtc.camera.allow-pipewire", true);
user_pref("media.navigator.permission.disabled", true);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.update.enabled", false);
"""
STORE = "org.freedesktop.impl.portal.PermissionStore"
ALLOW = (
    f"gdbus call --session -d {STORE} -o /{STORE.replace('.', '/')} -m {STORE}.SetPermission"
    " devices true camera"
).split()
pytestmark = [pytest.mark.slow, needs_pipewire, pytest.mark.timeout(2 * PATIENCE)]


def missing() -> list[str]:
    programs = {"firefox-esr": FIREFOX, "xvfb": shutil.which("Xvfb")}
    absent = [name for name, path in programs.items() if path is None]
    if not all((LIBRARIES / name).exists() for name in PORTALS):
        absent.append("xdg-desktop-portal-gtk")
    return absent


def allowed() -> bool:
    """Allow programs without a sandbox to use the camera. True once that is stored."""
    command = [*ALLOW, "", "['yes']"]
    return subprocess.run(command, check=False, **QUIET).returncode == 0  # noqa: S603


@pytest.fixture
def portal(desktop: Desktop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A desktop whose user has allowed the camera once, as its dialog does."""
    absent = missing()
    if absent and "CI" not in os.environ:
        pytest.skip(f"needs {', '.join(absent)}")
    assert not absent
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "gtk")
    number = f":{100 + os.getpid() % 30000}"
    monkeypatch.setenv("DISPLAY", number)
    with ExitStack() as programs:
        programs.enter_context(started(["Xvfb", number], **QUIET))
        until(Path(f"/tmp/.X11-unix/X{number[1:]}").exists, "the display")  # noqa: S108
        desktop.start()
        for name in PORTALS[:2]:
            programs.enter_context(started([str(LIBRARIES / name)], **QUIET))
        until(allowed, "the store of permissions")
        programs.enter_context(started([str(LIBRARIES / PORTALS[2])], **QUIET))
        yield


def firefox(profile: str, address: str) -> list[str]:
    (Path(profile) / "user.js").write_text(PREFERENCES)
    return [str(FIREFOX), "--headless", "--no-remote", "--profile", profile, address]


def started_call() -> BrowserCall:
    """A call that shows pictures. Firefox that asked before the portal was ready begins anew."""
    for _ in range(TRIES):
        call = BrowserCall(firefox)
        ends = time.monotonic() + PATIENCE / TRIES
        while len(call.rows) < 3 and not call.error and time.monotonic() < ends:
            time.sleep(0.1)
        if len(call.rows) >= 3:
            break
        call.close()
    return call


@pytest.mark.usefixtures("portal")
@pytest.mark.skipif(sys.platform != "linux", reason="a portal of Linux desktops")
def test_firefox_lists_the_camera_and_shows_its_pictures() -> None:
    frame = slate(64, 36)
    expected = frame.to_ndarray(format="rgb24")[18, :, 0].astype(int)
    with showing(PipeWireCamera(width=64, height=36, rate=30), frame):
        call = started_call()
        try:
            assert (call.cameras, call.error) == (["Turbolens"], "")
            assert len(call.rows) >= 3
        finally:
            call.close()
    assert np.abs(np.array(call.rows[-1]) - expected).max() < 12

"""What goes wrong in the first minute: one line that mends it, and the exit code. Real programs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from turbolens.pipelines.camera import v4l2
from turbolens.pipelines.camera.camera import find_camera

from .test_cli import COMMAND, make_clip

SECONDS = 200
pytestmark = pytest.mark.slow


def failed(*arguments: str, **environment: str) -> tuple[int, str]:
    """Exit code of the command, and what it writes to stderr."""
    result = subprocess.run(  # noqa: S603
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False,
        env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return result.returncode, result.stderr


@pytest.mark.parametrize("command", ["video", "webcam"])
def test_a_library_that_cannot_be_loaded_is_one_line(tmp_path: Path, command: str) -> None:
    """As a build of PyTorch for a system that this one is not."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text('raise ImportError("libcudart.so.12: missing")')
    camera = ["--camera", "test-scene", "--camera-size", "64x36", "--virtual-camera", "none"]
    clip = [str(make_clip(tmp_path / "clip.mp4")), str(tmp_path / "out.mp4")]
    options = clip if command == "video" else [*camera, "--json"]
    code, error = failed(command, *options, PYTHONPATH=str(tmp_path))
    [line] = error.splitlines()
    assert code == 1
    assert "libcudart.so.12: missing" in line
    assert "pip install --force-reinstall turbolens torch" in line


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux' devices")
def test_a_camera_without_permission_is_not_called_missing(tmp_path: Path) -> None:
    """By a process that is not root, or root without its right to open every file."""
    device = tmp_path / "video9"
    device.touch(mode=0o000)
    as_user = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv, of util-linux")
        os.chown(device, 65534, 65534)
        rights = "-dac_override,-dac_read_search"
        as_user = ["setpriv", "--bounding-set", rights, "--inh-caps", rights]
    program = (
        "from pathlib import Path; from turbolens.pipelines.camera import camera, v4l2;"
        f"found = v4l2.forbidden(Path({str(tmp_path)!r})); v4l2.forbidden = lambda: found;"
        "camera.find_camera(None, [])"
    )
    error = subprocess.run(  # noqa: S603
        [*as_user, COMMAND[0], "-c", program], capture_output=True, text=True, check=False,
        timeout=SECONDS,
    ).stderr  # fmt: skip
    assert f"{device} cannot be opened: permission denied; sudo usermod -aG video" in error


def test_a_cache_that_cannot_be_written_is_one_line_and_the_video_is_made(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    (tmp_path / "file").touch()
    clip, out = make_clip(tmp_path / "clip.mp4", frames=2), tmp_path / "out.mp4"
    code, error = failed(
        "video", str(clip), str(out), "--size", "64", "--acceleration", "openvino",
        XDG_CACHE_HOME=str(tmp_path / "file"),
    )  # fmt: skip
    lines = [line for line in error.splitlines() if "XDG_CACHE_HOME" in line]
    assert (code, len(lines), out.exists()) == (0, 1, True), error
    assert "free some space" in lines[0]


def test_without_cameras_and_without_devices_nothing_is_forbidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert v4l2.forbidden(tmp_path) == []
    monkeypatch.setattr(v4l2, "forbidden", list)
    with pytest.raises(OSError, match="plug one in"):
        find_camera(None, [])

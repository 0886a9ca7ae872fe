"""The virtual camera, on a backend registered with pyvirtualcam, and the letterbox."""

import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from threading import Event

import av
import numpy as np
import pytest

from tests.pipelines.live.live_parts import Camera, lighter
from turbolens.filter import MediaError
from turbolens.pipelines.camera import v4l2
from turbolens.pipelines.camera.virtual_camera import VirtualCamera, device_of, native_format
from turbolens.pipelines.letterbox import Fitter, packed_bytes
from turbolens.pipelines.live.running import run
from turbolens.pipelines.live.slate import slate

from .virtual_backend import KeepingBackend, keeping_backend


@pytest.fixture
def backend() -> Iterator[type[KeepingBackend]]:
    with keeping_backend() as made:
        yield made


def grey(width: int, height: int, level: int = 235) -> av.VideoFrame:
    pixels = np.full((height, width, 3), level, np.uint8)
    return av.VideoFrame.from_ndarray(pixels, format="rgb24")


def test_planes_go_to_the_device_as_they_are(backend: type[KeepingBackend]) -> None:
    with av.open("testsrc2=size=64x36:rate=30", format="lavfi") as source:
        frame = next(source.decode(video=0))
    camera = VirtualCamera(width=64, height=36)
    camera.write(frame)
    camera.close()
    camera.close()
    [opened] = backend.opened
    assert (opened.width, opened.height, opened.fps, opened.closed) == (64, 36, 30, 1)
    assert np.array_equal(opened.sent[0], frame.to_ndarray().reshape(-1))


def test_the_first_frame_decides_the_size_if_none_was_given(
    backend: type[KeepingBackend],
) -> None:
    camera = VirtualCamera("/dev/video42")
    assert camera.device is None
    camera.write(grey(65, 37))
    camera.write(grey(200, 37))
    assert [camera.device, camera.backend] == ["/dev/video42", "keeping"]
    assert (backend.opened[0].width, backend.opened[0].height) == (64, 36)
    assert len(backend.opened[0].sent) == 2
    camera.close()


@pytest.mark.parametrize(("size", "bars"), [((64, 64), "sides"), ((128, 24), "above")])
def test_a_frame_of_another_shape_is_shown_whole_with_black_bars(
    backend: type[KeepingBackend], size: tuple[int, int], bars: str
) -> None:
    camera = VirtualCamera(width=64, height=36)
    camera.write(grey(*size))
    luma = backend.opened[0].luma()
    edge, middle = (luma[:, 0], luma[18]) if bars == "sides" else (luma[0], luma[:, 32])
    assert (edge == 16).all()
    assert middle[len(middle) // 2] > 200
    camera.close()


def test_the_native_format_is_that_of_each_backend() -> None:
    assert native_format("v4l2loopback") == "I420"
    assert native_format("unitycapture") == "RGBA"
    assert native_format("obs") == {"darwin": "UYVY"}.get(sys.platform, "NV12")


@pytest.mark.parametrize("backend_name", ["obs", "unitycapture"])
def test_other_formats_have_their_size_in_bytes(backend_name: str) -> None:
    with keeping_backend(backend_name) as backend:
        camera = VirtualCamera(width=64, height=36)
        camera.write(grey(64, 36))
        camera.close()
    per_pixel = {"obs": 1.5 if sys.platform != "darwin" else 2, "unitycapture": 4}[backend_name]
    assert len(backend.opened[0].sent[0]) == 64 * 36 * per_pixel


@pytest.mark.slow
def test_a_device_that_goes_away_in_a_call_is_opened_again(backend: type[KeepingBackend]) -> None:
    camera, gone = VirtualCamera(width=32, height=18, rate=100), Event()

    def go_away_and_come_back(index: int) -> None:
        first, *rest = backend.opened
        if first.sent and not gone.is_set():
            gone.set()
            backend.fails_to_send = 1
        if rest and rest[0].sent:
            source.frames = index + 1

    notices: list[str] = []
    source = Camera(10**7, go_away_and_come_back)
    run(source, lighter, camera, on_notice=notices.append)
    first, second = backend.opened
    assert (first.closed, second.closed) == (1, 1)
    assert len(second.sent) > 0
    assert [("failed" in notice, "back" in notice) for notice in notices] == [
        (True, True), (False, True),
    ]  # fmt: skip


def test_without_a_virtual_camera_the_error_has_all_reasons_and_instructions(
    backend: type[KeepingBackend],
) -> None:
    backend.fails_to_open = "no such thing here"
    with pytest.raises(MediaError, match="no such thing here") as failed:
        VirtualCamera(width=64, height=36)
    expected = {"darwin": "OBS Studio 30", "win32": "Unity"}.get(sys.platform, "exclusive_caps=1")
    assert expected in str(failed.value)
    assert "--virtual-camera none" in str(failed.value)


def test_a_missing_permission_names_the_group(backend: type[KeepingBackend]) -> None:
    backend.fails_to_open = "/dev/video10: Permission denied"
    with pytest.raises(MediaError, match="usermod -aG video"):
        VirtualCamera(width=64, height=36)


def test_the_fault_of_old_v4l2loopback_is_explained(
    backend: type[KeepingBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(v4l2, "loopback_version", lambda: "0.12.7")
    backend.fails_to_open = "/dev/video10 is not a video output device"
    with pytest.raises(MediaError, match=r"0\.12\.7 .* modprobe -r v4l2loopback"):
        VirtualCamera(width=64, height=36)


def test_on_linux_a_name_is_resolved_to_the_path_of_a_loopback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = {
        Path("/dev/video0"): v4l2.Capability("uvcvideo", "Turbolens lens", True, False),
        Path("/dev/video10"): v4l2.Capability(v4l2.LOOPBACK_DRIVER, "Turbolens", False, True),
    }
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(v4l2, "devices", lambda: list(known))
    monkeypatch.setattr(v4l2, "capability", known.get)
    assert device_of("turbolens") == "/dev/video10"
    for unknown in (None, "OBS", "/dev/video7"):
        assert device_of(unknown) == unknown
    monkeypatch.setattr(sys, "platform", "darwin")
    assert device_of("turbolens") == "turbolens"


@pytest.mark.parametrize(("captures", "outputs"), [(True, True), (True, False), (False, True)])
def test_a_camera_that_browsers_do_not_list_is_told(
    backend: type[KeepingBackend],
    monkeypatch: pytest.MonkeyPatch,
    captures: bool,
    outputs: bool,
) -> None:
    """v4l2loopback without exclusive_caps=1 says that it gives frames and that it takes them."""
    device = v4l2.Capability(v4l2.LOOPBACK_DRIVER, "Turbolens", captures, outputs)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(v4l2, "capability", lambda _: device)
    camera = VirtualCamera(width=64, height=36)
    assert ("modprobe -r v4l2loopback" in camera.warning) is (captures and outputs)
    camera.close()


def test_an_unknown_backend_names_the_known(backend: type[KeepingBackend]) -> None:
    with pytest.raises(MediaError, match="keeping"):
        VirtualCamera(width=64, height=36, backend="obs")


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "uyvy422", "rgba"])
@pytest.mark.parametrize("size", [(64, 36), (63, 35), (48, 48)])
def test_fitted_frames_have_the_size_the_format_and_the_time(
    pixel_format: str, size: tuple[int, int]
) -> None:
    frame = slate(*size)
    frame.pts, frame.time_base = 7, Fraction(1, 30)
    fitted = Fitter(64, 36, pixel_format)(frame)
    assert (fitted.width, fitted.height, fitted.format.name) == (64, 36, pixel_format)
    assert fitted.pts == 7
    bits = {"yuv420p": 12, "nv12": 12, "uyvy422": 16, "rgba": 32}[pixel_format]
    assert packed_bytes(fitted).size == 64 * 36 * bits // 8


def test_full_range_is_converted_to_limited_range() -> None:
    white = grey(64, 36, 255).reformat(format="yuvj420p", dst_color_range="JPEG")
    assert packed_bytes(Fitter(64, 36)(white))[: 64 * 36].max() <= 235


@pytest.mark.slow
def test_importing_the_module_loads_no_gpl_code() -> None:
    program = (
        "import sys, turbolens.pipelines.camera.virtual_camera as v;"
        "import turbolens.pipelines.cli.devices;"
        "sys.exit('pyvirtualcam' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)  # noqa: S603
    assert done.returncode == 0

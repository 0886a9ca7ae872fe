"""Device names, options and errors of macOS and Windows, from recorded device lists."""

import errno

import av
import pytest

from turbolens.filter import MediaError
from turbolens.pipelines.camera.camera import find_camera
from turbolens.pipelines.camera.modes import WantedMode, choose_mode
from turbolens.pipelines.camera.systems import (
    CameraInfo,
    System,
    device_name,
    device_reason,
    named_cameras,
    system,
    ways_to_open,
)
from turbolens.pipelines.streams.endpoints import screen_endpoint

MAC = [
    av.DeviceInfo("0", "OBS Virtual Camera", False, ["video"]),
    av.DeviceInfo("1", "FaceTime HD Camera", False, ["video"]),
    av.DeviceInfo("2", "Capture screen 0", False, ["video"]),
    av.DeviceInfo("0", "MacBook Microphone", False, ["audio"]),
]
WINDOWS = [
    av.DeviceInfo("@device_sw_{1}", "Unity Video Capture", False, ["video"]),
    av.DeviceInfo(r"@device_pnp_\\?\usb#vid_1", "Integrated Camera", True, ["video"]),
    av.DeviceInfo("@device_cm_{2}", "Microphone Array", False, ["audio"]),
]


@pytest.mark.parametrize(
    ("listed", "backend", "opened"),
    [
        (MAC, "avfoundation", "1:none"),
        (WINDOWS, "dshow", r"video=@device_pnp_\\?\usb#vid_1"),
    ],
)
def test_the_camera_is_neither_a_virtual_one_nor_a_screen_nor_a_microphone(
    listed: list[av.DeviceInfo], backend: System, opened: str
) -> None:
    known = named_cameras(listed)
    assert len(known) == 2
    chosen = find_camera(None, known)
    assert device_name(chosen, backend) == opened
    assert find_camera(chosen.name, known) == chosen  # as it is opened again


def test_a_linux_camera_is_opened_by_its_path() -> None:
    assert device_name(CameraInfo(0, "a camera", "/dev/video0"), "v4l2") == "/dev/video0"
    assert [system(name) for name in ("linux", "darwin", "win32")] == [
        "v4l2", "avfoundation", "dshow",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("backend", "pixel_format", "expected"),
    [
        ("v4l2", "mjpeg", {"input_format": "mjpeg"}),
        ("avfoundation", "nv12", {"pixel_format": "nv12"}),
        ("dshow", "nv12", {"pixel_format": "nv12"}),
        ("dshow", "mjpeg", {"vcodec": "mjpeg"}),
    ],
)
def test_the_wanted_format_has_its_name_on_each_system(
    backend: System, pixel_format: str, expected: dict[str, str]
) -> None:
    chosen = choose_mode((), WantedMode(1280, 720, pixel_format=pixel_format))
    first, *rest = ways_to_open(chosen, backend)
    assert expected.items() <= first.items()
    assert (first["video_size"], first["framerate"]) == ("1280x720", "30")
    assert not any(expected.items() <= way.items() for way in rest)


def test_a_refused_mode_is_given_up_step_by_step() -> None:
    """macOS refuses a rate that a camera does not have exactly, and then any size with it."""
    ways = ways_to_open(choose_mode((), WantedMode(1280, 720)), "avfoundation")
    assert [sorted(way) for way in ways] == [
        ["framerate", "video_size"], ["framerate"], ["video_size"], [],
    ]  # fmt: skip


def test_directshow_has_a_buffer_for_a_raw_frame_in_every_attempt() -> None:
    frame_of_4k = 3840 * 2160 * 2
    ways = ways_to_open(choose_mode((), WantedMode(3840, 2160)), "dshow")
    assert all(int(way["rtbufsize"]) > frame_of_4k for way in ways)


@pytest.mark.parametrize(
    ("number", "platform", "expected"),
    [
        (errno.EBUSY, "linux", "another program uses it; close that program"),
        (errno.ENODEV, "linux", "it is unplugged"),
        (errno.ENOTTY, "linux", "it is no camera; turbolens devices lists cameras"),
        (errno.EACCES, "linux", "usermod -aG video"),
        (errno.EACCES, "darwin", "Privacy & Security → Camera"),
        (errno.EIO, "darwin", "another program may be using it"),
        (errno.EIO, "win32", "let desktop apps access your camera"),
        (errno.EIO, "linux", "Input/output error"),
    ],
)
def test_an_error_says_where_to_look_on_that_system(
    number: int, platform: str, expected: str
) -> None:
    assert expected in device_reason(OSError(number, "Input/output error"), platform)


@pytest.mark.parametrize(
    ("display", "platform", "expected"),
    [
        ("", "darwin", ("avfoundation", "Capture screen 0:none")),
        ("1", "darwin", ("avfoundation", "Capture screen 1:none")),
        ("", "win32", ("gdigrab", "desktop")),
        ("title=Notes", "win32", ("gdigrab", "title=Notes")),
        (":1.0", "linux", ("x11grab", ":1.0")),
        ("", "linux", ("x11grab", ":7")),
    ],
)
def test_the_screen_has_its_name_on_each_system(
    monkeypatch: pytest.MonkeyPatch, display: str, platform: str, expected: tuple[str, str]
) -> None:
    monkeypatch.setenv("DISPLAY", ":7")
    endpoint = screen_endpoint(display, platform)
    assert (endpoint.format, endpoint.name) == expected
    assert endpoint.options["framerate"] == "30"


def test_without_an_x_display_there_is_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(MediaError, match="DISPLAY is not set"):
        screen_endpoint("", "linux")

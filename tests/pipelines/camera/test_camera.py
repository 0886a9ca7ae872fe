"""Cameras: their list and modes on Linux, the choice of a mode, frames, and errors."""

import errno
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import pytest

from tests.pipelines.conftest import write_clip
from tests.pipelines.live.live_parts import numbered
from turbolens.filter import MediaError
from turbolens.pipelines.camera import camera as camera_module
from turbolens.pipelines.camera import v4l2
from turbolens.pipelines.camera.camera import Camera, cameras, find_camera
from turbolens.pipelines.camera.framing import FramedSource, cropped_size
from turbolens.pipelines.camera.modes import ChosenMode, WantedMode, choose_mode
from turbolens.pipelines.camera.systems import CameraInfo, device_reason
from turbolens.pipelines.camera.v4l2 import Mode
from turbolens.pipelines.cli.devices import VirtualCameraInfo, advice, examine, mode_lines
from turbolens.pipelines.letterbox import own_copy, packed_bytes
from turbolens.pipelines.scene.camera import FileCamera, FrameTimer, SceneCamera
from turbolens.pipelines.video.media import MediaOptions, open_reader

GRAPH = "testsrc2=size=64x36:rate=30"


def fractions(*rates: float) -> tuple[Fraction, ...]:
    return tuple(Fraction(str(rate)) for rate in rates)


LAPTOP = [
    Mode("yuyv422", 640, 480, fractions(30, 15)),
    Mode("yuyv422", 1280, 720, fractions(10)),
    Mode("mjpeg", 640, 480, fractions(30)),
    Mode("mjpeg", 1280, 720, fractions(30)),
    Mode("mjpeg", 1920, 1080, fractions(30)),
]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (WantedMode(1280, 720), ("mjpeg", 1280, 720, 30)),
        (WantedMode(640, 480), ("yuyv422", 640, 480, 30)),
        (WantedMode(1280, 720, Fraction(10)), ("yuyv422", 1280, 720, 10)),
        (WantedMode(640, 360), ("yuyv422", 640, 480, 30)),
        (WantedMode(3840, 2160), ("mjpeg", 1920, 1080, 30)),
        (WantedMode(1280, 720, Fraction(60)), ("mjpeg", 1280, 720, 30)),
        (WantedMode(1280, 720, Fraction(30), "yuyv422"), ("yuyv422", 640, 480, 30)),
        (WantedMode(640, 480, Fraction(12)), ("yuyv422", 640, 480, 15)),
    ],
)
def test_the_mode_reaches_the_rate_then_the_size_then_is_cheap(
    wanted: WantedMode, expected: tuple[str, int, int, int]
) -> None:
    chosen = choose_mode(LAPTOP, wanted)
    assert chosen == ChosenMode(*expected[1:3], Fraction(expected[3]), expected[0])


def test_without_a_list_of_modes_the_wanted_mode_is_requested() -> None:
    assert choose_mode([], WantedMode(800, 600)) == ChosenMode(800, 600, Fraction(30))
    odd = WantedMode(800, 600, Fraction(30), "nv12")
    assert choose_mode(LAPTOP, odd) == ChosenMode(800, 600, Fraction(30), "nv12")


def test_a_rate_of_29_97_is_enough_for_30() -> None:
    ntsc = Mode("mjpeg", 1280, 720, (Fraction(30000, 1001),))
    assert choose_mode([*LAPTOP[:1], ntsc], WantedMode()).pixel_format == "mjpeg"


class Kernel:
    """Answers video4linux requests as a driver does: a small device in memory."""

    def __init__(self, driver: str = "uvcvideo", capabilities: int = v4l2.CAPTURE) -> None:
        self.driver, self.capabilities = driver, capabilities
        self.asked: list[int] = []
        self._answers: dict[int, Callable[[bytearray, int], bool]] = {
            v4l2.QUERY_CAPABILITY: self._capability,
            v4l2.ENUMERATE_FORMATS: self._format,
            v4l2.ENUMERATE_SIZES: self._size,
            v4l2.ENUMERATE_INTERVALS: self._interval,
        }

    def __call__(self, descriptor: int, code: int, data: bytearray) -> int:
        self.asked.append(code)
        assert len(data) == code >> 16 & 0x3FFF
        answer = self._answers.get(code)
        if answer is None or not answer(data, struct.unpack_from("I", data)[0]):
            raise OSError(errno.EINVAL, "Invalid argument")
        return 0

    def _capability(self, data: bytearray, _: int) -> bool:
        everything = v4l2.HAS_DEVICE_CAPS | v4l2.CAPTURE | v4l2.OUTPUT
        struct.pack_into(
            "16s32s32sIII", data, 0, self.driver.encode(), "Kamera é".encode(), b"usb-1", 0x60100,
            everything, self.capabilities,
        )  # fmt: skip
        return True

    def _format(self, data: bytearray, index: int) -> bool:
        known = (b"YUYV", b"XXXX", b"MJPG")
        if index < len(known):
            data[44:48] = known[index]
        return index < len(known)

    def _size(self, data: bytearray, index: int) -> bool:
        if data[4:8] == b"YUYV" and index < 2:
            struct.pack_into("I2I", data, 8, v4l2.DISCRETE, *((640, 480), (1280, 720))[index])
            return True
        if data[4:8] == b"MJPG" and index == 0:
            struct.pack_into("I6I", data, 8, 3, 160, 700, 2, 120, 500, 2)  # stepwise
            return True
        return False

    def _interval(self, data: bytearray, index: int) -> bool:
        if data[4:8] == b"YUYV" and index < 2:
            struct.pack_into("III", data, 16, v4l2.DISCRETE, 1, (30, 10)[index])
            return True
        if data[4:8] == b"MJPG" and index == 0:
            struct.pack_into("I6I", data, 16, 2, 1, 30, 1, 10, 0, 1)  # from 1/30 to 1/10 s
            return True
        return False


def test_modes_are_queried_as_video4linux_defines_it(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch()
    found = v4l2.modes(device, Kernel())
    assert found[:2] == [
        Mode("yuyv422", 640, 480, fractions(30, 10)),
        Mode("yuyv422", 1280, 720, fractions(30, 10)),
    ]
    assert {mode.pixel_format for mode in found} == {"yuyv422", "mjpeg"}
    assert [(mode.width, mode.height) for mode in found[2:]] == [
        (640, 480), (640, 360), (424, 240), (320, 240), (320, 180),
    ]  # fmt: skip
    assert found[2].rates == fractions(30, 25, 15)


def test_request_codes_are_those_of_the_kernel_headers() -> None:
    assert v4l2.QUERY_CAPABILITY == 0x80685600
    assert v4l2.ENUMERATE_FORMATS == 0xC0405602
    assert v4l2.ENUMERATE_SIZES == 0xC02C564A
    assert v4l2.ENUMERATE_INTERVALS == 0xC034564B
    assert v4l2.STREAM_ON == 0x40045612


def test_the_capabilities_of_a_device(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch()
    camera = v4l2.capability(device, Kernel())
    assert camera == v4l2.Capability("uvcvideo", "Kamera é", captures=True, outputs=False)
    loopback = v4l2.capability(device, Kernel(v4l2.LOOPBACK_DRIVER, v4l2.OUTPUT))
    assert loopback is not None
    assert (loopback.is_loopback, loopback.captures, loopback.outputs) == (True, False, True)
    assert v4l2.capability(tmp_path / "video9") is None
    assert v4l2.modes(tmp_path / "video9") == []


def test_a_file_that_is_no_device_has_no_capabilities(tmp_path: Path) -> None:
    file = tmp_path / "video0"
    file.write_bytes(b"no device")
    assert v4l2.capability(file) is None


def test_a_closed_loopback_is_asked_to_stream_and_a_refusal_is_expected(tmp_path: Path) -> None:
    device, kernel = tmp_path / "video10", Kernel()
    device.touch()
    v4l2.revive_loopback(device, kernel)
    assert kernel.asked == [v4l2.STREAM_ON]


def test_devices_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("video10", "video2", "video0", "videodev", "v4l-subdev0"):
        (tmp_path / name).touch()
    assert [path.name for path in v4l2.devices(tmp_path)] == ["video0", "video2", "video10"]


def test_the_version_of_the_loopback_module(tmp_path: Path) -> None:
    assert v4l2.loopback_version(tmp_path / "none") is None
    (tmp_path / "version").write_text("0.12.7\n")
    assert v4l2.loopback_version(tmp_path) == "0.12.7"


KNOWN = [
    CameraInfo(10, "Turbolens", "/dev/video10", virtual=True),
    CameraInfo(0, "Integrated Camera: Int", "/dev/video0"),
    CameraInfo(4, "HD Pro Webcam C920", "/dev/video4"),
]


@pytest.mark.parametrize(
    ("wanted", "device"),
    [(None, 0), (4, 4), ("4", 4), ("/dev/video4", 4), ("c920", 4), ("turbolens", 10)],
)
def test_a_camera_is_found_by_number_path_or_part_of_its_name(
    wanted: str | int | None, device: int
) -> None:
    assert find_camera(wanted, KNOWN).index == device


def test_a_path_that_is_not_listed_is_tried_anyway() -> None:
    assert find_camera("/dev/my-camera", KNOWN).device == "/dev/my-camera"


def test_a_camera_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(MediaError, match="HD Pro Webcam"):
        find_camera("microscope", KNOWN)
    with pytest.raises(MediaError, match="test-scene"):
        find_camera(None, KNOWN[:1])


def test_a_missing_device_is_one_line() -> None:
    with pytest.raises(MediaError, match="no such file"):
        Camera("/dev/no-such-camera")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EBUSY, "another program"),
        (errno.ENODEV, "unplugged"),
        (errno.EACCES, "permission"),
        (errno.EIO, "Input/output"),
    ],
)
def test_errors_of_devices_say_what_to_do(number: int, expected: str) -> None:
    assert expected in device_reason(OSError(number, "Input/output error"))


def test_frames_of_a_device_have_rising_times_from_zero() -> None:
    camera = Camera(GRAPH + ",realtime", backend="lavfi")
    frames = list(islice(camera, 5))
    camera.close()
    camera.close()
    assert (camera.width, camera.height) == (64, 36)
    assert camera.rate == 30
    times = [frame.pts or 0 for frame in frames]
    assert times == sorted(set(times))
    assert frames[0].time_base == Fraction(1, 1_000_000)


@pytest.mark.parametrize("pixel_format", ["yuyv422", "yuv420p", "nv12"])
def test_frames_outlive_the_device_because_they_are_copied(pixel_format: str) -> None:
    """The buffers of a driver are unmapped when the device is closed."""
    frame = numbered(7, (66, 36)).reformat(format=pixel_format)
    frame.pts, frame.time_base = 5, Fraction(1, 30)
    copy = own_copy(frame)
    assert (packed_bytes(copy) == packed_bytes(frame)).all()
    assert (copy.pts, copy.time_base, copy.color_range) == (5, Fraction(1, 30), frame.color_range)
    assert copy.planes[0].buffer_ptr != frame.planes[0].buffer_ptr


def test_a_camera_that_ends_is_lost_and_can_be_opened_again() -> None:
    camera = Camera(GRAPH + ":duration=0.1", backend="lavfi")
    frames = iter(camera)
    assert sum(1 for _ in islice(frames, 3)) == 3
    with pytest.raises(MediaError, match="no more frames"):
        next(frames)
    camera.reopen()
    again = next(iter(camera))
    assert again.width == 64
    camera.close()


def test_times_continue_after_a_camera_is_reopened() -> None:
    camera = Camera(GRAPH, backend="lavfi")
    last = [frame.pts for frame in islice(camera, 3)][-1]
    camera.reopen()
    first = next(iter(camera))
    assert last is not None
    assert first.pts is not None
    assert first.pts > last
    camera.close()


def damaged_mjpeg(path: Path, *, good: int, bad: int) -> Path:
    """MJPEG frames as a camera sends them; the last ones are truncated."""
    with av.open(str(path), "w", format="mjpeg") as output:
        stream = output.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for index in range(good + bad):
            frame = numbered(index, (64, 48)).reformat(format="yuvj420p")
            for packet in stream.encode(frame):
                payload = bytes(packet)
                output.mux(packet if index < good else _cut(payload, packet))
        for packet in stream.encode(None):
            output.mux(packet)
    return path


def _cut(payload: bytes, like: Any) -> Any:
    cut: Any = av.Packet(payload[:20] + payload[-2:])
    cut.stream, cut.pts, cut.dts, cut.time_base = like.stream, like.pts, like.dts, like.time_base
    return cut


def test_damaged_mjpeg_pictures_are_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = damaged_mjpeg(tmp_path / "camera.mjpeg", good=4, bad=8)
    monkeypatch.setattr(camera_module, "DAMAGED_IN_A_ROW", 5)
    camera = Camera.__new__(Camera)
    camera.name, camera.damaged = "a camera", 0
    camera._container = av.open(str(file), format="mjpeg")
    frames = iter(camera)
    assert [next(frames).width for _ in range(4)] == [64] * 4
    with pytest.raises(MediaError, match="5 damaged frames in a row"):
        next(frames)
    assert camera.damaged == 5
    camera.close()


def test_the_scene_is_a_camera_of_its_rate_that_ends_when_closed() -> None:
    camera = SceneCamera(64, 36, rate=Fraction(100), frames=5)
    assert [frame.pts for frame in camera] == list(range(5))
    endless = SceneCamera(64, 36, rate=Fraction(100))
    frames = iter(endless)
    assert next(frames).format.name == "yuv420p"
    endless.close()
    assert list(frames) == []


def test_a_file_as_a_camera_starts_again_at_its_end(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pts=range(4), time_base=Fraction(1, 100))
    camera = FileCamera(lambda: open_reader(str(clip), MediaOptions(), lambda _: None))
    assert (camera.width, camera.height) == (64, 48)
    assert sum(1 for _ in islice(camera, 10)) == 10
    camera.close()
    once = FileCamera(lambda: open_reader(str(clip), MediaOptions(), lambda _: None), loop=False)
    assert len(list(once)) == 4
    once.close()


def test_a_timer_does_not_catch_up_after_a_delay() -> None:
    timer = FrameTimer()
    timer.wait(0.0)
    timer._began = (timer._began or 0.0) - 100.0  # the machine slept for that long
    timer.wait(0.1)
    assert timer._began is not None
    timer.close()
    timer.wait(1e9)  # returns at once
    assert timer.closed


def test_a_mirror_reverses_each_row_and_keeps_the_time() -> None:
    frame = numbered(3, (32, 18))
    pixels = frame.to_ndarray()
    pixels[:, :4] = 200
    source = av.VideoFrame.from_ndarray(pixels, format="gray")
    source.pts, source.time_base = 3, Fraction(1, 30)
    [mirrored] = FramedSource(_Few([source]), mirror=True)
    assert (mirrored.to_ndarray()[:, ::-1] == pixels).all()
    assert (mirrored.pts, mirrored.time_base) == (3, Fraction(1, 30))


def test_a_crop_keeps_the_middle_and_follows_a_change_of_size() -> None:
    frames = [numbered(0, (64, 36)), numbered(1, (32, 64))]
    cropped = list(FramedSource(_Few(frames), aspect=Fraction(1)))
    assert [(frame.width, frame.height) for frame in cropped] == [(36, 36), (32, 32)]
    assert cropped_size(1280, 720, Fraction(4, 3)) == (960, 720)


class _Few:
    def __init__(self, frames: list[av.VideoFrame]) -> None:
        self._frames = frames

    def __iter__(self) -> Iterator[av.VideoFrame]:
        return iter(self._frames)

    def close(self) -> None:
        """Nothing is open."""


def test_devices_lists_cameras_and_the_next_step() -> None:
    found = examine()
    assert len(found["cameras"]) == len(cameras())
    assert found["advice"]
    assert mode_lines(tuple(LAPTOP))[0] == "yuyv422: 640×480@30 1280×720@10"


def test_the_next_step_depends_on_what_is_missing() -> None:
    assert len(advice([], [])) == 2
    assert advice(KNOWN[1:], [])[0].startswith("no virtual camera")


def test_the_next_step_says_which_programs_see_a_camera_of_pipewire() -> None:
    loopback = VirtualCameraInfo("Turbolens", "/dev/video10", ready=True)
    pipewire = VirtualCameraInfo("PipeWire", "pipewire", ready=True)
    without, alone, both = (
        advice(KNOWN[1:], virtual)
        for virtual in ([loopback], [pipewire], [loopback, pipewire])
    )  # fmt: skip
    assert not any("pipewire" in line for line in without)
    assert alone[0].startswith("no virtual camera")
    assert "the others need v4l2loopback" in alone[-1]
    assert "a v4l2loopback device is seen by the others" in both[-1]

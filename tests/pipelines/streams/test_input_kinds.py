"""Inputs of every kind: raw video without timestamps, odd pixels, variants, covers, RTP by SDP."""

import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from threading import Event
from typing import Any

import av
import pytest

from tests.pipelines.camera.virtual_backend import keeping_backend
from tests.pipelines.conftest import invert, started, write_clip
from turbolens.filter import FilterSettings, FrameFilter, MediaError, TurboModel
from turbolens.pipelines.camera.virtual_camera import VirtualCamera
from turbolens.pipelines.streams.endpoints import input_endpoint, output_endpoint
from turbolens.pipelines.streams.filter_stream import StreamOptions, filter_stream
from turbolens.pipelines.streams.timestamps import FrameTimestamps, read_ahead

from .stream_parts import Peer, frame_times
from .stream_peer import RATE, SIZE, write_stream

TELEVISION = Fraction(64, 45)  # pixels of 16:9 in PAL's 720×576


def video_of(path: Path) -> Any:
    """The video stream of a file, with its first frame decoded."""
    container = av.open(str(path))
    next(container.decode(video=0))
    return container.streams.video[0]


def filtered(source: Path, target: Path, **options: Any) -> list[str]:
    """Stream one file into another. Returns the notices."""
    notices: list[str] = []
    filter_stream(
        input_endpoint(str(source), **options), output_endpoint(str(target)), invert,
        on_notice=notices.append,
    )  # fmt: skip
    return notices


@pytest.mark.slow
def test_raw_h264_of_a_pipe_plays_at_its_rate(tmp_path: Path) -> None:
    """What `cat` writes into a pipe comes faster than it can be shown, and has no timestamps."""
    raw, target = tmp_path / "in.h264", tmp_path / "out.mp4"
    write_stream(str(raw), 3, with_audio=False, format_name="h264")
    command = [sys.executable, "-m", "turbolens", "stream", "-", str(target), "--no-enabled",
               "--input-format", "h264"]  # fmt: skip
    with (
        raw.open("rb") as stdin,
        started(command, stdin=stdin, stderr=subprocess.PIPE) as process,
    ):
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    times = frame_times(target)
    assert len(times) > 1.5 * RATE
    assert 2 < times[-1] <= 3


@pytest.mark.slow
def test_a_raw_h264_file_plays_at_its_rate(tmp_path: Path) -> None:
    raw, target = tmp_path / "in.h264", tmp_path / "out.mp4"
    write_stream(str(raw), 2, with_audio=False, format_name="h264")
    filtered(raw, target)
    assert len(times := frame_times(target)) > RATE
    assert 1.5 < times[-1] <= 2


class WaitingPackets:
    """Packets of a live camera: some are there at once, for the others one must wait."""

    def __init__(self, ready: int, size: int = 1000) -> None:
        self._ready, self._size = ready, size
        self.taken = 0

    def __iter__(self) -> Iterator[Any]:
        while self.taken < 500:
            self.taken += 1
            if self.taken > self._ready:
                Event().wait(0.04)
            yield av.Packet(self._size)


def test_packets_that_must_be_waited_for_are_live() -> None:
    packets = WaitingPackets(ready=20)
    ahead, recorded = read_ahead(iter(packets), Fraction(RATE))
    assert not recorded
    assert len(ahead) == packets.taken == 23


@pytest.mark.parametrize(("size", "expected"), [(100_000, 50), (1000, 500)])
def test_two_seconds_and_a_mebibyte_at_once_are_a_recording(size: int, expected: int) -> None:
    ahead, recorded = read_ahead(iter(WaitingPackets(ready=500, size=size)), Fraction(RATE))
    assert recorded
    assert len(ahead) == expected


def frame_at(pts: int | None) -> av.VideoFrame:
    frame = av.VideoFrame(16, 16)
    frame.pts, frame.time_base = pts, Fraction(1, 10)
    return frame


def test_a_frame_without_pts_comes_after_the_one_before() -> None:
    timestamp = FrameTimestamps(Fraction(5), timed=True, live=True)
    times = [timestamp(frame_at(pts)) for pts in (None, 10, None, None, 20)]
    assert times == [0, 1, Fraction(6, 5), Fraction(7, 5), 2]


def test_live_frames_of_raw_video_are_timed_by_the_clock() -> None:
    """The rate of raw video is a guess: a Raspberry Pi sends 30 where FFmpeg assumes 25."""
    timestamp = FrameTimestamps(Fraction(1000), timed=False, live=True)
    times = [timestamp(frame_at(None)), timestamp(frame_at(5)), timestamp(frame_at(0))]
    assert times == sorted(times)
    assert times[0] > 0
    assert times[1] != Fraction(1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.ts"])
def test_the_sample_aspect_ratio_is_kept(tmp_path: Path, name: str) -> None:
    source = tmp_path / "in.ts"
    write_stream(str(source), 0.6, sample_aspect_ratio=TELEVISION)
    filtered(source, tmp_path / name)
    assert video_of(tmp_path / name).sample_aspect_ratio == TELEVISION


@pytest.mark.slow
@pytest.mark.parametrize(
    ("aspect", "size"), [(Fraction(3, 2), (144, 64)), (Fraction(2, 3), (96, 96))]
)
def test_a_virtual_camera_gets_square_pixels(
    tmp_path: Path, aspect: Fraction, size: tuple[int, int]
) -> None:
    source = tmp_path / "in.ts"
    write_stream(str(source), 0.6, sample_aspect_ratio=aspect)
    notices: list[str] = []
    with keeping_backend() as backend:
        filter_stream(
            input_endpoint(str(source)), VirtualCamera(), invert, on_notice=notices.append
        )
    [opened] = backend.opened
    assert (opened.width, opened.height) == size
    assert any("square pixels" in notice for notice in notices)


@pytest.mark.parametrize(
    ("name", "expected"), [("https://host/whip", True), ("rtmp://host/x", False), ("-", False)]
)
def test_only_webrtc_needs_square_pixels(name: str, expected: bool) -> None:
    assert output_endpoint(name).square_pixels is expected


@pytest.mark.slow
def test_the_only_frame_of_an_interlaced_input_is_shown(tmp_path: Path) -> None:
    """The deinterlacer holds it until the end."""
    source = write_clip(tmp_path / "in.mkv", pts=[0], options={"x264-params": "tff=1"})
    filtered(source, tmp_path / "out.mkv")
    assert len(frame_times(tmp_path / "out.mkv")) == 1


@pytest.mark.slow
def test_the_best_variant_of_a_playlist_is_read(tmp_path: Path) -> None:
    """Many servers list the smallest variant first."""
    lines = ["#EXTM3U"]
    for name, size in (("small", (96, 64)), ("large", (192, 128)), ("middle", (144, 96))):
        write_stream(
            str(tmp_path / f"{name}.m3u8"), 1.2, format_name="hls", size=size,
            options={"hls_time": "0.4", "hls_list_size": "0"},
        )  # fmt: skip
        lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={size[0] * 2000}", f"{name}.m3u8"]
    master, target = tmp_path / "master.m3u8", tmp_path / "out.mkv"
    master.write_text("\n".join([*lines, ""]))
    filtered(master, target)
    video = video_of(target)
    assert (video.width, video.height) == (192, 128)
    assert [stream.type for stream in video.container.streams] == ["video", "audio"]


def with_metadata_first(movie: bytes) -> bytes:
    """An MP4 whose `udta`, with the cover, comes before the tracks, so that it is stream 0."""
    result = b""
    for kind, box in boxes(movie):
        if kind == b"moov":
            order = {b"mvhd": 0, b"udta": 1}
            parts = sorted(boxes(box[8:]), key=lambda part: order.get(part[0], 2))
            result += box[:8] + b"".join(content for _, content in parts)
        else:
            result += box
    return result


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and bytes of each box of an MP4."""
    start = 0
    while start < len(data):
        length = int.from_bytes(data[start : start + 4], "big")
        yield data[start + 4 : start + 8], data[start : start + length]
        start += length


@pytest.mark.slow
def test_a_cover_is_not_taken_for_the_video(tmp_path: Path) -> None:
    """The cover is the first stream, as in songs and in files that yt-dlp has tagged."""
    source, target = tmp_path / "in.mp4", tmp_path / "out.mkv"
    with av.open(str(tmp_path / "end.mp4"), "w") as output:
        video: Any = output.add_stream("libx264", rate=RATE, width=SIZE[0], height=SIZE[1])
        cover: Any = output.add_stream("mjpeg", width=320, height=320, pix_fmt="yuvj420p")
        cover.disposition = av.stream.Disposition.attached_pic
        for _ in range(RATE):
            output.mux(video.encode(av.VideoFrame(*SIZE, "yuv420p")))
        output.mux(cover.encode(av.VideoFrame(320, 320, "yuvj420p")))
        output.mux([*cover.encode(None), *video.encode(None)])
    source.write_bytes(with_metadata_first((tmp_path / "end.mp4").read_bytes()))
    with av.open(str(source)) as container:
        assert container.streams[0].disposition & av.stream.Disposition.attached_pic
    filtered(source, target)
    shown = video_of(target)
    assert (shown.width, shown.height) == SIZE
    assert len(frame_times(target)) > RATE / 2


@pytest.mark.slow
def test_palette_video_keeps_its_colours(tmp_path: Path) -> None:
    source, target = tmp_path / "in.avi", tmp_path / "out.mkv"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=red:s=96x64:r=25:d=1",
               "-pix_fmt", "pal8", "-c:v", "rawvideo", str(source)]  # fmt: skip
    subprocess.run(command, check=True)  # noqa: S603
    frame_filter = FrameFilter(TurboModel.load("embedded"), FilterSettings(size=64, strength=0.1))
    filter_stream(input_endpoint(str(source)), output_endpoint(str(target)), frame_filter)
    with av.open(str(target)) as container:
        pixels = next(container.decode(video=0)).to_ndarray(format="rgb24")
    red, green, blue = pixels.reshape(-1, 3).mean(0)
    assert red > 150
    assert max(green, blue) < 80


@pytest.mark.slow
def test_a_session_description_gives_h264_by_rtp(port: int, tmp_path: Path) -> None:
    description, target = tmp_path / "in.sdp", tmp_path / "out.mkv"
    description.write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=camera\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"m=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 packetization-mode=1\n"
    )
    stop = Event()
    seen: list[tuple[int, int]] = []

    def count(frame: av.VideoFrame) -> av.VideoFrame:
        seen.append((frame.width, frame.height))
        if len(seen) == 10:
            stop.set()
        return frame

    with Peer("send", f"rtp://127.0.0.1:{port}", "rtp", 60):
        filter_stream(
            input_endpoint(str(description)), output_endpoint(str(target)), count, stop=stop
        )
    assert seen[0] == SIZE
    assert frame_times(target)


@pytest.mark.parametrize("name", ["http://host/in.sdp?token=1", "in.SDP"])
def test_a_session_description_may_use_rtp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.SDP").touch()
    endpoint = input_endpoint(name)
    assert {"udp", "rtp"} <= set(endpoint.options["protocol_whitelist"].split(","))
    assert not endpoint.paced
    assert not input_endpoint("http://host/in.mp4").options


@pytest.mark.slow
def test_h264_at_a_bare_rtp_address_is_an_error_that_names_sdp(tmp_path: Path, port: int) -> None:
    address = f"rtp://127.0.0.1:{port}"
    target = output_endpoint(str(tmp_path / "out.mkv"))
    with Peer("send", address, "rtp", 60), pytest.raises(MediaError, match=r"\.sdp file"):
        filter_stream(input_endpoint(address), target, invert)


@pytest.mark.parametrize("loop", [False, True])
def test_an_input_without_a_frame_is_an_error(tmp_path: Path, loop: bool) -> None:
    """The stream says that it is H.264, but none of its packets is."""
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    with av.open(str(source), "w") as output:
        video: Any = output.add_stream("libx264", rate=RATE, width=SIZE[0], height=SIZE[1])
        output.start_encoding()
        for index in range(5):
            packet = av.Packet(b"\0\0\0\4nope")
            packet.stream, packet.pts, packet.dts = video, index * 40, index * 40
            packet.time_base = Fraction(1, 1000)
            output.mux(packet)
    with pytest.raises(MediaError, match="holds no frame that could be decoded"):
        filter_stream(
            input_endpoint(str(source)), output_endpoint(str(target)), invert,
            StreamOptions(loop=loop),
        )  # fmt: skip
    assert not target.exists()


def test_frames_that_all_fail_are_an_error(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    write_stream(str(source), 2 / RATE, with_audio=False)

    def failing(frame: av.VideoFrame) -> av.VideoFrame:
        raise MediaError("this filter is broken")

    with pytest.raises(MediaError, match="nothing was sent"):
        filter_stream(input_endpoint(str(source)), output_endpoint(str(target)), failing)


@pytest.mark.slow
def test_a_server_that_refuses_is_one_line(tmp_path: Path, port: int) -> None:
    """Also if the filter is slow, and a slate is shown before its first frame."""
    source = tmp_path / "in.mkv"
    write_stream(str(source), 2)
    command = [sys.executable, "-m", "turbolens", "stream", str(source),
               f"rtmp://127.0.0.1:{port}/x", "--size", "64"]  # fmt: skip
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert errors.splitlines() == [
        f"turbolens: cannot send to rtmp://127.0.0.1:{port}/x: Connection refused"
    ]


def test_a_slate_before_the_first_frame_does_not_count_as_sent(tmp_path: Path, port: int) -> None:
    source = tmp_path / "in.mkv"
    write_stream(str(source), 1)
    pause = Event()

    def slow(frame: av.VideoFrame) -> av.VideoFrame:
        pause.wait(0.5)
        return frame

    target = output_endpoint(f"rtmp://127.0.0.1:{port}/x")
    with pytest.raises(MediaError, match=f"cannot send to rtmp://127.0.0.1:{port}"):
        filter_stream(input_endpoint(str(source)), target, slow)

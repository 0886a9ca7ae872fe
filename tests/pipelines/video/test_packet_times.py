"""Timestamps that repeat, go back, wrap or begin again come out rising and in step."""

import itertools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tests.pipelines.conftest import packets_of, times_of
from turbolens.pipelines.video.job import VideoOptions, filter_video
from turbolens.pipelines.video.report import VideoReport
from turbolens.pipelines.video.side_streams.packet_times import RisingTimes
from turbolens.pipelines.video.side_streams.timecode import advanced
from turbolens.pipelines.video.side_streams.timeline import Timeline

from .ffmpeg import H264, TONE, VIDEO, changed_packets, ffmpeg

FRAME = Fraction(1, 25)
LIMIT_33_BITS = "95441.7177"  # seconds at which the clock of MPEG-TS wraps


def filtered(source: Path, target: Path, options: VideoOptions | None = None) -> VideoReport:
    return filter_video(str(source), str(target), lambda frame: frame, options)


def recording(path: Path, *options: str) -> Path:
    return ffmpeg(path, *VIDEO, *TONE, *H264, "-c:a", "aac", *options)


def steps(times: Sequence[Fraction]) -> list[float]:
    return [float(after - before) for before, after in itertools.pairwise(times)]


def audio_times(path: Path) -> list[Fraction]:
    return [time for _, time, _ in packets_of(path, "audio")]


def test_of_two_packets_at_one_time_one_is_moved_by_a_tick(tmp_path: Path) -> None:
    whole = recording(tmp_path / "whole.mkv")
    times: list[int] = []

    def repeat(packet: Any, number: int) -> bool:
        if number == 60:
            packet.pts = packet.dts = times[-1]
        times.append(packet.pts)
        return True

    source = changed_packets(whole, tmp_path / "in.mkv", repeat)
    report = filtered(source, tmp_path / "out.mp4")
    contents = [content for *_, content in packets_of(tmp_path / "out.mp4", "audio")]
    assert contents == [content for *_, content in packets_of(whole, "audio")]
    assert steps(audio_times(tmp_path / "out.mp4"))[58] == pytest.approx(1 / 48000)
    assert report.frames == 50
    assert "1 packet was moved" in report.notices[0]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_recordings_joined_with_cat_go_on_evenly(tmp_path: Path, suffix: str) -> None:
    one = recording(tmp_path / "one.ts").read_bytes()
    (tmp_path / "in.ts").write_bytes(one + one)
    target = tmp_path / f"out.{suffix}"
    report = filtered(tmp_path / "in.ts", target)
    assert report.frames == 100
    assert steps(times_of(target)) == pytest.approx([float(FRAME)] * 99, abs=0.0011)
    assert max(steps(audio_times(target))) < 0.05
    offset = audio_times(target)[0] - times_of(target)[0]
    source_offset = audio_times(tmp_path / "one.ts")[0] - times_of(tmp_path / "one.ts")[0]
    assert float(offset) == pytest.approx(float(source_offset), abs=0.002)
    assert sum("timestamps begin again" in notice for notice in report.notices) == 1


def test_joined_recordings_stay_in_step(tmp_path: Path) -> None:
    """The audio of the second part is as far from its frames as that of the first."""
    one = recording(tmp_path / "one.ts").read_bytes()
    (tmp_path / "in.ts").write_bytes(one * 3)
    filtered(tmp_path / "in.ts", tmp_path / "out.mkv")
    audio = packets_of(tmp_path / "out.mkv", "audio")
    starts = [time for _, time, content in audio if content == audio[1][2]]
    assert [float(time - starts[0]) for time in starts] == pytest.approx([0, 2, 4], abs=0.025)


def test_a_recording_over_the_end_of_the_clock_is_shown_whole_in_mp4(tmp_path: Path) -> None:
    offset = str(float(LIMIT_33_BITS) - 1)
    options = ("-muxdelay", "0", "-muxpreload", "0", "-output_ts_offset", offset)
    source = recording(tmp_path / "in.ts", *options)
    assert times_of(source)[0] < 0
    filtered(source, tmp_path / "out.mp4")
    assert times_of(tmp_path / "out.mp4") == [index * FRAME for index in range(50)]
    before, after = audio_times(source), audio_times(tmp_path / "out.mp4")
    assert len(after) == len(before)
    shift = times_of(source)[0]
    assert [float(time) for time in after] == pytest.approx(
        [float(time - shift) for time in before], abs=0.001
    )


def test_one_packet_with_a_time_too_late_does_not_delay_the_rest(tmp_path: Path) -> None:
    whole = recording(tmp_path / "whole.mkv")
    with av.open(str(whole)) as container:
        timeline = Timeline(container.streams.video[0], from_zero=True)
        moved = []
        for number, packet in enumerate(each for each in container.demux() if each.size):
            before = packet.dts or 0
            if packet.stream.type == "audio" and number == 60:
                packet.pts = packet.dts = before + 3000
                timeline.correct(packet)
                continue
            timeline.correct(packet)
            moved.append((packet.dts or 0) != before)
    assert not any(moved)
    assert timeline.joins == 0


def with_late_block(matroska: Path, number: int, milliseconds: int) -> Path:
    """The file with a later time in the block of one audio packet."""
    with av.open(str(matroska)) as container:
        packet = [bytes(each) for each in container.demux(audio=0)][number]
    content = bytearray(matroska.read_bytes())
    at = content.index(packet) - 3  # a signed time of 16 bits and a byte of flags before it
    time = int.from_bytes(content[at : at + 2], "big", signed=True) + milliseconds
    content[at : at + 2] = time.to_bytes(2, "big", signed=True)
    matroska.write_bytes(content)
    return matroska


@pytest.mark.parametrize("suffix", ["mp4", "webm"])  # copied, converted
def test_an_audio_packet_far_too_late_does_not_delay_the_rest(tmp_path: Path, suffix: str) -> None:
    source = with_late_block(recording(tmp_path / "in.mkv"), 20, 20_000)
    report = filtered(source, tmp_path / f"out.{suffix}")
    assert max(steps(audio_times(tmp_path / f"out.{suffix}"))) < 0.05
    assert audio_times(tmp_path / f"out.{suffix}")[-1] < 2.1
    assert any("1 packet with a time far too late" in notice for notice in report.notices)


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4"])
def test_times_that_no_recording_has_are_replaced(tmp_path: Path, suffix: str) -> None:
    """FFmpeg 5 writes Theora with a negative offset as times of a billion years."""
    source = ffmpeg(
        tmp_path / "in.ogv", *VIDEO, *TONE, "-c:v", "libtheora", "-c:a", "libvorbis",
        "-output_ts_offset", "-5",
    )  # fmt: skip
    report = filtered(source, tmp_path / f"out.{suffix}")
    times = times_of(tmp_path / f"out.{suffix}")
    assert len(times) == report.frames > 0
    assert times[-1] - times[0] < 3


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_an_audio_packet_of_a_day_is_taken_for_damage(tmp_path: Path, suffix: str) -> None:
    """The last Vorbis packet of a short Ogg file has a negative duration of 32 bits."""
    source = ffmpeg(
        tmp_path / "in.ogv", *VIDEO, *TONE, "-frames:v", "3", "-t", "0.12",
        "-c:v", "libtheora", "-c:a", "libvorbis",
    )  # fmt: skip
    report = filtered(source, tmp_path / f"out.{suffix}")
    with av.open(str(tmp_path / f"out.{suffix}")) as container:
        assert (container.duration or 0) < av.time_base
    assert len(times_of(tmp_path / f"out.{suffix}")) == report.frames > 0


def test_joined_recordings_without_audio_go_on(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.ts"), "w") as output:
        video: Any = output.add_stream("mpeg2video", rate=25, width=64, height=48)
        video.bit_rate = 500_000
        frames = [av.VideoFrame(64, 48, "yuv420p") for _ in range(50)]
        for frame in frames:
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
    one = (tmp_path / "in.ts").read_bytes()
    (tmp_path / "in.ts").write_bytes(one * 2)
    filtered(tmp_path / "in.ts", tmp_path / "out.mp4")
    assert steps(times_of(tmp_path / "out.mp4")) == pytest.approx([float(FRAME)] * 99, abs=0.001)


def test_a_stream_that_is_stored_before_another_has_no_join(tmp_path: Path) -> None:
    whole = recording(tmp_path / "whole.mkv")
    with av.open(str(whole)) as container:
        timeline = Timeline(container.streams.video[0], from_zero=True)
        packets = [each for each in container.demux() if each.size]
        for kind in ("audio", "video"):
            for packet in packets:
                if packet.stream.type == kind:
                    timeline.correct(packet)
    assert timeline.joins == 0


def test_equal_times_stay_where_the_container_allows_them() -> None:
    """TrueHD has more packets than Matroska's clock has ticks."""
    output = av.open("memory.mkv", "w")
    stream: Any = output.add_stream("aac", rate=48000)
    stream.time_base = Fraction(1, 1000)
    times = RisingTimes(output)
    times.add(stream, "stream 0")
    moved = []
    for dts in (0, 1, 1, 2, 0):
        packet: Any = av.Packet(b"1")
        packet.stream, packet.time_base = stream, Fraction(1, 1000)
        packet.pts = packet.dts = dts
        packet.duration = 20
        times.correct(packet)
        moved.append(packet.dts)
    assert moved == [0, 1, 1, 2, 2]
    assert list(times.notices()) == [
        "stream 0: timestamps did not rise; 1 packet was moved, by at most 2 ms"
    ]


@pytest.mark.parametrize(
    ("timecode", "frames", "rate", "expected"),
    [
        ("01:00:00:00", 25, Fraction(25), "01:00:01:00"),
        ("23:59:59:24", 1, Fraction(25), "00:00:00:00"),
        ("00:00:59;29", 1, Fraction(30000, 1001), "00:01:00;02"),
        ("00:09:59;29", 1, Fraction(30000, 1001), "00:10:00;00"),
        ("00:00:00;00", 17982, Fraction(30000, 1001), "00:10:00;00"),
        ("00:00:59;59", 1, Fraction(60000, 1001), "00:01:00;04"),
        ("00:00:59:29", 1, Fraction(30), "00:01:00:00"),
        ("no time code", 5, Fraction(25), "no time code"),
    ],
)
def test_time_codes_advance_as_smpte_says(
    timecode: str, frames: int, rate: Fraction, expected: str
) -> None:
    assert advanced(timecode, frames, rate) == expected

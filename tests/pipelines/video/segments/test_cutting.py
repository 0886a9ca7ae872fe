"""Where segments begin, how many frames come before one, and packets in files."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from turbolens.filter import FilterSettings, MediaError
from turbolens.pipelines.video.segments.cutter import Cutter
from turbolens.pipelines.video.segments.packet_file import (
    PacketFileWriter,
    checksum_of,
    read_packets,
)
from turbolens.pipelines.video.segments.run_up import Batch, RunUpTracker, run_up_frames

from .films import RATE, SEAMS, SECONDS, picture


def timed(index: int, shown: int) -> av.VideoFrame:
    frame = picture(shown)
    frame.pts, frame.time_base = index, Fraction(1, RATE)
    return frame


def test_segments_begin_at_scene_cuts_or_when_they_are_long_enough() -> None:
    cutter = Cutter(SECONDS)
    assert [index for index in range(400) if cutter.begins_segment(timed(index, index))] == [
        0, *SEAMS,
    ]  # fmt: skip


def test_without_a_scene_cut_a_segment_has_the_longest_length() -> None:
    cutter = Cutter(Fraction(2))
    begins = [index for index in range(300) if cutter.begins_segment(timed(index, min(index, 89)))]
    assert begins == [0, 125, 250]


def test_the_run_up_grows_with_the_weight_of_the_past() -> None:
    assert run_up_frames(FilterSettings()) == 100
    assert run_up_frames(FilterSettings(steadiness=1.0)) == 172
    assert run_up_frames(FilterSettings(texture=0.0)) == 67
    forgetting = FilterSettings(steadiness=0.0)
    assert run_up_frames(forgetting) == 100  # for textures
    forgetting = forgetting.replace(texture=0.0)
    assert run_up_frames(forgetting) == 32  # for the estimate of noise
    assert run_up_frames(forgetting.replace(reuse_unchanged=False)) == 0


@pytest.mark.parametrize(
    "endless", [{"cross_frame": "mid"}, {"noise": "advected"}, {"feedback": 0.5}]
)
def test_some_settings_remember_for_ever(endless: dict[str, object]) -> None:
    assert run_up_frames(FilterSettings(**endless)) is None


def test_a_run_up_counts_only_new_frames() -> None:
    tracker = RunUpTracker(10)
    for pts in range(0, 400, 4):
        tracker.add(Batch(pts, 4 if pts < 40 or pts >= 380 else 0))  # a still scene between
    assert tracker.begin_before(384) == 28
    assert tracker.begin_before(12) == 0  # too few: from the beginning


def test_a_run_up_is_known_while_the_filter_is_ahead() -> None:
    tracker = RunUpTracker(10)
    for pts in range(2000):
        tracker.add(Batch(pts, 1))
    assert tracker.begin_before(1900) == 1889


def test_a_packet_file_that_is_cut_short_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.packets"
    writer = PacketFileWriter(path)
    for time in range(3):
        packet = av.Packet(b"payload")
        packet.pts, packet.time_base = time, Fraction(1, 25)
        writer.write(packet)
    assert not path.exists()
    assert writer.complete() == checksum_of(path)
    assert [(packet.pts, packet.dts, bytes(packet)) for packet in read_packets(path)] == [
        (time, None, b"payload") for time in range(3)
    ]
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(MediaError, match="cut short"):
        list(read_packets(path))

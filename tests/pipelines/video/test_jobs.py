"""Parts of a file, pipes, damage, interruption and failure: nothing lost, nothing half-written."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.pipelines.conftest import MakeClip, invert, packets_of, started, times_of
from turbolens.filter import MediaError
from turbolens.pipelines.cli.video import LONG, frames_of
from turbolens.pipelines.video.job import VideoOptions, filter_video

FRAME = Fraction(1, 25)


def only_the_source_is_left(source: Path) -> bool:
    return sorted(path.name for path in source.parent.iterdir()) == [source.name]


def test_start_and_duration_take_exactly_these_frames(clip: MakeClip, tmp_path: Path) -> None:
    source = clip(pts=range(50), sounds=["aac"], options={"g": "10"})
    options = VideoOptions(start=Fraction(1), duration=Fraction(2, 5))
    filter_video(str(source), str(tmp_path / "out.mp4"), invert, options)
    assert times_of(tmp_path / "out.mp4") == [index * FRAME for index in range(10)]


def test_duration_cuts_the_sound_too(clip: MakeClip, tmp_path: Path) -> None:
    source = clip(pts=range(50), sounds=["aac"])
    options = VideoOptions(duration=Fraction(1, 5))
    filter_video(str(source), str(tmp_path / "out.mp4"), invert, options)
    kept = packets_of(tmp_path / "out.mp4", "audio")
    assert kept == [packet for packet in packets_of(source, "audio") if packet[1] < Fraction(1, 5)]


def test_compare_shows_before_and_after(clip: MakeClip, tmp_path: Path) -> None:
    source = clip()
    filter_video(str(source), str(tmp_path / "out.mp4"), invert, VideoOptions(compare=True))
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="gray").astype(int)
    left, right = frame[:, :64], frame[:, 64:]
    assert frame.shape == (48, 128)
    assert abs(left + right - np.median(left + right)).mean() < 6
    assert times_of(tmp_path / "out.mp4") == times_of(source)


def test_batches_hold_every_frame_in_order(clip: MakeClip, tmp_path: Path) -> None:
    class Batched:
        sizes: list[int] = []  # noqa: RUF012 - one test, one list

        def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
            return self.batch([frame])[0]

        def batch(self, frames: Sequence[av.VideoFrame]) -> list[av.VideoFrame]:
            self.sizes.append(len(frames))
            return [invert(frame) for frame in frames]

    source = clip(pts=range(12))
    filter_video(str(source), str(tmp_path / "out.mp4"), Batched(), VideoOptions(batch=5))
    assert times_of(tmp_path / "out.mp4") == times_of(source)
    assert Batched.sizes == [5, 5, 2]


def test_a_file_damaged_in_the_middle_is_filtered_with_a_warning(
    clip: MakeClip, tmp_path: Path
) -> None:
    source = clip("a.ts", pts=range(100), size=(128, 96), options={"g": "5", "crf": "1"})
    content = bytearray(source.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = bytes(range(250)) * 16
    source.write_bytes(content)
    report = filter_video(str(source), str(tmp_path / "out.mp4"), invert)
    assert report.damaged > 0
    assert 50 <= report.frames <= 100
    assert report.notices[-1].startswith(f"damaged input: {report.damaged} ")


def test_a_file_cut_short_is_filtered_as_far_as_it_goes(clip: MakeClip, tmp_path: Path) -> None:
    source = clip("a.mkv", pts=range(50))
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    report = filter_video(str(source), str(tmp_path / "out.mp4"), invert)
    assert 0 < report.frames < 50


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "there is no such file"), (b"", "damaged, cut short"), (b"text" * 500, "damaged")],
)
def test_what_is_no_video_is_refused_in_one_line(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    source = tmp_path / "a.mp4"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(MediaError, match=message):
        filter_video(str(source), str(tmp_path / "out.mp4"), invert)
    assert not (tmp_path / "out.mp4").exists()


def test_an_mp4_without_its_index_is_refused(clip: MakeClip, tmp_path: Path) -> None:
    source = clip()
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.raises(MediaError, match="damaged, cut short"):
        filter_video(str(source), str(tmp_path / "out.mp4"), invert)
    assert only_the_source_is_left(source)


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.mka"
    with av.open(str(source), "w") as output:
        stream = output.add_stream("libopus", rate=48000)
        sound = av.AudioFrame(format="s16", layout="stereo", samples=960)
        sound.sample_rate = 48000
        output.mux(stream.encode(sound))
        output.mux(stream.encode(None))
    with pytest.raises(MediaError, match="no video to filter"):
        filter_video(str(source), str(tmp_path / "out.mp4"), invert)


def test_existing_output_is_kept_unless_told_otherwise(clip: MakeClip, tmp_path: Path) -> None:
    source, target = clip(), tmp_path / "out.mp4"
    target.write_text("precious")
    with pytest.raises(MediaError, match="--overwrite"):
        filter_video(str(source), str(target), invert)
    assert target.read_text() == "precious"
    filter_video(str(source), str(target), invert, VideoOptions(overwrite=True))
    assert times_of(target) == times_of(source)


def test_a_file_cannot_replace_itself(clip: MakeClip) -> None:
    source = clip()
    with pytest.raises(MediaError, match="same file"):
        filter_video(str(source), str(source), invert, VideoOptions(overwrite=True))


def test_an_error_of_the_filter_leaves_nothing_behind(clip: MakeClip, tmp_path: Path) -> None:
    source = clip(pts=range(30))
    seen: list[int] = []

    def failing(frame: av.VideoFrame) -> av.VideoFrame:
        seen.append(1)
        if len(seen) > 9:
            raise RuntimeError("out of ideas")
        return frame

    with pytest.raises(RuntimeError, match="out of ideas"):
        filter_video(str(source), str(tmp_path / "out.mp4"), failing)
    assert only_the_source_is_left(source)


def program(body: str) -> list[str]:
    head = """
        import resource, signal, sys, time
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a shell's `&`
        from turbolens.filter import MediaError
        from turbolens.pipelines.video.job import VideoOptions, filter_video
        def same(frame): return frame
    """
    return [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(body)]


def test_a_full_disk_is_one_error_and_leaves_nothing(clip: MakeClip, tmp_path: Path) -> None:
    source = clip(pts=range(60), size=(256, 192), options={"qp": "1"})
    body = """
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            filter_video(sys.argv[1], sys.argv[2], same)
        except MediaError as error:
            sys.exit(str(error))
    """
    command = [*program(body), str(source), str(tmp_path / "out.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 1
    assert done.stderr.startswith("cannot write ")
    assert only_the_source_is_left(source)


@pytest.mark.parametrize("keep", [False, True])
def test_ctrl_c_leaves_nothing_or_a_shorter_file_that_plays(
    clip: MakeClip, tmp_path: Path, keep: bool
) -> None:
    source, target = clip(pts=range(200)), tmp_path / "out.mp4"
    body = f"""
        seen = []
        def slow(frame):
            seen.append(1)
            if len(seen) == 100:
                print("ready", flush=True)
                time.sleep(1)  # signal.pause() may miss it
            return frame
        try:
            filter_video(sys.argv[1], sys.argv[2], slow, VideoOptions(keep_partial={keep}))
        except KeyboardInterrupt:
            sys.exit(130)
    """
    command = [*program(body), str(source), str(target)]
    with started(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == (0 if keep else 130)
    if keep:
        assert times_of(target) == times_of(source)[: len(times_of(target))]
        assert 90 <= len(times_of(target)) <= 100
    else:
        assert only_the_source_is_left(source)


def test_it_stands_in_a_pipe(clip: MakeClip, tmp_path: Path) -> None:
    source = clip("a.mkv", sounds=["libopus"], pts=(0, 100, 130, 400), time_base=Fraction(1, 1000))
    command = program("filter_video('-', '-', same)")
    with source.open("rb") as given, (tmp_path / "out.nut").open("wb") as taken:
        subprocess.run(command, stdin=given, stdout=taken, check=True)  # noqa: S603
    before, after = times_of(source), times_of(tmp_path / "out.nut")
    late = after[0] - before[0]  # NUT has no times below 0: the sound's lead-in moves everything
    assert after == [time + late for time in before]
    sounds = [
        (time - late, content) for _, time, content in packets_of(tmp_path / "out.nut", "audio")
    ]
    assert sounds == [(time, content) for _, time, content in packets_of(source, "audio")]


def test_a_reader_that_leaves_ends_the_pipe_with_an_error(clip: MakeClip) -> None:
    source = clip("a.mkv", pts=range(200), size=(256, 192), options={"qp": "1"})
    body = """
        try:
            filter_video(sys.argv[1], '-', same)
        except MediaError as error:
            sys.exit(str(error))
    """
    reading, writing = os.pipe()
    with started(
        [*program(body), str(source)], stdout=writing, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(writing)
        os.close(reading)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert said.startswith("cannot write -: ")


def test_only_long_jobs_wait_for_what_takes_minutes_to_prepare(
    clip: MakeClip, tmp_path: Path
) -> None:
    source, missing = str(clip(pts=range(50))), str(tmp_path / "none.mp4")
    options = VideoOptions()
    assert frames_of([(source, "a.mp4"), (source, "b.mp4")], options) == 100
    assert frames_of([("-", "-"), (missing, "c.mp4")], options) == 0
    hour = VideoOptions(duration=Fraction(3600))
    assert frames_of([("test-scene", "d.mp4")], hour) >= LONG

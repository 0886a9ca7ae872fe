"""Spans, pipes, damaged inputs, interruptions and errors: no frame lost, no incomplete output."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.pipelines.conftest import MakeClip, invert, packets_of, started, times_of
from turbolens.filter import MediaError
from turbolens.pipelines.cli.video.command import LONG
from turbolens.pipelines.cli.video.inputs import open_inputs
from turbolens.pipelines.video.container import VideoContainer
from turbolens.pipelines.video.job import VideoJob, VideoOptions, filter_video

FRAME = Fraction(1, 25)


def only_the_source_exists(source: Path) -> bool:
    return sorted(path.name for path in source.parent.iterdir()) == [source.name]


def test_start_and_duration_take_exactly_these_frames(clip: MakeClip, tmp_path: Path) -> None:
    source = clip(pts=range(50), audio=["aac"], options={"g": "10"})
    options = VideoOptions(start=Fraction(1), duration=Fraction(2, 5))
    filter_video(str(source), str(tmp_path / "out.mp4"), invert, options)
    assert times_of(tmp_path / "out.mp4") == [index * FRAME for index in range(10)]


def test_duration_cuts_the_audio_too(clip: MakeClip, tmp_path: Path) -> None:
    source = clip(pts=range(50), audio=["aac"])
    options = VideoOptions(duration=Fraction(1, 5))
    filter_video(str(source), str(tmp_path / "out.mp4"), invert, options)
    kept = packets_of(tmp_path / "out.mp4", "audio")
    assert kept == [packet for packet in packets_of(source, "audio") if packet[1] < Fraction(1, 5)]


def test_compare_shows_original_and_filtered_frame(clip: MakeClip, tmp_path: Path) -> None:
    source = clip()
    filter_video(str(source), str(tmp_path / "out.mp4"), invert, VideoOptions(compare=True))
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="gray").astype(int)
    left, right = frame[:, :64], frame[:, 64:]
    assert frame.shape == (48, 128)
    assert abs(left + right - np.median(left + right)).mean() < 6
    assert times_of(tmp_path / "out.mp4") == times_of(source)


def test_batches_keep_every_frame_in_order(clip: MakeClip, tmp_path: Path) -> None:
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


def test_a_file_damaged_in_the_middle_is_filtered_with_a_notice(
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


def test_a_truncated_file_is_filtered_up_to_its_end(clip: MakeClip, tmp_path: Path) -> None:
    source = clip("a.mkv", pts=range(50))
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    report = filter_video(str(source), str(tmp_path / "out.mp4"), invert)
    assert 0 < report.frames < 50


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "there is no such file"), (b"", "it is empty"), (b"text" * 500, "damaged")],
)
def test_an_input_that_is_no_video_is_refused_in_one_line(
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
    assert only_the_source_exists(source)


def test_an_audio_file_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.mka"
    with av.open(str(source), "w") as output:
        stream = output.add_stream("libopus", rate=48000)
        audio = av.AudioFrame(format="s16", layout="stereo", samples=960)
        audio.sample_rate = 48000
        output.mux(stream.encode(audio))
        output.mux(stream.encode(None))
    with pytest.raises(MediaError, match="no video to filter"):
        filter_video(str(source), str(tmp_path / "out.mp4"), invert)


def test_an_existing_output_is_kept_without_overwrite(clip: MakeClip, tmp_path: Path) -> None:
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


def test_an_error_of_the_filter_leaves_no_output(clip: MakeClip, tmp_path: Path) -> None:
    source = clip(pts=range(30))
    seen: list[int] = []

    def failing(frame: av.VideoFrame) -> av.VideoFrame:
        seen.append(1)
        if len(seen) > 9:
            raise RuntimeError("out of ideas")
        return frame

    with pytest.raises(RuntimeError, match="out of ideas"):
        filter_video(str(source), str(tmp_path / "out.mp4"), failing)
    assert only_the_source_exists(source)


def program(body: str) -> list[str]:
    head = """
        import os, resource, signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a shell's `&`
        from turbolens.filter import MediaError
        from turbolens.pipelines.video.job import VideoOptions, filter_video
        def same(frame): return frame
    """
    return [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(body)]


@pytest.mark.slow
def test_a_full_disk_is_one_error_and_leaves_no_output(clip: MakeClip, tmp_path: Path) -> None:
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
    assert only_the_source_exists(source)


@pytest.mark.slow
@pytest.mark.parametrize("keep", [False, True])
def test_ctrl_c_leaves_no_output_or_a_shorter_file(
    clip: MakeClip, tmp_path: Path, keep: bool
) -> None:
    source, target = clip(pts=range(200)), tmp_path / "out.mp4"
    body = f"""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing)  # gets a byte for each signal
        frames = []
        def interrupted(frame):
            frames.append(frame)
            if len(frames) == 100:
                print("ready", flush=True)
                os.read(reading, 1)
            return frame
        try:
            filter_video(sys.argv[1], sys.argv[2], interrupted, VideoOptions(keep_partial={keep}))
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
        assert only_the_source_exists(source)


@pytest.mark.slow
def test_it_reads_and_writes_pipes(clip: MakeClip, tmp_path: Path) -> None:
    source = clip("a.mkv", audio=["libopus"], pts=(0, 100, 130, 400), time_base=Fraction(1, 1000))
    command = program("filter_video('-', '-', same)")
    with source.open("rb") as stdin, (tmp_path / "out.nut").open("wb") as stdout:
        subprocess.run(command, stdin=stdin, stdout=stdout, check=True)  # noqa: S603
    before, after = times_of(source), times_of(tmp_path / "out.nut")
    shift = after[0] - before[0]  # NUT has no negative times: the audio's priming shifts everything
    assert after == [time + shift for time in before]
    audio = [
        (time - shift, content) for _, time, content in packets_of(tmp_path / "out.nut", "audio")
    ]
    assert audio == [(time, content) for _, time, content in packets_of(source, "audio")]


@pytest.mark.slow
def test_a_pipe_whose_reader_has_gone_is_an_error(clip: MakeClip) -> None:
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
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.startswith("cannot write -: ")


def test_an_input_is_opened_once(
    clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    open_container = VideoContainer.open

    def counted(name: str, **options: Any) -> VideoContainer:
        opened.append(name)
        return open_container(name, **options)

    monkeypatch.setattr(VideoContainer, "open", counted)
    source = str(clip(pts=range(10)))
    job = VideoJob.prepare(source, str(tmp_path / "out.mp4"), VideoOptions())
    assert open_inputs([job], alone=True) == 10
    assert job.run(invert).frames == 10
    assert opened == [source]


def test_a_single_input_that_cannot_be_read_is_an_error_before_it_is_run(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"text" * 500)
    job = VideoJob.prepare(str(tmp_path / "a.mp4"), str(tmp_path / "out.mp4"), VideoOptions())
    with pytest.raises(MediaError, match="damaged"):
        open_inputs([job], alone=True)


def test_the_frames_of_inputs_are_counted_before_the_model_is_loaded(
    clip: MakeClip, tmp_path: Path
) -> None:
    def frames_of(*sources: str, options: VideoOptions | None = None) -> int:
        outputs = [str(tmp_path / f"out-{index}.mp4") for index in range(len(sources))]
        jobs = [VideoJob.prepare(*names, options or VideoOptions())
                for names in zip(sources, outputs, strict=True)]  # fmt: skip
        return open_inputs(jobs, alone=len(jobs) == 1)

    source, missing = str(clip(pts=range(50))), str(tmp_path / "none.mp4")
    assert frames_of(source, source) == 100
    assert frames_of("-", missing) == 0
    assert frames_of("test-scene", options=VideoOptions(duration=Fraction(3600))) >= LONG

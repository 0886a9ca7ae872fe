"""`Recorder` and `RecordingSink`: a recording of what is shown live."""

from pathlib import Path

import av
import pytest

from tests.pipelines.conftest import times_of
from turbolens.filter import MediaError
from turbolens.pipelines.live.slate import slate
from turbolens.pipelines.video.recorder import Recorder, RecordingSink


def test_a_recording_has_arrival_times_and_one_size(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.mkv")
    for size in ((64, 48), (64, 48), (128, 48)):
        recorder.write(slate(*size))
    recorder.close()
    recorder.close()
    times = times_of(tmp_path / "a.mkv")
    assert len(times) == 3
    assert times == sorted(set(times))


def test_a_recording_without_frames_leaves_no_file(tmp_path: Path) -> None:
    Recorder(tmp_path / "a.mp4").close()
    assert list(tmp_path.iterdir()) == []


def test_a_recording_does_not_replace_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"mine")
    with pytest.raises(MediaError, match="--overwrite"):
        Recorder(tmp_path / "a.mp4")


def test_a_recording_that_fails_ends_alone() -> None:
    notices: list[str] = []
    shown = RecordingSink(notices.append)

    class Full(Recorder):
        def __init__(self) -> None:
            """Nothing to open."""

        def write(self, frame: av.VideoFrame) -> None:
            raise MediaError("the disk is full")

    shown.start_recording(Full())
    shown.write(slate(64, 36))
    shown.write(slate(64, 36))
    assert notices == ["the recording has ended: the disk is full"]

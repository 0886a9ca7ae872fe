"""What cannot be read or written is said in words, not as FFmpeg's error."""

from pathlib import Path
from typing import Any

import av
import pytest

from tests.pipelines.conftest import MakeClip, invert
from turbolens.filter import FrameError, MediaError
from turbolens.pipelines.errors import VAGUE, output_reason, reason
from turbolens.pipelines.video.images.files import read_image
from turbolens.pipelines.video.job import VideoOptions, filter_video
from turbolens.pipelines.video.preparation import FramePreparation
from turbolens.pipelines.video.writer import Encoding

from .ffmpeg import ffmpeg
from .odd_files import Recipe


@pytest.mark.parametrize("kind", VAGUE)
def test_errors_without_a_cause_become_a_sentence(kind: type[BaseException]) -> None:
    error = kind(22, "Invalid argument")
    assert "cannot read" in reason(error)
    assert "cannot write" in output_reason(error)


def test_a_damaged_png_is_said_to_be_damaged(tmp_path: Path) -> None:
    damage: Any = ("noise", 0.6905080483591272, 1000)
    Recipe("png", "png", size=(33, 2), frames=1, damage=(damage,)).write(tmp_path / "in.png")
    with pytest.raises(MediaError, match="it is damaged, or of a kind"):
        read_image(tmp_path / "in.png", print)


def test_a_damaged_y4m_is_said_to_be_damaged(tmp_path: Path) -> None:
    damage: Any = ("flip", 0.25773847841817693, 100)
    source = tmp_path / "in.y4m"
    Recipe("y4m", "wrapped_avframe", size=(33, 2), frames=1, damage=(damage,)).write(source)
    with pytest.raises(MediaError, match="it is damaged, or of a kind"):
        filter_video(str(source), str(tmp_path / "out.mkv"), invert)


@pytest.mark.parametrize("name", ["yaf32le", "yaf32be"])
def test_a_format_that_would_end_the_program_is_refused(name: str) -> None:
    with pytest.raises(MediaError, match=f"cannot convert the pixel format {name}"):
        list(FramePreparation(print).push(av.VideoFrame(64, 48, name)))


def test_an_encoder_that_refuses_a_size_is_named(clip: MakeClip, tmp_path: Path) -> None:
    options = VideoOptions(encoding=Encoding(codec="hevc"))
    with pytest.raises(MediaError, match="libx265 takes no frames of 8×8 pixels in yuv420p"):
        filter_video(str(clip(size=(8, 8))), str(tmp_path / "out.mkv"), invert, options)
    assert not (tmp_path / "out.mkv").exists()


def test_interlaced_frames_too_small_for_the_deinterlacer_pass(tmp_path: Path) -> None:
    source = ffmpeg(
        tmp_path / "in.mp4", "-f", "lavfi", "-i", "testsrc2=s=16x2:d=1", "-c:v", "mpeg4",
        "-vf", "tinterlace=4", "-flags", "+ildct+ilme",
    )  # fmt: skip
    report = filter_video(str(source), str(tmp_path / "out.mkv"), lambda frame: frame)
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert len(list(container.decode(video=0))) == report.frames


@pytest.mark.parametrize("result", [None, "text"])
def test_a_filter_that_returns_no_frame_is_refused(
    clip: MakeClip, tmp_path: Path, result: Any
) -> None:
    kind = type(result).__name__
    with pytest.raises(FrameError, match=f"filter must return an av.VideoFrame, got {kind}"):
        filter_video(str(clip()), str(tmp_path / "out.mp4"), lambda _: result)
    assert list(tmp_path.glob("*out*")) == []


def test_paths_may_be_path_objects(clip: MakeClip, tmp_path: Path) -> None:
    report = filter_video(clip(), tmp_path / "out.mp4", invert)
    assert (tmp_path / "out.mp4").is_file()
    assert report.destination == str(tmp_path / "out.mp4")

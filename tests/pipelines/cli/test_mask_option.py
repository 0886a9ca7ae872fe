"""`turbolens video --mask`: masks of other sizes and rates, and those that do not fit."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import typer
from numpy.typing import NDArray

from tests.pipelines.conftest import write_clip
from turbolens.filter import MediaError
from turbolens.pipelines.adapter_pictures import MaskVideo
from turbolens.pipelines.cli import app as cli

Array = NDArray[np.uint8]


def write_mask(
    path: Path, size: tuple[int, int] = (64, 48), frames: int = 6, rate: int = 25
) -> Path:
    """A video of masks: white at the left in the first half of the frames, then at the right."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=rate, width=size[0], height=size[1])
        stream.codec_context.pix_fmt = "gray"
        for index in range(frames):
            levels = np.zeros((size[1], size[0]), np.uint8)
            half = slice(None, size[0] // 2) if 2 * index < frames else slice(size[0] // 2, None)
            levels[:, half] = 255
            frame = av.VideoFrame.from_ndarray(levels, format="gray")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def filtered(clip: Path, *options: str | Path) -> list[Array]:
    """The frames of the result."""
    target = clip.with_suffix(".out.mkv")
    arguments = [
        "video", clip, target, "--overwrite", "--size", "64", "--codec", "ffv1", "--feather", "0",
        *options,
    ]  # fmt: skip
    cli.app([str(each) for each in arguments], standalone_mode=False)
    return decoded(target)


def decoded(path: Path) -> list[Array]:
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [np.asarray(each.to_ndarray(format="rgb24"), np.uint8) for each in frames]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "frames", "rate"), [((64, 48), 6, 25), ((128, 96), 6, 25), ((64, 48), 12, 50)]
)
def test_a_mask_may_have_another_size_and_rate(
    tmp_path: Path, size: tuple[int, int], frames: int, rate: int
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pts=range(6))
    mask = write_mask(tmp_path / "mask.mkv", size, frames, rate)
    before, after = decoded(clip), filtered(clip, "--mask", mask, "--region", "person")
    for index, (frame, result) in enumerate(zip(before, after, strict=True)):
        kept = np.s_[:, 36:] if index < 3 else np.s_[:, :28]
        other = np.s_[:, :28] if index < 3 else np.s_[:, 36:]
        assert np.abs(frame[kept].astype(int) - result[kept]).max() <= 3
        assert np.abs(frame[other].astype(int) - result[other]).max() > 10


@pytest.mark.parametrize(
    ("size", "frames", "rate", "expected"),
    [
        ((64, 64), 6, 25, r"must have the shape of the video, 64×48, got 64×64"),
        ((64, 48), 3, 25, r"must be as long as the video: it ends at 0\.12 s"),
        ((64, 48), 6, 50, r"must be as long as the video: it ends at 0\.12 s"),
    ],
)
def test_a_mask_of_another_shape_or_too_short_is_one_clear_line(
    tmp_path: Path, size: tuple[int, int], frames: int, rate: int, expected: str
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pts=range(6))
    mask = write_mask(tmp_path / "mask.mkv", size, frames, rate)
    with pytest.raises(MediaError, match=expected) as raised:
        filtered(clip, "--mask", mask, "--region", "background")
    assert "\n" not in str(raised.value)
    assert not clip.with_suffix(".out.mkv").exists()


def test_a_mask_far_too_short_is_refused_before_anything_is_filtered(tmp_path: Path) -> None:
    masks = MaskVideo(str(write_mask(tmp_path / "mask.mkv", frames=3)))
    masks.check_duration(Fraction(4, 25))
    masks.check_duration(None)
    with pytest.raises(MediaError, match="as long as the video"):
        masks.check_duration(Fraction(2))
    masks.close()


@pytest.mark.parametrize("options", [[], ["--region", "all"]])
def test_a_mask_without_a_region_is_a_usage_error(tmp_path: Path, options: list[str]) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pts=range(1))
    with pytest.raises(typer.BadParameter, match="needs --region person or background"):
        cli.app(["video", str(clip), "--mask", "x", *options], standalone_mode=False)


def test_a_mask_that_is_missing_is_named(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pts=range(1))
    with pytest.raises(MediaError, match=r"nowhere\.mkv"):
        filtered(clip, "--mask", "nowhere.mkv", "--region", "person")

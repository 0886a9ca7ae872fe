"""Photographs as cameras and phones write them, and animated pictures."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.pipelines.conftest import times_of
from turbolens.filter.errors import MediaError
from turbolens.pipelines.video.images.files import encode_image, read_image
from turbolens.pipelines.video.job import filter_video

from .made_files import box, full_box, heic_grid, with_exif

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
ORIENTATIONS: dict[int, Callable[[Any], Any]] = {
    1: lambda pixels: pixels,
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).transpose(1, 0, 2),
    8: np.rot90,
}
"""How EXIF says that the stored pixels are turned (CIPA DC-008, tag 274)."""


def same(frame: av.VideoFrame) -> av.VideoFrame:
    return frame


def photograph() -> Any:
    """48×32 pixels with four different corners."""
    y, x = np.mgrid[0:32, 0:48]
    return np.stack([x * 5, y * 8, 255 - x * 3 - y * 3], -1).clip(0, 255).astype(np.uint8)


def pixels_of(path: Path) -> Any:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_photograph_with_exif_is_turned_upright_once(
    tmp_path: Path, orientation: int, suffix: str
) -> None:
    jpeg = encode_image(av.VideoFrame.from_ndarray(photograph(), format="rgb24"), ".jpg")
    (tmp_path / "in.jpg").write_bytes(with_exif(jpeg, orientation))
    filter_video(str(tmp_path / "in.jpg"), str(tmp_path / f"out{suffix}"), same)
    expected = ORIENTATIONS[orientation](photograph()).astype(int)
    assert pixels_of(tmp_path / f"out{suffix}").shape == expected.shape
    upright = read_image(tmp_path / f"out{suffix}", print).to_ndarray(format="rgb24")
    assert np.abs(upright.astype(int) - expected).mean() < 8


def test_a_heic_photograph_of_tiles_is_put_together(tmp_path: Path) -> None:
    source = tmp_path / "in.heic"
    source.write_bytes(heic_grid([RED, GREEN, BLUE, WHITE], columns=2, size=(120, 100)))
    report = filter_video(str(source), str(tmp_path / "out.png"), same)
    pixels = pixels_of(tmp_path / "out.png")
    corners = np.array([pixels[20, 20], pixels[20, 100], pixels[90, 20], pixels[90, 100]])
    assert pixels.shape == (100, 120, 3)
    assert np.abs(corners - np.array([RED, GREEN, BLUE, WHITE])).max() < 130  # BT.601 or BT.709
    assert (corners.argmax(1)[:3] == [0, 1, 2]).all()
    assert report.notices == ()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_heic_photograph_is_turned_upright(tmp_path: Path, turns: int) -> None:
    source = tmp_path / "in.heic"
    source.write_bytes(heic_grid([RED, GREEN, BLUE], columns=3, size=(190, 64), turns=turns))
    filter_video(str(source), str(tmp_path / "out.mp4"), same)
    pixels = np.rot90(pixels_of(tmp_path / "out.mp4"), -turns)
    assert pixels.shape == (64, 190, 3)
    assert list(pixels[32, [20, 90, 160]].argmax(1)) == [0, 1, 2]


def test_a_derived_heic_picture_that_is_no_grid_is_refused(tmp_path: Path) -> None:
    content = heic_grid([RED, GREEN], columns=2, size=(128, 64)).replace(b"grid", b"iovl")
    (tmp_path / "in.heic").write_bytes(content)
    with pytest.raises(MediaError, match=r"type 'iovl'.*save it as JPEG"):
        filter_video(str(tmp_path / "in.heic"), str(tmp_path / "out.png"), same)


def test_a_heic_photograph_without_a_tile_is_refused(tmp_path: Path) -> None:
    content = heic_grid([RED, GREEN], columns=2, size=(128, 64))
    references = struct.pack(">4H", 3, 2, 1, 2)
    content = content.replace(references, struct.pack(">4H", 3, 2, 1, 9))
    (tmp_path / "in.heic").write_bytes(content)
    with pytest.raises(MediaError, match="a tile of its grid is missing"):
        filter_video(str(tmp_path / "in.heic"), str(tmp_path / "out.png"), same)


def animated_png(path: Path) -> Path:
    with av.open(str(path), "w", format="apng") as output:
        video: Any = output.add_stream("apng", rate=10, width=48, height=32)
        video.pix_fmt = "rgb24"
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(np.roll(photograph(), index, 1), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
    return path


def test_every_frame_of_an_animated_png_is_filtered(tmp_path: Path) -> None:
    source = animated_png(tmp_path / "in.png")
    report = filter_video(str(source), str(tmp_path / "out.mp4"), same)
    assert report.frames == 10
    assert times_of(tmp_path / "out.mp4") == [Fraction(index, 10) for index in range(10)]


def test_an_animated_png_in_a_folder_gives_its_first_picture(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    animated_png(tmp_path / "in" / "a.png")
    report = filter_video(str(tmp_path / "in"), f"{tmp_path / 'out'}/", same)
    assert report.frames == 1
    assert "only its first picture is taken" in report.notices[0]


def test_an_animation_does_not_become_one_image(tmp_path: Path) -> None:
    source = animated_png(tmp_path / "in.png")
    with pytest.raises(MediaError, match=r"one image only.*out_%04d.png"):
        filter_video(str(source), str(tmp_path / "out.png"), same)
    assert not (tmp_path / "out.png").exists()


def test_an_animated_webp_is_refused_in_words(tmp_path: Path) -> None:
    flags = struct.pack("<I", 2) + bytes(6)
    chunks = b"WEBPVP8X" + struct.pack("<I", 10) + flags + b"ANIM" + struct.pack("<I", 6) + bytes(6)
    (tmp_path / "in.webp").write_bytes(b"RIFF" + struct.pack("<I", len(chunks)) + chunks)
    with pytest.raises(MediaError, match="cannot decode animated WebP"):
        filter_video(str(tmp_path / "in.webp"), str(tmp_path / "out.mp4"), same)


@pytest.mark.parametrize("content", [b"", b"\0" * 40, box(b"ftyp", b"heic") + full_box(b"meta", 0)])
def test_a_damaged_heic_is_one_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in.heic").write_bytes(content)
    with pytest.raises(MediaError, match="cannot read"):
        filter_video(str(tmp_path / "in.heic"), str(tmp_path / "out.png"), same)

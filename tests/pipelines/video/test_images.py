"""Images and sequences of images as input and output."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from turbolens.filter.errors import MediaError
from turbolens.pipelines.video.destination import Destination
from turbolens.pipelines.video.images.files import encode_image, read_image, save_image
from turbolens.pipelines.video.images.sequences import find_images, is_image, is_pattern
from turbolens.pipelines.video.job import VideoOptions, filter_video

Pixels = NDArray[np.uint8]


def invert(frame: av.VideoFrame) -> av.VideoFrame:
    rgb = av.VideoFrame.from_ndarray(255 - frame.to_ndarray(format="rgb24"), format="rgb24")
    result = rgb.reformat(format=frame.format.name)
    result.color_range = frame.color_range
    return result


def ramp(width: int = 48, height: int = 32) -> Pixels:
    x = np.linspace(0, 255, width)[None, :, None]
    y = np.linspace(0, 255, height)[:, None, None]
    red, green, blue = np.broadcast_arrays(x, y, 255 - x)
    return np.concatenate([red, green, blue], axis=2).astype(np.uint8)


def save(path: Path, pixels: Pixels, layout: str = "rgb24") -> Path:
    save_image(av.VideoFrame.from_ndarray(pixels, format=layout), Destination(str(path)))
    return path


def pixels_of(path: Path) -> Pixels:
    frame = read_image(path, lambda text: None)
    return frame.to_ndarray(format="rgb24").astype(np.uint8)


@pytest.mark.parametrize(
    ("suffix", "tolerance"), [(".png", 0), (".jpg", 4), (".jpeg", 4), (".webp", 8)]
)
def test_an_image_keeps_its_colours(tmp_path: Path, suffix: str, tolerance: int) -> None:
    again = pixels_of(save(tmp_path / f"a{suffix}", ramp())).astype(int)
    assert again.shape == (32, 48, 3)
    assert np.abs(again - ramp()).mean() <= tolerance


@pytest.mark.parametrize(
    ("suffix", "signature"), [(".jpg", b"\xff\xd8\xff"), (".png", b"\x89PNG"), (".webp", b"RIFF")]
)
@pytest.mark.parametrize("layout", ["rgb24", "yuvj420p", "yuv420p"])
def test_a_frame_is_encoded_and_stays_as_it_is(suffix: str, signature: bytes, layout: str) -> None:
    frame = av.VideoFrame.from_ndarray(ramp(), format="rgb24").reformat(format=layout)
    frame.pts, frame.time_base = 7, Fraction(1, 30)
    encoded = encode_image(frame, suffix)
    assert encoded.startswith(signature)
    assert (frame.pts, frame.time_base, frame.format.name) == (7, Fraction(1, 30), layout)
    with av.open(io.BytesIO(encoded), "r") as container:
        decoded = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    assert np.abs(decoded - ramp()).mean() <= 8


def test_an_image_gives_a_filtered_image(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png", ramp(33, 21))
    report = filter_video(str(source), str(tmp_path / "b.png"), invert)
    assert report.frames == 1
    assert np.array_equal(pixels_of(tmp_path / "b.png"), 255 - ramp(33, 21))


def test_transparency_is_kept_in_png_and_lost_with_a_notice_in_jpeg(
    tmp_path: Path,
) -> None:
    pixels = np.dstack([ramp(), np.full((32, 48), 77, np.uint8)])
    source = save(tmp_path / "a.png", pixels, "rgba")
    filter_video(str(source), str(tmp_path / "b.png"), lambda frame: frame)
    kept = read_image(tmp_path / "b.png", lambda text: None)
    assert np.array_equal(kept.to_ndarray(format="rgba"), pixels)
    report = filter_video(str(source), str(tmp_path / "b.jpg"), lambda frame: frame)
    assert report.notices == ("transparency is left out: JPEG has none",)


def test_transparency_is_kept_in_webp(tmp_path: Path) -> None:
    pixels = np.dstack([ramp(), np.full((32, 48), 77, np.uint8)])
    path = save(tmp_path / "a.webp", pixels, "rgba")
    with av.open(path) as container:
        frame = next(container.decode(video=0))
    assert (frame.to_ndarray(format="rgba")[..., 3] == 77).all()


def test_a_pattern_gives_a_pattern(tmp_path: Path) -> None:
    for number in range(8, 12):
        save(tmp_path / f"in_{number}.png", np.full((8, 8, 3), number, np.uint8))
    report = filter_video(str(tmp_path / "in_%d.png"), str(tmp_path / "out_%03d.png"), invert)
    assert report.frames == 4
    levels = [pixels_of(tmp_path / f"out_{number:03}.png")[0, 0, 0] for number in range(1, 5)]
    assert levels == [247, 246, 245, 244]


def test_other_percent_signs_of_a_pattern_stay(tmp_path: Path) -> None:
    folder = tmp_path / "50% done"
    folder.mkdir()
    save(tmp_path / "in_1.png", ramp())
    filter_video(str(tmp_path / "in_%d.png"), str(folder / "100%_%02d.png"), invert)
    assert [path.name for path in folder.iterdir()] == ["100%_01.png"]


def test_a_folder_gives_a_folder_with_the_same_names(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("b2.png", "b10.png", "a.jpg"):
        save(source / name, ramp())
    filter_video(str(source), f"{target}/", invert)
    assert sorted(path.name for path in target.iterdir()) == ["a.jpg", "b10.png", "b2.png"]


def test_a_sequence_gives_a_video_of_its_rate(tmp_path: Path) -> None:
    for number in range(5):
        save(tmp_path / f"{number}.png", ramp())
    options = VideoOptions(rate=Fraction(10))
    filter_video(str(tmp_path / "*.png"), str(tmp_path / "out.mp4"), invert, options)
    with av.open(tmp_path / "out.mp4") as container:
        times = [
            (frame.pts or 0) * Fraction(frame.time_base or 1) for frame in container.decode(video=0)
        ]
    assert times == [Fraction(n, 10) for n in range(5)]


def test_a_damaged_image_in_a_sequence_is_counted_and_the_rest_filtered(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for number in range(3):
        save(source / f"{number}.png", ramp())
    (source / "1.png").write_bytes(b"no image")
    report = filter_video(str(source), f"{tmp_path / 'out'}/", invert)
    assert (report.frames, report.damaged) == (2, 1)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.png", "2.png"]


def test_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    for number in (10, 9, 100):
        save(tmp_path / f"f{number}.png", ramp(4, 4))
    found = [path.name for path in find_images(str(tmp_path / "f%d.png"))]
    assert found == ["f9.png", "f10.png", "f100.png"]


@pytest.mark.parametrize("content", ["", "empty folder"])
def test_no_images_are_an_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(MediaError, match="holds no images"):
        find_images(str(tmp_path if content else tmp_path / "%d.png"))


def test_a_video_as_one_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"one image only.*a_%04d.png"):
        filter_video("clip.mp4", str(tmp_path / "a.png"), invert)


def test_the_input_itself_is_not_overwritten(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png", ramp())
    with pytest.raises(MediaError, match="same file"):
        filter_video(str(source), str(source), invert, VideoOptions(overwrite=True))


def test_names_of_images_and_patterns() -> None:
    assert is_image("a/b.PNG")
    assert is_pattern("a/b_%04d.jpg")
    assert is_pattern("a/*.webp")
    assert not is_image("a/b_%04d.jpg")
    assert not is_pattern("a/b.mp4")


def test_an_existing_image_is_kept_without_overwrite(tmp_path: Path) -> None:
    source, target = save(tmp_path / "a.png", ramp()), save(tmp_path / "b.png", ramp(4, 4))
    before = target.read_bytes()
    with pytest.raises(MediaError, match="--overwrite"):
        filter_video(str(source), str(target), invert)
    assert target.read_bytes() == before

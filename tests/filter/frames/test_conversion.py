"""Frames to RGB and back: every format, matrix and range, against closed forms."""

from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from turbolens.filter import FilterSettings, FrameError
from turbolens.filter.frames.conversion import (
    FrameConverter,
    image_from_rgb,
    rgb_from_image,
    working_geometry,
)
from turbolens.filter.frames.geometry import Geometry

BT709, BT601, BT2020 = 1, 6, 9
WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
LIMITED, FULL = 1, 2
FORMATS = [
    "yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "yuv410p", "yuv411p",
    "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le", "yuv420p16le", "nv12", "nv21",
    "p010le", "yuyv422", "uyvy422", "yuva420p", "yuva444p", "yuva420p10le",
    "rgb24", "bgr24", "rgba", "bgra", "argb", "abgr", "rgb0", "gbrp", "gbrap", "rgb48le",
    "rgba64le", "gbrp10le", "gray", "gray10le", "gray16le", "ya8",
]  # fmt: skip
GREY = ("gray", "ya")
BARS = [(255, 255, 255), (255, 255, 0), (0, 255, 255), (0, 255, 0),
        (255, 0, 255), (255, 0, 0), (0, 0, 255), (0, 0, 0)]  # fmt: skip

Array = NDArray[np.uint8]


def chart(width: int = 256, height: int = 96) -> Array:
    """Saturated bars above, a grey ramp in steps of eight columns below."""
    columns = np.arange(width)
    bars = np.array(BARS)[columns * 8 // width]
    ramp = np.repeat((columns // 8 * 8 * 255 // (width - 8)).clip(0, 255)[:, None], 3, 1)
    rows = [bars] * (height // 2) + [ramp] * (height - height // 2)
    return np.stack(rows).astype(np.uint8)


def to_yuv(rgb: Array, matrix: int, color_range: int) -> NDArray[np.float64]:
    """The closed form of ITU-T H.273, 8 bits: (H, W, 3) of Y, Cb, Cr, not rounded."""
    kr, kb = WEIGHTS[matrix]
    red, green, blue = np.moveaxis(rgb / 255.0, -1, 0)
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    if color_range == FULL:
        return np.stack([255 * luma, 128 + 255 * cb, 128 + 255 * cr], -1)
    return np.stack([16 + 219 * luma, 128 + 224 * cb, 128 + 224 * cr], -1)


def yuv444_frame(rgb: Array, matrix: int, color_range: int) -> av.VideoFrame:
    values = np.clip(np.rint(to_yuv(rgb, matrix, color_range)), 0, 255).astype(np.uint8)
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(values.transpose(2, 0, 1)), "yuv444p")


def bytes_of(frame: av.VideoFrame, index: int) -> Array:
    plane = frame.planes[index]
    return np.array(memoryview(plane)).reshape(plane.height, plane.line_size)


def samples(frame: av.VideoFrame) -> NDArray[np.int64]:
    """The frame's own sample values in 8-bit levels, (planes' visible samples, concatenated)."""
    parts = []
    for index, plane in enumerate(frame.planes):
        bits = max(c.bits for c in frame.format.components)
        row = bytes_of(frame, index)
        wide = bits > 8
        values = row.view("<u2") if wide else row
        shift = 8 if frame.format.name in ("p010le",) else max(0, bits - 8)
        count = plane.width * packed_samples(frame, index)
        parts.append((values[:, :count].astype(np.int64) >> shift).ravel())
    return np.concatenate(parts)


def packed_samples(frame: av.VideoFrame, index: int) -> int:
    name = frame.format.name
    if name in ("rgb0",):
        return 4
    if name in ("yuyv422", "uyvy422"):
        return 2
    return sum(c.plane == index for c in frame.format.components)


def same_size(width: int, height: int) -> Geometry:
    return Geometry(width, height, width, height, width, height, 0, 0)


def geometry(width: int, height: int, **settings: Any) -> Geometry:
    return working_geometry(width, height, FilterSettings(**settings), native_size=512, multiple=64)


def frame_of(rgb: Array, name: str, matrix: int = 2, color_range: int = 0) -> av.VideoFrame:
    """A frame in this format by swscale, which is tested against the closed form above."""
    grey_full = name.startswith((*GREY, "yuvj"))
    frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(
        format=name,
        dst_colorspace=5 if matrix == 2 else matrix,
        src_color_range=2,
        dst_color_range=color_range or (FULL if grey_full else LIMITED),
        interpolation=2 | 0x40000 | 0x2000,
    )
    frame.colorspace, frame.color_range = matrix, color_range
    frame.pts, frame.time_base = 1234, Fraction(1, 90000)
    return frame


@pytest.mark.parametrize("color_range", [LIMITED, FULL])
@pytest.mark.parametrize("matrix", [BT601, 5, BT709, BT2020])
def test_tagged_frames_become_rgb_by_the_standard_matrices(matrix: int, color_range: int) -> None:
    rgb = chart()
    frame = yuv444_frame(rgb, matrix, color_range)
    frame.colorspace, frame.color_range = matrix, color_range
    picture = FrameConverter().to_rgb(frame, same_size(256, 96))
    assert np.abs(picture.numpy().astype(int) - rgb).max() <= 2


@pytest.mark.parametrize("color_range", [LIMITED, FULL])
@pytest.mark.parametrize("matrix", [BT601, BT709, BT2020])
def test_pictures_become_yuv_by_the_standard_matrices(matrix: int, color_range: int) -> None:
    rgb = chart()
    like = av.VideoFrame(256, 96, "yuv444p")
    like.colorspace, like.color_range = matrix, color_range
    out = FrameConverter().to_frame(torch.from_numpy(rgb), like, same_size(256, 96))
    planes = np.stack([bytes_of(out, i)[:, :256] for i in range(3)], -1)
    assert np.abs(planes - to_yuv(rgb, matrix, color_range).clip(0, 255)).max() <= 1.5


@pytest.mark.parametrize(
    ("width", "height", "matrix"),
    [(640, 480, BT601), (720, 576, BT601), (1280, 532, BT709), (960, 720, BT709)],
)
def test_untagged_frames_are_709_when_large(width: int, height: int, matrix: int) -> None:
    rgb = chart(width, height)
    picture = FrameConverter().to_rgb(yuv444_frame(rgb, matrix, LIMITED), same_size(width, height))
    assert np.abs(picture.numpy().astype(int) - rgb).max() <= 2


def test_yuvj_is_full_range_without_a_tag() -> None:
    rgb = chart()
    values = np.rint(to_yuv(rgb, BT601, FULL)).clip(0, 255).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(values.transpose(2, 0, 1)), "yuvj444p")
    picture = FrameConverter().to_rgb(frame, same_size(256, 96))
    assert np.abs(picture.numpy().astype(int) - rgb).max() <= 2


def test_grey_is_full_range_without_a_tag_and_limited_with_one() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (32, 1))
    frame = av.VideoFrame.from_ndarray(ramp, "gray")
    full = FrameConverter().to_rgb(frame, same_size(256, 32))[0, :, 0].numpy()
    frame.color_range = LIMITED
    limited = FrameConverter().to_rgb(frame, same_size(256, 32))[0, :, 0].numpy()
    assert np.abs(full.astype(int) - np.arange(256)).max() <= 1
    expected = ((np.arange(256) - 16) * 255 / 219).clip(0, 255)
    assert np.abs(limited - expected).max() <= 1.5


@pytest.mark.parametrize("tags", [(2, 0), (BT709, LIMITED), (BT601, FULL), (BT2020, LIMITED)])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_survives_the_round_trip(name: str, tags: tuple[int, int]) -> None:
    frame = frame_of(chart(), name, *tags)
    converter, fitted = FrameConverter(), same_size(256, 96)
    out = converter.to_frame(converter.to_rgb(frame, fitted), frame, fitted)
    assert (out.width, out.height, out.format.name) == (256, 96, name)
    assert (out.pts, out.time_base) == (1234, Fraction(1, 90000))
    assert (out.colorspace, out.color_range) == tags
    difference = np.abs(rgb_of(out, tags) - rgb_of(frame, tags))
    assert inside_bars(difference).max() <= 2
    assert np.median(np.abs(samples(out) - samples(frame))) <= 2


def rgb_of(frame: av.VideoFrame, tags: tuple[int, int]) -> NDArray[np.int64]:
    return FrameConverter().to_rgb(frame, same_size(frame.width, frame.height)).numpy().astype(int)


def inside_bars(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Without the columns where bars meet, which subsampled chroma cannot keep."""
    columns = np.arange(values.shape[1]) % 32
    rows = np.abs(np.arange(values.shape[0]) - values.shape[0] // 2) > 8
    return np.asarray(values[rows][:, (columns > 9) & (columns < 22)], np.int64)


@pytest.mark.parametrize("size", [(641, 359), (33, 17), (16, 16), (255, 96)])
@pytest.mark.parametrize("name", ["yuv420p", "yuv422p10le", "nv12", "yuva420p", "gray", "rgba"])
def test_odd_sizes_keep_their_size(name: str, size: tuple[int, int]) -> None:
    frame = frame_of(np.full((size[1], size[0], 3), (200, 90, 40), np.uint8), name)
    converter, fitted = FrameConverter(), geometry(*size)
    picture = converter.to_rgb(frame, fitted)
    out = converter.to_frame(picture, frame, fitted)
    assert picture.shape == (fitted.height, fitted.width, 3)
    assert (out.width, out.height) == size
    assert np.abs(rgb_of(out, (2, 0)) - rgb_of(frame, (2, 0))).max() <= 2


@pytest.mark.parametrize("fit", ["stretch", "contain", "cover"])
@pytest.mark.parametrize("mix", [1.0, 0.5])
@pytest.mark.parametrize(
    "name", ["rgba", "bgra", "argb", "yuva420p", "yuva444p10le", "gbrap", "ya8"]
)
def test_alpha_is_kept_to_the_bit(name: str, mix: float, fit: str) -> None:
    generator = np.random.default_rng(1)
    rgba = generator.integers(0, 256, (48, 64, 4), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(rgba, "rgba").reformat(format=name)
    converter, fitted = FrameConverter(), geometry(64, 48, size=64, fit=fit, shape="square")
    black = torch.zeros(fitted.height, fitted.width, 3, dtype=torch.uint8)
    out = converter.to_frame(black, frame, fitted, mix)
    assert np.array_equal(alpha(out), alpha(frame))


def alpha(frame: av.VideoFrame) -> Array:
    return bytes_of(frame.reformat(format="rgba"), 0)[:, 3 : 4 * frame.width : 4]


def test_mix_blends_with_the_original_in_rgb() -> None:
    red = np.full((32, 48, 3), (255, 0, 0), np.uint8)
    blue = torch.tensor([0, 0, 255], dtype=torch.uint8).expand(32, 48, 3).contiguous()
    out = FrameConverter().to_frame(blue, red, same_size(48, 32), 0.25)
    assert np.array_equal(out, np.full((32, 48, 3), (191, 0, 64), np.uint8))


def test_cover_keeps_the_border_of_the_original() -> None:
    red = np.full((64, 128, 3), (255, 0, 0), np.uint8)
    fitted = geometry(128, 64, size=64, shape="square", fit="cover")
    out = FrameConverter().to_frame(torch.zeros(64, 64, 3, dtype=torch.uint8), red, fitted)
    assert np.array_equal(out[:, :32], red[:, :32])
    assert np.array_equal(out[:, 96:], red[:, 96:])
    assert not out[:, 32:96].any()


def test_contain_pads_with_the_edge_and_crops_it_again() -> None:
    rows = np.linspace(0, 250, 64).astype(np.uint8)[:, None, None]
    frame = np.broadcast_to(rows, (64, 128, 3))
    fitted = geometry(128, 64, size=128, shape="square", fit="contain")
    converter = FrameConverter()
    picture = converter.to_rgb(frame, fitted)
    assert bool((picture[:32] == picture[32]).all())
    assert np.array_equal(converter.to_frame(picture, frame, fitted), frame)


def test_input_and_earlier_outputs_are_never_written() -> None:
    converter, fitted = FrameConverter(), same_size(64, 48)
    frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 9, np.uint8), "rgb24")
    picture = converter.to_rgb(frame, fitted)
    picture += 1
    first = converter.to_frame(picture, frame, fitted)
    second = converter.to_frame(picture + 50, first, fitted)
    assert frame.to_ndarray().max() == 9
    assert first.to_ndarray().max() == 10
    assert second.to_ndarray().max() == 60


def test_rotation_and_tags_of_the_input_reach_the_output() -> None:
    frame = frame_of(chart(), "yuv420p", BT709, LIMITED)
    frame.color_trc, frame.color_primaries = 1, 1
    converter, fitted = FrameConverter(), geometry(256, 96)
    out = converter.to_frame(converter.to_rgb(frame, fitted), frame, fitted)
    assert (out.color_trc, out.color_primaries) == (1, 1)
    assert (frame.color_trc, frame.color_primaries) == (1, 1)
    assert out.pict_type == 0


@pytest.mark.parametrize("size", [(1, 1), (15, 400), (1280, 8)])
def test_tiny_frames_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(FrameError, match="at least 16×16"):
        geometry(*size)


def test_an_8k_frame_is_converted() -> None:
    frame = av.VideoFrame(7680, 4320, "yuv420p")
    converter, fitted = FrameConverter(), geometry(7680, 4320)
    out = converter.to_frame(converter.to_rgb(frame, fitted), frame, fitted)
    assert (out.width, out.height) == (7680, 4320)


@pytest.mark.parametrize(
    "array",
    [np.zeros((32, 32), np.uint8), np.zeros((32, 32, 4), np.uint8), np.zeros((32, 32, 3)), "frame"],
)
def test_anything_but_an_rgb_array_is_refused(array: object) -> None:
    with pytest.raises(FrameError, match="uint8"):
        FrameConverter().to_rgb(array, same_size(32, 32))  # type: ignore[arg-type]


def test_unconvertible_matrices_and_palettes_are_refused() -> None:
    frame = av.VideoFrame(32, 32, "yuv420p")
    frame.colorspace = 8
    with pytest.raises(FrameError, match=r"BT\.709"):
        FrameConverter().to_rgb(frame, same_size(32, 32))
    palette = av.VideoFrame(32, 32, "pal8")
    with pytest.raises(FrameError, match="pal8"):
        FrameConverter().to_frame(
            torch.zeros(32, 32, 3, dtype=torch.uint8), palette, same_size(32, 32)
        )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (512, 320)),
        ({"size": 256}, (256, 128)),
        ({"size": 256, "side": "shorter"}, (448, 256)),
        ({"shape": "square"}, (512, 512)),
        ({"size": 300, "shape": "square"}, (320, 320)),
    ],
)
def test_the_working_picture_has_the_size_that_was_set(
    settings: dict[str, object], expected: tuple[int, int]
) -> None:
    fitted = geometry(1280, 720, **settings)
    assert (fitted.width, fitted.height) == expected


def test_an_extreme_strip_is_refused_with_a_shorter_side() -> None:
    with pytest.raises(FrameError, match="8192"):
        geometry(16, 16384, size=512, side="shorter")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rgb_and_images_have_the_same_levels(dtype: torch.dtype) -> None:
    levels = torch.arange(256, dtype=torch.uint8).reshape(16, 16, 1).expand(16, 16, 3)
    image = image_from_rgb([levels, levels.flip(0)], "cpu", dtype)
    assert image.shape == (2, 3, 16, 16)
    assert image.is_contiguous(memory_format=torch.channels_last)
    first, second = rgb_from_image(image)
    tolerance = 0 if dtype == torch.float32 else 1
    assert int((first.int() - levels.int()).abs().max()) <= tolerance
    assert first.data_ptr() != second.data_ptr()
    assert first.is_contiguous()

"""Detail of the frame in the enlarged result."""

from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from turbolens.filter import FilterSettings
from turbolens.filter.frames.conversion import FrameConverter, working_geometry
from turbolens.filter.frames.geometry import Geometry

Array = NDArray[np.uint8]
WIDTH, HEIGHT, SIZE = 384, 256, 128


def scene() -> Array:
    """Sharp shapes of many contrasts on a slope, RGB (HEIGHT, WIDTH, 3)."""
    generator = np.random.default_rng(3)
    columns = np.linspace(60, 180, WIDTH)[None, :, None]
    image = np.repeat(np.repeat(columns, HEIGHT, 0), 3, 2).astype(np.uint8)
    for _ in range(60):
        x, y = generator.integers(0, WIDTH), generator.integers(0, HEIGHT)
        colour = [int(value) for value in generator.integers(0, 256, 3)]
        cv2.circle(image, (int(x), int(y)), int(generator.integers(3, 24)), colour, -1)
    return image


def geometry(**changes: Any) -> Geometry:
    settings = FilterSettings(size=SIZE, **changes)
    return working_geometry(WIDTH, HEIGHT, settings, native_size=SIZE, multiple=8)


def softened(rgb: Array, fitted: Geometry, sigma: float = 1.2) -> torch.Tensor:
    """The frame at the working size, smooth as an autoencoder makes it."""
    working = FrameConverter().to_rgb(rgb, fitted).numpy()
    return torch.from_numpy(cv2.GaussianBlur(working, (0, 0), sigma))


def filtered(frame: Any, result: torch.Tensor, detail: float, **changes: Any) -> Any:
    return FrameConverter().to_frame(result, frame, geometry(**changes), detail=detail)


def edges(image: Array) -> NDArray[np.float32]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    x, y = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    return np.asarray(np.hypot(x, y)).ravel()


def agreement(first: Array, second: Array) -> float:
    return float(np.corrcoef(edges(first), edges(second))[0, 1])


def distance(first: Array, second: Array) -> float:
    """Mean distance of luma."""
    luma = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).astype(float) for each in (first, second)]
    return float(np.abs(luma[0] - luma[1]).mean())


def frame_of(rgb: Array, name: str) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format=name)


@pytest.mark.parametrize(
    "name", ["yuv420p", "yuvj420p", "nv12", "yuv444p", "yuyv422", "yuv420p10le", "rgb24", "bgra"]
)
def test_edges_of_the_frame_come_back_in_every_kind_of_format(name: str) -> None:
    image = scene()
    frame = frame_of(image, name)
    result = softened(image, geometry())
    plain, detailed = (
        filtered(frame, result, detail).reformat(format="rgb24").to_ndarray() for detail in (0, 1)
    )
    assert agreement(image, plain) < 0.75
    assert agreement(image, detailed) > 0.93


def test_arrays_get_the_detail_too() -> None:
    image = scene()
    result = softened(image, geometry())
    assert agreement(image, filtered(image, result, 1.0)) > 0.93


def test_an_inverted_look_gets_inverted_detail() -> None:
    image = scene()
    result = 255 - softened(image, geometry())
    plain, detailed = filtered(image, result, 0.0), filtered(image, result, 1.0)
    assert agreement(255 - image, detailed) > 0.93 > agreement(255 - image, plain)
    assert distance(255 - image, detailed) < 0.6 * distance(255 - image, plain)


def test_a_look_without_the_edges_stays_without_them() -> None:
    image = scene()
    flat = torch.full((geometry().height, geometry().width, 3), 120, dtype=torch.uint8)
    assert np.abs(filtered(image, flat, 1.0).astype(int) - 120).max() <= 1


def test_texture_of_the_result_stays() -> None:
    smooth = np.repeat(np.linspace(80, 160, WIDTH)[None, :, None], HEIGHT, 0).repeat(3, 2)
    fitted = geometry()
    strokes = np.random.default_rng(0).normal(120, 25, (fitted.height, fitted.width, 1))
    result = torch.from_numpy(strokes.clip(0, 255).astype(np.uint8).repeat(3, 2))
    frame = smooth.astype(np.uint8)
    plain, detailed = filtered(frame, result, 0.0), filtered(frame, result, 1.0)
    assert np.abs(plain.astype(int) - detailed).max() <= 1


def test_noise_of_a_flat_frame_is_not_added() -> None:
    noisy = np.random.default_rng(1).normal(128, 4, (HEIGHT, WIDTH, 1)).clip(0, 255)
    frame = noisy.astype(np.uint8).repeat(3, 2)
    flat = torch.full((geometry().height, geometry().width, 3), 90, dtype=torch.uint8)
    assert filtered(frame, flat, 1.0).std() < 0.3


def test_no_halo_beside_an_edge() -> None:
    step = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    step[:, WIDTH // 2 :] = 190
    detailed = filtered(step, softened(step, geometry()), 1.0)
    assert detailed.min() >= 60 - 13  # a tenth of the step
    assert detailed.max() <= 190 + 13


@pytest.mark.parametrize("changes", [{"shape": "square", "fit": "cover"}, {"shape": "square"}])
def test_every_fit_has_detail_and_keeps_its_border(changes: dict[str, Any]) -> None:
    image = scene()
    fitted = geometry(**changes)
    result = softened(image, fitted)
    detailed = filtered(image, result, 1.0, **changes)
    left, top, right, bottom = fitted.covered
    inside = np.s_[top:bottom, left:right]
    assert (
        agreement(np.ascontiguousarray(image[inside]), np.ascontiguousarray(detailed[inside])) > 0.9
    )
    assert np.array_equal(detailed[:, :left], image[:, :left])
    assert np.array_equal(detailed[:, right:], image[:, right:])


def test_a_frame_of_the_working_size_is_not_changed() -> None:
    image = np.ascontiguousarray(scene()[: SIZE // 2, :SIZE])
    same = working_geometry(SIZE, SIZE // 2, FilterSettings(), native_size=SIZE, multiple=8)
    result = softened(image, same)
    out = FrameConverter().to_frame(result, image, same, detail=1.0)
    assert np.array_equal(out, result.numpy())


def test_the_amount_is_continuous_and_the_input_is_not_written() -> None:
    image = scene()
    kept, result = image.copy(), softened(image, geometry())
    seen = [agreement(image, filtered(image, result, share)) for share in (0.0, 0.3, 0.6, 1.0)]
    assert seen == sorted(seen)
    assert np.array_equal(image, kept)

"""Motion and blending by OpenCV, against known flow and against the tensor versions."""

import pytest
import torch
from torch.nn import functional as F

from turbolens.filter import TurboModel
from turbolens.filter.acceleration.coherence import AcceleratedCoherence
from turbolens.filter.coherence.change import MotionEstimator
from turbolens.filter.coherence.motion import Motion
from turbolens.filter.coherence.opencv import OpenCvBlend, OpenCvMotion
from turbolens.filter.coherence.temporal_blend import TemporalBlend
from turbolens.filter.coherence.warping import warped
from turbolens.filter.frames.luma import resized

HEIGHT, WIDTH = 160, 224
TAU = torch.tensor(15.0)


def textured(seed: int) -> torch.Tensor:
    """Texture of several sizes, (1, 1, HEIGHT, WIDTH), 0…255."""
    generator = torch.Generator().manual_seed(seed)
    luma = torch.full((1, 1, HEIGHT, WIDTH), 128.0)
    for cells, strength in ((5, 40.0), (14, 25.0), (40, 15.0)):
        shapes = torch.randn(1, 1, cells, cells, generator=generator)
        luma += strength * torch.nn.functional.interpolate(shapes, (HEIGHT, WIDTH), mode="bicubic")
    return luma.clamp(0, 255)


def results(now: torch.Tensor, past: torch.Tensor) -> tuple[torch.Tensor, ...]:
    found = OpenCvMotion()(now, past, past, TAU)
    assert found is not None
    return found


def motion(now: torch.Tensor, past: torch.Tensor) -> Motion:
    return Motion(*results(now, past)[:3])


def error(found: Motion, flow: torch.Tensor, rim: int = 24) -> float:
    difference = (found.at(HEIGHT, WIDTH) - flow).square().sum(dim=1).sqrt()
    return float(difference[..., rim:-rim, rim:-rim].mean())


@pytest.mark.parametrize("move", [(0.0, 0.0), (0.3, -0.6), (2.5, 1.0), (-7.0, 4.0), (15.0, -9.0)])
def test_a_pan_is_found(move: tuple[float, float]) -> None:
    past, flow = textured(1), torch.tensor(move).view(1, 2, 1, 1).expand(1, 2, HEIGHT, WIDTH)
    now = warped(past, flow, "bicubic")
    assert error(motion(now, past), flow) < 0.1 + 0.02 * max(map(abs, move))


def test_a_turn_and_a_zoom_are_found() -> None:
    rows, columns = torch.meshgrid(
        torch.arange(HEIGHT) - 80.0, torch.arange(WIDTH) - 112.0, indexing="ij"
    )
    flow = torch.stack([0.02 * columns - 0.03 * rows, 0.03 * columns + 0.02 * rows])[None]
    past = textured(2)
    assert error(motion(warped(past, flow, "bicubic"), past), flow) < 0.35


def test_a_change_of_light_is_no_motion() -> None:
    past = textured(3)
    assert motion(past * 0.6 + 20, past).length().mean() < 0.1


def test_flow_back_and_forth_disagrees_where_something_was_uncovered() -> None:
    background, figure = textured(4), textured(5)

    def scene(left: int) -> torch.Tensor:
        luma = background.clone()
        luma[..., 20:140, left : left + 120] = figure[..., 20:140, 20:140]
        return luma

    agreement = resized(motion(scene(84), scene(68)).agreement, HEIGHT, WIDTH)
    uncovered, inside = agreement[..., 30:130, 69:82], agreement[..., 50:110, 120:170]
    assert uncovered.mean() < 0.8 * inside.mean()
    assert inside.mean() > 0.7


def test_another_scene_does_not_match() -> None:
    assert motion(textured(6), textured(7)).mismatch > 0.3
    moved = warped(textured(6), torch.tensor([8.0, 3.0]).view(1, 2, 1, 1).expand(1, 2, 160, 224))
    assert motion(moved, textured(6)).mismatch < 0.15


def test_a_flat_frame_has_no_motion() -> None:
    flat = torch.full((1, 1, HEIGHT, WIDTH), 90.0)
    found = motion(flat, flat)
    assert found.length().max() == 0
    assert found.mismatch == 0


@pytest.mark.parametrize("size", [(32, 32), (36, 64), (62, 100), (131, 77)])
def test_every_size_is_accepted(size: tuple[int, int]) -> None:
    luma = torch.rand(1, 1, *size) * 255
    flow, agreement, _, past_weight, warped_luma = results(luma, luma)
    half = size[0] // 2, size[1] // 2
    assert (flow.shape, agreement.shape) == ((1, 2, *half), (1, 1, *half))
    assert past_weight.shape == warped_luma.shape == (1, 1, *size)


def test_tiny_frames_are_left_to_the_tensor_version() -> None:
    luma = torch.rand(1, 1, 16, 40) * 255
    assert OpenCvMotion()(luma, luma, luma, TAU) is None


def test_validity_of_the_past_is_close_to_the_tensor_version() -> None:
    flow = torch.tensor([2.5, 1.0]).view(1, 2, 1, 1).expand(1, 2, HEIGHT, WIDTH)
    past = textured(1)
    now = warped(past, flow, "bicubic")
    _, _, _, weight, luma = results(now, past)
    _, _, _, expected_weight, expected_luma = MotionEstimator()(now, past, past, TAU)
    inner = (..., slice(16, -16), slice(16, -16))
    assert (weight[inner] - expected_weight[inner]).abs().mean() < 0.05
    assert (luma[inner] - expected_luma[inner]).abs().mean() < 1.5


def test_the_same_frames_give_the_same_result() -> None:
    search, frames = OpenCvMotion(), (textured(1), textured(2))
    first, second = (search(*frames, frames[1], TAU) for _ in range(2))
    assert first is not None and second is not None  # noqa: PT018 - for the type checker
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def smooth(image: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(F.pad(image, (2, 2, 2, 2), mode="reflect"), 5, stride=1)


@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (32, 40), (131, 77)])
def test_blending_equals_the_tensor_version(size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    image, past = (smooth(torch.rand(1, 3, *size, generator=generator) * 2 - 1) for _ in range(2))
    flow = smooth(torch.randn(1, 2, size[0] // 2, size[1] // 2, generator=generator) * 12)
    weight = torch.rand(1, 1, *size, generator=generator)
    inputs = image, past, flow, weight, torch.tensor(0.8), torch.tensor(0.6)
    blended = OpenCvBlend()(*inputs)
    assert blended is not None
    assert torch.allclose(
        blended, TemporalBlend()(*inputs), atol=0.06
    )  # OpenCV interpolates in steps of 1/32 pixel
    assert (blended - TemporalBlend()(*inputs)).abs().mean() < 3e-3


@pytest.mark.parametrize("tau", [1e-6, 1e6])
def test_blending_at_the_ends_of_the_tolerance(tau: float) -> None:
    image, past = torch.zeros(1, 3, 64, 64), torch.full((1, 3, 64, 64), 0.5)
    still, ones = torch.zeros(1, 2, 32, 32), torch.ones(1, 1, 64, 64)
    blended = OpenCvBlend()(image, past, still, ones, torch.tensor(1.0), torch.tensor(tau))
    assert blended is not None
    assert torch.allclose(blended, image if tau < 1 else past, atol=1e-5)


def test_sensor_noise_is_no_motion() -> None:
    generator = torch.Generator().manual_seed(0)
    now, past = (textured(1) + 2 * torch.randn(1, 1, HEIGHT, WIDTH, generator=generator)
                 for _ in range(2))  # fmt: skip
    assert motion(now, past).length().mean() < 0.05


@pytest.mark.parametrize("size", [(2, 2), (16, 40)])
def test_tiny_frames_are_blended_by_the_tensor_version(size: tuple[int, int]) -> None:
    image = torch.zeros(1, 3, *size)
    flow, weight = torch.zeros(1, 2, size[0] // 2, size[1] // 2), torch.ones(1, 1, *size)
    assert OpenCvBlend()(image, image, flow, weight, torch.ones(()), torch.ones(())) is None
    accelerated = AcceleratedCoherence(torch.device("cpu"))
    blended = accelerated.blend(image, image, flow, weight, torch.ones(()), torch.ones(()))
    assert blended.shape == image.shape


def test_the_model_names_what_opencv_runs() -> None:
    used = TurboModel.load("embedded", device="cpu").accelerations
    assert {used["motion estimator"], used["temporal blend"]} == {"opencv"}
    assert used["predictor"] == "none"

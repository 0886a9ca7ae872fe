"""Dense motion, against flow that is known."""

import pytest
import torch

from turbolens.filter.coherence.motion import Motion, MotionFeatures
from turbolens.filter.coherence.warping import resized_flow, warped
from turbolens.filter.frames.luma import halved, luma_of, resized

HEIGHT, WIDTH = 160, 224


def _luma(seed: int) -> torch.Tensor:
    """Texture of several sizes, (1, 1, HEIGHT, WIDTH), 0…255."""
    generator = torch.Generator().manual_seed(seed)
    luma = torch.full((1, 1, HEIGHT, WIDTH), 128.0)
    for cells, strength in ((5, 40.0), (14, 25.0), (40, 15.0)):
        forms = torch.randn(1, 1, cells, cells, generator=generator)
        luma += strength * torch.nn.functional.interpolate(forms, (HEIGHT, WIDTH), mode="bicubic")
    return luma.clamp(0, 255)


def _field(x: float, y: float) -> torch.Tensor:
    return torch.tensor([x, y]).view(1, 2, 1, 1).expand(1, 2, HEIGHT, WIDTH)


def _motion(now: torch.Tensor, past: torch.Tensor) -> Motion:
    return MotionFeatures(halved(now)).motion_from(MotionFeatures(halved(past)))


def _error(motion: Motion, flow: torch.Tensor, rim: int = 24) -> float:
    apart = (motion.at(HEIGHT, WIDTH) - flow).square().sum(dim=1).sqrt()
    return float(apart[..., rim:-rim, rim:-rim].mean())


@pytest.mark.parametrize("move", [(0.0, 0.0), (0.3, -0.6), (2.5, 1.0), (-7.0, 4.0), (15.0, -9.0)])
def test_a_pan_is_found(move: tuple[float, float]) -> None:
    past, flow = _luma(1), _field(*move)
    now = warped(past, flow, "bicubic")
    assert _error(_motion(now, past), flow) < 0.1 + 0.02 * max(map(abs, move))


def test_a_turn_and_a_zoom_are_found() -> None:
    rows, columns = torch.meshgrid(torch.arange(HEIGHT) - 80.0, torch.arange(WIDTH) - 112.0,
                                   indexing="ij")  # fmt: skip
    flow = torch.stack([0.02 * columns - 0.03 * rows, 0.03 * columns + 0.02 * rows])[None]
    past = _luma(2)
    assert _error(_motion(warped(past, flow, "bicubic"), past), flow) < 0.35


def test_light_is_no_motion() -> None:
    past = _luma(3)
    assert _motion(past * 0.6 + 20, past).length().mean() < 0.05


def test_sensor_noise_is_little_motion() -> None:
    generator = torch.Generator().manual_seed(0)
    now, past = (_luma(3) + 3.0 * torch.randn(1, 1, HEIGHT, WIDTH, generator=generator)
                 for _ in range(2))  # fmt: skip
    assert _motion(now, past).length().mean() < 0.15


def test_ways_there_and_back_disagree_where_something_was_uncovered() -> None:
    background, figure = _luma(4), _luma(5)

    def scene(left: int) -> torch.Tensor:
        picture = background.clone()
        picture[..., 20:140, left : left + 120] = figure[..., 20:140, 20:140]
        return picture

    motion = _motion(scene(84), scene(68))
    agreement = resized(motion.agreement, HEIGHT, WIDTH)
    uncovered, inside = agreement[..., 30:130, 69:82], agreement[..., 50:110, 120:170]
    assert uncovered.mean() < 0.7 * inside.mean()
    assert inside.mean() > 0.7


def test_another_picture_does_not_match() -> None:
    assert _motion(_luma(6), _luma(7)).mismatch > 0.3
    assert _motion(warped(_luma(6), _field(8.0, 3.0)), _luma(6)).mismatch < 0.15


def test_a_flat_picture_has_no_motion() -> None:
    flat = torch.full((1, 1, HEIGHT, WIDTH), 90.0)
    motion = _motion(flat, flat)
    assert motion.length().max() == 0
    assert motion.mismatch == 0


@pytest.mark.parametrize("size", [(8, 8), (16, 40), (62, 100), (131, 77)])
def test_any_size_will_do(size: tuple[int, int]) -> None:
    picture = torch.rand(1, 1, *size) * 255
    motion = MotionFeatures(picture).motion_from(MotionFeatures(picture))
    assert motion.flow.shape == (1, 2, *size)
    assert motion.agreement.shape == (1, 1, *size)


def test_flow_on_another_grid_is_in_its_own_pixels() -> None:
    flow = torch.ones(1, 2, 10, 20)
    assert torch.allclose(resized_flow(flow, 5, 5, 1), torch.tensor([0.25, 0.5]).view(1, 2, 1, 1))


def test_warping_by_whole_pixels_shifts() -> None:
    image = torch.rand(1, 2, 12, 16)
    moved = warped(image, torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(1, 2, 12, 16))
    assert torch.allclose(moved[..., 1:, :-2], image[..., :-1, 2:], atol=1e-5)


def test_luma_is_that_of_bt601() -> None:
    red = torch.tensor([[[255, 0, 0]]], dtype=torch.uint8)
    assert luma_of(red).item() == pytest.approx(0.299 * 255)

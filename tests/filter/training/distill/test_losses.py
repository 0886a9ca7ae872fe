"""The losses of distillation against closed forms."""

import math

import pytest
import torch
from torch import Tensor

from turbolens.filter.coherence.warping import warped
from turbolens.filter.training.discriminator import (
    discriminator_loss,
    generator_loss,
    r1_penalty,
)
from turbolens.filter.training.distill.losses import distillation_loss, distillation_weight
from turbolens.filter.training.structure import identity_loss, noise_loss, structure_loss
from turbolens.filter.training.temporal import (
    inside,
    random_flow,
    random_window,
    temporal_loss,
    warped_photographs,
)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_hinge_loss_is_zero_beyond_the_margin_and_linear_within() -> None:
    sure = [torch.full((2, 3, 3), 1.5)], [torch.full((2, 3, 3), -1.5)]
    assert discriminator_loss(*sure) == 0
    unsure = [torch.full((2, 3, 3), 0.25)] * 2, [torch.full((2, 3, 3), -0.5)] * 2
    assert float(discriminator_loss(*unsure)) == pytest.approx(2 * (0.75 + 0.5))


def test_the_generator_loss_falls_with_the_scores() -> None:
    scores = [torch.full((2, 4, 4), 0.5), torch.full((2, 2, 2), 2.0)]
    assert float(generator_loss(scores)) == pytest.approx(-2.5)


def test_r1_of_linear_heads_is_the_square_of_their_weights() -> None:
    features = [drawn(4, 3, 2, 2).requires_grad_(), drawn(4, 5, 1, 1).requires_grad_()]
    weights = [torch.tensor([1.0, -2.0, 0.5]), torch.arange(5.0)]
    weights = [each.requires_grad_() for each in weights]
    pairs = zip(features, weights, strict=True)
    scores = [torch.einsum("bchw,c->bhw", feature, weight) for feature, weight in pairs]
    penalty = r1_penalty(scores, features)
    # The verdict is a mean over 4 places: each of them has a quarter of the weight.
    assert float(penalty.detach()) == pytest.approx(5.25 * 4 / 16 + 30)
    (gradient,) = torch.autograd.grad(penalty, weights[1])
    torch.testing.assert_close(gradient, 2 * torch.arange(5.0))


def test_noisier_timesteps_count_less() -> None:
    alphas = torch.tensor([0.81, 0.36])
    exponential = distillation_weight(alphas, "exponential")
    torch.testing.assert_close(exponential, torch.tensor([0.9, 0.6]))
    sds = distillation_weight(alphas, "sds")
    torch.testing.assert_close(sds, torch.tensor([0.9 / (2 * math.sqrt(0.19)), 0.6 / 1.6]))


def test_the_distillation_loss_by_sds_weights_has_the_gradient_of_score_distillation() -> None:
    alpha = torch.tensor(0.36)
    student, noise, predicted = drawn(1, 2, 3, 3).requires_grad_(), drawn(1, 2, 3, 3, seed=1), 0.3
    noisy = 0.6 * student.detach() + 0.8 * noise
    teacher = (noisy - 0.8 * predicted) / 0.6
    loss = distillation_loss(student, teacher, distillation_weight(alpha, "sds")) * 18
    (gradient,) = torch.autograd.grad(loss, student)
    torch.testing.assert_close(gradient, predicted - noise)  # w(t)·(ε_ψ − ε'), w = 1


def test_the_teacher_gets_no_gradient_from_the_distillation_loss() -> None:
    student, teacher = drawn(1, 2, 3, 3).requires_grad_(), drawn(1, 2, 3, 3).requires_grad_()
    distillation_loss(student, teacher, torch.ones(1, 1, 1, 1)).backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None
    assert teacher.grad is None


def test_the_identity_loss_counts_only_rows_with_their_own_caption() -> None:
    clean = torch.zeros(2, 1, 2, 2)
    denoised = torch.stack([torch.full((1, 2, 2), 2.0), torch.full((1, 2, 2), 9.0)])
    kept = torch.tensor([0.5, 1.0]).view(-1, 1, 1, 1)
    assert float(identity_loss(denoised, clean, kept, torch.tensor([1.0, 0.0]))) == 2.0
    assert float(identity_loss(denoised, clean, kept, torch.zeros(2))) == 0.0


def test_the_structure_loss_ignores_colour_and_contrast() -> None:
    latents, sure = drawn(2, 4, 8, 8), torch.ones(2, 1, 1, 1)
    recoloured = 3 * latents[:, [2, 0, 3, 1]] + 5
    assert float(structure_loss(recoloured, latents, sure)) == pytest.approx(0, abs=1e-4)
    moved = latents.roll(3, -1)
    assert float(structure_loss(moved, latents, sure)) > 0.5
    assert float(structure_loss(moved, latents, 0 * sure)) == 0


def test_the_noise_loss_is_the_difference_of_two_noise_samples() -> None:
    kept = torch.tensor([0.5]).view(1, 1, 1, 1)
    assert float(noise_loss(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), kept)) == 0.5


def test_moving_results_have_no_temporal_loss_and_fixed_noise_has() -> None:
    sure = torch.ones(2, 1, 1, 1)
    flow = random_flow(torch.Generator().manual_seed(1), 2, 24, 32)
    first = drawn(2, 3, 24, 32)
    moving = warped(first, flow)
    assert float(temporal_loss(first, moving, flow, sure)) == 0
    still = float(temporal_loss(first, first, flow, sure))
    assert still > 0.5
    flow = torch.full_like(flow, 1.0)
    expected = (first[..., :-1, :-1] - first[..., 1:, 1:]).square().mean()
    assert float(temporal_loss(first, first, flow, sure)) == pytest.approx(
        float(expected), rel=1e-4
    )
    halved = torch.tensor([0.5, 0.5]).view(2, 1, 1, 1)
    assert float(temporal_loss(first, first, flow, halved)) == pytest.approx(
        float(expected) / 2, rel=1e-4
    )


def test_pixels_from_outside_the_image_are_not_compared() -> None:
    flow = torch.zeros(1, 2, 4, 6)
    flow[:, 0] = 2.0
    assert inside(flow)[0, 0].tolist() == [[1, 1, 1, 1, 0, 0]] * 4


def test_warped_photographs_match_their_flow() -> None:
    smooth = torch.nn.functional.interpolate(drawn(2, 3, 4, 4).tanh(), (32, 48), mode="bicubic")
    pairs = warped_photographs(lambda _generator, count: smooth[:count])
    first, second, flow = pairs(torch.Generator().manual_seed(2), 2)
    assert flow.abs().max() > 1
    sure = torch.ones(2, 1, 1, 1)
    assert float(temporal_loss(first, second, flow, sure)) < 1e-3
    assert float(temporal_loss(first, first, flow, sure)) > 1e-2


def test_a_random_window_is_inside_the_image() -> None:
    generator = torch.Generator().manual_seed(0)
    rows, columns = random_window(generator, (8, 40), 16)
    assert (rows.start, rows.stop) == (0, 8)
    assert columns.stop - columns.start == 16
    assert 0 <= columns.start <= columns.stop <= 40

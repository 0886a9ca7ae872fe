"""The stage on pictures: views, critic and balance."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from turbolens.filter.training.autoencoder_stage import LATENT_CHANNELS, new_autoencoder
from turbolens.filter.training.charts import COLOURS, write_curves
from turbolens.filter.training.data import RENDERED, Renders
from turbolens.filter.training.denoiser_stage import Denoiser, Request, latent_loss
from turbolens.filter.training.picture_stage import (
    ADVERSARIAL_SHARE,
    CROP,
    PAIRED,
    SINGLE,
    Critic,
    PictureLosses,
    PictureModel,
    balance,
    view_difference,
)
from turbolens.filter.training.references.phrases import every_phrase
from turbolens.filter.training.text import WIDTH, new_tokenizer

STEPS = 100
IMPORTANCE = torch.ones(LATENT_CHANNELS)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def renders() -> Renders:
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (3, len(RENDERED), 3, 20, 20), dtype=np.uint8)
    return Renders(small.repeat(8, -1).repeat(8, -2))


@pytest.fixture(scope="module")
def model(renders: Renders) -> PictureModel:
    torch.manual_seed(0)
    photographs, _ = renders.draw(generator(), 8, 64, [])
    vae = new_autoencoder(photographs)
    return PictureModel(vae, Denoiser(new_tokenizer(every_phrase())))


def test_correct_views_have_no_difference_and_wrong_offsets_have() -> None:
    place = torch.rand(2, 3, 40, 40, generator=generator())
    first = place[..., :32, :32]
    second = torch.stack([place[0, :, 5:37, 3:35], place[1, :, 1:33, 7:39]])
    assert view_difference((first, second), [(3, 5), (7, 1)]) == 0
    assert view_difference((first, second), [(5, 3), (1, 7)]) > 0.1


def test_second_views_are_shifted_by_their_offsets(model: PictureModel, renders: Renders) -> None:
    losses, drawn = PictureLosses(model, renders, IMPORTANCE, STEPS), generator(3)
    photographs, target, rows, moved = losses.views(drawn, Request(drawn, SINGLE + PAIRED))
    assert photographs.shape == target.shape == (SINGLE + 2 * PAIRED, 3, CROP, CROP)
    assert rows[SINGLE:].tolist() == [*range(SINGLE, SINGLE + PAIRED)] * 2
    assert view_difference(photographs[SINGLE:].chunk(2), moved) == 0
    assert view_difference(target[SINGLE:].chunk(2), moved) == 0


def test_critic_and_denoiser_get_separate_gradients() -> None:
    critic, image = Critic(), torch.rand(2, 3, 32, 32).requires_grad_()
    about = torch.rand(2, 3, 32, 32), torch.rand(2, WIDTH), torch.rand(2)
    critic.frozen_scores(image, *about).sum().backward()  # type: ignore[no-untyped-call]
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in critic.parameters())
    torch.testing.assert_close(critic.frozen_scores(image, *about), critic(image, *about))


@pytest.mark.slow
def test_the_critic_trains_before_the_adversarial_loss_starts(
    model: PictureModel, renders: Renders
) -> None:
    losses = PictureLosses(model, renders, IMPORTANCE, STEPS)
    always = {"latents", "pixels", "edges", "steady"}
    assert set(losses(generator(), 0)) == always
    assert set(losses(generator(), 7)) == always | {"critic"}
    assert set(losses(generator(), 8)) == always | {"critic", "r1"}
    assert set(losses(generator(), 21)) == always | {"critic", "adversarial"}


def test_the_adversarial_gradient_is_a_fixed_share_of_the_pixel_gradient() -> None:
    image = torch.rand(2, 3, 8, 8, generator=generator()).requires_grad_()
    losses = {"pixels": image.square().mean(), "edges": image.diff(dim=-1).abs().mean()}
    judged = 7 * image.sin().mean()
    losses["adversarial"] = judged * balance(losses, judged, image)
    pull, asked = (
        torch.autograd.grad(each, image, retain_graph=True)[0].norm()
        for each in (losses["adversarial"], losses["pixels"] + losses["edges"])
    )
    assert float(pull) == pytest.approx(ADVERSARIAL_SHARE * float(asked), rel=1e-3)


def test_curves_include_losses_that_start_late_or_are_intermittent(tmp_path: Path) -> None:
    history = [{"a": 1.0}, {"a": 0.5, "b": 2.0}, {"a": 0.4}]
    file = tmp_path / "curves.png"
    write_curves(file, history)
    drawn = {colour for _, colour in Image.open(file).convert("RGB").getcolors(10**6) or ()}
    assert set(COLOURS[:2]) <= drawn
    assert COLOURS[2] not in drawn


@pytest.mark.slow
def test_the_autoencoder_is_frozen_and_all_else_is_trained(
    model: PictureModel, renders: Renders
) -> None:
    losses = PictureLosses(model, renders, IMPORTANCE, STEPS)(generator(), 50)
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is None for weight in model.vae.parameters())
    for learns in (
        model.denoiser.unet,
        model.denoiser.text_encoder,
        model.critic,
    ):
        gradients = [each.grad for each in learns.parameters() if each.grad is not None]
        assert sum(float(each.abs().sum()) for each in gradients) > 0
    model.zero_grad(set_to_none=True)


def test_the_latent_loss_weights_channels_by_importance() -> None:
    wanted, importance = torch.zeros(1, 2, 3, 3), torch.tensor([3.0, 1.0])
    first, second = (torch.eye(2)[index].view(1, 2, 1, 1).expand(1, 2, 3, 3) for index in (0, 1))
    assert float(latent_loss(first, wanted, importance)) == pytest.approx(0.75)
    assert float(latent_loss(second, wanted, importance)) == pytest.approx(0.25)

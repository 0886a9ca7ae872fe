"""The third stage: UNet and text encoder, trained through the frozen decoder.

Losses of latents, pixels and edges against the rendering of the look, a critic trained on such
renderings, and consistency with a second view that is shifted by a few pixels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from turbolens.filter.networks import Autoencoder

from .autoencoder_stage import PATCH, edge_loss, pixel_loss
from .data import Renders
from .denoiser_stage import Denoiser, Request, latent_loss, look_share
from .discriminator import discriminator_loss, frozen, generator_loss
from .loop import Losses
from .text import WIDTH as TEXT_WIDTH

CROP = 128
SINGLE, PAIRED = 6, 2  # crops per step; each paired one has a second view
SENSOR_NOISE = 0.04  # maximum of a camera's, standard deviation of images in −1…1
STEADY = 0.25
ADVERSARIAL_SHARE = 0.25  # of the gradient of pixels and edges at the image
CRITIC_FROM, ADVERSARIAL_FROM = 0.06, 0.14  # share of all steps at which each starts
R1, R1_EVERY = 5.0, 8
CRITIC_WIDTHS = 48, 96, 128


class Critic(nn.Module):
    """Scores positions of an image, given the photograph, the prompt and the share of the look.

    Three strided convolutions, one more, and a projection score (Miyato and Koyama, 2018), like the
    heads of `discriminator`; on pixels, where artefacts of the latent grid are visible.
    """

    def __init__(self) -> None:
        super().__init__()
        first, second, third = CRITIC_WIDTHS
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(6, first, 4, 2, 1),
                nn.Conv2d(first, second, 4, 2, 1),
                nn.Conv2d(second, third, 4, 2, 1),
                nn.Conv2d(third, third, 3, 1, 1),
            ]
        )
        self.score = nn.Conv2d(third, 1, 1)
        self.about = nn.Linear(TEXT_WIDTH + 1, third)

    def forward(self, image: Tensor, photograph: Tensor, words: Tensor, share: Tensor) -> Tensor:
        """Images (B, 3, H, W) in −1…1, words (B, TEXT_WIDTH), share (B,) → (B, H/8, W/8)."""
        hidden = torch.cat([image, photograph], 1).contiguous(memory_format=torch.channels_last)
        for convolution in self.convolutions:
            hidden = F.leaky_relu(convolution(hidden), 0.2)
        condition = self.about(
            torch.cat([F.layer_norm(words, words.shape[-1:]), share[:, None]], 1)
        )
        agreement = torch.einsum("bchw,bc->bhw", hidden, condition) / hidden.shape[1] ** 0.5
        scores: Tensor = self.score(hidden)[:, 0] + agreement
        return scores

    def frozen_scores(
        self, image: Tensor, photograph: Tensor, words: Tensor, share: Tensor
    ) -> Tensor:
        """As `forward`, without gradients of the weights: the scores that train the denoiser."""
        scores: Tensor = frozen(self, image, photograph, words, share)
        return scores


class PictureModel(nn.Module):
    """The trained modules of the stage, and the frozen autoencoder.

    A trained encoder would move the denoiser's target. A decoder trained together with the denoiser
    settles on blur: for thin lines of uncertain position, as in neon, a blurred image has a smaller
    error than any sharp one.
    """

    def __init__(self, vae: Autoencoder, denoiser: Denoiser) -> None:
        super().__init__()
        self.vae, self.denoiser, self.critic = vae, denoiser, Critic()
        vae.requires_grad_(False)

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in −1…1 → latents."""
        latents: Tensor = self.vae.encode(
            images.contiguous(memory_format=torch.channels_last)
        ).latents
        return latents


class PictureLosses:
    """The losses of one step of `steps`; all random numbers come from the stage's generator.

    importance: (channels,), as from `channel_importance`.
    """

    def __init__(
        self, model: PictureModel, renders: Renders, importance: Tensor, steps: int
    ) -> None:
        self.model, self.renders = model, renders
        self.importance, self.steps = importance, steps

    def __call__(self, generator: torch.Generator, step: int) -> Losses:
        """By name: latents, pixels, edges, steady; later also critic and adversarial."""
        model, request = self.model, Request(generator, SINGLE + PAIRED)
        photographs, target, rows, moved = self.views(generator, request)
        given = photographs + self._sensor_noise(photographs, generator)
        latents, wanted = model.encode(given), model.encode(target)
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        noise[SINGLE + PAIRED :] = noise[SINGLE : SINGLE + PAIRED]  # a filter's noise is constant
        words = request.embed(model.denoiser)[rows]
        strength = request.strength[rows].to(latents)
        denoised = model.denoiser(latents, noise, strength, words)
        image = model.vae.decode(denoised).sample
        losses = {
            "latents": latent_loss(denoised, wanted, self.importance),
            "pixels": pixel_loss(image, target),
            "edges": edge_loss(image, target),
            "steady": STEADY * view_difference(image[SINGLE:].chunk(2), moved),
        }
        conditions = (photographs, words.detach().mean(1), look_share(strength))
        if step >= CRITIC_FROM * self.steps:
            losses |= self._critic(image, target, conditions, step)
        if step >= ADVERSARIAL_FROM * self.steps:
            adversarial = generator_loss([model.critic.frozen_scores(image, *conditions)])
            losses["adversarial"] = adversarial * balance(losses, adversarial, image)
        return losses

    def views(
        self, generator: torch.Generator, request: Request
    ) -> tuple[Tensor, Tensor, Tensor, list[tuple[int, int]]]:
        """Photographs and targets of all views, each view's row of the request, and the offsets
        (x, y) of the second views in pixels."""
        drawn, looks = self.renders.draw(
            generator, SINGLE + PAIRED, CROP + PATCH, [request.first, request.second]
        )
        both = torch.cat([drawn, request.target(drawn, *looks)], 1).to(self.model.vae.device)
        moved = torch.randint(1, PATCH, (PAIRED, 2), generator=generator).tolist()
        first = both[..., :CROP, :CROP]
        second = [both[SINGLE + i, :, y : y + CROP, x : x + CROP] for i, (x, y) in enumerate(moved)]
        views = torch.cat([first, torch.stack(second)])
        rows = torch.tensor([*range(SINGLE + PAIRED), *range(SINGLE, SINGLE + PAIRED)])
        return views[:, :3], views[:, 3:], rows, [(x, y) for x, y in moved]

    @staticmethod
    def _sensor_noise(photographs: Tensor, generator: torch.Generator) -> Tensor:
        """Camera noise of a random strength per view, so that the network learns to remove it."""
        spread = SENSOR_NOISE * torch.rand(len(photographs), 1, 1, 1, generator=generator) ** 2
        return (spread * torch.randn(photographs.shape, generator=generator)).to(photographs)

    def _critic(
        self, image: Tensor, target: Tensor, conditions: tuple[Tensor, Tensor, Tensor], step: int
    ) -> Losses:
        critic, real = self.model.critic, target.detach()
        penalised = step % R1_EVERY == 0
        real = real.requires_grad_(penalised)
        real_scores, scores = critic(real, *conditions), critic(image.detach(), *conditions)
        losses = {"critic": discriminator_loss([real_scores], [scores])}
        if penalised:
            (gradient,) = torch.autograd.grad(
                real_scores.mean((1, 2)).sum(), real, create_graph=True
            )
            losses["r1"] = R1 * R1_EVERY * gradient.square().sum((1, 2, 3)).mean()
        return losses


def balance(losses: Losses, adversarial: Tensor, image: Tensor) -> Tensor:
    """The weight that makes the critic's gradient at the image `ADVERSARIAL_SHARE` of that of
    pixels and edges (after Esser et al., 2021, who balance at the decoder's last layer)."""
    error = losses["pixels"] + losses["edges"]
    error_gradient = torch.autograd.grad(error, image, retain_graph=True)[0]
    adversarial_gradient = torch.autograd.grad(adversarial, image, retain_graph=True)[0]
    weight: Tensor = (
        ADVERSARIAL_SHARE * error_gradient.norm() / (adversarial_gradient.norm() + 1e-9)
    )
    return weight.clamp(max=1e3).detach()


def view_difference(views: tuple[Tensor, ...], moved: list[tuple[int, int]]) -> Tensor:
    """Mean absolute difference of two views (B, 3, H, W) where they overlap.

    The second view of row i is `moved[i]` = (x, y) pixels right of and below the first: a known
    motion without resampling.
    """
    distances = []
    for first, second, (x, y) in zip(*views, moved, strict=True):
        height, width = first.shape[-2:]
        distances.append((first[:, y:, x:] - second[:, : height - y, : width - x]).abs().mean())
    return torch.stack(distances).mean()

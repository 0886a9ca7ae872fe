"""The losses of one distillation step, for the student and the discriminator's heads."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from turbolens.filter.diffusion.prompts import PromptEmbeds
from turbolens.filter.diffusion.timesteps import trailing_timesteps
from turbolens.filter.training.captions import CaptionedPictures
from turbolens.filter.training.discriminator import (
    Condition,
    discriminator_loss,
    generator_loss,
    r1_penalty,
)
from turbolens.filter.training.features import encoder_features, image_feature, time_feature
from turbolens.filter.training.loop import Losses
from turbolens.filter.training.networks import Networks, rows_of
from turbolens.filter.training.structure import (
    identity_loss,
    noise_loss,
    structure_loss,
    visible_timesteps,
)
from turbolens.filter.training.temporal import FramePairs, random_window, temporal_loss

from .losses import Weighting, distillation_loss, distillation_weight
from .trajectory import Samples, timestep_shares

RESTYLED_SHARE = 0.5  # of the rows have another picture's caption as prompt
WINDOW = 32  # latents per side that are decoded with gradients
LAST_SHARE = 0.3  # of the rows are at the last timestep, the others evenly at the rest
PURE_NOISE_SHARE = 0.5  # of the rows at the last timestep have no picture, as in text to image
FEATURE_NOISE = 0.0, 1.0  # mean and deviation of the logit of the discriminator's timesteps


@dataclass(frozen=True)
class Recipe:
    """The settings of a distillation. Weights multiply the losses; 0 omits a loss.

    student_steps: the number of student timesteps, evenly spaced from the schedule's last.
    distillation: λ. r1: γ. guidance: of the teacher. batch: pictures per step; half as many more
    are denoised with other noise, half as many are samples of the teacher, and a quarter (at least
    one) are pairs of frames. heads_first: the number of steps that train only the heads, since the
    gradients of untrained heads would mislead the student.
    """

    student_steps: int = 4
    batch: int = 8
    guidance: float = 3.0
    weighting: Weighting = "exponential"
    adversarial: float = 1.0
    distillation: float = 2.5
    r1: float = 1e-5
    identity: float = 1.0
    structure: float = 0.25
    noise: float = 2.0
    temporal: float = 4.0
    trajectory: float = 1.0
    heads_first: int = 60


@dataclass(frozen=True, eq=False)
class Batch:
    """The inputs of the student, and the real images that the heads compare with.

    clean: x₀ (B, C, h, w). shown: the same, or zeros if the student starts from noise alone.
    like: (B,) the row whose picture has the prompt as its caption: the same row or another.
    own: (B,) 1 if the prompt is the caption of the shown picture, else 0. text: the prompts.
    timesteps: s (B,). weight: (B, 1, 1, 1), of the image-to-image losses.
    """

    clean: Tensor
    shown: Tensor
    like: Tensor
    own: Tensor
    text: PromptEmbeds
    empty: PromptEmbeds
    timesteps: Tensor
    weight: Tensor


class Distillation:
    """The weighted losses of a step, called by a training stage.

    pairs: frames with known optical flow. samples: of the teacher, from noise alone; `None` omits
    their loss. All random numbers come from the stage's generator on the CPU, so that a resumed run
    gives the same result bit for bit.
    """

    def __init__(
        self,
        networks: Networks,
        data: CaptionedPictures,
        pairs: FramePairs,
        recipe: Recipe,
        samples: Samples | None = None,
    ) -> None:
        self.networks, self.data, self.pairs, self.recipe = networks, data, pairs, recipe
        self.samples = samples
        count = len(networks.teacher)
        self.student_timesteps = torch.tensor(trailing_timesteps(recipe.student_steps, count))
        self._shares = timestep_shares(recipe.student_steps, LAST_SHARE)
        self.visible = torch.tensor(visible_timesteps(recipe.student_steps, count))

    def __call__(self, generator: torch.Generator, step: int) -> Losses:
        """All losses by name. Each gives gradients to either the student or the heads."""
        recipe, batch = self.recipe, self._draw(generator)
        noise = self._noise(batch.clean, generator)
        if recipe.adversarial and step < recipe.heads_first:
            return self._heads_alone(noise, batch, generator)
        denoised = self._student(batch.shown, noise, batch)
        losses: Losses = {}
        if recipe.adversarial:
            losses |= self._adversarial(denoised, batch, generator)
        # In this order: each loss draws from the generator in turn.
        weighted: dict[str, tuple[float, Callable[[], Tensor]]] = {
            "distillation": (
                recipe.distillation, lambda: self._distillation(denoised, batch, generator)
            ),
            "identity": (
                recipe.identity,
                lambda: identity_loss(denoised, batch.clean, batch.weight, batch.own),
            ),
            "structure": (
                recipe.structure, lambda: structure_loss(denoised, batch.clean, batch.weight)
            ),
            "noise": (recipe.noise, lambda: self._noise_difference(denoised, batch, generator)),
            "temporal": (recipe.temporal, lambda: self._warp_error(batch, generator)),
            "trajectory": (
                recipe.trajectory if self.samples is not None else 0.0,
                lambda: self._trajectory(generator),
            ),
        }  # fmt: skip
        return losses | {
            name: weight * loss() for name, (weight, loss) in weighted.items() if weight
        }

    def _heads_alone(self, noise: Tensor, batch: Batch, generator: torch.Generator) -> Losses:
        """The losses of the heads; the student does not learn yet."""
        with torch.no_grad():
            denoised = self._student(batch.shown, noise, batch)
        losses = self._adversarial(denoised, batch, generator)
        return {name: losses[name] for name in ("discriminator", "r1")}

    def _trajectory(self, generator: torch.Generator) -> Tensor:
        assert self.samples is not None  # noqa: S101 - called only if there are samples
        return self.samples.loss(self.networks, generator, max(1, self.recipe.batch // 2))

    def _draw(self, generator: torch.Generator) -> Batch:
        size, device = self.recipe.batch, self.networks.teacher.device
        images, captions = self.data.draw(generator, size)
        rows = torch.arange(size)
        other = torch.rand(size, generator=generator) < RESTYLED_SHARE
        like = torch.where(other, rows.roll(1), rows).to(device)
        timesteps, clean = self._student_timesteps(generator, size), self.networks.encode(images)
        pure_noise = (torch.rand(size, generator=generator) < PURE_NOISE_SHARE).to(device)
        has_picture = ~(pure_noise & (timesteps == len(self.networks.teacher) - 1))
        return Batch(
            clean=clean,
            shown=clean * has_picture.view(-1, 1, 1, 1),
            like=like,
            own=((like == rows.to(device)) & has_picture).float(),
            text=rows_of(self.networks.texts(captions), like),
            empty=self.networks.texts([""] * size),
            timesteps=timesteps,
            weight=self._weight(timesteps) * has_picture.view(-1, 1, 1, 1),
        )

    def _weight(self, timesteps: Tensor) -> Tensor:
        """α_s as (B, 1, 1, 1), but 0 at the last timestep, where the input is not visible."""
        signal = self.networks.student.alphas_cumprod(timesteps).sqrt()
        return signal * torch.isin(timesteps, self.visible.to(timesteps)).view(-1, 1, 1, 1)

    def _student_timesteps(self, generator: torch.Generator, count: int) -> Tensor:
        which = torch.multinomial(self._shares, count, replacement=True, generator=generator)
        return self.student_timesteps[which].to(self.networks.student.device)

    def _noise(self, like: Tensor, generator: torch.Generator) -> Tensor:
        return torch.randn(like.shape, generator=generator).to(like)

    def _student(
        self, clean: Tensor, noise: Tensor, batch: Batch, rows: slice | Tensor = slice(None)
    ) -> Tensor:
        """x̂_θ(x_s, s, c) of latents, with the timesteps and prompts of `rows` of the batch."""
        return self._denoised(clean, noise, batch.timesteps[rows], rows_of(batch.text, rows))

    def _denoised(
        self, clean: Tensor, noise: Tensor, timesteps: Tensor, text: PromptEmbeds
    ) -> Tensor:
        student = self.networks.student
        return student.denoised(student.noisy(clean, noise, timesteps), timesteps, text)

    def _distillation(self, denoised: Tensor, batch: Batch, generator: torch.Generator) -> Tensor:
        """The distance of the result to the teacher's correction of it, at a random timestep."""
        teacher = self.networks.teacher
        timesteps = torch.randint(len(teacher), (len(denoised),), generator=generator)
        timesteps = timesteps.to(teacher.device)
        with torch.no_grad():
            noise = self._noise(denoised, generator)
            noisy = teacher.noisy(denoised.detach(), noise, timesteps)
            target = teacher.guided(noisy, timesteps, batch.text, batch.empty, self.recipe.guidance)
        alphas = teacher.alphas_cumprod(timesteps)
        return distillation_loss(
            denoised, target, distillation_weight(alphas, self.recipe.weighting)
        )

    def _adversarial(self, denoised: Tensor, batch: Batch, generator: torch.Generator) -> Losses:
        """The losses of student and heads; the features of a result are computed once for both."""
        teacher, heads, weight = (
            self.networks.teacher, self.networks.discriminator, self.recipe.adversarial,
        )  # fmt: skip
        timesteps = self._feature_timesteps(generator, len(denoised))
        noise = self._noise(denoised, generator)
        real, fake = (
            encoder_features(teacher, teacher.noisy(each, noise, timesteps), timesteps, batch.text)
            for each in (batch.clean[batch.like], denoised)
        )
        condition = self._condition(batch, timesteps)
        real = [each.detach().requires_grad_() for each in real]
        real_scores = heads(real, condition)
        fake_scores = heads([each.detach() for each in fake], condition)
        return {
            "adversarial": weight * generator_loss(heads.frozen_scores(fake, condition)),
            "discriminator": discriminator_loss(real_scores, fake_scores),
            "r1": self.recipe.r1 * r1_penalty(real_scores, real),
        }

    def _feature_timesteps(self, generator: torch.Generator, count: int) -> Tensor:
        """Logit-normal, as in latent adversarial diffusion distillation, but with less noise.

        There the mean is 1, which judges mostly composition; here that left the student blurred.
        """
        mean, spread = FEATURE_NOISE
        share = torch.sigmoid(mean + spread * torch.randn(count, generator=generator))
        teacher = self.networks.teacher
        return (share * len(teacher)).long().clamp(max=len(teacher) - 1).to(teacher.device)

    def _condition(self, batch: Batch, timesteps: Tensor) -> Condition:
        """The same condition for a real image and for the result, which must not tell them apart.

        With another picture's caption as prompt, the image condition is therefore zero.
        """
        teacher = self.networks.teacher
        image = image_feature(teacher, batch.clean, batch.empty) * batch.own.unsqueeze(1)
        text = batch.text.prompt_embeds.mean(1)
        return Condition(text, image, time_feature(teacher, timesteps))

    def _noise_difference(
        self, denoised: Tensor, batch: Batch, generator: torch.Generator
    ) -> Tensor:
        blind = batch.weight.flatten() == 0
        rows = torch.argsort(blind.int(), stable=True)[: (len(denoised) + 1) // 2]
        shown = batch.shown[rows]
        other = self._student(shown, self._noise(shown, generator), batch, rows)
        return noise_loss(denoised[rows], other, batch.weight[rows])

    def _warp_error(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The warp error of two frames with the same noise, timestep and prompt, in a window.

        The last timestep is left out: there the student does not see the frames, and only a flat
        image would have no warp error.
        """
        first, second, flow = self.pairs(generator, max(1, self.recipe.batch // 4))
        clean = self.networks.encode(torch.cat([first, second]))
        noise = self._noise(clean[:1], generator)
        which = torch.randint(len(self.visible), (len(first),), generator=generator)
        timesteps = self.visible[which].to(clean.device).repeat(2)
        rows = torch.arange(len(first), device=clean.device).repeat(2)
        denoised = self._denoised(clean, noise, timesteps, rows_of(batch.text, rows))
        window = random_window(generator, (clean.shape[-2], clean.shape[-1]), WINDOW)
        images = self.networks.decoder(denoised[..., window[0], window[1]]).float().chunk(2)
        factor = self.networks.student.vae_scale_factor
        pixels = [slice(factor * side.start, factor * side.stop) for side in window]
        flow = flow[..., pixels[0], pixels[1]].to(images[0])
        return temporal_loss(images[0], images[1], flow, self._weight(timesteps[: len(first)]))

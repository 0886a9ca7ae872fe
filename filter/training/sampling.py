"""Sampling: the teacher with DDIM by diffusers' scheduler, the student in a few steps."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, TypeAlias

import torch
from torch import Tensor

from turbolens.filter.diffusion.prompts import PromptEmbeds
from turbolens.filter.diffusion.timesteps import trailing_timesteps

from .diffusion import Diffusion
from .folder import betas_of
from .networks import Networks

SAMPLING_STEPS = 25

Sampler: TypeAlias = Callable[[Sequence[str], Tensor], Tensor]
"""(captions, noise (B, C, h, w)) → clean latents."""


def teacher_sampler(networks: Networks, steps: int, guidance: float) -> Sampler:
    """DDIM (Song et al. 2021), deterministic, from the schedule's last timestep."""

    def sample(captions: Sequence[str], noise: Tensor) -> Tensor:
        teacher, device = networks.teacher, networks.teacher.device
        text, empty = networks.texts(captions), networks.texts([""] * len(captions))
        last = len(teacher) - 1
        return ddim_denoised(teacher, noise.to(device), last, text, empty, guidance, steps)

    return sample


def student_sampler(networks: Networks, steps: int, student_steps: int = 4) -> Sampler:
    """Denoise from the last timestep; each further step adds new noise and denoises again.

    As in the paper (Sauer et al., 2023): of the `student_steps` timesteps of training, `steps` are
    used, evenly spaced from the last.
    """
    student = networks.student
    known = trailing_timesteps(student_steps, len(student))
    taken = [known[index * len(known) // steps] for index in range(steps)]

    def sample(captions: Sequence[str], noise: Tensor) -> Tensor:
        text, device = networks.texts(captions), student.device
        generator = torch.Generator().manual_seed(int(noise.abs().sum() * 1000) % 2**31)
        clean = torch.zeros_like(noise, device=device)
        draw = noise
        for timestep in taken:
            rows = torch.full((len(noise),), timestep, device=device)
            clean = student.denoised(student.noisy(clean, draw.to(device), rows), rows, text)
            draw = torch.randn(noise.shape, generator=generator)
        return clean

    return sample


def ddim_denoised(
    teacher: Diffusion, noisy: Tensor, timestep: int, text: PromptEmbeds, empty: PromptEmbeds,
    guidance: float, steps: int = SAMPLING_STEPS,
) -> Tensor:  # fmt: skip
    """Denoise x_t (B, C, h, w) to clean latents with deterministic DDIM (Song et al., 2021).

    steps: the number of steps from the schedule's last timestep; from an earlier `timestep` the
    stride is the same, so fewer steps are taken.
    """
    scheduler, clean = _ddim(teacher, steps), noisy
    for number in range(timestep, -1, -(len(teacher) // steps))[:steps]:
        rows = torch.full((len(noisy),), number, device=noisy.device)
        clean = teacher.guided(noisy, rows, text, empty, guidance)
        noisy = scheduler.step(clean, number, noisy).prev_sample
    return clean


def _ddim(teacher: Diffusion, steps: int) -> Any:
    diffusers: Any = import_module("diffusers")
    scheduler = diffusers.DDIMScheduler(
        trained_betas=betas_of(teacher.schedule.alphas_cumprod),
        prediction_type="sample", clip_sample=False,
        timestep_spacing="trailing", num_train_timesteps=len(teacher.schedule),
    )  # fmt: skip
    scheduler.set_timesteps(steps)
    return scheduler

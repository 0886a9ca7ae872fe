"""Pictures from noise: the teacher by diffusers' own scheduler, the student by its few steps."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from turbolens.filter.diffusion.timesteps import trailing_timesteps
from turbolens.filter.training.distill.networks import Networks
from turbolens.filter.training.distill.trajectory import finished

Sampler: TypeAlias = Callable[[Sequence[str], Tensor], Tensor]
"""Captions and noise (B, C, h, w) → clean latents."""


def teacher_sampler(networks: Networks, steps: int, guidance: float) -> Sampler:
    """DDIM (Song et al. 2021), deterministic, from the schedule's last timestep."""

    def sample(captions: Sequence[str], noise: Tensor) -> Tensor:
        teacher, device = networks.teacher, networks.teacher.device
        text, empty = networks.texts(captions), networks.texts([""] * len(captions))
        last = len(teacher) - 1
        return finished(teacher, noise.to(device), last, text, empty, guidance, steps)

    return sample


def student_sampler(networks: Networks, steps: int, student_steps: int = 4) -> Sampler:
    """Its estimate at the last timestep; further steps add fresh noise of the next one to it.

    As the paper samples (Sauer et al. 2023): the student learnt at `student_steps` timesteps, and
    `steps` of these are taken, evenly from the last.
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

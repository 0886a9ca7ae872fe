"""Samples of the teacher in many steps, as regression targets of the student's single step.

A student initialised from the teacher returns, from noise alone, the mean of all images: grey, and
too far from real images for the discriminator to help. DDIM, however, maps each noise to one image.
A student that has learnt this map (Luhman and Luhman, 2021) is sharp enough for adversarial
training, and as an additional loss the same samples keep it there, like the regression loss of
distribution matching distillation (Yin et al., 2024).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from turbolens.filter.training.captions import CaptionedPictures
from turbolens.filter.training.loop import Losses
from turbolens.filter.training.networks import Networks
from turbolens.filter.training.sampling import ddim_denoised

LAST_SHARE = 0.55  # of the samples begin at the last timestep, at noise alone
FILE = "samples.safetensors"
_SAVE_EVERY = 16  # batches


@dataclass(frozen=True, eq=False)
class Samples:
    """x_s (N, C, h, w), s (N,), prompts, and the teacher's clean latents; float16, on the CPU."""

    noisy: Tensor
    timesteps: Tensor
    clean: Tensor
    captions: list[str]

    def __len__(self) -> int:
        return len(self.captions)

    def joined(self, more: "Samples") -> "Samples":
        """These samples followed by `more`."""
        return Samples(
            torch.cat([self.noisy, more.noisy]), torch.cat([self.timesteps, more.timesteps]),
            torch.cat([self.clean, more.clean]), self.captions + more.captions,
        )  # fmt: skip

    def at(self, timestep: int) -> "Samples | None":
        """The samples that start at `timestep`; `None` if there are none."""
        rows = torch.nonzero(self.timesteps == timestep).flatten()
        if not len(rows):
            return None
        return Samples(
            self.noisy[rows], self.timesteps[rows], self.clean[rows],
            [self.captions[row] for row in rows.tolist()],
        )  # fmt: skip

    def loss(self, networks: Networks, generator: torch.Generator, count: int) -> Tensor:
        """L_traj = E[‖x̂_θ(x_s, s, c) − x_ψ‖²] over `count` random samples x_ψ of the teacher."""
        device = networks.student.device
        rows = torch.randint(len(self), (count,), generator=generator)
        noisy, clean = (each[rows].float().to(device) for each in (self.noisy, self.clean))
        text = networks.texts([self.captions[row] for row in rows.tolist()])
        return F.mse_loss(
            networks.student.denoised(noisy, self.timesteps[rows].to(device), text), clean
        )


class WarmUp:
    """The loss of the warm-up stage: regression on `batch` samples of the teacher per step."""

    def __init__(self, networks: Networks, samples: Samples, batch: int) -> None:
        self._networks, self._samples, self._batch = networks, samples, batch

    def __call__(self, generator: torch.Generator, _step: int) -> Losses:
        """The loss, by its name."""
        return {"trajectory": self._samples.loss(self._networks, generator, self._batch)}


@dataclass(frozen=True)
class Sampling:
    """Makes the teacher's samples.

    timesteps: the student's, the last of the schedule first. At the last one the teacher starts
    from noise alone, at the others from noisy pictures, every second batch with another picture's
    caption.
    """

    networks: Networks
    data: CaptionedPictures
    timesteps: Tensor
    guidance: float
    batch: int
    seed: int = 0

    def make(self, folder: Path, count: int) -> Iterator[int]:
        """Store at least `count` samples in `folder`, yielding the number done.

        Resumes an earlier run; starts again if a setting has changed.
        """
        path, settings = folder / FILE, self._settings()
        samples = _read(path) if path.exists() and _metadata(path)["about"] == settings else None
        done = 0 if samples is None else len(samples) // self.batch
        while done * self.batch < count:
            batch = self._batch(done)
            samples = batch if samples is None else samples.joined(batch)
            done += 1
            if done % _SAVE_EVERY == 0 or done * self.batch >= count:
                _write(path, samples, settings)
            yield done * self.batch

    def _settings(self) -> str:
        """The settings that stored samples must match, with a fingerprint of the teacher."""
        weights = next(self.networks.teacher.unet.parameters()).detach().float().abs().mean()
        settings = [self.timesteps.tolist(), self.guidance, self.batch, self.seed, self.data.size,
                 len(self.data.planes), f"{float(weights):.3g}"]  # fmt: skip
        return json.dumps(settings)

    @torch.no_grad()
    def _batch(self, number: int) -> Samples:
        """Batch `number`, always the same for a seed, from one timestep."""
        networks, teacher = self.networks, self.networks.teacher
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        shares = timestep_shares(len(self.timesteps), LAST_SHARE)
        timestep = int(self.timesteps[torch.multinomial(shares, 1, generator=generator)])
        images, captions = self.data.draw(generator, self.batch)
        if number % 2:
            captions = [*captions[1:], captions[0]]
        clean = networks.encode(images)
        noise = torch.randn(clean.shape, generator=generator).to(clean)
        rows = torch.full((self.batch,), timestep, device=clean.device)
        shown = clean * float(timestep != int(self.timesteps[0]))
        noisy = teacher.noisy(shown, noise, rows)
        text, empty = networks.texts(captions), networks.texts([""] * self.batch)
        denoised = ddim_denoised(teacher, noisy, timestep, text, empty, self.guidance)
        return Samples(noisy.half().cpu(), rows.cpu(), denoised.half().cpu(), captions)


def timestep_shares(count: int, last: float) -> Tensor:
    """(count,) shares of the timesteps: `last` for index 0, the last timestep; the rest evenly."""
    shares = torch.full((count,), (1 - last) / max(count - 1, 1))
    shares[0] = last if count > 1 else 1.0
    return shares


def open_samples(folder: Path) -> Samples:
    """Open the samples that `Sampling.make` stored in `folder`."""
    return _read(folder / FILE)


def _write(path: Path, samples: Samples, settings: str) -> None:
    tensors = {
        "noisy": samples.noisy.contiguous(), "clean": samples.clean.contiguous(),
        "timesteps": samples.timesteps,
    }  # fmt: skip
    temporary = path.with_suffix(".tmp")
    save_file(tensors, temporary, {"about": settings, "captions": json.dumps(samples.captions)})
    temporary.replace(path)


def _read(path: Path) -> Samples:
    with safe_open(path, "pt") as file:
        noisy, timesteps, clean = (
            file.get_tensor(name) for name in ("noisy", "timesteps", "clean")
        )  # fmt: skip
    return Samples(noisy, timesteps, clean, json.loads(_metadata(path)["captions"]))


def _metadata(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return dict(file.metadata() or {})

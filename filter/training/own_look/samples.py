"""The sheet of samples of a look in training: a few pictures at several strengths."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from turbolens.filter.training.charts import write_sheet
from turbolens.filter.training.networks import Networks

STRENGTHS = (0.5, 0.7, 0.9)
SHOWN = 3  # pictures


@dataclass(frozen=True)
class SampleSheet:
    """Writes `file` again and again. images: (B, 3, H, W) in −1…1. name: of the look."""

    networks: Networks
    images: Tensor
    name: str
    file: Path

    @torch.no_grad()
    def write(self) -> None:
        """A row for each picture: the picture, then the look at each of `STRENGTHS`.

        The sheet is replaced only when it is whole, so that an open viewer can follow it.
        """
        networks = self.networks
        clean = networks.encode(self.images)
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).to(clean)
        text = networks.texts([self.name] * len(clean))
        columns = [self.images]
        for strength in STRENGTHS:
            timestep = round(strength * len(networks.student)) - 1
            timesteps = torch.full((len(clean),), timestep, device=clean.device)
            noisy = networks.student.noisy(clean, noise, timesteps)
            columns.append(networks.decoder(networks.student.denoised(noisy, timesteps, text)))
        rows = [[column[row] for column in columns] for row in range(len(clean))]
        temporary = self.file.with_name(f"writing-{self.file.name}")
        write_sheet(temporary, rows)
        temporary.replace(self.file)

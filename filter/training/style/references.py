"""The pictures of the style stage: photographs, their renderings, and painters' works."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from turbolens.filter.training.data import read_square
from turbolens.filter.training.references.works import WORKS, training_works

from .recipes import PALETTE_SHARE
from .trunk import KEPT, Trunk, gram

SIDES = (256, 320, 400)  # of the photographs, in turn: faces are near and far in use
WORK_SIDE = 448  # of the works: strokes of this size suit a working image of 512
FIRST_POOL, POOL_STEPS = 32, 40  # pictures that are rendered, and steps until there is one more
PAINTERS = tuple(look for look, works in WORKS.items() if works.training)

Look = Callable[[Tensor], Tensor]


@dataclass
class References:
    """Photographs and, for each, the rendering of any look, made when first needed.

    A rendering may take a second, so they are stored in `folder`, and the number of pictures that
    are rendered grows slowly with the steps. palettes: mean (3,) and covariance (3, 3) of the works
    of each painter, in 0…1.
    """

    photographs: Sequence[Path]
    looks: Mapping[str, Look]
    palettes: Mapping[str, tuple[Tensor, Tensor]]
    folder: Path
    _loaded: dict[int, Tensor] = field(default_factory=dict)

    def pool(self, look: str | None, step: int) -> int:
        """How many of the photographs are drawn from for a look (`None`: unchanged) in a step."""
        if look is None or look in self.palettes:
            return len(self.photographs)
        return min(len(self.photographs), FIRST_POOL + step // POOL_STEPS)

    def photograph(self, index: int) -> Tensor:
        """(3, side, side) uint8."""
        if index not in self._loaded:
            side = SIDES[index % len(SIDES)]
            self._loaded[index] = read_square(self.photographs[index], side)
        return self._loaded[index]

    def rendering(self, index: int, look: str) -> Tensor:
        """The photograph as this look, (3, side, side) uint8."""
        file = self.folder / f"{index}-{look.replace(' ', '-')}.npy"
        if file.exists():
            return torch.from_numpy(np.load(file))
        image = self.photograph(index)[None].float() / 255
        if look in self.palettes:
            styled = torch.lerp(image, recoloured(image, *self.palettes[look]), PALETTE_SHARE)
        else:
            styled = self.looks[look](image)
        pixels = (styled[0].clamp(0, 1) * 255).round().byte()
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".tmp")
        with temporary.open("wb") as stored:
            np.save(stored, pixels.numpy())
        temporary.replace(file)
        return pixels


def recoloured(image: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """Give the colours of an image (1, 3, H, W) this mean and covariance.

    The linear map of Monge and Kantorovich, which moves colours least (Pitié and Kokaram, 2007).
    """
    pixels = image[0].flatten(1)
    own = torch.cov(pixels) + 1e-4 * torch.eye(3)
    root = _root(own)
    inverse = torch.linalg.inv(root)
    moved = inverse @ _root(root @ covariance @ root) @ inverse
    centred = pixels - pixels.mean(1, keepdim=True)
    result: Tensor = moved @ centred + mean[:, None]
    return result.view_as(image)


def _root(matrix: Tensor) -> Tensor:
    values, axes = torch.linalg.eigh(matrix)
    root: Tensor = axes @ torch.diag(values.clamp_min(0).sqrt()) @ axes.t()
    return root


def works_of(look: str, art: Path) -> list[Path]:
    """The files of a painter's works for training below `art`.

    Raises `ValueError` if there is none.
    """
    files = training_works(look, art)
    if not files:
        names = ", ".join(WORKS[look].training)
        raise ValueError(f"--art must hold works for {look!r}, one of: {names}")
    return files


def palette_of(files: Sequence[Path]) -> tuple[Tensor, Tensor]:
    """Mean (3,) and covariance (3, 3) of the colours of pictures, in 0…1."""
    pixels = torch.cat([read_square(file, 96).flatten(1).float() / 255 for file in files], 1)
    return pixels.mean(1), torch.cov(pixels)


@torch.no_grad()
def grams_of(files: Sequence[Path], trunk: Trunk, scale: int) -> dict[str, Tensor]:
    """The mean Gram matrices (C, C) of pictures, by layer; scale: 2 for half the size."""
    found: dict[str, list[Tensor]] = {layer: [] for layer in KEPT}
    for file in files:
        work = read_square(file, WORK_SIDE)[None].to(trunk.device).float() / 127.5 - 1
        work = F.avg_pool2d(work, scale) if scale > 1 else work
        for layer, features in trunk(work).items():
            found[layer].append(gram(features)[0])
    return {layer: torch.stack(each).mean(0) for layer, each in found.items()}

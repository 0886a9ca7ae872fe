"""What one step of the style stage is trained on: crops, looks, strengths and prompts."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from turbolens.filter.training.denoiser_stage import look_share
from turbolens.filter.training.phrases import phrase

from .recipes import RECIPES
from .references import References

CROP = 160
FINE, COARSE, PLAIN = 1, 2, 7  # rows with features at full size, at half of it, and without
PAIRED = 1  # of the coarse rows: it has a second view
MAX_SHIFT = 12  # pixels between the two views
PHOTOGRAPHS = 0.08  # share of the plain rows: the unchanged photograph
FULL_SHARE = 0.55  # of the rows: strength 0.8 or more


@dataclass(frozen=True)
class Draw:
    """Rows: FINE, then COARSE, then PLAIN, then the second views of the first coarse rows.

    photographs, references: (rows, 3, CROP, CROP) in −1…1. looks: names, `None` for an unchanged
    photograph. strength: (rows,). moved: the offset (x, y) of each second view in pixels.
    """

    photographs: Tensor
    references: Tensor
    looks: list[str | None]
    prompts: list[str]
    strength: Tensor
    moved: list[tuple[int, int]]

    @property
    def share(self) -> Tensor:
        """(rows, 1, 1, 1) the share of the look in the target."""
        return look_share(self.strength).view(-1, 1, 1, 1)

    @property
    def target(self) -> Tensor:
        """(rows, 3, CROP, CROP) photograph and reference, mixed by strength."""
        return torch.lerp(self.photographs, self.references, self.share)


def draw(references: References, generator: torch.Generator, step: int) -> Draw:
    """Draw the rows of a step; all random numbers come from the generator."""
    looks: list[str | None] = [_pick("judged", generator) for _ in range(FINE + COARSE)]
    looks += [_plain(generator) for _ in range(PLAIN)]
    views, moved = [], []
    for row, look in enumerate(looks):
        index = int(torch.randint(references.pool(look, step), (1,), generator=generator))
        paired = FINE <= row < FINE + PAIRED
        extra = MAX_SHIFT if paired else 0
        views.append(_crop(references, index, look, extra=extra, generator=generator))
    prompts = [phrase(look, generator) for look in looks]
    strength = _strengths(len(looks), generator)
    for row in range(FINE, FINE + PAIRED):
        x, y = (int(each) for each in torch.randint(1, MAX_SHIFT + 1, (2,), generator=generator))
        both = views[row]
        views[row] = both[..., :CROP, :CROP]
        views.append(both[..., y : y + CROP, x : x + CROP])
        looks.append(looks[row])
        prompts.append(prompts[row])
        moved.append((x, y))
    strength = torch.cat([strength, strength[FINE : FINE + PAIRED]])
    planes = torch.stack(views).float() / 127.5 - 1
    return Draw(planes[:, :3], planes[:, 3:], looks, prompts, strength, moved)


def _crop(
    references: References, index: int, look: str | None, *, extra: int, generator: torch.Generator
) -> Tensor:
    """(6, size, size) uint8: the same random crop of photograph and reference, perhaps mirrored."""
    photograph = references.photograph(index)
    reference = photograph if look is None else references.rendering(index, look)
    size, side = CROP + extra, photograph.shape[-1]
    top, left = (int(e) for e in torch.randint(side - size + 1, (2,), generator=generator))
    both = torch.cat([photograph, reference])[:, top : top + size, left : left + size]
    mirrored = bool(torch.randint(2, (1,), generator=generator))
    return both.flip(-1) if mirrored else both


def _strengths(rows: int, generator: torch.Generator) -> Tensor:
    full, position = torch.rand(2, rows, generator=generator)
    return torch.where(full < FULL_SHARE, 0.8 + 0.2 * position, 0.02 + 0.78 * position)


def _plain(generator: torch.Generator) -> str | None:
    unchanged = float(torch.rand(1, generator=generator)) < PHOTOGRAPHS
    return None if unchanged else _pick("often", generator)


def _pick(field: str, generator: torch.Generator) -> str:
    names = list(RECIPES)
    index = torch.multinomial(weights(names, field, 0), 1, generator=generator)
    return names[int(index)]


def weights(looks: Sequence[str | None], field: str, default: float) -> Tensor:
    """(rows,) one field of the recipes; `default` for an unchanged photograph."""
    return torch.tensor(
        [default if look is None else float(getattr(RECIPES[look], field)) for look in looks]
    )

"""What one step of the style stage is trained on: crops, looks, strengths and prompts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from turbolens.filter.training.denoiser_stage import look_share
from turbolens.filter.training.references.phrases import phrase

from .recipes import RECIPES
from .references import References

CROP = 160
FINE, COARSE, PLAIN = 1, 2, 7  # rows with features at full size, at half of it, and without
PAIRED = 1  # of the coarse rows: it has a second view
MAX_SHIFT = 12  # pixels between the two views
PHOTOGRAPHS = 0.08  # share of the plain rows: the unchanged photograph
MIXED = 0.2  # share of the plain rows: two looks at once
FULL_SHARE = 0.55  # of the rows: strength 0.8 or more


@dataclass(frozen=True)
class Draw:
    """Rows: FINE, then COARSE, then PLAIN, then the second views of the first coarse rows.

    photographs, references: (rows, 3, CROP, CROP) in −1…1. looks: names, `None` for an unchanged
    photograph. strength: (rows,). moved: the offset (x, y) of each second view in pixels.
    second_prompts, weight: of a second look, whose weight (rows,) is 0 in most rows.
    """

    photographs: Tensor
    references: Tensor
    looks: list[str | None]
    prompts: list[str]
    strength: Tensor
    moved: list[tuple[int, int]]
    second_prompts: list[str]
    weight: Tensor

    def to(self, device: torch.device) -> "Draw":
        """The same on another device."""
        return replace(
            self, photographs=self.photographs.to(device), references=self.references.to(device),
            strength=self.strength.to(device), weight=self.weight.to(device),
        )  # fmt: skip

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
    judged = [_pick("judged", generator) for _ in range(FINE + COARSE)]
    sizes = [CROP] * FINE + [CROP + MAX_SHIFT] * PAIRED + [CROP] * (COARSE - PAIRED + PLAIN)
    drawn, views = _rows(references, generator, step, judged=judged, sizes=sizes)
    moved = _second_views(views, generator)
    again = [*range(len(sizes)), *range(FINE, FINE + PAIRED)]
    images = torch.stack(views)
    return Draw(
        images[:, :3], images[:, 3:], [drawn.looks[row] for row in again],
        [drawn.prompts[row] for row in again], drawn.strength[again], moved,
        [drawn.second_prompts[row] for row in again], drawn.weight[again],
    )  # fmt: skip


def draw_plain(
    references: References, generator: torch.Generator, step: int, *, rows: int, size: int
) -> Draw:
    """Draw plain rows alone, with crops of another size."""
    drawn, views = _rows(references, generator, step, judged=[], sizes=[size] * rows)
    images = torch.stack(views)
    return replace(drawn, photographs=images[:, :3], references=images[:, 3:])


def _rows(
    references: References, generator: torch.Generator, step: int, *,
    judged: Sequence[str], sizes: Sequence[int],
) -> tuple[Draw, list[Tensor]]:  # fmt: skip
    """A draw without images, and photograph and reference (6, size, size) of each row."""
    plain = len(sizes) - len(judged)
    looks: list[str | None] = [*judged, *(_plain(generator) for _ in range(plain))]
    chosen, position = torch.rand(2, plain, generator=generator)
    mixed = torch.where(chosen < MIXED, position, 0.0)
    weight = torch.cat([torch.zeros(len(judged)), mixed])
    seconds = [_plain(generator) if share > 0 else look
               for look, share in zip(looks, weight, strict=True)]  # fmt: skip
    views = []
    for look, second, share, size in zip(looks, seconds, weight, sizes, strict=True):
        index = int(torch.randint(_pool(references, look, second, step), (1,), generator=generator))
        planes = [references.photograph(index)]
        planes += [planes[0] if each is None else references.rendering(index, each)
                   for each in (look, second)]  # fmt: skip
        crops = _crop(torch.stack(planes), size, generator).float() / 127.5 - 1
        views.append(torch.cat([crops[0], torch.lerp(crops[1], crops[2], share)]))
    prompts, others = ([phrase(e, generator) for e in each] for each in (looks, seconds))
    none = torch.empty(0)
    strength = _strengths(len(sizes), generator)
    return Draw(none, none, looks, prompts, strength, [], others, weight), views


def _pool(references: References, look: str | None, second: str | None, step: int) -> int:
    return min(references.pool(look, step), references.pool(second, step))


def _second_views(views: list[Tensor], generator: torch.Generator) -> list[tuple[int, int]]:
    """Cut the paired rows to size and append their second views; returns the offsets."""
    moved = []
    for row in range(FINE, FINE + PAIRED):
        x, y = (int(each) for each in torch.randint(1, MAX_SHIFT + 1, (2,), generator=generator))
        both = views[row]
        views[row] = both[..., :CROP, :CROP]
        views.append(both[..., y : y + CROP, x : x + CROP])
        moved.append((x, y))
    return moved


def _crop(planes: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """(N, 3, side, side) → (N, 3, size, size): the same random crop of all, perhaps mirrored."""
    span = planes.shape[-1] - size + 1
    top, left = (int(each) for each in torch.randint(span, (2,), generator=generator))
    cropped = planes[..., top : top + size, left : left + size]
    mirrored = bool(torch.randint(2, (1,), generator=generator))
    return cropped.flip(-1) if mirrored else cropped


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

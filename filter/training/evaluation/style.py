"""Style and name: how near results are to real works, and whether the look is recognised."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .judge import Judge

_STEPS, _RATE, _DECAY = 300, 0.05, 2e-3
SHARED_LABELS = 3  # of the five likeliest that must be the same


def mean_grams(judge: Judge, images: Sequence[Tensor]) -> list[Tensor]:
    """The mean Gram matrix (C, C) of each stage over images (3, H, W) in 0…1."""
    total: list[Tensor] = []
    for image in images:
        grams = [gram[0] for gram in judge.grams(image[None])]
        total = [a + b for a, b in zip(total, grams, strict=True)] if total else grams
    return [each / len(images) for each in total]


def gram_distance(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    """The mean over stages of ‖G₁ − G₂‖ / (‖G₁‖ + ‖G₂‖), between 0 and 1 (Gatys et al. 2016)."""
    shares = [
        float((a - b).norm() / (a.norm() + b.norm()).clamp_min(1e-12))
        for a, b in zip(first, second, strict=True)
    ]
    return sum(shares) / len(shares)


def style_ratio(judge: Judge, results: Sequence[Tensor], photographs: Sequence[Tensor],
                works: Sequence[Tensor]) -> float:  # fmt: skip
    """Distance of the results' mean Gram matrices to those of works, over the photographs'.

    0: the statistics of the works; 1: as far as the unfiltered photographs.
    """
    wanted = mean_grams(judge, works)
    before = gram_distance(mean_grams(judge, photographs), wanted)
    return gram_distance(mean_grams(judge, results), wanted) / max(before, 1e-6)


def works_ratio(judge: Judge, works: Sequence[Tensor], photographs: Sequence[Tensor]) -> float:
    """`style_ratio` of every second work, in place of results, to the other works.

    What real works reach themselves. With few works it is high, since one work differs from the
    next. nan for fewer than two works.
    """
    halves = works[::2], works[1::2]
    if not halves[1]:
        return math.nan
    ratios = [style_ratio(judge, a, photographs, b) for a, b in (halves, halves[::-1])]
    return sum(ratios) / len(ratios)


def shares_labels(judge: Judge, photograph: Tensor, result: Tensor) -> bool:
    """True if the likeliest labels of both images (3, H, W) share at least `SHARED_LABELS`."""
    first, second = judge.labels(torch.stack([photograph, result]))
    return len(first & second) >= SHARED_LABELS


class NameClassifier:
    """A linear classifier of looks on the judge's statistics."""

    def __init__(self, judge: Judge, examples: Mapping[str, Sequence[Tensor]]) -> None:
        """Train on images (3, H, W) in 0…1 by look; the same examples give the same classifier."""
        self._judge = judge
        self.looks = list(examples)
        rows = [self._features(image) for images in examples.values() for image in images]
        wanted = [index for index, images in enumerate(examples.values()) for _ in images]
        features, target = torch.stack(rows), torch.tensor(wanted)
        self._mean, self._spread = features.mean(0), features.std(0).clamp_min(1e-4)
        counts = torch.bincount(target, minlength=len(self.looks)).clamp_min(1)
        self._linear = _fitted(self._standard(features), target, 1 / counts.float())

    def _features(self, image: Tensor) -> Tensor:
        return self._judge.statistics(image[None])[0]

    def _standard(self, features: Tensor) -> Tensor:
        return (features - self._mean) / self._spread

    @torch.no_grad()
    def name(self, image: Tensor) -> str:
        """The look that an image (3, H, W) is taken for."""
        scores = self._linear(self._standard(self._features(image)))
        return self.looks[int(scores.argmax())]


def _fitted(features: Tensor, target: Tensor, weight: Tensor) -> nn.Linear:
    linear = nn.Linear(features.shape[1], len(weight))
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    optimizer = torch.optim.AdamW(linear.parameters(), _RATE / 10, weight_decay=_DECAY)
    for _ in range(_STEPS):
        loss = F.cross_entropy(linear(features), target, weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return linear

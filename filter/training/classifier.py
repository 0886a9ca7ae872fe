"""A small classifier of looks, trained on real pictures and applied to generated ones."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (32, 64, 96, 128)
RATE = 2e-3
BATCH = 32
EVALUATION_BATCH = 64


class LookClassifier(nn.Module):
    """Images (B, 3, H, W) in −1…1 of any size → logits of `looks`.

    Four strided convolutions with group norm and global pooling: sensitive to texture and colour
    more than to the content.
    """

    def __init__(self, looks: Sequence[str]) -> None:
        super().__init__()
        self.looks = tuple(looks)
        layers: list[nn.Module] = []
        for before, after in zip((3, *WIDTHS), WIDTHS, strict=False):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(8, after), nn.SiLU()]
            layers += [nn.Conv2d(after, after, 3, 1, 1), nn.SiLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(2 * WIDTHS[-1], len(self.looks))

    def features(self, images: Tensor) -> Tensor:
        """(B, 256): mean and standard deviation of the last convolution over positions."""
        features = self.body(images)
        return torch.cat([features.mean((2, 3)), features.flatten(2).std(-1, correction=0)], dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, looks)."""
        return self.head(self.features(images))  # type: ignore[no-any-return]

    @torch.no_grad()
    def agreement(self, images: Tensor, captions: Sequence[str]) -> float:
        """The share of images that are classified as the look of their caption."""
        wanted = torch.tensor([self.looks.index(caption) for caption in captions])
        taken = torch.cat([self(each).argmax(1) for each in torch.split(images, EVALUATION_BATCH)])
        return float((taken == wanted).float().mean())


class Captioned(Protocol):
    """A random source of images with captions."""

    def draw(self, generator: torch.Generator, batch: int) -> tuple[Tensor, list[str]]:
        """Images (batch, 3, H, W) in −1…1, and a caption for each."""


def new_classifier(looks: Sequence[str], seed: int) -> LookClassifier:
    """An untrained classifier, initialised from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LookClassifier(looks)


def train_classifier(
    network: LookClassifier, data: Captioned, steps: int, generator: torch.Generator
) -> Iterator[int]:
    """Train on random crops of `data`, yielding the number of steps done.

    Every caption must be one of the looks. Colour gains vary a little, so that a look is not
    recognised by one palette alone.
    """
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    network.train()
    for step in range(steps):
        images, captions = data.draw(generator, BATCH)
        gain = 1.0 + 0.3 * (torch.rand(BATCH, 3, 1, 1, generator=generator) - 0.5)
        wanted = torch.tensor([network.looks.index(caption) for caption in captions])
        loss = F.cross_entropy(network(images * gain), wanted)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        yield step + 1
    network.eval()

"""A classifier of looks, trained on renderings: does a result show the requested look?"""

from collections.abc import Sequence

import torch
from torch import Tensor

from .classifier import LookClassifier, new_classifier, train_classifier
from .references.rendered import LOOKS

CROP = 128
SEED = 0


class RenderedCrops:
    """Random crops of every look of some pictures, labelled with the look.

    pictures: (3, size, size) uint8. Used for training, and on other pictures for measuring the
    classifier's accuracy.
    """

    def __init__(self, pictures: Sequence[Tensor]) -> None:
        self.looks = tuple(LOOKS)
        self._planes = [
            torch.cat([look(picture[None].float() / 255) for look in LOOKS.values()])
            .clamp(0, 1).mul(255).round().byte()
            for picture in pictures
        ]  # fmt: skip

    def draw(self, generator: torch.Generator, batch: int) -> tuple[Tensor, list[str]]:
        """Images (batch, 3, CROP, CROP) in −1…1 and the look of each."""
        images, names = [], []
        for _ in range(batch):
            picture, look = (
                int(torch.randint(below, (1,), generator=generator))
                for below in (len(self._planes), len(self.looks))
            )
            images.append(self._crop(self._planes[picture][look], generator))
            names.append(self.looks[look])
        return torch.stack(images).float() / 127.5 - 1, names

    def whole(self) -> tuple[Tensor, list[str]]:
        """Every look of every picture, uncropped, in the format of `draw`."""
        names = [name for _ in self._planes for name in self.looks]
        return torch.cat(self._planes).float() / 127.5 - 1, names

    @staticmethod
    def _crop(plane: Tensor, generator: torch.Generator) -> Tensor:
        span = plane.shape[-1] - CROP + 1
        top, left = torch.randint(span, (2,), generator=generator).tolist()
        return plane[:, top : top + CROP, left : left + CROP]


def look_classifier(pictures: Sequence[Tensor], steps: int) -> LookClassifier:
    """Train a classifier of looks on renderings of these pictures."""
    network = new_classifier(list(LOOKS), SEED)
    for _ in train_classifier(
        network, RenderedCrops(pictures), steps, torch.Generator().manual_seed(SEED)
    ):
        pass
    return network

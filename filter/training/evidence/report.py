"""The table: what every way to make pictures gives, against real ones of the same captions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from turbolens.filter.training.captions import CaptionedPictures
from turbolens.filter.training.classifier import AT_ONCE, LookClassifier
from turbolens.filter.training.features import image_feature
from turbolens.filter.training.networks import Networks
from turbolens.filter.training.sampling import Sampler

from .distances import kernel_distance, sharpness

_TIMED = 5


@dataclass(frozen=True)
class Row:
    """Figures of one way.

    by_look, by_teacher: kernel distances to real pictures, by the features of a classifier of looks
    and by those of the teacher's encoder. agreement: the share that the classifier takes for what
    was asked for. sharpness: of edges, over that of the real pictures. seconds: a picture, one at a
    time. looks: both distances of each look's pictures alone. What needs a classifier is none
    without one.
    """

    name: str
    by_look: float | None
    by_teacher: float
    agreement: float | None
    sharpness: float
    seconds: float | None = None
    looks: dict[str, tuple[float, float]] = field(default_factory=dict)


class Evidence:
    """Makes pictures of the captions of held-out ones and compares. count: how many."""

    def __init__(
        self,
        networks: Networks,
        data: CaptionedPictures,
        classifier: LookClassifier | None,
        *,
        count: int,
        batch: int = 8,
        seed: int = 0,
    ) -> None:
        self._networks, self._classifier = networks, classifier
        self._batch, self._seed = batch, seed
        generator = torch.Generator().manual_seed(seed)
        self._real, self.captions = data.draw(generator, count)
        self._again = data.draw(generator, count)
        self._edges = sharpness(self._real)
        self._latents = networks.encode(self._real[:1]).shape[1:]
        with torch.no_grad():
            self._real_by_teacher = self._by_teacher(self._real)
            self._real_by_look = (
                torch.empty(0) if classifier is None else _by_look(classifier, self._real)
            )

    def floor(self) -> Row:
        """Other crops of the same real pictures: nearer than any way could come."""
        images, captions = self._again
        return self._compared("real pictures again", images, captions)

    def learnt(self, data: CaptionedPictures) -> Row:
        """Crops of pictures that were learnt from: a way that had learnt all of them by heart."""
        images = data.draw_like(torch.Generator().manual_seed(self._seed), self.captions)
        return self._compared("pictures it learnt from", images, self.captions)

    @torch.inference_mode()
    def made(self, sampler: Sampler) -> Iterator[Tensor]:
        """A picture for every caption, (B, 3, H, W) in −1…1 at a time."""
        for start in range(0, len(self.captions), self._batch):
            captions = self.captions[start : start + self._batch]
            yield self._decoded(sampler(captions, self._noise(start, len(captions))))

    def row(self, name: str, images: Tensor, sampler: Sampler) -> Row:
        """The figures of all that `made` gave."""
        row = self._compared(name, images, self.captions)
        return replace(row, seconds=self._seconds(sampler))

    @torch.inference_mode()
    def pictures(self, sampler: Sampler, which: Sequence[int]) -> list[Tensor]:
        """What it makes of these captions, for a sheet: images (3, H, W) in −1…1."""
        captions = [self.captions[index] for index in which]
        return list(self._decoded(sampler(captions, self._noise(0, len(captions)))))

    def real(self, which: Sequence[int]) -> list[Tensor]:
        """The real pictures of these captions."""
        return [self._real[index] for index in which]

    def _noise(self, start: int, count: int) -> Tensor:
        """The same for every way, so that sheets compare like with like."""
        generator = torch.Generator().manual_seed(self._seed + 1 + start)
        return torch.randn(count, *self._latents, generator=generator)

    @torch.inference_mode()
    def _decoded(self, latents: Tensor) -> Tensor:
        images: Tensor = self._networks.decoder(latents).float().cpu().clamp(-1, 1)
        return images

    @torch.no_grad()
    def _compared(self, name: str, images: Tensor, captions: Sequence[str]) -> Row:
        looks, by_teacher = self._classifier, self._by_teacher(images)
        row = Row(
            name=name,
            by_look=None,
            by_teacher=kernel_distance(self._real_by_teacher, by_teacher),
            agreement=None,
            sharpness=sharpness(images) / max(self._edges, 1e-9),
        )
        if looks is None:
            return row
        by_look = _by_look(looks, images)
        return replace(
            row,
            by_look=kernel_distance(self._real_by_look, by_look),
            agreement=looks.agreement(images, captions),
            looks=self._each_look(by_look, by_teacher, captions),
        )

    def _each_look(
        self, by_look: Tensor, by_teacher: Tensor, captions: Sequence[str]
    ) -> dict[str, tuple[float, float]]:
        """Both distances of each look, where there are two pictures of it at least on each side."""
        found = {}
        for look in sorted(set(self.captions)):
            real, made = ([row for row, own in enumerate(every) if own == look]
                          for every in (self.captions, captions))  # fmt: skip
            if min(len(real), len(made)) >= 2:
                found[look] = (
                    kernel_distance(self._real_by_look[real], by_look[made], self._real_by_look),
                    kernel_distance(
                        self._real_by_teacher[real], by_teacher[made], self._real_by_teacher
                    ),
                )
        return found

    def _by_teacher(self, images: Tensor) -> Tensor:
        rows = []
        for each in torch.split(images, self._batch):
            empty = self._networks.texts([""] * len(each))
            clean = self._networks.encode(each)
            rows.append(image_feature(self._networks.teacher, clean, empty).float().cpu())
        return torch.cat(rows)

    @torch.inference_mode()
    def _seconds(self, sampler: Sampler) -> float:
        times = []
        for number in range(_TIMED + 1):
            began = perf_counter()
            self._decoded(sampler(self.captions[:1], self._noise(number, 1)))
            times.append(perf_counter() - began)
        return median(times[1:])


def _by_look(looks: LookClassifier, images: Tensor) -> Tensor:
    return torch.cat([looks.features(each) for each in torch.split(images, AT_ONCE)])

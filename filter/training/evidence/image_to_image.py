"""Image-to-image figures: real pictures get another look, and move by a known flow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from turbolens.filter.coherence.warping import warped
from turbolens.filter.training.captions import CaptionedPictures
from turbolens.filter.training.classifier import LookClassifier
from turbolens.filter.training.diffusion import Diffusion
from turbolens.filter.training.networks import Networks
from turbolens.filter.training.structure import edge_correlation
from turbolens.filter.training.temporal import inside, random_flow

from .distances import sharpness

Restyle: TypeAlias = Callable[[Tensor, Tensor, Sequence[str]], Tensor]
"""(clean latents, noise (B, C, h, w), captions) → clean latents of the results."""


@dataclass(frozen=True)
class Restyled:
    """Figures of one method.

    agreement: the share that a classifier takes for the requested look; `None` without one.
    structure: the correlation between the edges of the results' latents and the pictures'.
    sharpness: relative to the pictures. noise: the mean standard deviation between results of two
    noise samples. warp_error: the mean distance between the result of a moved picture and the moved
    result, with the same noise. Both in levels of 255; blurred results have less of both.
    """

    name: str
    agreement: float | None
    structure: float
    sharpness: float
    noise: float
    warp_error: float


class ImageToImage:
    """Restyles real pictures with another picture's caption, at rest and moved by a known flow.

    The flow is that of temporal training (`temporal.random_flow`). Nothing is blended.
    """

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
        self._networks, self._classifier, self._batch = networks, classifier, batch
        generator = torch.Generator().manual_seed(seed)
        self._first, own = data.draw(generator, count)
        self.captions = _others(own, generator)
        self._flow = random_flow(generator, count, *self._first.shape[-2:])
        self._second = warped(self._first, self._flow, "bicubic").clamp(-1, 1)
        self._edges = sharpness(self._first)
        shape = networks.encode(self._first[:1]).shape[1:]
        self._noise = torch.randn(2, 1, *shape, generator=generator)

    def pictures_themselves(self) -> Restyled:
        """The figures of the unchanged pictures: full structure, no noise, their own warp error."""
        return self._figures(
            "the pictures themselves", self._first, self._first, self._second, structure=1.0
        )

    def through_the_autoencoder(self) -> Restyled:
        """The figures of encoding and decoding alone: no equally sharp result can be steadier."""
        return self.restyled("the autoencoder alone", lambda clean, _noise, _captions: clean)

    @torch.inference_mode()
    def restyled(self, name: str, restyle: Restyle) -> Restyled:
        """The figures of a method, which is run three times on each picture."""
        correlations: list[Tensor] = []
        decoded: tuple[list[Tensor], ...] = ([], [], [])
        for start in range(0, len(self._first), self._batch):
            rows = slice(start, start + self._batch)
            captions = self.captions[rows]
            clean, moved = (
                self._networks.encode(each[rows]) for each in (self._first, self._second)
            )
            noise, other_noise = (each.expand(len(clean), -1, -1, -1) for each in self._noise)
            result = restyle(clean, noise, captions)
            after = restyle(moved, noise, captions)
            other = restyle(clean, other_noise, captions)
            correlations.append(edge_correlation(result, clean).cpu())
            for images_of, latents in zip(decoded, (result, other, after), strict=True):
                images_of.append(self._decoded(latents))
        images = [torch.cat(each) for each in decoded]
        return self._figures(name, *images, structure=float(torch.cat(correlations).mean()))

    @torch.inference_mode()
    def sheet(self, methods: Sequence[Restyle], count: int) -> list[list[Tensor]]:
        """Rows of a picture and the result of each method, images in −1…1."""
        clean, columns = self._networks.encode(self._first[:count]), [self._first[:count]]
        for restyle in methods:
            noise = self._noise[0].expand(len(clean), -1, -1, -1)
            columns.append(self._decoded(restyle(clean, noise, self.captions[:count])))
        return [list(row) for row in zip(*columns, strict=True)]

    def _figures(
        self, name: str, first: Tensor, other: Tensor, second: Tensor, *, structure: float
    ) -> Restyled:
        visible = inside(self._flow)
        error = (second - warped(first, self._flow)).abs() * visible
        looks = self._classifier
        return Restyled(
            name=name,
            agreement=None if looks is None else looks.agreement(first, self.captions),
            structure=structure,
            sharpness=sharpness(first) / max(self._edges, 1e-9),
            noise=127.5 * float(torch.stack([first, other]).std(0).mean()),
            warp_error=127.5 * float(error.sum() / (visible.sum() * first.shape[1])),
        )

    def _decoded(self, latents: Tensor) -> Tensor:
        images: Tensor = self._networks.decoder(latents)
        return images.float().cpu().clamp(-1, 1)


def _others(captions: Sequence[str], generator: torch.Generator) -> list[str]:
    """A different caption for each, drawn uniformly; its own if there is only one."""
    every = sorted(set(captions))
    ahead = torch.randint(max(len(every) - 1, 1), (len(captions),), generator=generator) + 1
    places = zip(captions, ahead.tolist(), strict=True)
    return [every[(every.index(own) + by) % len(every)] for own, by in places]


def restyler(
    networks: Networks, network: Diffusion, timestep: int, guidance: float = 1.0
) -> Restyle:
    """One step of `network` from `timestep`, with classifier-free guidance."""

    def restyle(clean: Tensor, noise: Tensor, captions: Sequence[str]) -> Tensor:
        rows = torch.full((len(clean),), timestep, device=clean.device)
        noisy = network.noisy(clean, noise.to(clean), rows)
        text, empty = networks.texts(captions), networks.texts([""] * len(captions))
        return network.guided(noisy, rows, text, empty, guidance)

    return restyle

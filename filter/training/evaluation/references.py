"""Measures the embedded model on pictures that it was not trained on.

    python -m turbolens.filter.training.evaluation.references --data FOLDER [--clips FOLDER] \\
        [--model embedded] [--beside FOLDER] [--sheet PNG]

prints the table of the model card. The pictures are photographs of FOLDER that training holds out,
and frames of clips, which it never uses.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor

from turbolens.filter import FilterSettings, FrameFilter, TurboModel
from turbolens.filter.training.agreement import RenderedCrops, look_classifier
from turbolens.filter.training.charts import write_sheet
from turbolens.filter.training.classifier import LookClassifier
from turbolens.filter.training.data import frames_of_clips, is_held_out, pictures_in, read_square
from turbolens.filter.training.denoiser_stage import FULL_LOOK_AT
from turbolens.filter.training.references.aliases import PHRASES
from turbolens.filter.training.references.operators import edges
from turbolens.filter.training.references.rendered import LOOKS

SIZE = 256
FULL_LOOK = 0.9
CLASSIFIER_PICTURES = 96  # that it is trained on
AGREEMENT_STRENGTH = 0.7  # of the results that the classifier judges
STRENGTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
PER_LOOK_PHRASES = 6
SHEET_ROWS = 4


@dataclass(frozen=True)
class LookFigures:
    """Figures of one look, averaged over the pictures.

    error: mean absolute distance to the look's reference, in 0…1. nearest: share of pictures whose
    nearest reference is that look's. phrases: the same for its other phrasings. structure:
    correlation of the edges with the input's at strength 0.5. noise: mean standard deviation over
    seeds, in levels of 255. path: distance from the input at each of `STRENGTHS`.
    """

    look: str
    error: float
    nearest: float
    phrases: float
    structure: float
    noise: float
    path: tuple[float, ...]

    @property
    def is_monotone(self) -> bool:
        """True if the distance from the input never falls with strength, up to `FULL_LOOK_AT`.

        From there on the target is constant, and the distance only fluctuates.
        """
        rising = [path for path, s in zip(self.path, STRENGTHS, strict=True) if s <= FULL_LOOK_AT]
        return all(later >= earlier for earlier, later in pairwise(rising))


class Evaluation:
    """Measures a model on square pictures (3, SIZE, SIZE) uint8."""

    def __init__(self, model: TurboModel, pictures: Sequence[Tensor]) -> None:
        settings = FilterSettings(size=SIZE, blend_before=0, blend_after=0)
        self.filter = FrameFilter(model, settings)
        self.model = model
        self.pictures = list(pictures)
        images = torch.stack(self.pictures).float() / 255
        self.images = list(images[:, None])
        self.references = [
            torch.stack([look(image)[0].clamp(0, 1) for look in LOOKS.values()])
            for image in self.images
        ]

    def autoencoder_psnr(self) -> float:
        """Mean PSNR in dB of an encoded and decoded picture, without noise or UNet."""
        values = []
        for image in self.images:
            decoded = self.model.decode(self.model.encode(image * 2 - 1)).float().cpu()
            error = ((decoded.clamp(-1, 1) / 2 + 0.5 - image) ** 2).mean()
            values.append(float(-10 * torch.log10(error)))
        return sum(values) / len(values)

    def look(self, name: str) -> LookFigures:
        """All figures of one look."""
        index = list(LOOKS).index(name)
        outputs = self.outputs(prompt=name, strength=FULL_LOOK, seed=0)
        distances = torch.stack([self._distances(i, output) for i, output in enumerate(outputs)])
        return LookFigures(
            look=name,
            error=float(distances[:, index].mean()),
            nearest=float((distances.argmin(1) == index).float().mean()),
            phrases=self._phrases(name, index),
            structure=self._structure(name),
            noise=self._noise(name),
            path=self._path(name),
        )

    def outputs(self, **settings: object) -> list[Tensor]:
        """Each picture filtered with these settings, (3, SIZE, SIZE) in 0…1."""
        self.filter.update(**settings)
        return [self._filtered(picture) for picture in self.pictures]

    def _filtered(self, picture: Tensor) -> Tensor:
        array: NDArray = picture.permute(1, 2, 0).contiguous().numpy()  # type: ignore[type-arg]
        return torch.from_numpy(self.filter(array)).permute(2, 0, 1).float() / 255

    def _distances(self, picture: int, output: Tensor) -> Tensor:
        return (self.references[picture] - output).abs().mean((1, 2, 3))

    def _phrases(self, name: str, index: int) -> float:
        hits = []
        for number, words in enumerate(PHRASES[name][1 : 1 + PER_LOOK_PHRASES]):
            self.filter.update(prompt=f"{words} of a scene", strength=FULL_LOOK, seed=0)
            picture = number % len(self.pictures)
            distances = self._distances(picture, self._filtered(self.pictures[picture]))
            hits.append(int(distances.argmin()) == index)
        return sum(hits) / len(hits)

    def _structure(self, name: str) -> float:
        outputs = self.outputs(prompt=name, strength=0.5, seed=0)
        pairs = zip(self.images, outputs, strict=True)
        return _mean(
            [_correlation(edges(image, 1.5), edges(out[None], 1.5)) for image, out in pairs]
        )

    def _noise(self, name: str) -> float:
        runs = [torch.stack(self.outputs(prompt=name, strength=0.5, seed=s)[:4]) for s in range(3)]
        return float(torch.stack(runs).std(0).mean()) * 255

    def _path(self, name: str) -> tuple[float, ...]:
        inputs = torch.cat(self.images)
        runs = (torch.stack(self.outputs(prompt=name, strength=s, seed=0)) for s in STRENGTHS)
        return tuple(float((out - inputs).abs().mean()) for out in runs)

    def agreement(self, classifier: LookClassifier) -> float:
        """The share of results that the classifier takes for the requested look."""
        shares = []
        for name in LOOKS:
            outputs = torch.stack(self.outputs(prompt=name, strength=AGREEMENT_STRENGTH, seed=0))
            shares.append(classifier.agreement(outputs * 2 - 1, [name] * len(outputs)))
        return _mean(shares)

    def sheet(self, count: int) -> list[list[Tensor]]:
        """Rows of the input and all looks at strength 0.9, images in −1…1."""
        columns = [[picture.float() / 127.5 - 1 for picture in self.pictures[:count]]]
        for name in LOOKS:
            outputs = self.outputs(prompt=name, strength=FULL_LOOK, seed=0)[:count]
            columns.append([output * 2 - 1 for output in outputs])
        return [[column[row] for column in columns] for row in range(count)]


def _correlation(first: Tensor, second: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def held_out_pictures(data: Path, count: int) -> list[Tensor]:
    """The first `count` pictures below `data` that training never uses."""
    paths = [path for path in pictures_in(data) if is_held_out(path)]
    return [read_square(path, SIZE) for path in paths[:count]]


def table_of(figures: Sequence[LookFigures]) -> Table:
    """The figures as a table, one look a row."""
    table = Table("look", "error", "nearest", "phrases", "edges at 0.5", "noise", "monotone",
                  "path 0.1 · 0.5 · 0.9")  # fmt: skip
    for each in figures:
        path = " · ".join(f"{each.path[i]:.3f}" for i in (0, 4, 8))
        table.add_row(
            each.look, f"{each.error:.3f}", f"{each.nearest:.0%}", f"{each.phrases:.0%}",
            f"{each.structure:.2f}", f"{each.noise:.1f}", str(each.is_monotone), path,
        )  # fmt: skip
    return table


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure a filter model on held-out pictures.")
    parser.add_argument("--data", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--clips", type=Path, help="folder of clips")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--beside", help="another model: its rows of the sheet below this one's")
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--classifier-steps", type=int, default=1500, help="0: no classifier")
    parser.add_argument("--sheet", type=Path, help="write looks × pictures to this PNG or JPEG")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None, show: Callable[..., None] | None = None) -> None:
    """Print the table for a model and a folder of pictures."""
    options = _options(arguments)
    show = show or Console(width=110).print
    pictures = held_out_pictures(options.data, options.pictures)
    evaluation = Evaluation(TurboModel.load(options.model), pictures)
    if options.sheet:
        write_sheet(options.sheet, _sheet(evaluation, options.beside))
    figures = [evaluation.look(name) for name in LOOKS]
    show(table_of(figures))
    show(_summary(evaluation, figures))
    if options.classifier_steps:
        seen = pictures + (frames_of_clips(options.clips, SIZE) if options.clips else [])
        classifier = _look_classifier(options.data, options.classifier_steps)
        show(_agreement(Evaluation(evaluation.model, seen), classifier))


def _sheet(evaluation: Evaluation, beside: str | None) -> list[list[Tensor]]:
    """The rows of the model, each above that of the model `beside`, if there is one."""
    rows = evaluation.sheet(SHEET_ROWS)
    if beside is None:
        return rows
    other = Evaluation(TurboModel.load(beside), evaluation.pictures).sheet(SHEET_ROWS)
    return [_halved(row) for pair in zip(rows, other, strict=True) for row in pair]


def _summary(evaluation: Evaluation, figures: Sequence[LookFigures]) -> str:
    return (
        f"{len(evaluation.pictures)} pictures held out of training. Autoencoder: "
        f"{evaluation.autoencoder_psnr():.1f} dB. Nearest reference is the right one: "
        f"{_mean([each.nearest for each in figures]):.1%}, by other words "
        f"{_mean([each.phrases for each in figures]):.1%}. Structure: "
        f"{_mean([each.structure for each in figures]):.2f}. Monotone in strength: "
        f"{sum(each.is_monotone for each in figures)} of {len(figures)}."
    )


def _look_classifier(data: Path, steps: int) -> LookClassifier:
    """A classifier trained on renderings of the pictures that are not held out."""
    paths = [path for path in pictures_in(data) if not is_held_out(path)]
    return look_classifier([read_square(path, SIZE) for path in paths[:CLASSIFIER_PICTURES]], steps)


def _halved(images: Sequence[Tensor]) -> list[Tensor]:
    return [torch.nn.functional.avg_pool2d(image[None], 2)[0] for image in images]


def _agreement(evaluation: Evaluation, classifier: LookClassifier) -> str:
    known = classifier.agreement(*RenderedCrops(evaluation.pictures).whole())
    return (
        f"Of {len(evaluation.pictures)} pictures and frames of clips a classifier trained on "
        f"renderings takes {evaluation.agreement(classifier):.1%} of the results at strength "
        f"{AGREEMENT_STRENGTH} for the requested look, and {known:.1%} of the looks' references."
    )


if __name__ == "__main__":
    main()

"""Measures one or two models on photographs, works and clips that training never saw.

    python -m turbolens.filter.training.evaluation --data PHOTOGRAPHS --art ART [--clips CLIPS] \\
        [--model embedded] [--beside FOLDER]

prints a table with one measure a row and one model a column. Needs the packages of the judge
(`judge.py` says which).
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor

import turbolens.filter
from turbolens.filter.training.references.operators import blur

from .figures import LookFigures, ModelFigures, by_look, summary
from .filtered import SIZE, Filtered, looks_of, megabytes
from .judge import Judge
from .motion import FRAMES, pan, static_gain, texture_shares, warp_error, with_camera_noise
from .pictures import Collections
from .spectrum import grid_ratio, structure, texture_change
from .style import NameClassifier, shares_labels, style_ratio, works_ratio

FULL, CALL = 0.9, 0.7  # strengths: of the style, and of a call
WORKS = 14  # that a look is compared with, at most
BLUR = 2.0  # standard deviation in pixels: such a blur hides less than brush strokes do


class Evaluation:
    """Measures models on one set of pictures."""

    def __init__(self, collections: Collections, judge: Judge, *, pictures: int, pans: int) -> None:
        self._collections = collections
        self._judge = judge
        self._photographs = collections.held_out(pictures)
        self._wide = collections.wide(pans)
        self._clip_frames = collections.clip_frames(1)
        self._works: dict[str, tuple[list[Tensor], bool]] = {}

    def classifier(self, looks: Sequence[str], examples: int) -> NameClassifier:
        """A classifier of these looks, trained on works and on `examples` photographs."""
        return NameClassifier(self._judge, self._collections.examples(looks, examples))

    def look(self, filtered: Filtered, look: str, classifier: NameClassifier) -> LookFigures:
        """All figures of one look of a model."""
        full = filtered.pictures(self._photographs, look, FULL)
        call = filtered.pictures(self._photographs, look, CALL)
        figures = self._motion(filtered, look)
        pairs = list(zip(call, self._photographs, strict=True))
        works, figures.real = self._works_of(look)
        if works:
            figures.style = [style_ratio(self._judge, full, self._photographs, works)]
            figures.works = [works_ratio(self._judge, works, self._photographs)]
        figures.content = [float(shares_labels(self._judge, b, a)) for a, b in pairs]
        figures.structure = [structure(a, b) for a, b in pairs]
        figures.grid = [grid_ratio(result) for result in full]
        figures.texture = [
            texture_change(a, b) for a, b in zip(full, self._photographs, strict=True)
        ]
        if look in classifier.looks:
            seen = filtered.pictures(self._clip_frames, look, FULL)
            figures.named = [float(classifier.name(result) == look) for result in seen]
        return figures

    def blurred(self) -> list[float]:
        """For each photograph 1 if it keeps its content when it is only blurred, else 0.

        It says what to expect of looks, which change more than such a blur.
        """
        photographs = self._photographs
        blurred = [blur(each[None], BLUR)[0] for each in photographs]
        pairs = zip(blurred, photographs, strict=True)
        return [float(shares_labels(self._judge, b, a)) for a, b in pairs]

    def _works_of(self, look: str) -> tuple[list[Tensor], bool]:
        if look not in self._works:
            self._works[look] = self._collections.works(look, WORKS)
        return self._works[look]

    def _motion(self, filtered: Filtered, look: str) -> LookFigures:
        figures = LookFigures()
        for wide in self._wide:
            clean = pan(wide, SIZE)
            noisy = with_camera_noise(clean)
            still = with_camera_noise(clean[:1].expand(FRAMES, -1, -1, -1))
            own = warp_error(noisy)
            figures.warp.append(warp_error(filtered.frames(noisy, look, FULL)) / own)
            figures.static.append(static_gain(filtered.frames(still, look, FULL), still))
            shares = texture_shares(filtered.frames(clean, look, FULL)[1:])
            figures.stays.append(shares.stays)
            figures.new.append(shares.new)
        return figures


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure one or two filter models.")
    parser.add_argument("--data", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--art", type=Path, required=True, help="folder of works of art")
    parser.add_argument("--clips", type=Path, help="folder of clips")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--beside", help="another model, measured in every row as well")
    parser.add_argument("--looks", help="some looks only, with commas between them")
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--examples", type=int, default=24, help="of each look for the names")
    parser.add_argument("--texture", type=float, default=1.0, help="0 leaves out the materials")
    parser.add_argument("--pans", type=int, default=3, help="photographs that are panned over")
    return parser.parse_args(arguments)


def _folder(model: str) -> Path:
    if model == "embedded":
        return Path(turbolens.filter.__file__).parent / "embedded"
    return Path(model)


def main(arguments: Sequence[str] | None = None, show: Callable[..., None] | None = None) -> None:
    """Print both tables. Exits with a message if the judge is not installed."""
    options = _options(arguments)
    show = show or Console(width=150).print
    try:
        judge = Judge()
    except ImportError as error:
        sys.exit(str(error))
    collections = Collections(options.data, options.art, options.clips)
    evaluation = Evaluation(collections, judge, pictures=options.pictures, pans=options.pans)
    names = [options.model, *([options.beside] if options.beside else [])]
    looks = {name: _looks(name, options.looks) for name in names}
    every = list(dict.fromkeys(look for each in looks.values() for look in each))
    classifier = evaluation.classifier(every, options.examples)
    texture = options.texture
    models = [
        _measured(evaluation, Filtered(name, texture), name, looks[name], classifier)
        for name in names
    ]
    show(by_look(models))
    show(summary(models))


def _looks(model: str, only: str | None) -> list[str]:
    looks = looks_of(_folder(model))
    if only is None:
        return looks
    wanted = [look.strip() for look in only.split(",")]
    return [look for look in looks if look in wanted]


def _measured(
    evaluation: Evaluation,
    filtered: Filtered,
    name: str,
    looks: Sequence[str],
    classifier: NameClassifier,
) -> ModelFigures:
    figures = ModelFigures(name, megabytes(_folder(name)))
    with torch.inference_mode():
        figures.blurred = evaluation.blurred()
        for look in looks:
            figures.looks[look] = evaluation.look(filtered, look, classifier)
    return figures

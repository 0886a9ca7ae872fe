"""Style, name and content, by a small untrained network in the judge's place."""

import math
import sys
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from turbolens.filter.training.evaluation.judge import GRAM_BLOCKS, Judge
from turbolens.filter.training.evaluation.style import (
    NameClassifier,
    shares_labels,
    style_ratio,
    works_ratio,
)


class SmallNetwork(nn.Module):
    """Convolutions with random weights, with the parts of the judge's network that are used."""

    def __init__(self) -> None:
        super().__init__()
        widths = [3, *([8] * (max(GRAM_BLOCKS) + 1))]
        self._blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, 2 if i < 3 else 1, 1), nn.ReLU())
            for i, (a, b) in enumerate(pairwise(widths))
        )
        self._fc = nn.Linear(8, 40)

    def extract_features(self, images: Tensor) -> Tensor:
        for block in self._blocks:
            images = block(images)
        return images


@pytest.fixture(scope="module")
def judge() -> Judge:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Judge(SmallNetwork())


def smooth(seed: int) -> Tensor:
    coarse = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, (64, 64), mode="bicubic")[0].clamp(0, 1)


def striped(seed: int) -> Tensor:
    stripes = (torch.arange(64) % 8 < 4).float()
    return (smooth(seed) * 0.3 + 0.7 * stripes).clamp(0, 1)


def test_the_style_of_the_works_is_nearer_than_the_photographs(judge: Judge) -> None:
    photographs, works = [smooth(i) for i in range(6)], [striped(i) for i in range(6, 12)]
    assert style_ratio(judge, [striped(i) for i in range(6)], photographs, works) < 0.5
    assert style_ratio(judge, photographs, photographs, works) == pytest.approx(1)


def test_works_among_themselves_tell_how_near_a_look_can_come(judge: Judge) -> None:
    photographs, works = [smooth(i) for i in range(6)], [striped(i) for i in range(6, 12)]
    assert works_ratio(judge, works, photographs) < 0.5
    assert works_ratio(judge, [*works[:3], *photographs[:3]], photographs) > 0.5
    assert math.isnan(works_ratio(judge, works[:1], photographs))


def test_a_look_is_named_by_what_the_classifier_learned(judge: Judge) -> None:
    examples = {"plain": [smooth(i) for i in range(8)], "striped": [striped(i) for i in range(8)]}
    classifier = NameClassifier(judge, examples)
    assert [classifier.name(striped(i)) for i in range(20, 24)] == ["striped"] * 4
    assert [classifier.name(smooth(i)) for i in range(20, 24)] == ["plain"] * 4


class ToneJudge(Judge):
    """Names an image by its brightness in hundredths, and the four labels above."""

    def labels(self, images: Tensor) -> list[set[int]]:
        tones = [round(float(image.mean()) * 100) for image in images]
        return [set(range(tone, tone + 5)) for tone in tones]


@pytest.mark.parametrize(("change", "kept"), [(0.0, True), (0.02, True), (0.03, False)])
def test_content_is_kept_if_three_of_five_labels_are_shared(change: float, kept: bool) -> None:
    grey = torch.full((3, 8, 8), 0.5)
    assert shares_labels(ToneJudge(SmallNetwork()), grey, grey + change) == kept


def test_labels_are_the_five_likeliest(judge: Judge) -> None:
    first, second = judge.labels(torch.stack([smooth(0), smooth(0)]))
    assert first == second
    assert len(first) == 5


def test_a_missing_judge_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(ImportError, match="pip install --no-deps efficientnet-lite-pytorch"):
        Judge()

"""Agreement of results with the requested look, by a classifier."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch

from turbolens.filter import TurboModel
from turbolens.filter.training.agreement import CROP, RenderedCrops, look_classifier
from turbolens.filter.training.classifier import LookClassifier
from turbolens.filter.training.data import frames_of_clips
from turbolens.filter.training.evaluation.references import SIZE, Evaluation
from turbolens.filter.training.references.rendered import LOOKS

pytestmark = pytest.mark.slow


def picture(seed: int, size: int = SIZE) -> torch.Tensor:
    """(3, size, size) uint8, coarse and colourful."""
    coarse = torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic")[0]
    return smooth.clamp(0, 1).mul(255).byte()


@pytest.fixture(scope="module")
def classifier() -> LookClassifier:
    return look_classifier([picture(seed, 144) for seed in range(3)], steps=90)


def test_a_crop_of_the_whole_size_is_the_look_of_the_picture() -> None:
    small = picture(3, CROP)
    images, names = RenderedCrops([small]).draw(torch.Generator().manual_seed(0), 6)
    assert images.shape == (6, 3, CROP, CROP)
    for image, name in zip(images, names, strict=True):
        wanted = LOOKS[name](small[None].float() / 255).clamp(0, 1)[0]
        assert (image / 2 + 0.5 - wanted).abs().max() < 0.005


def test_the_classifier_recognises_looks_of_unseen_pictures(
    classifier: LookClassifier,
) -> None:
    images, names = RenderedCrops([picture(7, 144)]).whole()
    assert classifier.agreement(images, names) > 0.4
    assert classifier.agreement(images, names[1:] + names[:1]) < 0.3


def test_the_embedded_models_results_agree_with_the_requested_look_above_chance(
    classifier: LookClassifier,
) -> None:
    model = TurboModel.load("embedded", device="cpu", dtype="float32")
    assert Evaluation(model, [picture(7)]).agreement(classifier) > 0.12  # chance is 0.06


def test_frames_of_clips_are_squares_from_the_start(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10, width=96, height=64, pix_fmt="yuv420p")
        for level in (0, 120, 240):
            pixels = np.full((64, 96, 3), level, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    first, last = frames_of_clips(tmp_path, 32, each=2)
    assert first.shape == last.shape == (3, 32, 32)
    assert first.float().mean() < 20
    assert last.float().mean() > 220

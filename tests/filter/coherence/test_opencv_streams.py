"""Coherence by OpenCV on the test scene, beside the tensor version: flow, cuts, batches."""

from collections.abc import Iterator

import pytest
import torch
from torch.nn import functional as F

from turbolens.filter import FilterSettings
from turbolens.filter.acceleration.coherence import AcceleratedCoherence
from turbolens.filter.coherence.change import Change, InputView, MotionEstimator
from turbolens.filter.coherence.motion import Motion
from turbolens.filter.coherence.opencv import OpenCvMotion, WarpCache
from turbolens.filter.coherence.temporal_blend import Coherence
from turbolens.filter.frames.luma import luma_of
from turbolens.filter.networks import Run
from turbolens.pipelines.scene.frames import SceneFrame, TestScene

WIDTH, HEIGHT = 192, 128
CPU = torch.device("cpu")
SETTINGS = FilterSettings()


def luma(frame: SceneFrame) -> torch.Tensor:
    return luma_of(torch.from_numpy(frame.picture))


def image(frame: SceneFrame) -> torch.Tensor:
    """(1, 3, HEIGHT, WIDTH) in −1…1."""
    return torch.from_numpy(frame.picture).permute(2, 0, 1)[None].float() / 127.5 - 1


def latents(frame: SceneFrame) -> torch.Tensor:
    """(1, 3, HEIGHT/8, WIDTH/8): a small picture in place of an encoder's latents."""
    return F.avg_pool2d(image(frame), 8)


class OpenCvStream:
    """Motion estimation and blending by OpenCV, as a model on a CPU runs them."""

    def __init__(self) -> None:
        self.accelerated = AcceleratedCoherence(CPU)
        self.coherence = Coherence(self.accelerated.blend)

    def before(self, frame: SceneFrame) -> tuple[torch.Tensor, Change | None]:
        view = InputView(luma(frame), CPU, self.accelerated.estimate_motion)
        return self.coherence.before(view, latents(frame), SETTINGS)

    def after(self, frame: SceneFrame, change: Change | None) -> torch.Tensor:
        return self.coherence.after(image(frame) * 0.7, change, SETTINGS)


def flow_errors(estimate: Run) -> Iterator[float]:
    """The mean error in pixels where both frames show the same thing."""
    scene = TestScene(WIDTH, HEIGHT, cuts=False, lighting=False)
    for index in (5, 15, 25, 35):
        now, past = luma(scene[index]), luma(scene[index - 1])
        found = Motion(*estimate(now, past, past, torch.tensor(15.0))[:3]).at(HEIGHT, WIDTH)[0]
        exact = torch.from_numpy(scene[index].flow).permute(2, 0, 1)
        difference = (found - exact).square().sum(dim=0).sqrt()
        yield float(difference[torch.from_numpy(scene[index].visible)].mean())


def test_flow_is_as_exact_as_that_of_the_tensor_version() -> None:
    ours, tensor = sum(flow_errors(OpenCvMotion())), sum(flow_errors(MotionEstimator()))
    assert ours < 1.15 * tensor


def cuts(scene: TestScene, indices: range) -> tuple[list[int], list[int]]:
    """The cuts that are found by OpenCV and by tensors, in frames that follow one another."""
    opencv, tensor = OpenCvStream(), Coherence()
    found: list[int] = []
    expected: list[int] = []
    for index in indices:
        _, change = opencv.before(scene[index])
        view = InputView(luma(scene[index]), CPU)
        _, other = tensor.before(view, latents(scene[index]), SETTINGS)
        found += [index] if change is not None and change.is_cut else []
        expected += [index] if other is not None and other.is_cut else []
    return found, expected


@pytest.mark.parametrize(
    ("indices", "true_cuts"), [(range(8, 16), []), (range(27, 33), [30]), (range(57, 63), [60])]
)
def test_cuts_are_found_and_flashes_are_none(indices: range, true_cuts: list[int]) -> None:
    scene = TestScene(WIDTH, HEIGHT, rate=10)  # a flash at 11, a cut every 30 frames
    assert cuts(scene, indices) == (true_cuts, true_cuts)


def test_a_batch_gives_what_single_frames_give() -> None:
    scene = TestScene(WIDTH, HEIGHT, rate=10)
    frames = [scene[index] for index in range(26, 38)]  # across a cut, and more than are kept
    single, batched = OpenCvStream(), OpenCvStream()
    one_by_one = [single.after(frame, single.before(frame)[1]) for frame in frames]
    changes = [batched.before(frame)[1] for frame in frames]
    together = [batched.after(*each) for each in zip(frames, changes, strict=True)]
    assert all(torch.equal(*each) for each in zip(one_by_one, together, strict=True))


def test_results_are_close_to_those_of_the_tensor_version() -> None:
    scene = TestScene(WIDTH, HEIGHT, cuts=False)
    opencv, tensor = OpenCvStream(), Coherence()
    for index in range(8):
        frame = scene[index]
        latents_by_opencv, change = opencv.before(frame)
        view = InputView(luma(frame), CPU)
        latents_by_tensors, other = tensor.before(view, latents(frame), SETTINGS)
        result = tensor.after(image(frame) * 0.7, other, SETTINGS)
        assert (opencv.after(frame, change) - result).abs().mean() < 0.01
        assert (latents_by_opencv - latents_by_tensors).abs().mean() < 0.01


@pytest.mark.parametrize("kept", [1, 8])
def test_a_warp_is_the_same_whether_it_was_kept_or_not(kept: int) -> None:
    scene, warps = TestScene(WIDTH, HEIGHT, cuts=False), WarpCache(kept)
    search, past = OpenCvMotion(warps), luma(scene[0])
    flows = [search(luma(scene[n]), past, past, torch.tensor(15.0)) for n in (1, 2)]
    picture = luma(scene[1])[0, 0].numpy()
    for found in flows:
        assert found is not None
        first, again = (warps.take(found[0], HEIGHT, WIDTH)(picture) for _ in range(2))
        assert (first == again).all()

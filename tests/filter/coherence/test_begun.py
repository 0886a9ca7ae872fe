"""What coherence computes beside the networks has the results of what it computes in turn."""

import pytest
import torch
from torch.nn import functional as F

from turbolens.filter import FilterSettings
from turbolens.filter import beside as threads
from turbolens.filter.acceleration.coherence import AcceleratedCoherence
from turbolens.filter.coherence.change import Change, InputView
from turbolens.filter.coherence.temporal_blend import Coherence
from turbolens.filter.frames.luma import luma_of
from turbolens.pipelines.scene.frames import TestScene

CPU = torch.device("cpu")
SETTINGS = FilterSettings()
SCENE = TestScene(192, 128)


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "processors", lambda: 2)


class Stream:
    """Coherence as a filter on a CPU runs it. begins: True to begin beside the networks."""

    def __init__(self, *, begins: bool) -> None:
        self.accelerated, self.begins = AcceleratedCoherence(CPU), begins
        begin_blend = self.accelerated.begin_blend if begins else None
        self.coherence = Coherence(self.accelerated.blend, begin_blend)
        self.estimates = 0

    def run(self, indices: list[int], size: tuple[int, int] = (128, 192)) -> list[torch.Tensor]:
        """Latents and results of a batch."""
        images = [self._image(index, size) for index in indices]
        views = [self._view(each) for each in images]
        if self.begins:
            for view in views:
                self.coherence.begin(view, SETTINGS)
        before = [
            self.coherence.before(view, F.avg_pool2d(each, 8), SETTINGS)
            for view, each in zip(views, images, strict=True)
        ]
        results = [
            self.coherence.after(each * 0.7, change, SETTINGS)
            for each, (_, change) in zip(images, before, strict=True)
        ]
        return [latents for latents, _ in before] + results

    def _image(self, index: int, size: tuple[int, int]) -> torch.Tensor:
        picture = torch.from_numpy(SCENE[index].picture).permute(2, 0, 1)[None].float()
        return F.interpolate(picture / 127.5 - 1, size=size)

    def _view(self, image: torch.Tensor) -> InputView:
        rgb = ((image[0].permute(1, 2, 0) + 1) * 127.5).to(torch.uint8)
        return InputView(luma_of(rgb), CPU, self._estimated)

    def _estimated(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...] | None:
        self.estimates += 1
        return self.accelerated.estimate_motion(*inputs)


@pytest.mark.parametrize("together", [1, 3])
def test_a_stream_has_the_same_latents_and_results_bit_for_bit(together: int) -> None:
    plain, beside = Stream(begins=False), Stream(begins=True)
    for begin in range(0, 18, together):
        indices = list(range(begin, begin + together))
        for one, other in zip(plain.run(indices), beside.run(indices), strict=True):
            assert torch.equal(one, other)
    assert beside.estimates == plain.estimates  # none is made in vain


def test_another_size_begins_anew() -> None:
    beside = Stream(begins=True)
    beside.run([0])
    fresh, other = Stream(begins=False).run([1], (96, 160)), beside.run([1], (96, 160))
    assert all(torch.equal(*each) for each in zip(fresh, other, strict=True))


def test_a_change_that_was_begun_is_forgotten_after_a_reset() -> None:
    beside, fresh = Stream(begins=True), Stream(begins=False)
    beside.run([0])
    beside.coherence.begin(beside._view(beside._image(1, (128, 192))), SETTINGS)
    beside.coherence.reset()
    beside.begins = False
    for indices in ([5], [6]):
        for one, other in zip(fresh.run(indices), beside.run(indices), strict=True):
            assert torch.equal(one, other)


def test_the_last_result_is_warped_before_the_next_one_is_there() -> None:
    stream = Stream(begins=True)
    stream.run([0])
    image = stream._image(1, (128, 192))
    view = stream._view(image)
    stream.coherence.begin(view, SETTINGS)
    _, change = stream.coherence.before(view, F.avg_pool2d(image, 8), SETTINGS)
    assert isinstance(change, Change)
    opencv = stream.accelerated._opencv
    assert opencv is not None
    warp = opencv[1]._warps.find(change.motion.flow)
    assert warp is not None
    assert warp._begun is not None
    assert warp._begun[0] is stream.coherence._last_result

"""Results of trials are kept, and files prepare a backend only if that saves time."""

import copy
import gc
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from turbolens.filter import FilterSettings, FrameFilter, TurboModel
from turbolens.filter.acceleration import comparison, shape_runner
from turbolens.filter.acceleration.accelerated_module import AcceleratedModule
from turbolens.filter.acceleration.backend import PrepareTime
from turbolens.filter.acceleration.comparison import Comparison
from turbolens.filter.acceleration.openvino.runtime import OpenVino
from turbolens.filter.acceleration.trial_records import TrialRecords, TrialResult
from turbolens.filter.acceleration.workload import Workload
from turbolens.filter.networks import Run
from turbolens.pipelines.scene.frames import TestScene

NEVER, GOOD = TrialResult(False, 1.0, 0.0, 0.5), TrialResult(True, 2.0, 0.5, 0.5)


class Clock:
    """A clock that only the modules of these tests advance."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


CLOCK = Clock()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    for module in (comparison, shape_runner):
        monkeypatch.setattr(module, "perf_counter", CLOCK)
    return CLOCK


class Doubled(nn.Module):
    """Doubles its input in a second."""

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        CLOCK.seconds += 1.0
        return 2.0 * numbers


class Recorded:
    """A backend that is prepared in half a second, and whose results are kept."""

    prepare_time: PrepareTime = "seconds"
    calibrated = False
    likely_saving = 0.5

    def __init__(self, name: str = "fast", *, reduced_precision: bool = False) -> None:
        self.name, self.reduced_precision = name, reduced_precision
        self.prepared = 0

    def prepare(self, module: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
        self.prepared += 1

        def run(numbers: torch.Tensor) -> torch.Tensor:
            CLOCK.seconds += 0.1
            return 2.0 * numbers

        return run

    def trial_key(self, module: nn.Module, inputs: Sequence[torch.Tensor]) -> str | None:
        return f"{self.name} {tuple(inputs[0].shape[1:])}"

    def is_prepared(self, key: str | None) -> bool:
        return self.prepared > 0

    def prepare_again_s(self, key: str | None) -> float:
        return 0.5


@pytest.fixture
def comparisons(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the backends that are compared."""
    made: list[str] = []

    class Counted(Comparison):
        def __init__(self, backend: Recorded, candidate: Run, module: nn.Module) -> None:
            made.append(backend.name)
            super().__init__(backend, candidate, module)

    monkeypatch.setattr(shape_runner, "Comparison", Counted)
    return made


def settled(module: AcceleratedModule, calls: int = 40) -> AcceleratedModule:
    """After so many calls, and none on trial. Each gives the right result."""
    ones = torch.ones(1, 8)
    for _ in range(calls):
        assert torch.equal(module(ones), 2.0 * ones)
    while module.settling:
        module(ones)
    return module


def test_a_winner_is_used_at_the_next_start_without_a_trial(
    tmp_path: Path, clock: Clock, comparisons: list[str]
) -> None:
    for _ in range(2):  # two starts
        records, backend = TrialRecords(tmp_path / "trials.json"), Recorded()
        assert settled(AcceleratedModule(Doubled(), [backend], records=records)).latest == "fast"
        assert backend.prepared == 1
    assert comparisons == ["fast"]


def test_a_loser_is_not_prepared_at_the_next_start(tmp_path: Path, clock: Clock) -> None:
    records, backend = TrialRecords(tmp_path / "trials.json"), Recorded()
    records.put("fast (8,)", NEVER)
    assert settled(AcceleratedModule(Doubled(), [backend], records=records)).latest == "none"
    assert backend.prepared == 0


def test_waiting_for_a_known_winner_takes_no_trial(
    tmp_path: Path, clock: Clock, comparisons: list[str]
) -> None:
    records, backend = TrialRecords(tmp_path / "trials.json"), Recorded()
    records.put("fast (8,)", GOOD)
    module = AcceleratedModule(Doubled(), [backend], wait=True, records=records)
    module(torch.ones(1, 8))
    assert (module.latest, backend.prepared, comparisons) == ("fast", 1, [])


def test_a_retry_replaces_the_result(tmp_path: Path, clock: Clock) -> None:
    records = TrialRecords(tmp_path / "trials.json")
    records.put("fast (8,)", NEVER)
    AcceleratedModule(Doubled(), [Recorded()], wait=True, records=records, retry=True)(
        torch.ones(1, 8)
    )
    result = records.get("fast (8,)")
    assert result is not None
    assert (result.won, round(result.saved_s, 3)) == (True, 0.9)


def test_of_known_winners_the_exact_one_is_prepared_only_where_it_is_needed(
    tmp_path: Path, clock: Clock, comparisons: list[str]
) -> None:
    records, exact, coarse = TrialRecords(tmp_path / "trials.json"), Recorded("exact"), Recorded(
        "coarse", reduced_precision=True
    )  # fmt: skip
    for name in ("exact", "coarse"):
        records.put(f"{name} (8,)", GOOD)
    module = settled(AcceleratedModule(Doubled(), [exact, coarse], records=records))
    assert (module.latest, exact.prepared, module.settling) == ("coarse", 0, False)
    while module.latest != "exact":
        module(torch.ones(1, 8), error_gain=3.0)
    module(torch.ones(1, 8))
    assert (module.latest, comparisons) == ("coarse", [])


@pytest.mark.parametrize(("frames", "prepared"), [(1, 0), (10, 0), (30, 1)])
def test_a_backend_is_prepared_only_for_frames_that_make_up_for_it(
    clock: Clock, frames: int, prepared: int
) -> None:
    """A try costs 2.5 s and ten frames, here 12.5 s, and saves half a second a frame."""
    backend = Recorded()
    settled_calls = AcceleratedModule(Doubled(), [backend], frames=2 * frames)
    for _ in range(frames):
        settled_calls(torch.ones(1, 8))
    assert backend.prepared == (1 if 2 * frames > 40 else 0) == prepared


def test_a_known_winner_serves_a_file_from_its_first_frame(tmp_path: Path, clock: Clock) -> None:
    records = TrialRecords(tmp_path / "trials.json")
    records.put("fast (8,)", GOOD)
    module = AcceleratedModule(Doubled(), [Recorded()], records=records, frames=20)
    module(torch.ones(1, 8))
    assert module.latest == "fast"


def test_of_an_unknown_number_of_frames_as_many_again_are_expected() -> None:
    work = Workload(0)
    work.count(50)
    assert work.remaining == 50
    known = Workload(60)
    known.count(50)
    assert known.remaining == 10


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": {"b": 2}}'])
def test_a_damaged_file_counts_as_empty(tmp_path: Path, content: str) -> None:
    file = tmp_path / "trials.json"
    file.write_text(content)
    records = TrialRecords(file)
    assert not records
    records.put("a", GOOD)
    assert TrialRecords(file).get("a") == GOOD


def test_a_conversion_is_named_by_the_weights_that_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights change on another thread while a backend is prepared."""
    pytest.importorskip("openvino")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    module, ones, copied = nn.Linear(2, 2), torch.ones(1, 2), copy.deepcopy

    def changed_meanwhile(value: nn.Module) -> nn.Module:
        with torch.no_grad():
            module.weight.add_(1.0)
        changed: nn.Module = copied(value)
        return changed

    before = copied(module)
    monkeypatch.setattr(copy, "deepcopy", changed_meanwhile)
    OpenVino().prepare(module, [ones])
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    result = OpenVino().prepare(before, [ones])(ones)
    assert torch.allclose(result, before(ones), atol=1e-4)


@pytest.mark.slow
def test_a_switch_within_a_stream_does_not_flash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state of coherence goes on, and the images before and after agree with the plain ones."""
    pytest.importorskip("openvino")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(Comparison, "won", property(lambda self: not self._rejected))
    model = TurboModel.load("embedded", device="cpu", dtype="float32")
    scene = TestScene(128, 96, seed=3)
    pictures = [scene[index].picture for index in range(24)]
    plain = [FrameFilter(model, FilterSettings(size=128))(each) for each in pictures[:0]]
    used: list[str] = []

    def run(prepare: Callable[[], object]) -> list[np.ndarray]:
        prepare()
        frame_filter = FrameFilter(model, FilterSettings(size=128))
        shown = []
        for each in pictures:
            shown.append(frame_filter(each).astype(float))
            used.append(model.accelerations["predictor"])
        return shown

    plain = run(lambda: model.accelerate("none"))
    used.clear()
    monkeypatch.setattr(Workload, "pays_to_try", lambda *_: True)
    switched = run(lambda: model.accelerate("auto", frames=1000))
    assert used[0] == "none"
    assert used[-1] != "none"
    for one, other in zip(plain, switched, strict=True):
        error = np.square(one - other).mean()
        assert 10 * np.log10(255.0**2 / max(error, 1e-9)) > 30.0
        assert abs(one.mean() - other.mean()) < 2.0  # no flash


def test_a_module_that_nobody_uses_is_freed_with_its_backends_at_once(clock: Clock) -> None:
    """Not by the cyclic garbage collector: that counts objects, not the memory of a network."""
    backend = Recorded()
    module = settled(AcceleratedModule(Doubled(), [backend]))
    assert module.latest == "fast"
    freed = weakref.ref(backend)
    gc.disable()
    try:
        del module, backend
        assert freed() is None
    finally:
        gc.enable()

"""Other ways to run a model: taken only where they agree with plain PyTorch and are faster."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

import pytest
import torch
from torch import nn

from turbolens.filter import SettingsError, TurboModel
from turbolens.filter.acceleration.accelerated_module import AcceleratedModule
from turbolens.filter.acceleration.backend import Backend, PrepareTime
from turbolens.filter.acceleration.choice import backends_for
from turbolens.filter.acceleration.coherence import AcceleratedCoherence
from turbolens.filter.acceleration.comparison import agreement_db
from turbolens.filter.acceleration.compiled import Compiled
from turbolens.filter.acceleration.graphs import CudaGraphs
from turbolens.filter.networks import Result, Run

CPU = torch.device("cpu")


class Slow(nn.Module):
    """Doubles, a hundred times slower than it needs to."""

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        for _ in range(300):
            numbers = numbers + 1.0 - 1.0
        return 2.0 * numbers


class SlowPair(Slow):
    """The double and the number itself."""

    def forward(self, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[override]
        return super().forward(numbers), numbers


class Way:
    """A backend that is what a test says."""

    def __init__(
        self,
        run: Callable[[torch.Tensor], Result],
        prepare_time: PrepareTime = "moment",
        *,
        reduced_precision: bool = False,
    ) -> None:
        self.name, self.prepare_time, self._run = "way", prepare_time, run
        self.reduced_precision = reduced_precision

    def prepare(self, part: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
        """What it was made with."""
        return self._run


def decided(way: Backend, part: nn.Module | None = None) -> AcceleratedModule:
    """A part that has been asked until it was decided."""
    accelerated = AcceleratedModule(part or Slow(), [way], wait=True)
    accelerated(torch.ones(1, 4096))
    return accelerated


def test_a_faster_way_that_agrees_is_taken() -> None:
    assert decided(Way(lambda numbers: 2.0 * numbers)).latest == "way"


def test_a_way_that_differs_is_refused_and_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    accelerated = decided(Way(lambda numbers: 2.1 * numbers))
    assert accelerated.latest == "none"
    assert "differs too much" in caplog.text


def test_a_slower_way_is_not_taken() -> None:
    quick = nn.Identity()
    assert decided(Way(lambda numbers: Slow()(numbers) / 2.0), quick).latest == "none"


def test_a_way_that_fails_leaves_the_plain_result() -> None:
    def fails(numbers: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no such kernel")

    accelerated = decided(Way(fails))
    assert accelerated.latest == "none"
    assert torch.equal(accelerated(torch.ones(1, 4)), torch.full((1, 4), 2.0))


def test_while_a_way_is_prepared_the_part_runs_plainly() -> None:
    way = Way(lambda numbers: 2.0 * numbers, prepare_time="seconds")
    accelerated = AcceleratedModule(Slow(), [way])
    first = accelerated(torch.ones(1, 8))
    while accelerated.undecided:
        accelerated(torch.ones(1, 8))
    assert torch.equal(first, accelerated(torch.ones(1, 8)))
    assert accelerated.latest == "way"


def test_each_shape_is_decided_by_itself() -> None:
    accelerated = decided(Way(lambda numbers: 2.0 * numbers[:, :4096]))
    assert torch.equal(accelerated(torch.ones(1, 5000)), torch.full((1, 5000), 2.0))
    assert sorted(accelerated.chosen.values()) == ["none", "way"]


def test_a_coarse_way_runs_where_its_errors_do_not_grow_too_much() -> None:
    """It is 45 dB off: 10 more than needed, which errors have used up that grow by 3.2."""
    off = 2.0 * 10 ** (-45 / 20)
    coarse = Way(lambda numbers: 2.0 * numbers + off, reduced_precision=True)
    accelerated = AcceleratedModule(Slow(), [coarse], wait=True)
    ramp = torch.linspace(0.0, 1.0, 4096)
    for gain, runs in ((1.0, "way"), (3.1, "way"), (3.3, "none"), (14.6, "none")):
        result = accelerated(ramp, error_gain=gain)
        assert accelerated.latest == runs
        assert torch.allclose(result, 2.0 * ramp, atol=1e-3) == (runs == "none")


def test_where_errors_grow_the_best_of_the_exact_ways_runs() -> None:
    exact, coarse = Way(lambda numbers: 2.0 * numbers), Way(lambda numbers: 2.001 * numbers)
    exact.name, coarse.reduced_precision = "exact", True
    accelerated = AcceleratedModule(Slow(), [exact, coarse], wait=True)
    result = accelerated(torch.ones(1, 4096), error_gain=1e9)
    assert (accelerated.latest, result[0, 0].item()) == ("exact", 2.0)


def test_new_weights_begin_anew() -> None:
    accelerated = decided(Way(lambda numbers: 2.0 * numbers))
    accelerated.renew()
    assert accelerated.latest == "none"


def test_every_tensor_of_a_result_must_agree() -> None:
    assert decided(Way(lambda n: (2.0 * n, n)), SlowPair()).latest == "way"
    assert decided(Way(lambda n: (2.0 * n, n + 1.0)), SlowPair()).latest == "none"


def test_agreement_is_measured_against_the_range() -> None:
    plain = torch.tensor([0.0, 1.0])
    assert agreement_db(plain, plain + 0.01) == pytest.approx(40.0, abs=0.01)
    assert agreement_db(plain, torch.ones(3)) == -float("inf")


def test_a_result_that_happens_to_be_flat_is_measured_against_its_usual_range() -> None:
    """A scene where nothing moves: all flow is 0 but for what another way rounds differently."""
    still, almost = torch.zeros(1, 2, 4, 4), torch.full((1, 2, 4, 4), 1e-5)
    assert agreement_db(still, almost) == -torch.inf
    assert agreement_db(still, almost, 8.0) > 100.0

    class Still(Slow):
        typical_ranges = (8.0,)

    way = Way(lambda numbers: 2.0 * numbers + 1e-5)
    accelerated = AcceleratedModule(Still(), [way], wait=True)
    accelerated(torch.zeros(1, 4096))
    assert accelerated.latest == "way"


def test_what_no_way_runs_faster_pays_no_more() -> None:
    ones = torch.ones(1, 4096)
    assert not AcceleratedModule(Slow()).is_worthwhile(ones)
    assert decided(Way(lambda numbers: 2.0 * numbers)).is_worthwhile(ones)
    assert not decided(Way(lambda numbers: 3.0 * numbers)).is_worthwhile(ones)
    untried = AcceleratedModule(Slow(), [Way(lambda numbers: numbers)])
    assert untried.is_worthwhile(ones)


def test_a_shape_that_soon_goes_again_is_not_prepared() -> None:
    asked: list[int] = []

    class Counted(Way):
        def prepare(self, part: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
            asked.append(inputs[0].shape[1])
            return super().prepare(part, inputs)

    way = Counted(lambda numbers: 2.0 * numbers)
    patient = AcceleratedModule(Slow(), [way], patience=3)
    for length in (8, 8, 8, 16, 16, 16, 16):
        assert torch.equal(patient(torch.ones(1, length)), torch.full((1, length), 2.0))
    assert asked == [16]
    assert not patient.is_worthwhile(torch.ones(1, 32))
    AcceleratedModule(Slow(), [way], patience=3, wait=True)(torch.ones(1, 64))
    assert asked == [16, 64]


def test_ways_are_prepared_one_after_the_other_and_not_for_shapes_that_went() -> None:
    inside, most, asked, begin = [0], [0], list[int](), Event()

    class Slowly(Way):
        def prepare(self, part: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            begin.wait(20)
            asked.append(inputs[0].shape[1])
            inside[0] -= 1
            return super().prepare(part, inputs)

    way = Slowly(lambda numbers: 2.0 * numbers, prepare_time="seconds")
    parts = [AcceleratedModule(Slow(), [way]) for _ in range(2)]
    for length in (8, 16, 32):
        for part in parts:
            part(torch.ones(1, length))
    begin.set()
    while [part.latest for part in parts] != ["way", "way"]:
        for part in parts:
            part(torch.ones(1, 32))
    assert most == [1]
    assert asked.count(32) == 2
    assert 16 not in asked  # its turn had not come when it went


def test_graphs_are_for_cuda_alone() -> None:
    with pytest.raises(RuntimeError, match="CUDA device, got cpu"):
        CudaGraphs().prepare(Slow(), [torch.ones(1)])
    with pytest.raises(SettingsError, match="needs device cuda"):
        backends_for("cuda-graphs", CPU, torch.float32)


def test_an_unknown_acceleration_is_named() -> None:
    with pytest.raises(SettingsError, match="auto, none, openvino, compile, cuda-graphs, fp8"):
        backends_for("warp", CPU, torch.float32)


def test_without_openvino_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr("turbolens.filter.acceleration.choice.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'turbolens\[openvino\]'"):
        backends_for("openvino", CPU, torch.float32)
    assert backends_for("auto", CPU, torch.float32) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's compiler uses its own past
def test_compiled_code_agrees_on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    part = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.SiLU())
    image = torch.randn(1, 3, 16, 16)
    run = Compiled().prepare(part, [image])
    with torch.inference_mode():
        assert agreement_db(part(image), run(image)) > 80.0
    assert list(tmp_path.iterdir()), "compiled code must be kept for the next start"


def test_coherence_is_not_prepared_for_minutes() -> None:
    coherence = AcceleratedCoherence(CPU, [Compiled(), Way(torch.neg)])
    for part in coherence.modules:
        assert [way.name for way in part.backends] == ["way"]


def test_a_quick_start_leaves_out_what_takes_minutes_unless_it_is_named(
    model: TurboModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = [Way(torch.neg), Way(torch.neg, "minutes")]
    monkeypatch.setattr("turbolens.filter.model.backends_for", lambda *_: ways)
    try:
        for acceleration, quick, count in (
            ("auto", True, 1),
            ("auto", False, 2),
            ("compile", True, 2),
        ):
            model.accelerate(acceleration, quick=quick)  # type: ignore[arg-type]
            assert len(model.accelerated.predictor.accelerated.backends) == count
    finally:
        monkeypatch.undo()
        model.accelerate("none")

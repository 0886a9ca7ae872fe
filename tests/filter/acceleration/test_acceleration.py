"""Backends are used only if they agree with plain PyTorch and are faster."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

import pytest
import torch
from torch import nn

from turbolens.filter import SettingsError, TurboModel
from turbolens.filter.acceleration import comparison
from turbolens.filter.acceleration.accelerated_module import AcceleratedModule
from turbolens.filter.acceleration.backend import Backend, PrepareTime, Unrecorded
from turbolens.filter.acceleration.choice import backends_for
from turbolens.filter.acceleration.coherence import AcceleratedCoherence
from turbolens.filter.acceleration.comparison import agreement_db
from turbolens.filter.acceleration.compiled import Compiled
from turbolens.filter.acceleration.graphs import CudaGraphs
from turbolens.filter.networks import Result, Run

CPU = torch.device("cpu")


class VirtualClock:
    """A clock that only the modules of these tests advance, so that a busy machine has no say."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


CLOCK = VirtualClock()


@pytest.fixture(autouse=True)
def _virtual_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "perf_counter", CLOCK)


class Slow(nn.Module):
    """Doubles its input, a hundred times slower than `FakeBackend`."""

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        CLOCK.seconds += 1.0
        return 2.0 * numbers


class SlowPair(Slow):
    """Returns the double and the input."""

    def forward(self, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[override]
        return super().forward(numbers), numbers


class FakeBackend(Unrecorded):
    """A backend that prepares the given function. A call of it takes 0.01 s."""

    def __init__(
        self,
        run: Callable[[torch.Tensor], Result],
        prepare_time: PrepareTime = "moment",
        *,
        reduced_precision: bool = False,
        calibrated: bool = False,
    ) -> None:
        self.name, self.prepare_time, self._run = "fake", prepare_time, run
        self.reduced_precision, self.calibrated = reduced_precision, calibrated

    def prepare(self, part: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
        """The given function, which advances the clock."""

        def run(numbers: torch.Tensor) -> Result:
            CLOCK.seconds += 0.01
            return self._run(numbers)

        return run


def decided(backend: Backend, part: nn.Module | None = None) -> AcceleratedModule:
    """An accelerated module for which all backends have been tried."""
    accelerated = AcceleratedModule(part or Slow(), [backend], wait=True)
    accelerated(torch.ones(1, 4096))
    return accelerated


def test_a_faster_backend_that_agrees_is_used() -> None:
    assert decided(FakeBackend(lambda numbers: 2.0 * numbers)).latest == "fake"


def test_a_backend_that_differs_is_rejected_and_only_a_debug_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    accelerated = decided(FakeBackend(lambda numbers: 2.1 * numbers))
    assert accelerated.latest == "none"
    (record,) = caplog.records
    assert "differs too much" in record.message
    assert record.levelname == "DEBUG"


class SlowOfPositive(Slow):
    """Its results below zero are not to be compared."""

    @staticmethod
    def is_comparable(doubled: torch.Tensor) -> bool:
        return bool(doubled.min() >= 0.0)


def test_results_that_are_not_comparable_reject_no_backend() -> None:
    backend = FakeBackend(lambda numbers: 2.0 * numbers.abs())
    accelerated = AcceleratedModule(SlowOfPositive(), [backend])
    for sign in (-1.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        accelerated(torch.full((1, 4096), sign))
    assert accelerated.latest == "fake"


def test_a_backend_is_not_used_unseen_if_no_result_is_comparable() -> None:
    accelerated = AcceleratedModule(SlowOfPositive(), [FakeBackend(torch.abs)], wait=True)
    accelerated(torch.full((1, 4096), -1.0))
    assert accelerated.latest == "none"


def test_a_slower_backend_is_not_used() -> None:
    quick = nn.Identity()
    assert decided(FakeBackend(lambda numbers: Slow()(numbers) / 2.0), quick).latest == "none"


def test_a_failing_backend_leaves_the_plain_result() -> None:
    def fails(numbers: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no such kernel")

    accelerated = decided(FakeBackend(fails))
    assert accelerated.latest == "none"
    assert torch.equal(accelerated(torch.ones(1, 4)), torch.full((1, 4), 2.0))


def test_a_module_runs_plainly_while_a_backend_is_prepared() -> None:
    backend = FakeBackend(lambda numbers: 2.0 * numbers, prepare_time="seconds")
    accelerated = AcceleratedModule(Slow(), [backend])
    first = accelerated(torch.ones(1, 8))
    while accelerated.undecided:
        accelerated(torch.ones(1, 8))
    assert torch.equal(first, accelerated(torch.ones(1, 8)))
    assert accelerated.latest == "fake"


def test_each_shape_is_decided_separately() -> None:
    accelerated = decided(FakeBackend(lambda numbers: 2.0 * numbers[:, :4096]))
    assert torch.equal(accelerated(torch.ones(1, 5000)), torch.full((1, 5000), 2.0))
    assert sorted(accelerated.chosen.values()) == ["fake", "none"]


def test_reduced_precision_is_used_up_to_its_maximal_error_gain() -> None:
    """At 45 dB it is 10 dB better than needed, which is a gain of 3.2."""
    off = 2.0 * 10 ** (-45 / 20)
    coarse = FakeBackend(lambda numbers: 2.0 * numbers + off, reduced_precision=True)
    accelerated = AcceleratedModule(Slow(), [coarse], wait=True)
    ramp = torch.linspace(0.0, 1.0, 4096)
    for gain, runs in ((1.0, "fake"), (3.1, "fake"), (3.3, "none"), (14.6, "none")):
        result = accelerated(ramp, error_gain=gain)
        assert accelerated.latest == runs
        assert torch.allclose(result, 2.0 * ramp, atol=1e-3) == (runs == "none")


@pytest.mark.parametrize(("psnr", "runs"), [(33.0, "fake"), (29.0, "none")])
def test_a_calibrated_backend_needs_30_db(psnr: float, runs: str) -> None:
    off = 2.0 * 10 ** (-psnr / 20)
    coarse = FakeBackend(
        lambda numbers: 2.0 * numbers + off, reduced_precision=True, calibrated=True
    )
    accelerated = AcceleratedModule(Slow(), [coarse], wait=True)
    accelerated(torch.linspace(0.0, 1.0, 4096), error_gain=0.1)
    assert accelerated.latest == runs


def test_the_best_exact_backend_runs_at_a_high_error_gain() -> None:
    exact, coarse = (
        FakeBackend(lambda numbers: 2.0 * numbers),
        FakeBackend(lambda numbers: 2.001 * numbers),
    )
    exact.name, coarse.reduced_precision = "exact", True
    accelerated = AcceleratedModule(Slow(), [exact, coarse], wait=True)
    result = accelerated(torch.ones(1, 4096), error_gain=1e9)
    assert (accelerated.latest, result[0, 0].item()) == ("exact", 2.0)


def test_renew_forgets_all_backends() -> None:
    accelerated = decided(FakeBackend(lambda numbers: 2.0 * numbers))
    accelerated.renew()
    assert accelerated.latest == "none"


def test_every_tensor_of_a_result_must_agree() -> None:
    assert decided(FakeBackend(lambda n: (2.0 * n, n)), SlowPair()).latest == "fake"
    assert decided(FakeBackend(lambda n: (2.0 * n, n + 1.0)), SlowPair()).latest == "none"


def test_agreement_is_measured_against_the_range() -> None:
    plain = torch.tensor([0.0, 1.0])
    assert agreement_db(plain, plain + 0.01) == pytest.approx(40.0, abs=0.01)
    assert agreement_db(plain, torch.ones(3)) == -float("inf")


def test_a_flat_result_is_measured_against_its_typical_range() -> None:
    """A scene without motion: the flow is 0 except for rounding."""
    still, almost = torch.zeros(1, 2, 4, 4), torch.full((1, 2, 4, 4), 1e-5)
    assert agreement_db(still, almost) == -torch.inf
    assert agreement_db(still, almost, 8.0) > 100.0

    class Still(Slow):
        typical_ranges = (8.0,)

    backend = FakeBackend(lambda numbers: 2.0 * numbers + 1e-5)
    accelerated = AcceleratedModule(Still(), [backend], wait=True)
    accelerated(torch.zeros(1, 4096))
    assert accelerated.latest == "fake"


def test_a_backend_is_worthwhile_until_it_is_rejected() -> None:
    ones = torch.ones(1, 4096)
    assert not AcceleratedModule(Slow()).is_worthwhile(ones)
    assert decided(FakeBackend(lambda numbers: 2.0 * numbers)).is_worthwhile(ones)
    assert not decided(FakeBackend(lambda numbers: 3.0 * numbers)).is_worthwhile(ones)
    untried = AcceleratedModule(Slow(), [FakeBackend(lambda numbers: numbers)])
    assert untried.is_worthwhile(ones)


def test_a_rare_shape_is_not_prepared() -> None:
    asked: list[int] = []

    class Counted(FakeBackend):
        def prepare(self, part: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
            asked.append(inputs[0].shape[1])
            return super().prepare(part, inputs)

    backend = Counted(lambda numbers: 2.0 * numbers)
    patient = AcceleratedModule(Slow(), [backend], patience=3)
    for length in (8, 8, 8, 16, 16, 16, 16):
        assert torch.equal(patient(torch.ones(1, length)), torch.full((1, length), 2.0))
    assert asked == [16]
    assert not patient.is_worthwhile(torch.ones(1, 32))
    AcceleratedModule(Slow(), [backend], patience=3, wait=True)(torch.ones(1, 64))
    assert asked == [16, 64]


def test_backends_are_prepared_one_at_a_time_and_not_for_abandoned_shapes() -> None:
    inside, most, asked, begin = [0], [0], list[int](), Event()

    class Slowly(FakeBackend):
        def prepare(self, part: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            begin.wait(20)
            asked.append(inputs[0].shape[1])
            inside[0] -= 1
            return super().prepare(part, inputs)

    backend = Slowly(lambda numbers: 2.0 * numbers, prepare_time="seconds")
    parts = [AcceleratedModule(Slow(), [backend]) for _ in range(2)]
    for length in (8, 16, 32):
        for part in parts:
            part(torch.ones(1, length))
    begin.set()
    while [part.latest for part in parts] != ["fake", "fake"]:
        for part in parts:
            part(torch.ones(1, 32))
    assert most == [1]
    assert asked.count(32) == 2
    assert 16 not in asked  # its turn had not come when it went


def test_cuda_graphs_need_cuda() -> None:
    with pytest.raises(RuntimeError, match="CUDA device, got cpu"):
        CudaGraphs().prepare(Slow(), [torch.ones(1)])
    with pytest.raises(SettingsError, match="needs device cuda"):
        backends_for("cuda-graphs", CPU, torch.float32)


def test_an_unknown_acceleration_is_refused() -> None:
    with pytest.raises(SettingsError, match="none, openvino, int8, compile, cuda-graphs, fp8"):
        backends_for("warp", CPU, torch.float32)


def test_without_openvino_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr("turbolens.filter.acceleration.choice.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="pip install openvino"):
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


def test_coherence_leaves_out_slow_backends() -> None:
    coherence = AcceleratedCoherence(torch.device("meta"), [Compiled(), FakeBackend(torch.neg)])
    for module in coherence.modules:
        assert [backend.name for backend in module.backends] == ["fake"]


def test_quick_leaves_out_slow_backends_unless_requested_by_name(
    model: TurboModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    backends = [FakeBackend(torch.neg), FakeBackend(torch.neg, "minutes")]
    monkeypatch.setattr("turbolens.filter.model.backends_for", lambda *_, **__: backends)
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

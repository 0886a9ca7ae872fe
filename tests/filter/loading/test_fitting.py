"""Which models this machine can run."""

from pathlib import Path

import pytest

from turbolens.filter.loading.catalogue import known_models
from turbolens.filter.loading.fitting import Speed, fitting_models, speed_of
from turbolens.filter.loading.hub import Hub
from turbolens.filter.loading.memory import DeviceMemory

GIBIBYTE = 1 << 30


def test_the_one_step_models_are_listed_with_their_needs(tmp_path: Path) -> None:
    fits = {fit.model.name: fit for fit in fitting_models(Hub(cache=tmp_path))}
    one_step = {name for name, model in known_models().items() if model.steps[0] == 1}
    assert set(fits) == one_step >= {"embedded", "sd-turbo", "sdxl-turbo"}
    assert fits["embedded"].is_here
    assert fits["embedded"].speed == "live"
    assert not fits["sd-turbo"].is_here
    assert fits["sdxl-turbo"].needs_bytes > fits["sd-turbo"].needs_bytes > GIBIBYTE


@pytest.mark.parametrize(
    ("name", "need", "on_gpu", "speed"),
    [
        ("embedded", 1, False, "live"),
        ("sd-turbo", 4, False, "slow"),
        ("sd-turbo", 4, True, "live"),
        ("sd-turbo", 9, True, "no"),
        ("sd-turbo", 9, False, "no"),
    ],
)
def test_memory_and_gpu_decide(name: str, need: int, on_gpu: bool, speed: Speed) -> None:
    memory = DeviceMemory("here", 8 * GIBIBYTE, 6 * GIBIBYTE)
    model = known_models()[name]
    assert speed_of(model, need * GIBIBYTE, memory, on_gpu=on_gpu) == speed


def test_an_unknown_memory_refuses_nothing() -> None:
    assert speed_of(known_models()["sdxl-turbo"], 99 * GIBIBYTE, None, on_gpu=True) == "live"

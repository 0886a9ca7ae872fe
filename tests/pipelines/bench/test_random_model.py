"""Known architectures with random weights, made narrow so that they fit a test."""

from dataclasses import replace
from typing import Any

import pytest

from turbolens.filter import FilterSettings, SettingsError
from turbolens.filter.loading.families import Architecture, architecture
from turbolens.pipelines.bench import random_model as module
from turbolens.pipelines.bench.random_model import random_model
from turbolens.pipelines.bench.speed import Case, Extent, measure

SMALL = Case("small", 128, 96, 64)


def _narrow(family: Any) -> Architecture:
    whole = architecture(family)
    heads = [1] * len(whole.unet["block_out_channels"])
    narrow = {
        "block_out_channels": [8] * len(heads), "norm_num_groups": 4, "layers_per_block": 1,
        "attention_head_dim": heads,
    }  # fmt: skip
    return replace(whole, unet={**whole.unet, **narrow})


@pytest.mark.parametrize("name", ["sd-turbo", pytest.param("sdxl-turbo", marks=pytest.mark.slow)])
def test_a_known_model_is_measured_without_its_weights(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "architecture", _narrow)
    model = random_model(name, device="cpu", dtype="float32")
    assert model.modules.calibrated  # so that --acceleration int8 can be measured
    report = measure(
        model, FilterSettings(prompt="comic"), cases=[SMALL],
        extent=Extent(frames=2, baselines=("streaming",)),
    )  # fmt: skip
    assert report.results[0].end_to_end.median_ms > 0


def test_the_embedded_model_has_weights_of_its_own() -> None:
    with pytest.raises(SettingsError, match="sd-turbo"):
        random_model("embedded")

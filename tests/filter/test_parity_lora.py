"""LoRAs: equal to the stock pipelines with the same files."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch

from turbolens.filter import TurboModel
from turbolens.filter.lora import LoraSource

from .adapter_fixtures import difference, lora_tensors, ours, save_lora, theirs

RUNS = [(1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0), (4, 0.5)]
FAMILIES = ["sd", "sdxl"]

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Already found a `peft_config`:UserWarning"),  # the stock one
]


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(family: str, request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(f"{family}_folder"))


@pytest.fixture
def pipeline(family: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A copy, which may be changed."""
    return deepcopy(request.getfixturevalue(f"{family}_pipeline"))


def _networks(pipeline: Any, *, kohya: bool) -> dict[str, Any]:
    has_two = hasattr(pipeline, "text_encoder_2")
    names = ["unet", "text_encoder", *(["text_encoder_2"] if has_two else [])]
    texts = ["lora_te1", "lora_te2"] if has_two else ["lora_te"]
    in_file = ["lora_unet", *texts] if kohya else names
    return {key: getattr(pipeline, name) for key, name in zip(in_file, names, strict=True)}


@pytest.fixture
def files(pipeline: Any, tmp_path: Path) -> list[Path]:
    """One in the layout of peft, one in kohya's with an alpha of its own."""
    plain = lora_tensors(_networks(pipeline, kohya=False), 1)
    kohya = lora_tensors(_networks(pipeline, kohya=True), 2, kohya=True, alpha=1.0)
    return [
        save_lora(tmp_path / "plain.safetensors", plain),
        save_lora(tmp_path / "kohya.safetensors", kohya),
    ]


def _latents(count: int = 1) -> torch.Tensor:
    return torch.randn(count, 4, 8, 8, generator=torch.manual_seed(3))


def test_latents_equal_with_two_loras_in_one_to_four_steps(
    pipeline: Any, folder: Path, files: list[Path]
) -> None:
    before = theirs(pipeline, _latents(2), RUNS[0])
    for path in files:
        pipeline.load_lora_weights(str(path), adapter_name=path.stem)
    pipeline.set_adapters(["plain", "kohya"], [0.7, -0.4])
    loras = [LoraSource(files[0], 0.7), LoraSource(files[1], -0.4)]
    model = TurboModel.load(folder, device="cpu", dtype="float32", loras=loras)
    assert difference(before, theirs(pipeline, _latents(2), RUNS[0])) > 1e-2
    for run in RUNS:
        stock = theirs(pipeline, _latents(2), run)
        assert difference(ours(model, _latents(2), run), stock) <= 1e-4, run

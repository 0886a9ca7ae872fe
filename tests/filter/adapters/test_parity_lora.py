"""LoRAs: equal to the stock pipelines with the same files."""

from pathlib import Path
from typing import Any

import pytest
import torch

from turbolens.filter import TurboModel
from turbolens.filter.adapters.lora import LoraSource

from .adapter_fixtures import (
    RUNS,
    difference,
    latents,
    lora_tensors,
    ours,
    picture,
    psnr,
    save_lora,
    theirs,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Already found a `peft_config`:UserWarning"),  # the stock one
]


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


@pytest.mark.slow
def test_latents_equal_with_two_loras_in_one_to_four_steps(
    pipeline: Any, folder: Path, files: list[Path]
) -> None:
    before = theirs(pipeline, latents(2), RUNS[0])
    for path in files:
        pipeline.load_lora_weights(str(path), adapter_name=path.stem)
    pipeline.set_adapters(["plain", "kohya"], [0.7, -0.4])
    loras = [LoraSource(files[0], 0.7), LoraSource(files[1], -0.4)]
    model = TurboModel.load(folder, device="cpu", dtype="float32", loras=loras)
    assert difference(before, theirs(pipeline, latents(2), RUNS[0])) > 1e-2
    for run in RUNS:
        stock = theirs(pipeline, latents(2), run)
        assert difference(ours(model, latents(2), run), stock) <= 1e-4, run


@pytest.mark.slow
def test_fused_loras_equal_unfused_ones(folder: Path, files: list[Path]) -> None:
    model = TurboModel.load(folder, device="cpu", dtype="float32", loras=files)
    loras = model.adapters.loras
    plain, heard = loras.weights({"plain": 0.0, "kohya": 0.0}), loras.weights({"plain": 0.5})
    shown = {}
    for fuse_after, fused in ((1, True), (1000, False)):
        loras.fuse_after = fuse_after
        for weights in (plain, heard, heard, heard):
            loras.use(weights)
            shown[fused] = ours(model, latents(), RUNS[0])
        assert loras.fused == fused
    assert difference(shown[True], shown[False]) <= 1e-4
    loras.use(plain)
    untouched = TurboModel.load(folder, device="cpu", dtype="float32")
    assert torch.equal(ours(model, latents(), RUNS[3]), ours(untouched, latents(), RUNS[3]))


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["plain", "kohya"])
def test_bfloat16_is_close_to_float32(
    folder: Path, files: list[Path], layout: str, half: str
) -> None:
    lora = next(path for path in files if path.stem == layout)
    exact, rough = (
        TurboModel.load(folder, device="cpu", dtype=dtype, loras=[LoraSource(lora, 0.2)])
        for dtype in ("float32", half)
    )
    loras = rough.adapters.loras
    loras.fuse_after = 0
    loras.use(loras.weights({layout: 0.21}))
    loras.use(loras.weights({}))
    assert loras.fused
    assert psnr(*(picture(model, (2, 0.5)) for model in (exact, rough))) >= 35

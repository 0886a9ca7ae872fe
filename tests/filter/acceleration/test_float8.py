"""float8 for large matrix products: exact enough, with all other weights shared."""

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.filter.adapters.adapter_fixtures import lora_tensors, save_lora
from turbolens.filter import SettingsError, TurboModel
from turbolens.filter.acceleration.accelerated_module import AcceleratedModule
from turbolens.filter.acceleration.backend import NoSpeedup
from turbolens.filter.acceleration.choice import backends_for
from turbolens.filter.acceleration.comparison import MIN_PSNR_HALF, agreement_db
from turbolens.filter.acceleration.float8 import Bounds, Float8, Float8Linear, in_float8
from turbolens.filter.acceleration.modules import Predictor
from turbolens.filter.acceleration.oom_fallback import OutOfMemoryFallback
from turbolens.filter.diffusion.prompts import PromptEmbeds
from turbolens.filter.loading.families import architecture
from turbolens.filter.networks import Run, prepared

diffusers: Any = import_module("diffusers")

ANY = Bounds(rows=16, features=16, gflop=0.0, share=0.0)


class Uncompiled(Float8):
    """Without the slow compiler. Keeps the prepared modules."""

    def __init__(self) -> None:
        super().__init__(ANY)
        self.made: list[nn.Module] = []

    def prepare(self, part: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
        """The copy in float8, not compiled."""
        self.made.append(in_float8(part, inputs, ANY))
        return self.made[-1]


def sd_like(dtype: torch.dtype) -> Predictor:
    """A random UNet like that of SD."""
    torch.manual_seed(4)
    unet = diffusers.UNet2DConditionModel(
        sample_size=16, block_out_channels=(64, 128), layers_per_block=1, norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), cross_attention_dim=64,
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), use_linear_projection=True,
    )  # fmt: skip
    return Predictor(prepared(unet, torch.device("cpu"), dtype))


def inputs_for(part: Predictor) -> list[torch.Tensor]:
    """A latent of 16×16, and 20 tokens of text."""
    generator = torch.Generator().manual_seed(5)
    embeds = torch.randn(1, 20, 64, generator=generator).to(part.unet.dtype)
    return [torch.randn(1, 4, 16, 16, generator=generator), torch.tensor([499]), embeds]


def rounded_layers(part: nn.Module) -> dict[str, Float8Linear]:
    """The float8 layers by name."""
    return {name: one for name, one in part.named_modules() if isinstance(one, Float8Linear)}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_unet_in_float8_agrees_well_enough(dtype: torch.dtype) -> None:
    part = sd_like(dtype)
    inputs = inputs_for(part)
    with torch.inference_mode():
        plain, other = part(*inputs), in_float8(part, inputs, ANY)(*inputs)
    assert plain.dtype == other.dtype == dtype
    assert MIN_PSNR_HALF + 6.0 < agreement_db(plain, other) < 60.0


@pytest.mark.slow
def test_large_layers_of_the_transformers_are_rounded_and_nothing_else() -> None:
    part = sd_like(torch.float32)
    names = rounded_layers(in_float8(part, inputs_for(part), ANY))
    assert len(names) == 4 * 12  # blocks; proj_in, proj_out, 4 + 4 of attention, 2 of feed-forward
    assert all("attentions" in name for name in names)
    fewer = rounded_layers(in_float8(part, inputs_for(part), Bounds(64, 16, 0.0, 0.0)))
    assert len(names) - len(fewer) == 4 * 2, "20 tokens of text are few rows"


def test_other_weights_are_shared_and_the_module_is_unchanged() -> None:
    part = sd_like(torch.float32)
    inputs = inputs_for(part)
    with torch.inference_mode():
        before = part(*inputs)
        made = in_float8(part, inputs, ANY)
        assert torch.equal(part(*inputs), before)
    own = {name: each.data_ptr() for name, each in part.state_dict().items()}
    rounded = [f"{name}.{end}" for name in rounded_layers(made) for end in ("weight", "scale")]
    for name, each in made.state_dict().items():
        assert (name in rounded) != (each.data_ptr() == own.get(name)), name
    assert not any(one._forward_hooks for each in (part, made) for one in each.modules())


def test_layers_with_unaligned_sides_are_not_converted() -> None:
    part = nn.Sequential(nn.Linear(24, 32), nn.Linear(32, 24), nn.Linear(24, 24))
    with pytest.raises(NoSpeedup, match=r"0\.0 GFLOP"):
        in_float8(part, [torch.ones(16, 24)], Bounds(16, 16, gflop=1e-9, share=0.0))
    part = nn.Sequential(nn.Linear(24, 32), nn.Linear(32, 48))
    assert list(rounded_layers(in_float8(part, [torch.ones(16, 24)], ANY))) == ["1"]


def test_each_row_and_each_output_has_its_own_scale() -> None:
    torch.manual_seed(6)
    linear = nn.Linear(64, 32)
    loudness = torch.tensor([[0.0], [1e-4], [1.0], [1e4]])
    numbers = torch.randn(4, 64) * loudness
    with torch.no_grad():
        linear.bias.zero_()
        linear.weight.mul_(torch.logspace(-3, 3, 32)[:, None])
        plain, other = linear(numbers), Float8Linear(linear)(numbers)
    assert torch.equal(other[0], torch.zeros(32))
    for one, two in zip(plain[1:], other[1:], strict=True):
        lengths = linear.weight.norm(dim=1)
        assert ((one - two) / lengths).norm() < 0.08 * (one / lengths).norm()


def test_a_module_without_speedup_is_skipped_without_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "turbolens")
    part = sd_like(torch.float32)
    accelerated = AcceleratedModule(part, [Float8()], wait=True)
    inputs = inputs_for(part)
    with torch.inference_mode():
        assert torch.equal(accelerated(*inputs), part(*inputs))
    assert [(one.levelname, accelerated.latest) for one in caplog.records] == [("INFO", "none")]
    assert "fp8 for the predictor would not pay: 0.0 GFLOP in large linear layers" in caplog.text


@pytest.mark.slow
def test_the_unet_of_sd_turbo_is_large_enough() -> None:
    """On the meta device: 168 GFLOP in 100 layers."""
    with torch.device("meta"):
        unet = diffusers.UNet2DConditionModel.from_config(architecture("sd2").unet)
        part = Predictor(nn.Module.to(unet, torch.bfloat16))
        inputs = [torch.empty(1, 4, 64, 64), torch.empty(1), torch.empty(1, 77, 1024)]
        inputs[2] = inputs[2].to(torch.bfloat16)
        assert len(rounded_layers(in_float8(part, inputs, Bounds()))) == 100


@pytest.mark.slow
def test_merged_lora_weights_are_converted_to_float8(
    sd_folder: Path, sd_pipeline: Any, tmp_path: Path
) -> None:
    file = save_lora(tmp_path / "one.safetensors", lora_tensors({"unet": sd_pipeline.unet}, 2))
    model = TurboModel.load(sd_folder, device="cpu", dtype="float32", loras=[f"{file}:0"])
    way, embeds = Uncompiled(), PromptEmbeds(torch.randn(1, 20, 8))
    fallback = OutOfMemoryFallback(AcceleratedModule(model.modules.predictor, [way], wait=True))
    model.accelerated = replace(model.accelerated, predictor=fallback)
    noisy = torch.randn(1, 4, 16, 16)
    results = []
    for weight in (0.0, 1.0):
        for _ in range(12):  # until the weights stand still
            model.adapters.loras.use(model.adapters.loras.weights({"one": weight}))
            result = model.predict(noisy, 499, embeds)
        results.append(result)
    assert len(way.made) == 2
    for one, plain in zip(way.made, results, strict=True):
        assert agreement_db(plain, one(noisy, torch.tensor([499]), embeds.prompt_embeds)) > 30.0
    assert agreement_db(results[0], results[1]) < 30.0


def test_fp8_is_refused_where_no_gpu_has_it() -> None:
    with pytest.raises(
        SettingsError, match=r"capability 8.9 or newer .*, got device cpu; use auto"
    ):
        backends_for("fp8", torch.device("cpu"), torch.float32)


@pytest.mark.parametrize(("capability", "has"), [((8, 6), False), ((8, 9), True), ((9, 0), True)])
def test_fp8_is_tried_last_on_gpus_that_have_it(
    capability: tuple[int, int], has: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "RTX")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    device = torch.device("cuda")
    names = [way.name for way in backends_for("auto", device, torch.float16)]
    assert names == ["cuda-graphs", "compile"] + ["fp8"] * has
    assert "fp8" not in [way.name for way in backends_for("auto", device, torch.float32)]
    if not has:
        with pytest.raises(SettingsError, match=r"got RTX \(8.6\)"):
            backends_for("fp8", device, torch.float16)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's compiler uses its own past
def test_float8_modules_can_be_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    part, numbers = nn.Sequential(nn.Linear(32, 64), nn.SiLU()), torch.randn(2, 16, 32)
    with torch.inference_mode():
        run = Float8(ANY).prepare(part, [numbers])
        assert agreement_db(in_float8(part, [numbers], ANY)(numbers), run(numbers)) > 45.0

"""INT8 agrees with PyTorch, computes in 8 bits, and follows the weights at hand."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.filter.adapters.adapter_fixtures import lora_tensors, save_lora
from turbolens.filter import SettingsError, TurboModel
from turbolens.filter.acceleration import choice
from turbolens.filter.acceleration.backend import NoSpeedup
from turbolens.filter.acceleration.choice import backends_for
from turbolens.filter.acceleration.comparison import agreement_db
from turbolens.filter.acceleration.modules import Decoder
from turbolens.filter.acceleration.openvino.int8 import Int8, layer_name, with_exact_zero
from turbolens.filter.acceleration.openvino.layer_ranges import activation_ranges
from turbolens.filter.acceleration.openvino.processor import (
    has_fast_int8,
    instruction_sets,
    processor_flags,
)
from turbolens.filter.diffusion.autoencoder import PatchedAutoencoderTiny
from turbolens.filter.diffusion.schedule import add_noise, denoised
from turbolens.filter.networks import Range
from turbolens.filter.training.quantise.calibration import MODULES
from turbolens.filter.training.quantise.sensitivity import quantised_weight, simulated
from turbolens.pipelines.scene.frames import TestScene

if "CI" not in os.environ:
    pytest.importorskip("openvino", reason="needs pip install openvino")

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "turbolens" / "openvino"


@pytest.fixture(scope="module")
def embedded() -> TurboModel:
    return TurboModel.load("embedded", device="cpu", dtype="float32")


def inputs_of(model: TurboModel, name: str) -> list[torch.Tensor]:
    """Random inputs of a module, for 64×64 pixels."""
    generator = torch.Generator().manual_seed(1)
    side = 64 // model.vae_scale_factor
    latents = torch.randn(1, model.latent_channels, side, side, generator=generator)
    embeds = model.prompts.encode("a").prompt_embeds
    return {
        "encoder": [torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8, generator=generator)],
        "predictor": [latents, torch.tensor([499]), embeds],
        "decoder": [latents],
    }[name]


def calibrated(module: Any, inputs: Sequence[torch.Tensor]) -> dict[str, Range]:
    """Measure the ranges of a module on these inputs, and set them."""
    module.activation_ranges = activation_ranges(module, [inputs])
    return dict(module.activation_ranges)


def compiled_types(backend: Int8) -> list[str]:
    """The primitive of each operation that the backend has compiled, as `brgconv_avx512_I8`."""
    models = [each.get_runtime_model() for each in backend._compiled.values()]
    return [
        operation.get_rt_info()["primitiveType"].astype(str)
        for model in models for operation in model.get_ops()
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dtype"), [*((name, torch.float32) for name in MODULES), ("encoder", torch.bfloat16)]
)
def test_a_tiny_model_agrees(sd_folder: Path, name: str, dtype: torch.dtype) -> None:
    model = TurboModel.load(sd_folder, device="cpu", dtype=dtype)
    module, inputs = getattr(model.modules, name), inputs_of(model, name)
    assert calibrated(module, inputs)
    with torch.inference_mode():
        plain, other = module(*inputs), Int8(dtype).prepare(module, inputs)(*inputs)
    assert 30.0 < agreement_db(plain, other) < 70.0


@pytest.mark.slow
def test_a_decoder_that_upsamples_agrees_and_runs_in_8_bits() -> None:
    torch.manual_seed(2)
    vae = PatchedAutoencoderTiny(
        patch_size=8, decoder_patch_size=2, latent_channels=16, encoder_block_out_channels=(16,),
        num_encoder_blocks=(0,), decoder_block_out_channels=(32, 32, 16),
        num_decoder_blocks=(1, 1, 0),
    ).eval()  # fmt: skip
    module, latents = Decoder(vae, 1.0), torch.randn(1, 16, 8, 12)
    ranges, backend = calibrated(module, [latents]), Int8()
    assert len(ranges) == sum(isinstance(each, nn.Conv2d) for each in vae.decoder.modules())
    with torch.inference_mode():
        plain, other = module(latents), backend.prepare(module, [latents])(latents)
    assert 30.0 < agreement_db(plain, other) < 70.0
    if has_fast_int8():
        kernels = [each for each in compiled_types(backend) if each.endswith("_I8")]
        assert len(kernels) >= len(ranges)


@pytest.mark.slow
def test_every_layer_with_a_range_becomes_an_8_bit_kernel(embedded: TurboModel) -> None:
    if not has_fast_int8():
        pytest.skip("this processor has no fast products of 8-bit integers")
    for name in MODULES:
        module, backend = getattr(embedded.modules, name), Int8()
        backend.prepare(module, inputs_of(embedded, name))
        kernels = [each for each in compiled_types(backend) if each.endswith("_I8")]
        assert len(kernels) >= len(module.activation_ranges) > 0, name


@pytest.mark.slow
@pytest.mark.parametrize("strength", [0.3, 0.7, 0.9])
def test_images_of_the_embedded_model_agree(embedded: TurboModel, strength: float) -> None:
    scene = TestScene(256, 192, seed=3)
    runs: dict[str, Any] = {}
    for index in (0, 20, 40):
        rgb = torch.from_numpy(scene[index].picture.copy())[None]
        images = [filtered(embedded, rgb, strength, runs, quantised=each) for each in (False, True)]
        error = (images[0] - images[1]).square().mean().sqrt()
        assert 20 * torch.log10(2.0 / error) > 35.0


@torch.inference_mode()
def filtered(
    model: TurboModel, rgb: torch.Tensor, strength: float, runs: dict[str, Any], *, quantised: bool
) -> torch.Tensor:
    """The image of a picture (1, H, W, 3), by plain modules or in INT8. runs: those prepared."""

    def run(name: str, *inputs: torch.Tensor) -> Any:
        module = getattr(model.modules, name)
        if quantised and name not in runs:
            runs[name] = Int8().prepare(module, inputs)
        return (runs[name] if quantised else module)(*inputs)

    step = model.schedule.direct_steps(strength)[0]
    latents = run("encoder", rgb)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    noisy = add_noise(latents, noise, step.alpha)
    embeds = model.prompts.encode("watercolour").prompt_embeds
    output = run("predictor", noisy, torch.tensor([step.timestep]), embeds)
    clean = denoised(noisy, output, step.alpha, model.schedule.prediction_type)
    return run("decoder", clean).clamp(-1, 1)  # type: ignore[no-any-return]


@pytest.mark.slow
def test_the_change_of_a_lora_is_quantised_too(
    sd_folder: Path, sd_pipeline: Any, tmp_path: Path
) -> None:
    file = save_lora(tmp_path / "one.safetensors", lora_tensors({"unet": sd_pipeline.unet}, 2))
    without = TurboModel.load(sd_folder, device="cpu", dtype="float32")
    model = TurboModel.load(sd_folder, device="cpu", dtype="float32", loras=[file])
    loras, module, inputs = (
        model.adapters.loras,
        model.modules.predictor,
        inputs_of(model, "predictor"),
    )
    loras.fuse_after = 0
    loras.use(loras.weights({}))
    assert loras.fused
    ranges = calibrated(module, inputs)
    assert set(ranges) == set(calibrated(without.modules.predictor, inputs))
    with torch.inference_mode():
        other = Int8().prepare(module, inputs)(*inputs)
        assert agreement_db(module(*inputs), other) > 30.0
        assert agreement_db(without.modules.predictor(*inputs), other) < 25.0


def small() -> nn.Sequential:
    """Two layers."""
    torch.manual_seed(2)
    return nn.Sequential(nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Conv2d(16, 8, 1))


@pytest.mark.slow
def test_other_ranges_make_another_graph(cache: Path) -> None:
    module, image = small(), torch.randn(1, 8, 8, 8)
    ranges = calibrated(module, [image])
    for scale in (1.0, 1.0, 0.1):
        module.activation_ranges = {  # type: ignore[assignment]
            name: Range(scale * low, scale * high) for name, (low, high, _) in ranges.items()
        }
        Int8().prepare(module, [image])
    assert len(list(cache.glob("*-*/model.xml"))) == 2
    assert len(list(cache.glob("*/model.xml"))) == 3  # and the graph in float


@pytest.mark.slow
def test_a_layer_without_a_range_stays_in_float() -> None:
    module, image = small(), torch.randn(1, 8, 8, 8)
    calibrated(module, [image])
    module.activation_ranges.pop("0")  # type: ignore[operator, union-attr]
    with torch.inference_mode():
        other = Int8().prepare(module, [image])(image)
        with simulated(module[2], module.activation_ranges["2"]):  # type: ignore[arg-type, index]
            expected = module(image)
        assert agreement_db(expected, other) > agreement_db(module(image), other) > 35.0


@pytest.mark.slow
def test_a_layer_in_two_parts_is_nearly_exact_but_for_its_weights() -> None:
    module, image = small(), torch.randn(1, 8, 8, 8)
    ranges = calibrated(module, [image])
    results = []
    for parts in (1, 2):
        two = {name: each._replace(parts=parts) for name, each in ranges.items()}
        module.activation_ranges = two  # type: ignore[assignment]
        backend = Int8()
        with torch.inference_mode():
            results.append(backend.prepare(module, [image])(image))
    with torch.inference_mode():
        for layer in (module[0], module[2]):
            layer.weight.data = quantised_weight(layer.weight.data)  # type: ignore[arg-type]
        expected = module(image)
    one, two_parts = (agreement_db(expected, each) for each in results)
    assert two_parts > one + 10.0
    if has_fast_int8():
        kernels = [each for each in compiled_types(backend) if each.endswith("_I8")]
        assert len(kernels) >= 4, "two products for each layer"


def test_a_module_without_ranges_is_not_prepared() -> None:
    with pytest.raises(NoSpeedup, match="no activation ranges"):
        Int8().prepare(small(), [torch.zeros(1, 8, 8, 8)])


@pytest.mark.parametrize("bounds", [(-1.0, 2.0), (-0.3, 0.1), (0.5, 2.0), (-2.0, -1.0)])
def test_zero_is_one_of_the_levels(bounds: tuple[float, float]) -> None:
    low, high = with_exact_zero(*bounds)
    level = -low / (high - low) * 255
    assert level == pytest.approx(round(level), abs=1e-4)
    assert low <= 0.0 <= high
    assert low == pytest.approx(min(bounds[0], 0.0), abs=(high - low) / 255)


def test_layers_are_named_as_their_modules() -> None:
    name = "__module.unet.mid_block.attentions.0.to_q.base_layer/aten::linear/MatMul"
    assert layer_name(name) == "unet.mid_block.attentions.0.to_q"
    assert layer_name("__module.vae.encoder.layers.0/aten::_convolution/Convolution") == (
        "vae.encoder.layers.0"
    )


@pytest.mark.parametrize("fast", [True, False])
def test_auto_tries_int8_after_openvino_where_it_is_fast(
    fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "has_fast_int8", lambda: fast)
    names = [each.name for each in backends_for("auto", CPU, torch.float32, calibrated=True)]
    assert names == ["openvino"] + ["int8"] * fast
    assert [each.name for each in backends_for("auto", CPU, torch.float32)] == ["openvino"]
    named = backends_for("int8", CPU, torch.float32, calibrated=True)
    assert [each.name for each in named] == ["openvino", "int8"]


def test_int8_by_name_is_refused_without_ranges(model: TurboModel) -> None:
    with pytest.raises(SettingsError, match=r"needs activation ranges.*train quantise"):
        model.accelerate("int8")


@pytest.mark.parametrize(
    ("line", "flag"),
    [
        ("flags\t\t: fpu avx2 avx512_vnni", "avx512_vnni"),
        ("flags\t\t: fpu avx2 avx_vnni", "avx_vnni"),
        ("Features\t: fp asimd asimddp", "asimddp"),
    ],
)
def test_flags_are_read_as_linux_lists_them(tmp_path: Path, line: str, flag: str) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\n{line}\n\nprocessor\t: 1\n{line}\n")
    assert flag in processor_flags(file)
    assert processor_flags(tmp_path / "none") == frozenset()


def test_instruction_sets_have_the_names_of_the_trade(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("flags\t\t: fpu avx2 avx512f avx512_vnni avx512_bf16\n")
    assert instruction_sets(file) == ("AVX2", "AVX-512", "VNNI", "bfloat16")
    assert len(instruction_sets(tmp_path / "none")) == 1

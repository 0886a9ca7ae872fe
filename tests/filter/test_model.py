"""Loading: families, formats, and clear errors for what cannot be loaded."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from turbolens.filter import ModelError, ModelNotFoundError, SettingsError, TurboModel
from turbolens.filter import UnsupportedModelError as Unsupported
from turbolens.filter.acceleration.dtype import resolve_dtype
from turbolens.filter.device import resolve_device
from turbolens.filter.diffusion.autoencoder import PatchedAutoencoderTiny, UpsamplingDecoder
from turbolens.filter.loading.catalogue import KNOWN, known_models
from turbolens.filter.loading.folders import Components, load_components
from turbolens.filter.loading.locating import locate

diffusers: Any = import_module("diffusers")

CPU: dict[str, Any] = {"device": "cpu", "dtype": "float32"}
UPSAMPLING: dict[str, Any] = {
    "patch_size": 8, "decoder_patch_size": 2, "latent_channels": 8,
    "encoder_block_out_channels": (16,), "num_encoder_blocks": (1,),
    "decoder_block_out_channels": (16, 16, 8), "num_decoder_blocks": (1, 1, 0),
}  # fmt: skip


@pytest.fixture
def folder(sd_folder: Path, tmp_path: Path) -> Path:
    """A copy of the SD folder, to damage."""
    return shutil.copytree(sd_folder, tmp_path / "model")


@pytest.fixture
def patched_folder(sd_folder: Path, patched_components: Components, tmp_path: Path) -> Path:
    """A folder as the embedded model's: its own autoencoder, betas and looks, in float16."""
    folder = shutil.copytree(sd_folder, tmp_path / "patched")
    shutil.rmtree(folder / "vae")
    shutil.rmtree(folder / "unet")
    vae = PatchedAutoencoderTiny.from_config(patched_components.vae.config)
    vae.load_state_dict(patched_components.vae.state_dict())
    vae.half().save_pretrained(folder / "vae")
    patched_components.unet.save_pretrained(folder / "unet")
    _change(folder / "model_index.json", vae=["diffusers", "AutoencoderTiny"])
    _change(folder / "scheduler" / "scheduler_config.json", trained_betas=[0.001] * 1000)
    (folder / "looks.json").write_text('{"ink": ["ink", "sumi-e"], "oil": ["oil"]}')
    return folder


def _change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_an_sd_folder_gives_its_sizes(folder: Path) -> None:
    model = TurboModel.load(folder, **CPU)
    assert (model.native_size, model.multiple, model.latent_channels) == (16, 4, 4)
    assert model.schedule.sampler == "ddim"
    assert model.looks == ()


def test_an_sdxl_folder_has_two_text_encoders(sdxl_folder: Path) -> None:
    model = TurboModel.load(sdxl_folder, **CPU)
    embeds = model.prompts.encode("ink")
    assert embeds.prompt_embeds.shape == (1, 20, 16)
    assert embeds.pooled_prompt_embeds is not None
    assert embeds.pooled_prompt_embeds.shape == (1, 8)


def test_a_patched_folder_is_cast_and_lists_its_looks(patched_folder: Path) -> None:
    model = TurboModel.load(patched_folder, **CPU)
    assert isinstance(model.vae, PatchedAutoencoderTiny)
    assert model.vae.dtype == model.unet.dtype == torch.float32
    assert (model.native_size, model.multiple, model.latent_channels) == (64, 8, 16)
    assert float(model.schedule.alphas_cumprod[1]) == pytest.approx(0.999**2)
    assert model.looks == ("ink", "oil")


def test_the_stock_pipeline_runs_a_patched_folder(patched_folder: Path) -> None:
    model = TurboModel.load(patched_folder, **CPU)
    kind = diffusers.StableDiffusionImg2ImgPipeline
    pipeline = kind.from_pretrained(patched_folder, vae=model.vae)
    pipeline.to(torch.float32).set_progress_bar_config(disable=True)
    image = torch.rand(1, 3, 32, 40)
    result = pipeline(
        "ink", image, num_inference_steps=2, strength=0.5, guidance_scale=0.0, output_type="np"
    )
    assert result.images.shape == (1, 32, 40, 3)


def test_a_patched_autoencoder_survives_saving(tmp_path: Path) -> None:
    vae = PatchedAutoencoderTiny(patch_size=4, latent_channels=8).eval()
    vae.save_pretrained(tmp_path)
    again = PatchedAutoencoderTiny.from_pretrained(tmp_path).eval()
    image = torch.rand(1, 3, 32, 64)
    latents = vae.encode(image).latents
    assert latents.shape == (1, 8, 2, 4)
    assert torch.equal(again.decode(again.encode(image).latents).sample, vae.decode(latents).sample)
    assert 2 ** (len(again.config.block_out_channels) - 1) == again.spatial_scale_factor == 16


def test_an_autoencoder_that_upsamples_survives_saving(tmp_path: Path) -> None:
    vae = PatchedAutoencoderTiny(**UPSAMPLING).eval()
    vae.save_pretrained(tmp_path)
    again = PatchedAutoencoderTiny.from_pretrained(tmp_path).eval()
    latents = torch.randn(2, 8, 3, 5)
    decoded = again.decode(latents).sample
    assert isinstance(again.decoder, UpsamplingDecoder)
    assert decoded.shape == (2, 3, 24, 40)
    assert torch.equal(decoded, vae.decode(latents).sample)
    assert again.encode(decoded).latents.shape == latents.shape
    assert 2 ** (len(again.config.block_out_channels) - 1) == again.spatial_scale_factor == 8


def test_the_margin_of_a_decoder_that_upsamples_makes_the_rim_fainter() -> None:
    torch.manual_seed(4)
    decoders = [PatchedAutoencoderTiny(**UPSAMPLING).eval().decoder for _ in range(4)]
    latents = torch.ones(1, 8, 12, 12)
    with torch.inference_mode():
        rims = [_rim(decoder(latents)) for decoder in decoders]
        bare = [_rim(decoder.layers(latents) * 2 - 1) for decoder in decoders]
    assert sum(rims) < 0.9 * sum(bare)


def _rim(patches: torch.Tensor) -> float:
    """How much the first row differs from the middle, which is the same everywhere."""
    middle = patches[..., patches.shape[-2] // 2, patches.shape[-1] // 2]
    return float((patches[..., 0, :].mean(-1) - middle).abs().mean())


def test_encoder_and_decoder_must_scale_alike() -> None:
    with pytest.raises(ValueError, match="halves 3 times and the decoder doubles 2 times"):
        PatchedAutoencoderTiny(**{**UPSAMPLING, "decoder_patch_size": 1})


@pytest.mark.parametrize("size", [0, 3])
def test_a_patch_size_is_a_power_of_two(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        PatchedAutoencoderTiny(patch_size=size)


def test_weights_of_the_variant_fp16_alone_are_found(folder: Path) -> None:
    for path in list(folder.glob("*/*.safetensors")):
        path.rename(path.with_name(path.name.replace(".safetensors", ".fp16.safetensors")))
    assert TurboModel.load(folder, **CPU).unet.dtype == torch.float32


def test_networks_need_no_gradients_and_are_channels_last(folder: Path) -> None:
    model = TurboModel.load(folder, **CPU)
    assert not any(p.requires_grad for p in model.unet.parameters())
    assert not model.unet.training
    assert not model.vae.training
    weight = model.unet.conv_in.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_encoding_is_the_same_every_time(folder: Path) -> None:
    model = TurboModel.load(folder, **CPU)
    image = torch.rand(1, 3, 16, 16)
    assert torch.equal(model.encode(image), model.encode(image))
    assert model.encode(image).dtype == torch.float32


def test_bfloat16_is_near_float32(folder: Path) -> None:
    single, half = (TurboModel.load(folder, device="cpu", dtype=d) for d in ("float32", "bfloat16"))
    noisy = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    outputs = [each.predict(noisy, 500, each.prompts.encode("ink")) for each in (single, half)]
    assert outputs[1].dtype == torch.bfloat16
    assert (outputs[0] - outputs[1]).abs().max() < 0.1


def _remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def _overwrite(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def _config(name: str, **changes: Any) -> Callable[[Path], object]:
    return lambda folder: _change(folder / name, **changes)


def _rename(name: str, new: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).rename(folder / new)


UNET, VAE = "unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model"
DAMAGE = {
    "no index": (_remove("model_index.json"), ModelError, "model_index.json"),
    "index is no JSON": (_overwrite("model_index.json", "{"), ModelError, "JSON"),
    "index is a list": (_overwrite("model_index.json", "[]"), ModelError, "object"),
    "no unet config": (_remove("unet/config.json"), ModelError, "config.json"),
    "no unet weights": (_remove(f"{UNET}.safetensors"), ModelError, "missing"),
    "no text weights": (_remove("text_encoder/model.safetensors"), ModelError, "missing"),
    "weights cut off": (_overwrite(f"{UNET}.safetensors", "short"), ModelError, "unet"),
    "weights of another": (
        lambda f: shutil.copy(f / f"{VAE}.safetensors", f / f"{UNET}.safetensors"),
        ModelError,
        "unet",
    ),
    "other widths": (_config("unet/config.json", block_out_channels=[8, 24]), ModelError, "unet"),
    "no tokenizer": (lambda f: shutil.rmtree(f / "tokenizer"), ModelError, "tokenizer"),
    "scheduler of flow": (
        _config("scheduler/scheduler_config.json", _class_name="FlowMatchEulerDiscreteScheduler"),
        Unsupported,
        "scheduler",
    ),
    "a transformer": (
        _config("model_index.json", unet=[None, None], _class_name="FluxPipeline"),
        Unsupported,
        "FluxPipeline",
    ),
    "another vae": (_config("vae/config.json", _class_name="VQModel"), Unsupported, "VQModel"),
    "another unet": (_config("unet/config.json", _class_name="UNet1DModel"), Unsupported, "UNet1D"),
    "inpainting": (_config("unet/config.json", in_channels=9), ModelError, "unet"),
    "lcm guidance": (_config("unet/config.json", time_cond_proj_dim=8), Unsupported, "time_cond"),
    "pickled": (
        _rename(f"{UNET}.safetensors", f"{UNET}.bin"),
        Unsupported,
        r"safetensors.*pickled",
    ),
    "t5": (
        _config("text_encoder/config.json", architectures=["T5EncoderModel"]),
        Unsupported,
        "T5EncoderModel",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_model_gives_a_clear_error(folder: Path, damage: str) -> None:
    change, error, message = DAMAGE[damage]
    change(folder)
    with pytest.raises(error, match=message):
        TurboModel.load(folder, **CPU)


def test_parts_that_do_not_fit_are_refused(folder: Path, sdxl_folder: Path) -> None:
    shutil.rmtree(folder / "unet")
    shutil.copytree(sdxl_folder / "unet", folder / "unet")
    with pytest.raises(Unsupported, match="text encoders"):
        load_components(folder)


@pytest.mark.parametrize("name", ["sd-turbo-2", "./nowhere", "/nowhere/at/all", "", "a b/c"])
def test_the_error_for_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="embedded, sd-turbo, sdxl-turbo"):
        locate(name)


def test_a_single_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    path.touch()
    with pytest.raises(Unsupported, match="folder"):
        TurboModel.load(path, **CPU)


def test_a_hub_id_that_is_not_here_is_not_downloaded_by_loading_it() -> None:
    with pytest.raises(ModelNotFoundError, match="turbolens models pull turbolens-tests/nothing"):
        TurboModel.load("turbolens-tests/nothing", **CPU)


def test_the_catalogue_describes_every_known_model() -> None:
    assert KNOWN[:3] == ("embedded", "sd-turbo", "sdxl-turbo")
    for name, known in known_models().items():
        assert known.name == name
        assert known.licence
        assert known.description
        assert known.is_embedded == (name == "embedded")
        assert 1 <= known.steps[0] <= known.steps[1] <= 4


def test_the_embedded_model_is_as_the_catalogue_says() -> None:
    model, known = TurboModel.load("embedded", **CPU), known_models()["embedded"]
    assert model.native_size == known.native_size
    assert known.size_bytes <= 20_000_000
    assert len(model.looks) >= 12


def test_a_text_in_place_of_a_list_of_loras_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"loras must be a list.*got 'ink\.safetensors'"):
        TurboModel.load(loras="ink.safetensors")


@pytest.mark.parametrize("device", ["gpu", "cuda:one", "xpu:99", None])
def test_a_device_that_is_not_here_is_refused(device: Any) -> None:
    with pytest.raises(SettingsError, match="device"):
        resolve_device(device)


@pytest.mark.parametrize("dtype", ["float64", "half", "float16", torch.int8])
def test_a_dtype_that_does_not_work_is_refused(dtype: Any) -> None:
    with pytest.raises(SettingsError, match="dtype"):
        resolve_dtype(dtype, torch.device("cpu"))


def test_the_automatic_dtype_of_a_cpu_is_measured_once() -> None:
    first = resolve_dtype("auto", torch.device("cpu"))
    assert first in (torch.float32, torch.bfloat16)
    assert resolve_dtype("auto", torch.device("cpu")) == first
    assert resolve_dtype("auto", torch.device("cuda")) == torch.float16


def test_nothing_is_printed_while_loading(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    diffusers.logging.set_verbosity_warning()
    TurboModel.load(folder, **CPU)
    assert capfd.readouterr() == ("", "")


def test_models_can_be_loaded_on_several_threads_at_once() -> None:
    with ThreadPoolExecutor(4) as threads:
        models = list(threads.map(lambda _: TurboModel.load("embedded"), range(4)))
    assert all(model.name == "embedded" for model in models)

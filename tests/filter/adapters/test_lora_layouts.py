"""LoRAs as they lie on the web: kohya's layout for SDXL, whole, computes what diffusers' does."""

import logging
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from turbolens.filter import ModelError, TurboModel, UnsupportedModelError
from turbolens.filter.adapters.lora import LoraSet, LoraSource
from turbolens.filter.diffusion.prompts import PromptEncoder
from turbolens.filter.settings import WeightedPrompt

from .adapter_fixtures import difference, diffusers, latents, ours, save_lora, theirs
from .kohya_layout import Changes, changes, diffusers_file, kohya_file

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
NETWORKS = ("unet", "text_encoder", "text_encoder_2")
STEM = "lora_unet_input_blocks_4_0_in_layers_2"
CONV = "down_blocks.1.resnets.0.conv1"


@pytest.fixture(scope="module")
def xl(sdxl_pipeline: Any) -> Any:
    """With as many blocks, layers and transformers' places as the real SDXL."""
    torch.manual_seed(6)
    config = {
        **sdxl_pipeline.unet.config, "block_out_channels": (8, 16, 16), "layers_per_block": 2,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 2), "use_linear_projection": True,
    }  # fmt: skip
    unet = diffusers.UNet2DConditionModel.from_config(config).eval()
    pipeline = type(sdxl_pipeline)(**{**sdxl_pipeline.components, "unet": unet})
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def xl_folder(xl: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder."""
    folder = tmp_path_factory.mktemp("xl")
    xl.save_pretrained(folder)
    return folder


def _networks(pipeline: Any, names: tuple[str, ...] = NETWORKS) -> dict[str, Any]:
    return {name: getattr(pipeline, name) for name in names if hasattr(pipeline, name)}


def _loras(pipeline: Any) -> LoraSet:
    texts = [each for name, each in _networks(pipeline).items() if name != "unet"]
    tokenizers = [pipeline.tokenizer] * len(texts)
    return LoraSet(pipeline.unet, PromptEncoder(tokenizers, texts, dtype=torch.float32))


def _apart(pipeline: Any, made: Changes, name: str) -> dict[str, float]:
    """How far what is added to each layer is from what should be."""
    found = {}
    for network, layers in made.items():
        modules = dict(getattr(pipeline, network).named_modules())
        for at, each in layers.items():
            delta = modules[at].get_delta_weight(name)
            found[f"{network}.{at}"] = difference(delta, each.delta)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("original", [True, False])
def test_every_layer_of_a_kohya_file_gets_its_alpha_over_its_rank(
    xl: Any, tmp_path: Path, original: bool
) -> None:
    pipeline = deepcopy(xl)
    made = changes(_networks(pipeline))
    tensors = kohya_file(made, pipeline.unet, original=original)
    assert (f"{STEM}.lora_down.weight" in tensors) == original
    _loras(pipeline).add(LoraSource(save_lora(tmp_path / "ink.safetensors", tensors)))
    apart = _apart(pipeline, made, "ink")
    assert len(apart) > 200
    assert max(apart.values()) <= 1e-6, max(apart, key=lambda name: apart[name])


def test_every_layer_of_sd_1_gets_its_alpha_over_its_rank(sd_pipeline: Any, tmp_path: Path) -> None:
    pipeline = deepcopy(sd_pipeline)
    made = changes(_networks(pipeline))
    tensors = kohya_file(made, pipeline.unet, original=False)
    _loras(pipeline).add(LoraSource(save_lora(tmp_path / "ink.safetensors", tensors)))
    assert max(_apart(pipeline, made, "ink").values()) <= 1e-6


@pytest.mark.slow
def test_kohya_layouts_give_the_same_image_as_diffusers_layout(
    xl: Any, xl_folder: Path, tmp_path: Path
) -> None:
    made = {name: dict([*each.items()][::3]) for name, each in changes(_networks(xl)).items()}
    files = {"own": diffusers_file(made)}
    files |= {f"o{each}": kohya_file(made, xl.unet, original=each) for each in (True, False)}
    paths = [save_lora(tmp_path / f"{name}.safetensors", each) for name, each in files.items()]
    given = [LoraSource(path, 0.0) for path in paths]
    model = TurboModel.load(xl_folder, device="cpu", dtype="float32", loras=given)
    loras, shown = model.adapters.loras, []
    for fuse_after in (0, 1000):
        loras.fuse_after = fuse_after
        for name in (*files, None):
            loras.use(loras.weights({name: 0.5} if name else {}))
            shown.append(ours(model, latents(), (2, 1.0)))
    assert all(torch.equal(shown[at], shown[at - at % 4]) for at in (1, 2, 5, 6))
    assert min(difference(shown[at], shown[3]) for at in (0, 4)) > 1e-2


@pytest.mark.slow
def test_the_stock_pipeline_agrees_if_alphas_are_equal(
    xl: Any, xl_folder: Path, tmp_path: Path
) -> None:
    pipeline = deepcopy(xl)
    made = changes(_networks(pipeline), uneven=False)
    path = save_lora(tmp_path / "ink.safetensors", kohya_file(made, pipeline.unet))
    model = TurboModel.load(xl_folder, device="cpu", dtype="float32", loras=[path])
    before = theirs(pipeline, latents(), (2, 1.0))
    pipeline.load_lora_weights(str(path), adapter_name="ink")
    after = theirs(pipeline, latents(), (2, 1.0))
    assert difference(before, after) > 1e-2
    assert difference(ours(model, latents(), (2, 1.0)), after) <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["text_encoder", "text_encoder_2"])
def test_a_lora_of_one_text_encoder_alone_takes_effect(
    xl: Any, xl_folder: Path, tmp_path: Path, name: str
) -> None:
    pipeline = deepcopy(xl)
    made = changes(_networks(pipeline, (name,)), uneven=False)
    own = {"text_encoder": {}, "text_encoder_2": {}, **made}
    path = save_lora(tmp_path / "ink.safetensors", kohya_file(own, pipeline.unet))
    model = TurboModel.load(xl_folder, device="cpu", dtype="float32", loras=[path])
    pipeline.load_lora_weights(str(path), adapter_name="ink")
    found = model.prompts([WeightedPrompt("ink")]).prompt_embeds
    with torch.no_grad():
        stock, before = (each.encode_prompt("ink")[0] for each in (pipeline, xl))
    assert difference(found, stock) <= 1e-5
    assert difference(found, before) > 1e-2


def test_a_factored_convolution_equals_its_three_parts_in_sequence(xl: Any, tmp_path: Path) -> None:
    pipeline, draw = deepcopy(xl), torch.Generator().manual_seed(4)
    down, mid, up = (
        torch.randn(shape, generator=draw) for shape in [(2, 8, 1, 1), (2, 2, 3, 3), (16, 2, 1, 1)]
    )
    parts = {"down": down, "mid": mid, "up": up}
    tensors = {f"{STEM}.lora_{part}.weight": each for part, each in parts.items()}
    path = save_lora(tmp_path / "ink.safetensors", {**tensors, f"{STEM}.alpha": torch.tensor(1.0)})
    _loras(pipeline).add(LoraSource(path))
    layer, picture = pipeline.unet.get_submodule(CONV), torch.randn(1, 8, 6, 6, generator=draw)
    convolve = torch.nn.functional.conv2d
    added = convolve(convolve(convolve(picture, down), mid, padding=1), up) / 2
    assert difference(layer(picture), layer.base_layer(picture) + added) <= 1e-5


def test_alphas_of_a_float16_file_are_applied_in_float32(xl: Any, tmp_path: Path) -> None:
    pipeline = deepcopy(xl)
    names = {f"{STEM}.lora_{part}.weight" for part in ("down", "up")}
    shapes = {"down": (2, 8, 3, 3), "up": (16, 2, 1, 1)}
    tensors = {f"{STEM}.lora_{part}.weight": torch.full(shape, 6e-5).half()
               for part, shape in shapes.items()}  # fmt: skip
    assert tensors.keys() == names
    path = save_lora(tmp_path / "ink.safetensors", {**tensors, f"{STEM}.alpha": torch.tensor(1e-3)})
    _loras(pipeline).add(LoraSource(path))
    found = pipeline.unet.get_submodule(CONV).get_delta_weight("ink")
    exact = 2 * 5e-4 * float(tensors[f"{STEM}.lora_up.weight"][0, 0]) ** 2
    assert difference(found / exact, torch.ones_like(found)) <= 1e-5


@pytest.mark.parametrize(
    ("extra", "error", "match"),
    [
        ("lora_unet_out_0.hada_w1_a", UnsupportedModelError, r"another kind \(LoHa, .*hada_w1_a"),
        ("lora_te2_x.lokr_w1", UnsupportedModelError, r"another kind \(LoKr, "),
        (f"{STEM}.diff_b", UnsupportedModelError, r"another kind \(whole weights, .*diff_b"),
        (f"{STEM}.scalar", UnsupportedModelError, r"another kind \(.*scalar\), which is not"),
        ("bundle_emb.ink.clip_l", UnsupportedModelError, "holds bundle_emb.ink.clip_l too"),
        (f"{STEM}.lora_mid.weight", ModelError, "does not fit its other matrices"),
        ("lora_unet_out_2.lora_up.weight", ModelError, "lora_unet_out_2 lacks one of its two"),
        ("lora_unet_input_blocks_4_9_x.lora_down.weight", ModelError, "lacks one of its two"),
        (f"{STEM}.alpha", ModelError, "one number as alpha"),
    ],
)  # fmt: skip
def test_unsupported_tensors_are_named(
    xl: Any, tmp_path: Path, extra: str, error: type[Exception], match: str
) -> None:
    made = changes({"unet": xl.unet})
    tensors = kohya_file({"unet": {CONV: made["unet"][CONV]}}, xl.unet)
    path = save_lora(tmp_path / "ink.safetensors", {**tensors, extra: torch.ones(3)})
    with pytest.raises(error, match=match):
        _loras(deepcopy(xl)).add(LoraSource(path))


def test_a_layer_that_no_unet_has_is_named(xl: Any, tmp_path: Path) -> None:
    stem = "lora_unet_input_blocks_4_9_x"
    tensors = {f"{stem}.lora_{part}.weight": torch.ones(2, 2) for part in ("down", "up")}
    path = save_lora(tmp_path / "ink.safetensors", tensors)
    with pytest.raises(ModelError, match=r"not a LoRA that diffusers can read for this model: "):
        _loras(deepcopy(xl)).add(LoraSource(path))


def test_a_lora_of_sdxls_text_encoders_is_refused_by_sd_1(
    xl: Any, sd_pipeline: Any, tmp_path: Path
) -> None:
    made = changes(_networks(xl, ("text_encoder", "text_encoder_2")))
    path = save_lora(tmp_path / "ink.safetensors", kohya_file(made, xl.unet))
    with pytest.raises(UnsupportedModelError, match="this one has no text_encoder_2"):
        _loras(deepcopy(sd_pipeline)).add(LoraSource(path))


def test_a_warning_says_that_magnitudes_of_a_dora_are_ignored(
    xl: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = {"unet": {CONV: changes({"unet": xl.unet})["unet"][CONV]}}
    tensors = {**kohya_file(made, xl.unet), f"{STEM}.dora_scale": torch.ones(16, 1, 1, 1)}
    path, pipeline = tmp_path / "ink.safetensors", deepcopy(xl)
    save_file(tensors, path)
    with caplog.at_level(logging.WARNING):
        _loras(pipeline).add(LoraSource(path))
    assert "ink.safetensors is a DoRA: its magnitudes are ignored" in caplog.text
    assert max(_apart(pipeline, made, "ink").values()) <= 1e-6

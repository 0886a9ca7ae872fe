"""LoRAs as peft's `save_pretrained` writes them."""

from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from turbolens.filter import ModelError, UnsupportedModelError
from turbolens.filter.adapters.lora import LoraSet, LoraSource
from turbolens.filter.diffusion.prompts import PromptEncoder

from .adapter_fixtures import TEXT_LAYERS, UNET_LAYERS, difference, save_lora

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning"),  # in peft
]
peft: Any = import_module("peft")
FILE = "adapter_model.safetensors"


def saved(network: Any, layers: tuple[str, ...], folder: Path, **config: Any) -> dict[str, Any]:
    """Save a LoRA of this network by peft. Returns what each layer adds."""
    torch.manual_seed(4)
    changed = peft.get_peft_model(
        deepcopy(network),
        peft.LoraConfig(r=2, target_modules=list(layers), init_lora_weights=False, **config),
    )
    changed.save_pretrained(folder)
    tuner = import_module("peft.tuners.tuners_utils").BaseTunerLayer
    return {name: module.get_delta_weight("default").detach()
            for name, module in changed.base_model.model.named_modules()
            if isinstance(module, tuner)}  # fmt: skip


def loras(pipeline: Any) -> LoraSet:
    texts = [getattr(pipeline, name) for name in ("text_encoder", "text_encoder_2")
             if hasattr(pipeline, name)]  # fmt: skip
    tokenizers = [pipeline.tokenizer] * len(texts)
    return LoraSet(pipeline.unet, PromptEncoder(tokenizers, texts, dtype=torch.float32))


def apart(network: Any, added: dict[str, Any], name: str) -> float:
    """The greatest difference between what the layers add and what they should."""
    modules = dict(network.named_modules())
    return max(
        difference(modules[layer].get_delta_weight(name), delta) for layer, delta in added.items()
    )


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"lora_alpha": 6},
        {"lora_alpha": 3, "use_rslora": True},
        {"alpha_pattern": {"to_q": 5}},
        {"rank_pattern": {"attn1.to_k": 3}},
    ],
)
def test_a_lora_of_the_unet_adds_what_peft_adds(
    pipeline: Any, tmp_path: Path, config: dict[str, Any]
) -> None:
    added = saved(pipeline.unet, UNET_LAYERS, tmp_path, **config)
    name = loras(pipeline).add(LoraSource(tmp_path))
    assert apart(pipeline.unet, added, name) <= 1e-6


@pytest.mark.parametrize("encoder", ["text_encoder", "text_encoder_2"])
def test_a_lora_of_a_text_encoder_is_found_by_its_layers(
    sdxl_pipeline: Any, tmp_path: Path, encoder: str
) -> None:
    pipeline = deepcopy(sdxl_pipeline)
    if encoder == "text_encoder_2":
        pipeline.text_encoder = _wider(pipeline.text_encoder)
    added = saved(getattr(pipeline, encoder), TEXT_LAYERS, tmp_path, lora_alpha=4)
    name = loras(pipeline).add(LoraSource(tmp_path / FILE))
    assert apart(getattr(pipeline, encoder), added, name) <= 1e-6


def _wider(text_encoder: Any) -> Any:
    config = deepcopy(text_encoder.config)
    config.hidden_size = 16
    return type(text_encoder)(config).eval()


def test_the_name_of_the_adapter_and_of_the_network_may_be_in_the_file(
    sd_pipeline: Any, tmp_path: Path
) -> None:
    added = saved(sd_pipeline.unet, UNET_LAYERS, tmp_path)
    tensors = {
        name.replace("base_model.model.", "base_model.model.unet.")
        .replace(".weight", ".default.weight"): each
        for name, each in load_file(tmp_path / FILE).items()
    }  # fmt: skip
    pipeline = deepcopy(sd_pipeline)
    loras(pipeline).add(LoraSource(save_lora(tmp_path / "ink.safetensors", tensors)))
    assert apart(pipeline.unet, added, "ink") <= 1e-6


def test_a_lora_of_another_family_is_refused(
    sd_pipeline: Any, sdxl_pipeline: Any, tmp_path: Path
) -> None:
    saved(sdxl_pipeline.unet, UNET_LAYERS, tmp_path)
    tensors = load_file(tmp_path / FILE)
    changed = {name.replace("down_blocks.1", "double_blocks.7"): each
               for name, each in tensors.items()}  # fmt: skip
    path = save_lora(tmp_path / "flux.safetensors", changed)
    with pytest.raises(UnsupportedModelError, match=r"this one has no double_blocks\.7"):
        loras(deepcopy(sd_pipeline)).add(LoraSource(path))


def test_whole_layers_beside_the_lora_are_named(sd_pipeline: Any, tmp_path: Path) -> None:
    saved(sd_pipeline.unet, UNET_LAYERS, tmp_path)
    extra = {"base_model.model.conv_out.weight": torch.ones(2, 2)}
    path = save_lora(tmp_path / FILE, {**load_file(tmp_path / FILE), **extra})
    with pytest.raises(
        UnsupportedModelError, match=r"holds base_model\.model\.conv_out\.weight too"
    ):
        loras(deepcopy(sd_pipeline)).add(LoraSource(path))


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_configuration_is_named(sd_pipeline: Any, tmp_path: Path, content: str) -> None:
    saved(sd_pipeline.unet, UNET_LAYERS, tmp_path)
    (tmp_path / "adapter_config.json").write_text(content)
    with pytest.raises(ModelError, match=r"adapter_config\.json is damaged"):
        loras(deepcopy(sd_pipeline)).add(LoraSource(tmp_path))

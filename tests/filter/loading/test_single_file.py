"""Checkpoints in one file: every weight finds its place, and other files are told apart."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import CLIPTokenizer

from turbolens.filter import ModelError, ModelNotFoundError, TurboModel
from turbolens.filter import UnsupportedModelError as Unsupported
from turbolens.filter.loading.families import Architecture, architecture
from turbolens.filter.loading.hub import Hub
from turbolens.filter.loading.single_file import load_single_file
from turbolens.filter.loading.weights_header import CheckpointFamily, read_header

from .original_layout import Weights, checkpoint, networks

pytestmark = pytest.mark.slow

FAMILIES: tuple[CheckpointFamily, ...] = ("sd1", "sd2", "sdxl")


@pytest.fixture(scope="module")
def hub(tokenizer: CLIPTokenizer, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """A cache that holds words, as `models pull clip-tokenizer` leaves them."""
    hub = Hub(cache=tmp_path_factory.mktemp("cache"))
    folder = hub.repo_folder("openai/clip-vit-large-patch14") / "snapshots" / "1"
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps(tokenizer.get_vocab()))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return hub


def _tiny(family: CheckpointFamily, words: int) -> Architecture:
    """The family's architecture, with the widths of a toy."""
    made = architecture(family)
    text_width = 8 * len(made.text_encoders) + 4 * (len(made.text_encoders) - 1)
    small: dict[str, Any] = {"norm_num_groups": 4}
    unet = {**made.unet, **small, "cross_attention_dim": text_width, "attention_head_dim": 2}
    unet["block_out_channels"] = [8 * 2**i for i in range(len(unet["block_out_channels"]))]
    if family == "sdxl":
        sizes = {"addition_time_embed_dim": 4, "projection_class_embeddings_input_dim": 4 * 6 + 12}
        unet = {**unet, **sizes, "transformer_layers_per_block": [1, 2, 3]}
    vae = {**made.vae, **small, "block_out_channels": [8, 8, 16, 16]}
    text = {"intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    encoders = tuple(
        {**config, **text, "hidden_size": 8 + 4 * i, "projection_dim": 8 + 4 * i,
         "vocab_size": words}
        for i, config in enumerate(made.text_encoders)
    )  # fmt: skip
    return Architecture(unet, vae, encoders, tuple("<|endoftext|>" for _ in made.pad_tokens))


def _saved(path: Path, weights: Weights, **metadata: str) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, path, metadata)
    return path


@pytest.mark.parametrize("family", FAMILIES)
def test_every_weight_of_a_checkpoint_is_loaded(
    family: CheckpointFamily, hub: Hub, tokenizer: CLIPTokenizer, tmp_path: Path
) -> None:
    made = _tiny(family, len(tokenizer))
    unet, vae, encoders = networks(made)
    path = _saved(tmp_path / "whole.safetensors", checkpoint(family, unet, vae, encoders))
    loaded = load_single_file(path, hub=hub, configs=made)
    pairs = [
        (loaded.unet, unet),
        (loaded.vae, vae),
        *zip(loaded.text_encoders, encoders, strict=True),
    ]
    for found, original in pairs:
        wanted = original.state_dict()
        assert found.state_dict().keys() == wanted.keys()
        assert all(torch.equal(each, wanted[name]) for name, each in found.state_dict().items())


def test_a_loaded_checkpoint_filters(hub: Hub, tokenizer: CLIPTokenizer, tmp_path: Path) -> None:
    made = _tiny("sdxl", len(tokenizer))
    path = _saved(tmp_path / "a.safetensors", checkpoint("sdxl", *networks(made)))
    components = load_single_file(path, hub=hub, configs=made)
    model = TurboModel(components, device="cpu", dtype="float32")
    embeds = model.prompts.encode("ink")
    assert embeds.prompt_embeds.shape == (1, 77, 20)
    output = model.predict(torch.randn(1, 4, 8, 8), 500, embeds)
    assert output.shape == (1, 4, 8, 8)
    assert model.decode(model.encode(torch.zeros(1, 3, 64, 64))).isfinite().all()
    assert (model.schedule.prediction_type, model.schedule.sampler) == ("epsilon", "euler")


def test_v_prediction_is_read_from_the_metadata(
    hub: Hub, tokenizer: CLIPTokenizer, tmp_path: Path
) -> None:
    made = _tiny("sd1", len(tokenizer))
    weights = checkpoint("sd1", *networks(made))
    says = {"modelspec.prediction_type": "v"}
    path = _saved(tmp_path / "v.safetensors", weights, **says)
    assert load_single_file(path, hub=hub, configs=made).schedule.prediction_type == "v_prediction"
    path = _saved(tmp_path / "z.safetensors", {**weights, "ztsnr": torch.zeros(1)})
    with pytest.raises(Unsupported, match="ztsnr"):
        load_single_file(path, hub=hub, configs=made)


def test_a_missing_weight_is_named(hub: Hub, tokenizer: CLIPTokenizer, tmp_path: Path) -> None:
    made = _tiny("sd1", len(tokenizer))
    weights = checkpoint("sd1", *networks(made))
    del weights["model.diffusion_model.out.2.bias"]
    with pytest.raises(ModelError, match=r"UNet2DConditionModel, but .*conv_out\.bias"):
        load_single_file(_saved(tmp_path / "a.safetensors", weights), hub=hub, configs=made)


def test_another_architecture_is_refused(
    hub: Hub, tokenizer: CLIPTokenizer, tmp_path: Path
) -> None:
    path = _saved(
        tmp_path / "a.safetensors", checkpoint("sd1", *networks(_tiny("sd1", len(tokenizer))))
    )
    with pytest.raises(ModelError, match="must hold every weight of the AutoencoderKL"):
        load_single_file(path, hub=hub)


def test_without_a_tokenizer_the_error_says_what_to_pull(
    tokenizer: CLIPTokenizer, tmp_path: Path
) -> None:
    path = _saved(
        tmp_path / "a.safetensors", checkpoint("sd1", *networks(_tiny("sd1", len(tokenizer))))
    )
    with pytest.raises(ModelNotFoundError, match="turbolens models pull clip-tokenizer"):
        load_single_file(path, hub=Hub(cache=tmp_path / "empty"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unet.down_blocks.0.lora_A.weight", "a LoRA"),
        ("down_blocks.0.resnets.0.conv1.weight", "a UNet alone"),
        ("decoder.conv_in.weight", "an autoencoder alone"),
        ("double_blocks.0.img_attn.norm.key_norm.scale", "not known here"),
        ("model.diffusion_model.input_blocks.0.0.weight", "not the text encoders"),
    ],
)
def test_the_error_names_the_kind_of_an_incomplete_checkpoint(
    tmp_path: Path, name: str, words: str
) -> None:
    path = _saved(tmp_path / "part.safetensors", {name: torch.zeros(4, 4, 3, 3)})
    with pytest.raises(Unsupported, match=words):
        TurboModel.load(path, device="cpu", dtype="float32")


def test_a_truncated_or_invalid_file_is_an_error(tmp_path: Path) -> None:
    path = _saved(tmp_path / "whole.safetensors", {"a": torch.zeros(1000)})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match="truncated"):
        read_header(path)
    path.write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(ModelError, match="must be a safetensors file"):
        TurboModel.load(path, device="cpu", dtype="float32")
    path.write_bytes(b"")
    with pytest.raises(ModelError, match="it is empty"):
        read_header(path)

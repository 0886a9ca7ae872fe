"""The exact SD 1.5, SD 2.1 and SDXL, by names and shapes alone: no weights, and no memory."""

import json
import struct
from collections import Counter
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import CLIPTokenizer

from tests.filter.adapters.kohya_layout import Change, kohya_file
from turbolens.filter.adapters.lora_files import read_lora
from turbolens.filter.loading import single_file
from turbolens.filter.loading.families import architecture
from turbolens.filter.loading.hub import Hub
from turbolens.filter.loading.locating import ModelParts
from turbolens.filter.loading.memory import GIBIBYTE, parts_need
from turbolens.filter.loading.weights_header import CheckpointFamily, family_of, read_header

from .original_layout import Weights, checkpoint, networks

single_file_utils: Any = import_module("diffusers.loaders.single_file_utils")

FAMILIES: tuple[CheckpointFamily, ...] = ("sd1", "sd2", "sdxl")
# How many numbers each network is known to have: the UNet, the autoencoder, the text encoders.
KNOWN = {
    "sd1": (859_520_964, 83_653_863, 123_060_480),
    "sd2": (865_910_724, 83_653_863, 340_387_840),
    "sdxl": (2_567_463_684, 83_653_863, 123_060_480, 694_659_840),
}
# How many tensors of each part the published files hold, and diffusers' word for the family.
TENSORS = {"sd1": (686, 248, 197), "sd2": (686, 248, 294), "sdxl": (1680, 248, 587)}
WORDS = {"sd1": "v1", "sd2": "v2", "sdxl": "xl_base"}
PARTS = ("model.diffusion_model.", "first_stage_model.", "cond")


@cache
def _exact(family: CheckpointFamily) -> tuple[Any, Any, list[Any]]:
    with torch.device("meta"):
        return networks(architecture(family))


@cache
def _published(family: CheckpointFamily) -> Weights:
    """The tensors of a published file, including those that are not loaded."""
    with torch.device("meta"):
        weights = checkpoint(family, *_exact(family))
        position = torch.empty(1, 77, dtype=torch.int64)
        number = torch.empty((), dtype=torch.float16)
        if family == "sd2":  # the last layer, which SD 2 leaves out
            last = "cond_stage_model.model.transformer.resblocks."
            weights |= {
                name.replace(f"{last}22.", f"{last}23."): each
                for name, each in weights.items() if name.startswith(f"{last}22.")
            }  # fmt: skip
            weights["cond_stage_model.model.logit_scale"] = number
    clip = {"sd1": "cond_stage_model.", "sdxl": "conditioner.embedders.0."}
    if family in clip:
        weights[f"{clip[family]}transformer.text_model.embeddings.position_ids"] = position
    if family == "sdxl":
        weights["conditioner.embedders.1.model.logit_scale"] = number
    return weights


def _holed(path: Path, weights: Weights) -> Path:
    """A safetensors file of these shapes in half precision whose data is a hole, which takes no
    room on the disk."""
    entries, end = {}, 0
    for name, each in weights.items():
        start, end = end, end + 2 * each.numel()
        entries[name] = {"dtype": "F16", "shape": [*each.shape], "data_offsets": [start, end]}
    header = json.dumps(entries).encode()
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(header)) + header)
        stream.truncate(8 + len(header) + end)
    return path


@pytest.fixture
def holed(tmp_path: Path) -> Callable[..., Path]:
    """A file of one family, with more tensors if wished."""

    def make(family: CheckpointFamily, **more: torch.Tensor) -> Path:
        return _holed(tmp_path / f"{family}.safetensors", {**_published(family), **more})

    return make


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_network_has_its_known_size_and_every_part_its_number_of_tensors(
    family: CheckpointFamily,
) -> None:
    unet, vae, encoders = _exact(family)
    sizes = tuple(
        sum(each.numel() for each in network.parameters()) for network in (unet, vae, *encoders)
    )
    assert sizes == KNOWN[family]
    weights = _published(family)
    counts = tuple(sum(name.startswith(part) for name in weights) for part in PARTS)
    assert counts == TENSORS[family]
    assert single_file_utils.infer_diffusers_model_type(weights) == WORDS[family]


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_weight_is_loaded_with_its_shape(
    family: CheckpointFamily, holed: Callable[..., Path], tokenizer: CLIPTokenizer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = holed(family)
    assert path.stat().st_blocks * 512 < 1_000_000
    assert family_of(read_header(path)) == family
    monkeypatch.setattr(single_file, "load_file", lambda _: _published(family))
    monkeypatch.setattr(single_file, "_tokenizers", lambda *_: (tokenizer,))
    loaded = single_file.load_single_file(path, torch.float16, hub=Hub(cache=path.parent))
    found = (loaded.unet, loaded.vae, *loaded.text_encoders)
    unet, vae, encoders = _exact(family)
    for network, exact in zip(found, (unet, vae, *encoders), strict=True):
        shapes = {name: each.shape for name, each in exact.state_dict().items()}
        assert {name: each.shape for name, each in network.state_dict().items()} == shapes
        assert {each.dtype for each in network.parameters()} == {torch.float16}


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_the_need_of_a_file_counts_only_loaded_weights(
    family: CheckpointFamily, holed: Callable[..., Path]
) -> None:
    twins = {f"model_ema.{number}": torch.empty(10**9, device="meta") for number in range(3)}
    for path in (holed(family), holed(family, **twins)):
        need = parts_need(ModelParts("a", file=path), bytes_each=2, on_gpu=True)
        assert need is not None
        assert need.weights == pytest.approx(2 * sum(KNOWN[family]), rel=0.02)
        assert need.total <= (13 if family == "sdxl" else 5) * GIBIBYTE


def test_a_tiny_autoencoder_replaces_the_files_own(
    holed: Callable[..., Path], sdxl_folder: Path
) -> None:
    tiny = ModelParts("a", file=holed("sdxl"), tiny_vae=sdxl_folder / "vae")
    need = parts_need(tiny, bytes_each=2, on_gpu=True)
    assert need is not None
    unet, _, *texts = KNOWN["sdxl"]
    assert need.weights == pytest.approx(2 * (unet + sum(texts)), rel=1e-4)


# The number of modules that kohya's trainer reports for SDXL.
MODULES = {"unet": 722, "text_encoder": 72, "text_encoder_2": 192}


def _silent(network: Any, within: str) -> dict[str, Change]:
    """A LoRA of rank 1 that changes nothing, for the linear layers in there."""
    found = {}
    for name, layer in network.named_modules():
        if within in name and isinstance(layer, torch.nn.Linear):
            rows, columns = layer.weight.shape
            found[name] = Change(torch.zeros(1, columns), torch.zeros(rows, 1), 1.0)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("original", [True, False])
def test_all_kohya_names_of_sdxl_are_known(tmp_path: Path, original: bool) -> None:
    unet, _, encoders = _exact("sdxl")
    places = dict(zip(MODULES, (unet, *encoders), strict=True))
    within = {name: ".attentions." if name == "unet" else "encoder.layers." for name in places}
    made = {name: _silent(network, within[name]) for name, network in places.items()}
    assert {name: len(layers) for name, layers in made.items()} == MODULES
    path = tmp_path / "xl.safetensors"
    save_file(kohya_file(made, unet, original=original), path)
    file = read_lora(path, unet, encoders)  # refuses layers that a network has not
    found = Counter(name.partition(".")[0] for name in file.tensors)
    assert found == {name: 2 * count for name, count in MODULES.items()}

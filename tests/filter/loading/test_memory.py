"""What a model needs is told before it is loaded, and the estimate holds for the real networks."""

import json
import weakref
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from turbolens.filter import ModelError, NotEnoughMemoryError, TurboModel
from turbolens.filter.loading.catalogue import known_models
from turbolens.filter.loading.device_memory import check_memory, device_memory
from turbolens.filter.loading.families import architecture
from turbolens.filter.loading.locating import ModelParts
from turbolens.filter.loading.memory import (
    GIBIBYTE,
    DeviceMemory,
    MemoryNeed,
    check_fits,
    known_model_need,
    memory_need,
    parts_need,
)
from turbolens.filter.loading.weights_header import CheckpointFamily

diffusers: Any = import_module("diffusers")


class _Peak(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The most bytes that lived at once, the network's own weights left out."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.weights = {each.untyped_storage()._cdata for each in network.parameters()}
        self.living: dict[int, int] = {}
        self.now = self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: Any) -> None:
        key = storage._cdata
        if key not in self.living and key not in self.weights:
            self.living[key] = storage.nbytes()
            weakref.finalize(storage, self._drop, key)
            self.now += self.living[key]
            self.bytes = max(self.bytes, self.now)

    def _drop(self, key: int) -> None:
        self.now -= self.living.pop(key)


def _peak(network: Any, run: Callable[[], object]) -> int:
    with torch.no_grad(), _Peak(network) as peak:
        run()
    return int(peak.bytes)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["sd2", "sdxl"])
def test_the_estimate_covers_the_exact_unet(family: CheckpointFamily) -> None:
    made, side = architecture(family), 64
    with FakeTensorMode():
        unet = diffusers.UNet2DConditionModel.from_config(made.unet).eval()
        text = torch.zeros(1, 77, made.unet["cross_attention_dim"])
        added = {"text_embeds": torch.zeros(1, 1280), "time_ids": torch.zeros(1, 6)}
        extra = {"added_cond_kwargs": added} if family == "sdxl" else {}
        latents, timestep = torch.zeros(1, 4, side, side), torch.zeros(1)
        peak = _peak(unet, lambda: unet(latents, timestep, encoder_hidden_states=text, **extra))
    tiny = {"_class_name": "AutoencoderTiny", "decoder_block_out_channels": [1]}
    need = memory_need(0, unet_config=made.unet, vae_config=tiny, size=(512, 512), bytes_each=4,
                   on_gpu=False)  # fmt: skip
    assert peak <= need.activations <= 2 * peak


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["AutoencoderKL", "AutoencoderTiny"])
def test_the_estimate_covers_the_exact_autoencoder(kind: str) -> None:
    made = architecture("sd2")
    config = {**made.vae, "_class_name": kind}
    with FakeTensorMode():
        vae = getattr(diffusers, kind)(**(made.vae if kind == "AutoencoderKL" else {})).eval()
        latents, image = torch.zeros(1, 4, 64, 64), torch.zeros(1, 3, 512, 512)
        peak = max(_peak(vae, lambda: vae.decode(latents)), _peak(vae, lambda: vae.encode(image)))
    small = {"block_out_channels": [1]}
    need = memory_need(0, unet_config=small, vae_config=config, size=(512, 512), bytes_each=4,
                   on_gpu=False)  # fmt: skip
    assert peak <= need.activations <= 1.5 * peak


def test_sdxl_on_four_gigabytes_is_refused_naming_models_that_fit() -> None:
    need = known_model_need(known_models()["sdxl-turbo"], on_gpu=True)
    card = DeviceMemory("a card", 4 * GIBIBYTE, 4 * GIBIBYTE)
    with pytest.raises(
        NotEnoughMemoryError, match=r"has 4.0 GiB in total; models that fit: sd-turbo"
    ):
        check_fits("sdxl-turbo", need, card, ["sd-turbo"])
    assert issubclass(NotEnoughMemoryError, ModelError)
    check_fits("sd-turbo", known_model_need(known_models()["sd-turbo"], on_gpu=True), card)


def test_too_little_free_memory_is_reported_apart_from_too_little_in_total() -> None:
    room = DeviceMemory("a card", 24 * GIBIBYTE, 2 * GIBIBYTE)
    with pytest.raises(NotEnoughMemoryError, match=r"2.0 GiB free of 24.0 GiB; close other"):
        check_fits("model", MemoryNeed(weights=3 * GIBIBYTE, activations=0), room)


def test_a_full_autoencoder_in_float32_needs_more() -> None:
    made = architecture("sdxl")
    full, tiny = (
        memory_need(0, unet_config=made.unet, vae_config=config, size=(1024, 1024), bytes_each=2,
                on_gpu=True)
        for config in (made.vae, {"_class_name": "AutoencoderTiny"})
    )  # fmt: skip
    assert full.activations > 3 * GIBIBYTE > tiny.activations


def test_the_need_of_a_folder_comes_from_its_headers(sd_folder: Path, sd_pipeline: Any) -> None:
    networks = (sd_pipeline.unet, sd_pipeline.vae, sd_pipeline.text_encoder)
    numbers = sum(each.numel() for network in networks for each in network.state_dict().values())
    need = parts_need(ModelParts("tiny", folder=sd_folder), bytes_each=4, on_gpu=False)
    assert need is not None
    assert need.weights == 4 * numbers


def test_main_memory_fits_a_small_model_but_not_a_huge_one(sd_folder: Path, tmp_path: Path) -> None:
    cpu = torch.device("cpu")
    room = device_memory(cpu)
    assert room is None or 0 < room.free <= room.total
    check_memory(ModelParts("tiny", folder=sd_folder), cpu, torch.float32)
    huge = tmp_path / "huge"
    (huge / "unet").mkdir(parents=True)
    (huge / "vae").mkdir()
    (huge / "unet/config.json").write_text('{"block_out_channels": [320], "sample_size": 1000000}')
    (huge / "vae/config.json").write_text(json.dumps(architecture("sd1").vae))
    if room is not None:
        with pytest.raises(NotEnoughMemoryError, match="models that fit: embedded"):
            TurboModel.load(huge, device="cpu", dtype="float32")

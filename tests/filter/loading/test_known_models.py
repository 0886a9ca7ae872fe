"""Known models from pulling to filtering, with tiny networks on a loopback hub."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.filter.adapters.adapter_fixtures import lora_tensors, save_lora
from tests.filter.conftest import _autoencoder_tiny
from turbolens.filter import (
    FilterSettings,
    FrameFilter,
    ModelError,
    ModelNotFoundError,
    SettingsError,
    TurboModel,
)
from turbolens.filter.loading.catalogue import KnownModel, known_models
from turbolens.filter.loading.families import sdxs_unet
from turbolens.filter.loading.hub import Hub
from turbolens.filter.loading.licences import accept, is_accepted
from turbolens.filter.loading.locating import find_model
from turbolens.filter.loading.pulling import plan_download, pull
from turbolens.pipelines.model_choice import ModelChoice, load_filter

from .hub_server import HubServer, Repo

pytestmark = pytest.mark.slow

diffusers: Any = import_module("diffusers")
CPU: dict[str, Any] = {"device": "cpu", "dtype": "float32"}


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def tiny_vae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny autoencoder as its repository holds it."""
    folder = tmp_path_factory.mktemp("taesd")
    _autoencoder_tiny().save_pretrained(folder)
    return folder


@pytest.fixture
def server(sd_folder: Path, sdxl_folder: Path, tiny_vae: Path) -> Iterator[HubServer]:
    """A hub with every base model and tiny autoencoder of the catalogue, all of them tiny."""
    repos = {}
    for model in known_models().values():
        if model.base is not None and model.tiny_vae is not None:
            folder = sdxl_folder if model.family == "sdxl" else sd_folder
            repos[model.base.name] = Repo(_contents(folder), commit=model.base.revision or "")
            repos[model.tiny_vae.name] = Repo(_contents(tiny_vae))
    hub_server = HubServer(repos)
    yield hub_server
    hub_server.close()


@pytest.fixture
def hub(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """That server, and a cache that loading looks into as well."""
    cache = tmp_path / "cache"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    return Hub(endpoint=server.url, cache=cache)


def _pull(name: str, hub: Hub) -> Path:
    return pull(plan_download(name, hub), hub)


def _swapped(server: HubServer, sdxl_pipeline: Any, tmp_path: Path) -> dict[str, torch.Tensor]:
    """Other weights for SDXL's UNet, served as Lightning's."""
    known = known_models()["sdxl-lightning-2step"]
    assert known.unet is not None
    weights = {k: v * 0.5 for k, v in sdxl_pipeline.unet.state_dict().items()}
    save_file(weights, tmp_path / "unet.safetensors")
    files = {known.unet.path: (tmp_path / "unet.safetensors").read_bytes()}
    server.repos[known.unet.repo.name] = Repo(files, commit=known.unet.repo.revision or "")
    return weights


def test_sd_turbo_is_pulled_and_loaded_with_its_tiny_autoencoder(hub: Hub) -> None:
    with pytest.raises(ModelNotFoundError, match="turbolens models pull sd-turbo"):
        TurboModel.load("sd-turbo", **CPU)
    folder = _pull("sd-turbo", hub)
    base = known_models()["sd-turbo"].base
    assert base is not None
    assert folder.name == base.revision
    model = TurboModel.load("sd-turbo", **CPU)
    assert isinstance(model.vae, diffusers.AutoencoderTiny)
    assert model.decode(model.encode(torch.zeros(1, 3, 16, 16))).shape == (1, 3, 16, 16)


def test_sdxs_runs_without_a_middle_block_and_with_its_own_tiny_autoencoder(
    server: HubServer, hub: Hub, sd_pipeline: Any, tiny_vae: Path, tmp_path: Path
) -> None:
    known = known_models()["sdxs"]
    assert known.base is not None
    sd_pipeline.save_pretrained(tmp_path / "sdxs")
    shutil.rmtree(tmp_path / "sdxs" / "vae")
    shutil.copytree(tiny_vae, tmp_path / "sdxs" / "vae")
    index = tmp_path / "sdxs" / "model_index.json"
    index.write_text(index.read_text().replace("AutoencoderKL", "AutoencoderTiny"))
    _unet_without_middle(sd_pipeline.unet.config.cross_attention_dim).save_pretrained(
        tmp_path / "sdxs" / "unet"
    )
    server.repos[known.base.name] = Repo(
        _contents(tmp_path / "sdxs"), commit=known.base.revision or ""
    )
    _pull("sdxs", hub)
    model = TurboModel.load("sdxs", **CPU)
    assert isinstance(model.vae, diffusers.AutoencoderTiny)
    assert (model.unet.mid_block, model.steps, model.schedule.sampler) == (None, (1, 1), "euler")
    frame = np.zeros((64, 64, 3), np.uint8)
    assert FrameFilter(model, prompt="a", size=64)(frame).shape == frame.shape


def _unet_without_middle(text_width: int) -> Any:
    """SDXS' UNet, narrow."""
    config = sdxs_unet() | {
        "block_out_channels": [4, 8, 8], "attention_head_dim": 2, "norm_num_groups": 2,
        "cross_attention_dim": text_width, "sample_size": 8,
    }  # fmt: skip
    return diffusers.UNet2DConditionModel.from_config(config)


def test_the_full_autoencoder_loads_on_request(hub: Hub) -> None:
    _pull("sd-turbo", hub)
    assert isinstance(TurboModel.load("sd-turbo", **CPU, vae="full").vae, diffusers.AutoencoderKL)
    with pytest.raises(SettingsError, match="vae must be auto, tiny or full"):
        TurboModel.load("sd-turbo", **CPU, vae="small")  # type: ignore[arg-type]


def test_a_folder_loads_with_a_pulled_tiny_autoencoder(hub: Hub, sd_folder: Path) -> None:
    assert isinstance(TurboModel.load(sd_folder, **CPU).vae, diffusers.AutoencoderKL)
    with pytest.raises(ModelNotFoundError, match="models pull sd-turbo"):
        TurboModel.load(sd_folder, **CPU, vae="tiny")
    _pull("sd-turbo", hub)
    model = TurboModel.load(sd_folder, **CPU, vae="tiny")
    assert isinstance(model.vae, diffusers.AutoencoderTiny)


def test_a_distilled_unet_replaces_the_base_models(
    server: HubServer, hub: Hub, sdxl_pipeline: Any, tmp_path: Path
) -> None:
    weights = _swapped(server, sdxl_pipeline, tmp_path)
    folder = _pull("sdxl-lightning-2step", hub)
    assert not list(folder.glob("unet/*.safetensors"))  # gigabytes that are not needed
    model = TurboModel.load("sdxl-lightning-2step", **CPU)
    loaded = model.unet.state_dict()
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)
    assert (model.schedule.sampler, model.steps) == ("euler", (2, 2))


def test_a_unet_of_another_shape_is_an_error(
    server: HubServer, hub: Hub, sdxl_pipeline: Any, tmp_path: Path
) -> None:
    _swapped(server, sdxl_pipeline, tmp_path)
    _pull("sdxl-lightning-2step", hub)
    parts = find_model("sdxl-lightning-2step", hub=hub)
    assert parts.unet is not None
    save_file({"conv_in.weight": torch.zeros(1)}, parts.unet.resolve())
    with pytest.raises(ModelError, match="must hold the weights of the UNet"):
        TurboModel.load("sdxl-lightning-2step", **CPU)


def test_the_lora_of_a_known_model_is_pulled_and_loaded(
    server: HubServer, hub: Hub, sd_pipeline: Any, sd_folder: Path, tmp_path: Path
) -> None:
    known = known_models()["lcm-sd15"]
    assert known.lora is not None
    file = save_lora(tmp_path / "lora.safetensors", lora_tensors({"unet": sd_pipeline.unet}, 1))
    files = {known.lora.path: file.read_bytes()}
    server.repos[known.lora.repo.name] = Repo(files, commit=known.lora.repo.revision or "")
    _pull("lcm-sd15", hub)
    model, base = TurboModel.load("lcm-sd15", **CPU), TurboModel.load(sd_folder, **CPU)
    assert model.adapters.loras.names == ("lcm-sd15",)
    assert (model.schedule.sampler, model.steps) == ("lcm", (2, 4))
    noisy = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    with_lora, without = (m.predict(noisy, 500, m.prompts.encode("ink")) for m in (model, base))
    assert (with_lora - without).abs().max() > 1e-3


def test_loading_makes_no_requests(server: HubServer, hub: Hub) -> None:
    _pull("sdxl-turbo", hub)
    server.requests.clear()
    TurboModel.load("sdxl-turbo", **CPU)
    assert server.requests == []


def _with_terms(model: KnownModel, name: str) -> KnownModel:
    return replace(model, licence=replace(model.licence, name=name))


def test_a_licence_is_accepted_once_until_it_changes(tmp_path: Path) -> None:
    file, model = tmp_path / "new" / "licences.json", known_models()["sdxl-turbo"]
    assert not is_accepted(model, file)
    accept(model, file)
    assert is_accepted(model, file)
    assert not is_accepted(_with_terms(model, "Another"), file)
    assert not is_accepted(known_models()["sd-turbo"], file)
    file.write_text("{")
    assert not is_accepted(model, file)


def test_a_free_licence_needs_no_acceptance(tmp_path: Path) -> None:
    assert is_accepted(known_models()["embedded"], tmp_path / "none.json")


def test_the_commands_filter_uses_the_models_number_of_steps(
    server: HubServer, hub: Hub, sdxl_pipeline: Any, tmp_path: Path
) -> None:
    _swapped(server, sdxl_pipeline, tmp_path)
    _pull("sdxl-lightning-2step", hub)
    for given, steps in ((FilterSettings(), 2), (FilterSettings(steps=1), 1)):
        chosen = ModelChoice("sdxl-lightning-2step", device="cpu", dtype="float32", vae="full")
        made = load_filter(replace(chosen, acceleration="none"), given)
        assert made.settings.steps == steps

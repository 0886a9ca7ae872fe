"""Our steps equal those of diffusers' image-to-image pipelines, for every timestep they reach."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.filter.pipeline_grid import pipeline_steps
from turbolens.filter import SettingsError, TurboModel
from turbolens.filter.coherence.noise import FixedNoise
from turbolens.filter.diffusion.schedule import Schedule
from turbolens.filter.diffusion.timesteps import lcm_timesteps, trailing_timesteps
from turbolens.filter.loading.catalogue import EMBEDDED_FOLDER
from turbolens.filter.settings import WeightedPrompt

from .adapters.adapter_fixtures import psnr

diffusers: Any = import_module("diffusers")

PROMPT = "an oil painting"
SAMPLERS = ["EulerDiscrete", "EulerAncestralDiscrete", "LCM", "DDIM"]
STEPS = [(1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0), (4, 0.5), (6, 0.5), (7, 0.6), (50, 0.07)]

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning",  # diffusers on numpy 2
)


@pytest.fixture(scope="module")
def sd(sd_folder: Path) -> TurboModel:
    return TurboModel.load(sd_folder, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def sdxl(sdxl_folder: Path) -> TurboModel:
    return TurboModel.load(sdxl_folder, device="cpu", dtype="float32")


@contextmanager
def _sampling(model: TurboModel, pipeline: Any, sampler: str, kind: str) -> Iterator[None]:
    """Both with this scheduler and prediction."""
    before, schedule = pipeline.scheduler, model.schedule
    clip = {"clip_sample": False} if sampler == "DDIM" else {}
    pipeline.scheduler = getattr(diffusers, f"{sampler}Scheduler")(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, prediction_type=kind,
        timestep_spacing="trailing", steps_offset=1, **clip,
        trained_betas=before.config.get("trained_betas"),
    )  # fmt: skip
    config = {**pipeline.scheduler.config, "_class_name": f"{sampler}Scheduler"}
    model.schedule = Schedule.from_config(config)
    try:
        yield
    finally:
        pipeline.scheduler, model.schedule = before, schedule


def _theirs(pipeline: Any, image: torch.Tensor, run: tuple[int, float], output: str) -> Any:
    return pipeline(
        prompt=PROMPT, image=image, num_inference_steps=run[0], strength=run[1],
        guidance_scale=0.0, generator=torch.manual_seed(7), output_type=output,
    ).images  # fmt: skip


def _ours(model: TurboModel, latents: torch.Tensor, run: tuple[int, float]) -> torch.Tensor:
    steps = pipeline_steps(model.schedule, *run)
    noise = FixedNoise()(7, tuple(latents.shape[1:]), len(steps), model.device)
    embeds = model.prompts([WeightedPrompt(PROMPT)])
    return model.denoise(latents, steps=steps, noise=noise, embeds=embeds)


def _latents() -> torch.Tensor:
    return torch.randn(1, 4, 8, 8, generator=torch.manual_seed(3))


def _difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).abs().max())


def _single_steps(sampler: str) -> list[tuple[int, float]]:
    """One (N, strength) for every timestep that a single step can be at."""
    runs: dict[int, tuple[int, float]] = {}
    grid = lcm_timesteps if sampler == "LCM" else trailing_timesteps
    for number in range(1, 51 if sampler == "LCM" else 1001):
        with suppress(SettingsError):
            runs.setdefault(grid(number)[-1], (number, min(1.0, 1.5 / number)))
    return list(runs.values())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_sd_latents_equal_in_one_step_at_every_timestep(
    sd: TurboModel, sd_pipeline: Any, sampler: str, kind: str
) -> None:
    latents = _latents()
    with _sampling(sd, sd_pipeline, sampler, kind):
        for run in _single_steps(sampler):
            theirs = _theirs(sd_pipeline, latents, run, "latent")
            assert _difference(_ours(sd, latents, run), theirs) <= 1e-4, run


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_sd_latents_equal_in_one_to_four_steps(
    sd: TurboModel, sd_pipeline: Any, sampler: str, kind: str
) -> None:
    latents = _latents()
    with _sampling(sd, sd_pipeline, sampler, kind):
        for run in STEPS:
            theirs = _theirs(sd_pipeline, latents, run, "latent")
            assert _difference(_ours(sd, latents, run), theirs) <= 1e-4, run


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_sdxl_latents_equal_in_one_to_four_steps(
    sdxl: TurboModel, sdxl_pipeline: Any, sampler: str, kind: str
) -> None:
    latents = _latents()
    with _sampling(sdxl, sdxl_pipeline, sampler, kind):
        for run in STEPS:
            theirs = _theirs(sdxl_pipeline, latents, run, "latent")
            assert _difference(_ours(sdxl, latents, run), theirs) <= 1e-4, run


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_sd_pictures_equal(sd: TurboModel, sd_pipeline: Any, sampler: str) -> None:
    latents = _latents()
    with _sampling(sd, sd_pipeline, sampler, "epsilon"):
        theirs = torch.from_numpy(_theirs(sd_pipeline, latents, (2, 1.0), "np")).permute(0, 3, 1, 2)
        ours = sd.decode(_ours(sd, latents, (2, 1.0))).div(2).add(0.5).clamp(0, 1)
    assert _difference(ours, theirs) <= 1e-4


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_sdxl_pictures_equal_from_a_picture(
    sdxl: TurboModel, sdxl_pipeline: Any, sampler: str
) -> None:
    picture = torch.rand(1, 3, 16, 24, generator=torch.manual_seed(5))
    with _sampling(sdxl, sdxl_pipeline, sampler, "epsilon"):
        theirs = _theirs(sdxl_pipeline, picture, (4, 0.5), "np")
        latents = sdxl.encode(picture * 2 - 1)
        ours = sdxl.decode(_ours(sdxl, latents, (4, 0.5))).div(2).add(0.5).clamp(0, 1)
    assert _difference(ours, torch.from_numpy(theirs).permute(0, 3, 1, 2)) <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_half_the_precision_is_nearly_the_same(
    kind: str, half: str, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(f"{kind}_folder")
    picture = torch.rand(1, 3, 16, 24, generator=torch.manual_seed(5))
    shown = []
    for dtype in ("float32", half):
        model = TurboModel.load(folder, device="cpu", dtype=dtype)
        assert model.unet.dtype == getattr(torch, dtype)
        overflows = dtype == "float16" and model.vae.config.force_upcast
        assert overflows == (dtype == "float16" and kind == "sd")  # the one with AutoencoderKL
        assert model.vae.dtype == (torch.float32 if overflows else getattr(torch, dtype))
        latents = model.encode(picture * 2 - 1)
        assert latents.dtype == torch.float32
        shown.append(model.decode(_ours(model, latents, (4, 0.5))).float().div(2).add(0.5))
    assert psnr(shown[0], shown[1]) >= 35


def test_prompt_embeds_equal_those_of_sd(sd: TurboModel, sd_pipeline: Any) -> None:
    theirs, _ = sd_pipeline.encode_prompt(PROMPT, "cpu", 1, False)
    assert torch.equal(sd.prompts.encode(PROMPT).prompt_embeds, theirs)


def test_prompt_embeds_equal_those_of_sdxl(sdxl: TurboModel, sdxl_pipeline: Any) -> None:
    theirs, _, pooled, _ = sdxl_pipeline.encode_prompt(
        PROMPT, device="cpu", do_classifier_free_guidance=False
    )
    ours = sdxl.prompts.encode(PROMPT)
    assert torch.equal(ours.prompt_embeds, theirs)
    assert ours.pooled_prompt_embeds is not None
    assert ours.pooled_prompt_embeds.allclose(pooled, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_embedded_model_equals_the_stock_pipeline(sampler: str) -> None:
    model = TurboModel.load("embedded", device="cpu", dtype="float32")
    kind = diffusers.StableDiffusionImg2ImgPipeline
    pipeline = kind.from_pretrained(EMBEDDED_FOLDER, vae=model.vae).to(torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    picture = torch.rand(1, 3, 64, 96, generator=torch.manual_seed(5))
    latents = model.encode(picture * 2 - 1)
    with _sampling(model, pipeline, sampler, "epsilon"):
        for run in [(1, 1.0), (2, 0.5), (3, 1.0), (4, 1.0), (10, 0.1), (20, 0.2)]:
            theirs = torch.from_numpy(_theirs(pipeline, picture, run, "np")).permute(0, 3, 1, 2)
            ours = model.decode(_ours(model, latents, run)).div(2).add(0.5).clamp(0, 1)
            assert _difference(ours, theirs) <= 1e-4, run

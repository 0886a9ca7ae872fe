"""Training: looks, words, stages that resume, and a whole small run."""

import os
import re
import signal
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import nn

from turbolens.filter import FrameFilter, SettingsError, TurboModel
from turbolens.filter.training.autoencoder_stage import LATENT_CHANNELS, new_autoencoder
from turbolens.filter.training.command import app, train
from turbolens.filter.training.data import RENDERED, is_held_out, pictures_in, read_square
from turbolens.filter.training.denoiser_stage import (
    OUTPUT_SCALE,
    Denoiser,
    look_share,
    new_betas,
)
from turbolens.filter.training.loop import Losses, Stage
from turbolens.filter.training.progress import follow, training_progress
from turbolens.filter.training.references.aliases import PHRASES
from turbolens.filter.training.references.phrases import every_phrase, phrase
from turbolens.filter.training.references.rendered import LOOKS
from turbolens.filter.training.text import MAX_TOKENS, new_tokenizer

from .picture_files import write_png


def picture(seed: int, size: int = 64) -> torch.Tensor:
    """A smooth random colour picture (1, 3, size, size) in 0…1."""
    coarse = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, size=(size, size), mode="bicubic").clamp(0, 1)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for seed in range(14):
        pixels = (picture(seed, 288)[0].permute(1, 2, 0) * 255).byte().numpy()
        write_png(folder / f"{seed}.png", np.ascontiguousarray(pixels))
    return folder


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_keeps_size_and_range(name: str) -> None:
    styled = LOOKS[name](picture(0)).clamp(0, 1)
    assert styled.shape == (1, 3, 64, 64)
    assert torch.isfinite(styled).all()
    assert styled.std() > 0.02


def test_looks_differ_from_each_other_and_from_the_photograph() -> None:
    image = picture(1)
    styled = [image, *(look(image).clamp(0, 1) for look in LOOKS.values())]
    distances = [
        (a - b).abs().mean() for i, a in enumerate(styled) for b in styled[:i]
    ]  # fmt: skip
    assert min(distances) > 0.02


def test_every_look_has_its_name_and_other_phrases() -> None:
    assert list(PHRASES)[: len(LOOKS)] == list(LOOKS) == RENDERED[1:]
    assert all(phrases[0] == look and len(phrases) >= 7 for look, phrases in PHRASES.items())


def test_the_noise_of_the_schedule_follows_its_formula() -> None:
    alphas_cumprod = torch.cumprod(1 - torch.tensor(new_betas(), dtype=torch.float64), 0)
    sigma = ((1 - alphas_cumprod) / alphas_cumprod).sqrt()
    share = (torch.arange(1, 1001, dtype=torch.float64) / 1000) ** 2
    torch.testing.assert_close(sigma, 0.004 + 0.026 * share, rtol=1e-4, atol=0)


def test_the_stored_unet_gives_the_scaled_output_of_the_trained_one() -> None:
    denoiser = Denoiser(new_tokenizer(every_phrase()))
    latents, timestep = torch.randn(1, LATENT_CHANNELS, 8, 8), torch.tensor([499])
    embeds = denoiser.embed(["noir"])
    trained, stored = denoiser.unet, denoiser.scaled_unet()
    with torch.inference_mode():
        own, scaled = (
            each(latents, timestep, encoder_hidden_states=embeds).sample
            for each in (trained, stored)
        )
    torch.testing.assert_close(scaled, OUTPUT_SCALE * own, rtol=1e-4, atol=1e-3)


def test_the_share_of_the_look_rises_with_strength() -> None:
    share = look_share(torch.linspace(0, 1, 101))
    assert (share.diff() >= 0).all()
    assert share[0] == 0
    assert share[80:].min() > 0.9999


def test_the_tokenizer_knows_phrases_and_spells_other_words() -> None:
    tokenizer = new_tokenizer(every_phrase())
    words = tokenizer("Watercolour").input_ids
    assert tokenizer.decode(words, skip_special_tokens=True) == "watercolour"
    unknown = tokenizer("zyxgq ü").input_ids
    assert len(unknown) > 5
    assert tokenizer.model_max_length == MAX_TOKENS


def test_a_phrase_names_its_look_and_is_drawn_from_the_generator() -> None:
    first = [phrase("noir", torch.Generator().manual_seed(3)) for _ in range(2)]
    assert first[0] == first[1]
    assert any(words in first[0] for words in PHRASES["noir"])


def test_the_untrained_autoencoder_is_a_linear_code() -> None:
    images = torch.cat([picture(seed) for seed in range(12)]) * 2 - 1
    vae = new_autoencoder(images)
    with torch.inference_mode():
        decoded = vae.decode(vae.encode(images).latents).sample
    assert ((decoded - images) ** 2).mean() < 0.1 * images.var()


def linear_stage(folder: Path, steps: int) -> Stage:
    torch.manual_seed(0)
    module = nn.Linear(4, 1)

    def losses(generator: torch.Generator, _step: int) -> Losses:
        x = torch.randn(8, 4, generator=generator)
        return {"error": ((module(x) - x.sum(1, keepdim=True)) ** 2).mean()}

    return Stage("linear", module, losses, folder, steps, 5e-2)


def test_a_stage_lowers_its_loss(tmp_path: Path) -> None:
    stage = linear_stage(tmp_path, 300)
    for _ in stage.run():
        pass
    assert stage.history[-1]["error"] < 0.1 * stage.history[0]["error"]
    assert (tmp_path / "linear.png").stat().st_size > 0


def test_a_stopped_stage_resumes_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turbolens.filter.training.loop.SAVE_EVERY", 10)
    whole, stopped = linear_stage(tmp_path / "whole", 40), linear_stage(tmp_path / "half", 40)
    list(whole.run())
    for step in stopped.run():
        if step == 20:
            break
    resumed = linear_stage(tmp_path / "half", 40)
    assert next(iter(resumed.run())) == 21
    list(resumed.run())
    assert torch.equal(whole.module.weight, resumed.module.weight)  # type: ignore[arg-type]
    assert len(resumed.history) == 40


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_stage_keeps_its_last_step(tmp_path: Path, number: signal.Signals) -> None:
    whole, stopped = linear_stage(tmp_path / "whole", 9), linear_stage(tmp_path / "half", 9)
    list(whole.run())
    losses, handlers = stopped.losses, signal.getsignal(number)

    def interrupted(generator: torch.Generator, step: int) -> Losses:
        if step == 4:
            os.kill(os.getpid(), number)
        return losses(generator, step)

    stopped.losses = interrupted
    text = StringIO()
    with (
        training_progress(Console(file=text)) as progress,
        pytest.raises(KeyboardInterrupt),
    ):
        list(follow(progress, stopped))
    assert "stopped after step 5 of 9; the state is kept" in text.getvalue()
    assert signal.getsignal(number) is handlers
    resumed = linear_stage(tmp_path / "half", 9)
    assert next(iter(resumed.run())) == 6
    list(resumed.run())
    assert torch.equal(whole.module.weight, resumed.module.weight)  # type: ignore[arg-type]


def test_the_state_is_kept_every_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turbolens.filter.training.loop.SAVE_SECONDS", 0.0)  # every step is late
    for _ in linear_stage(tmp_path, 40).run():
        break  # as if the process were killed
    assert next(iter(linear_stage(tmp_path, 40).run())) == 2


def test_progress_without_a_terminal_is_lines_with_the_time_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turbolens.filter.training.progress.LINE_SECONDS", 0.0)
    text = StringIO()
    with training_progress(Console(file=text)) as progress:
        list(follow(progress, linear_stage(tmp_path, 3)))
    lines = [line for line in text.getvalue().splitlines() if line.startswith("linear: step")]
    assert len(lines) == 3
    assert re.fullmatch(r"linear: step 2 of 3, loss \d+\.\d{3}, \d+ s left", lines[1])


def test_held_out_pictures_do_not_depend_on_their_folder(photographs: Path) -> None:
    found = pictures_in(photographs)
    assert len(found) == 14
    assert {is_held_out(path) for path in found} <= {True, False}
    assert [is_held_out(Path("elsewhere") / p.name) for p in found] == [
        is_held_out(p) for p in found
    ]
    assert read_square(found[0], 64).shape == (3, 64, 64)


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at least 8 pictures"):
        train(data=tmp_path, out=tmp_path / "out")


@pytest.mark.parametrize("named", [[], ["embedded"]])
def test_training_without_a_subcommand_trains_the_embedded_model(
    tmp_path: Path, named: list[str]
) -> None:
    options = ["--data", str(tmp_path), "--out", str(tmp_path / "out")]
    with pytest.raises(SettingsError, match="at least 8 pictures"):
        app([*named, *options], standalone_mode=False)


@pytest.mark.slow
def test_a_small_run_gives_a_model_that_filters(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turbolens.filter.training.command.SIZE", 160)
    out = tmp_path / "out"
    train(
        data=photographs, out=out, pictures=8, autoencoder_steps=3, steps=2, picture_steps=9,
        device="cpu",
    )  # fmt: skip
    assert (out / "samples-pictures-00009.png").exists()
    assert (out / "denoiser.png").exists()
    frame = np.full((96, 128, 3), 128, np.uint8)
    frame[:, 64:] = (200, 40, 40)
    model = TurboModel.load(str(out / "model"), device="cpu", dtype="float32")
    styled = FrameFilter(model, size=128)(frame)
    assert styled.shape == frame.shape
    assert "oil painting" in model.looks

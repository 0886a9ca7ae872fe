"""A small diffusion model from captioned pictures alone, and a student distilled from it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from turbolens.filter import SettingsError, TurboModel
from turbolens.filter.loading.folders import load_components
from turbolens.filter.training.captions import CaptionedPictures
from turbolens.filter.training.command import app
from turbolens.filter.training.loop import Stage
from turbolens.filter.training.teacher.stage import Teacher, TeacherLosses
from turbolens.filter.training.text import new_tokenizer

from .picture_files import write_png

pytestmark = pytest.mark.slow

SIDE = 32


@pytest.fixture
def losses() -> TeacherLosses:
    torch.manual_seed(0)
    levels = np.linspace(0, 255, 6, dtype=np.uint8)
    planes = np.stack([np.full((3, SIDE + 4, SIDE + 4), level, np.uint8) for level in levels])
    data = CaptionedPictures(planes, [("dark",)] * 3 + [("light",)] * 3, SIDE)
    vae = load_components(Path("filter/embedded")).vae
    teacher = Teacher(new_tokenizer(["dark", "light"]), int(vae.config.latent_channels), SIDE // 8)
    return TeacherLosses(teacher, vae, data, batch=4)


def mean_loss(losses: TeacherLosses) -> float:
    """Of the same eight batches, noises and timesteps."""
    with torch.no_grad():
        each = [losses(torch.Generator().manual_seed(seed), 0)["velocity"] for seed in range(8)]
    return float(torch.stack(each).mean())


def test_gradients_reach_unet_and_text_encoder_but_not_the_autoencoder(
    losses: TeacherLosses,
) -> None:
    losses(torch.Generator().manual_seed(1), 0)["velocity"].backward()  # type: ignore[no-untyped-call]
    teacher = losses.teacher
    for network in (teacher.unet, teacher.text_encoder):
        assert any(
            float(p.grad.abs().sum()) > 0 for p in network.parameters() if p.grad is not None
        )
    assert all(weight.grad is None for weight in losses.vae.parameters())


def test_the_loss_falls(losses: TeacherLosses, tmp_path: Path) -> None:
    before = mean_loss(losses)
    list(Stage("teacher", losses.teacher, losses, tmp_path, 60, 4e-3).run())
    assert mean_loss(losses) < 0.75 * before


def test_captions_are_dropped_at_random_so_that_guidance_works(losses: TeacherLosses) -> None:
    seen: list[str] = []
    forward = losses.teacher.forward

    def listening(
        noisy: torch.Tensor, timesteps: torch.Tensor, captions: list[str]
    ) -> torch.Tensor:
        seen.extend(captions)
        return forward(noisy, timesteps, captions)

    losses.teacher.forward = listening  # type: ignore[method-assign]
    for step in range(15):
        losses(torch.Generator().manual_seed(step), step)
    assert {"", "dark", "light"} == set(seen)
    assert seen.count("") < len(seen) / 3


def test_a_small_run_gives_a_teacher_that_can_be_distilled(
    tmp_path: Path,
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    for look in ("dark", "light"):
        (data / look).mkdir(parents=True)
        for seed in range(6):
            level = (20 if look == "dark" else 200) + 5 * seed
            write_png(data / look / f"{look}{seed}.png", np.full((48, 48, 3), level, np.uint8))
    common = ["--data", str(data), "--size", str(SIDE), "--batch", "2", "--device", "cpu"]
    app(["teacher", *common, "--out", str(out), "--steps", "2"], standalone_mode=False)
    assert (out / "samples-00002.png").stat().st_size > 0
    assert TurboModel.load(out / "model", device="cpu", dtype="float32").looks == ("dark", "light")
    app(["distill", *common, "--teacher", str(out / "model"), "--out", str(tmp_path / "student"),
         "--steps", "1", "--student-steps", "1", "--samples", "2", "--warm-up", "1"],
        standalone_mode=False)  # fmt: skip
    assert (tmp_path / "student" / "model" / "unet").is_dir()


def test_a_size_that_the_network_cannot_take_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dark").mkdir()
    for seed in range(12):
        write_png(tmp_path / "dark" / f"{seed}.png", np.zeros((48, 48, 3), np.uint8))
    options = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--size", "40"]
    with pytest.raises(SettingsError, match="multiple of 32, got 40"):
        app(["teacher", *options], standalone_mode=False)

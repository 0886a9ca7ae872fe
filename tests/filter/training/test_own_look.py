"""A look of one's own: few steps on the embedded model, and a file that `--lora` loads."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from turbolens.filter import FrameFilter, SettingsError, TurboModel
from turbolens.filter.training.command import app
from turbolens.filter.training.own_look.command import embedded_networks, read_look
from turbolens.filter.training.own_look.samples import SampleSheet
from turbolens.filter.training.own_look.stage import OwnLook, add_lora, degraded, statistics_loss

from .picture_files import write_png


def picture(seed: int, size: int = 96) -> NDArray[np.uint8]:
    """Red stripes on yellow, (size, size, 3)."""
    across = (np.arange(size) + seed) // (3 + seed % 3) % 2
    pixels = np.full((size, size, 3), (240, 210, 40), np.uint8)
    pixels[:, across == 1] = (180, 20, 30)
    return pixels


@pytest.fixture
def striped(tmp_path: Path) -> Path:
    folder = tmp_path / "striped"
    folder.mkdir()
    for seed in range(6):
        write_png(folder / f"{seed}.png", picture(seed))
    return folder


def test_a_degraded_picture_keeps_its_edges_and_range() -> None:
    coarse = torch.rand(8, 3, 6, 6, generator=torch.Generator().manual_seed(1)) * 2 - 1
    images = F.interpolate(coarse, (48, 48), mode="nearest")
    plain = degraded(torch.Generator().manual_seed(0), images)
    assert plain.shape == images.shape
    assert float(plain.abs().max()) <= 1
    assert not torch.allclose(plain, images, atol=0.1)
    inside = plain[..., 3:5, 3:5]  # the middle of a flat field, beyond the reach of the blur
    torch.testing.assert_close(inside, inside[..., :1, :1].expand_as(inside))


def test_the_statistics_loss_ignores_positions_and_follows_the_share() -> None:
    wanted = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    wanted = wanted[:1].expand(2, -1, -1, -1)
    shuffled = wanted.flip(-1).roll(2, -2)
    both, first = torch.ones(2), torch.tensor([1.0, 0.0])
    assert float(statistics_loss([shuffled], [wanted], both)) == pytest.approx(0, abs=1e-4)
    apart = torch.cat([wanted[:1], wanted[:1] + 5])
    assert float(statistics_loss([apart], [wanted], first)) == pytest.approx(0, abs=1e-4)
    assert float(statistics_loss([apart], [wanted], both)) > 1


@pytest.mark.slow
def test_gradients_reach_only_the_lora(striped: Path) -> None:
    networks = embedded_networks(torch.device("cpu"))
    add_lora(networks.student.unet)
    pictures = read_look(striped, "--pictures")
    losses = OwnLook(networks, pictures, pictures, ["stripes"])(torch.manual_seed(0), 0)
    assert set(losses) == {"latents", "statistics", "structure"}
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    with_gradient = {name for name, weight in networks.student.unet.named_parameters()
                     if weight.grad is not None}  # fmt: skip
    assert with_gradient
    assert all(".lora_" in name for name in with_gradient)
    assert all(weight.grad is None for weight in networks.teacher.unet.parameters())


@pytest.mark.slow
def test_the_command_writes_a_lora_that_changes_the_embedded_models_output(
    striped: Path, tmp_path: Path
) -> None:
    file = tmp_path / "stripes.safetensors"
    app(["look", "--name", "stripes", "--pictures", str(striped), "--out", str(file),
         "--steps", "3", "--device", "cpu"], standalone_mode=False)  # fmt: skip
    assert file.stat().st_size < 2_000_000
    frame = picture(3, 64)
    plain, learnt = (
        FrameFilter(TurboModel.load("embedded", device="cpu", dtype="float32", loras=loras),
                    prompt="stripes", size=64)(frame)
        for loras in ([], [file])
    )  # fmt: skip
    assert not np.array_equal(plain, learnt)


def test_no_picture_of_a_look_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="1 to 50 pictures"):
        read_look(tmp_path / "none", "--pictures")


def test_one_picture_is_enough_and_fifty_are_used(tmp_path: Path) -> None:
    for seed in range(51):
        write_png(tmp_path / f"{seed:02}.png", picture(0, 16))
        if seed == 0:
            assert len(read_look(tmp_path, "--pictures").planes) == 1
    assert len(read_look(tmp_path, "--pictures").planes) == 50


@pytest.mark.parametrize(
    ("name", "message"),
    [("noir", "has the look 'noir'"), ("Stained-Glass", "has the look"),
     ("silkscreen pop art", "as a phrase of 'pop art'"), ("photo", "is a photograph"),
     ("a/b", "words without"), ("..", "words of at most"), ("", "words of at most"),
     (" vincent", "words of at most"), ("(vincent", "words without"), ("a\nb", "words without"),
     ("x" * 61, "words of at most")],
)  # fmt: skip
def test_a_name_that_exists_or_is_none_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=message):
        app(["look", "--name", name, "--pictures", "missing"], standalone_mode=False)
    assert not list(tmp_path.iterdir())


def test_a_file_of_another_look_is_not_replaced(
    striped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.safetensors").write_bytes(b"precious")
    with pytest.raises(SettingsError, match=r"mine\.safetensors exists already"):
        app(["look", "--name", "mine", "--pictures", str(striped)], standalone_mode=False)
    assert Path("mine.safetensors").read_bytes() == b"precious"


@pytest.mark.slow
def test_an_interrupted_run_goes_on_and_renews_its_samples(
    striped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("turbolens.filter.training.own_look.command.SHEET_EVERY", 1)
    command = ["look", "--name", "two stripes", "--pictures", str(striped), "--steps", "4",
               "--device", "cpu"]  # fmt: skip
    samples, written = tmp_path / "two-stripes-run" / "samples.png", list[int]()
    write = SampleSheet.write

    def write_then_stop(sheet: SampleSheet) -> None:
        write(sheet)
        written.append(samples.stat().st_size)
        if len(written) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(SampleSheet, "write", write_then_stop)
    assert app(command, standalone_mode=False) == 130  # what Typer makes of a KeyboardInterrupt
    state = json.loads((tmp_path / "two-stripes-run" / "two-stripes.json").read_text())
    assert state["step"] == 3
    assert not Path("two-stripes.safetensors").exists()
    app(command, standalone_mode=False)
    assert len(written) == 3  # the last step
    assert Path("two-stripes.safetensors").stat().st_size > 0

"""A look of one's own: few steps on the embedded model, and a file that `--lora` loads."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from turbolens.filter import FrameFilter, SettingsError, TurboModel
from turbolens.filter.training.command import app
from turbolens.filter.training.own_look.command import embedded_networks, read_look
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


def test_too_few_pictures_of_a_look_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at least 5 pictures"):
        read_look(tmp_path / "none", "--pictures")

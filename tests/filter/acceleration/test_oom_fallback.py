"""Out of memory: smaller batches, then tiles, with a warning."""

from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL
from torch import nn

from turbolens.filter import ModelError
from turbolens.filter.acceleration.accelerated_module import AcceleratedModule
from turbolens.filter.acceleration.modules import Decoder
from turbolens.filter.acceleration.oom_fallback import OutOfMemoryFallback


class Small(nn.Module):
    """Multiplies rows of up to `numbers` numbers, else runs out of memory. Counts its calls."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.numbers, self.calls = numbers, 0

    def forward(self, rows: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        if rows.numel() > self.numbers:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return rows * factor


def test_a_batch_is_halved_and_stays_halved(caplog: pytest.LogCaptureFixture) -> None:
    part = Small(numbers=25)
    fallback = OutOfMemoryFallback(AcceleratedModule(part))
    rows, factor = torch.arange(70.0).view(7, 10), torch.tensor([2.0])
    assert torch.equal(fallback(rows, factor), rows * 2)
    assert fallback.max_batch == 1
    part.calls = 0
    assert torch.equal(fallback(rows, factor), rows * 2)
    assert part.calls == 7, "it does not try again what did not fit"
    assert "1 frames at once" in caplog.text


def test_if_nothing_helps_the_error_says_what_to_do() -> None:
    fallback = OutOfMemoryFallback(AcceleratedModule(Small(numbers=1)))
    with pytest.raises(ModelError, match="smaller --size"):
        fallback(torch.ones(1, 10), torch.tensor([2.0]))


def test_a_full_size_autoencoder_switches_to_tiles(caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    network: Any = AutoencoderKL
    vae = network(block_out_channels=(8, 8), norm_num_groups=2, sample_size=32,
                  down_block_types=("DownEncoderBlock2D",) * 2,
                  up_block_types=("UpDecoderBlock2D",) * 2).eval()  # fmt: skip
    latents = torch.randn(1, 4, 32, 32)
    vae.decoder.register_forward_pre_hook(_refuse_more_than(16))
    with torch.inference_mode():
        fitted = OutOfMemoryFallback(AcceleratedModule(Decoder(vae, 1.0)))(latents)
        vae.enable_tiling()
        assert torch.equal(fitted, vae.decode(latents, return_dict=False)[0])
    assert "in tiles" in caplog.text


def _refuse_more_than(side: int) -> Any:
    def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0].shape[-1] > side:
            raise torch.OutOfMemoryError("CUDA out of memory")

    return hook

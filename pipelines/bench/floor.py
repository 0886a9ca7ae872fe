"""How far a model is from what its device can do: its FLOPs, over the rate of plain matrices."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import torch
from torch.utils.flop_counter import FlopCounterMode

from .machine import wait_for

_ROUNDS = 5  # products that are timed; the best counts


@dataclass(frozen=True)
class Floor:
    """gflop: of one frame (a multiplication and an addition are two). rate_tflops: of products of
    square matrices in the model's format on this device, measured.
    """

    gflop: float
    rate_tflops: float

    @property
    def ms(self) -> float:
        """What the frame would take if all of it were such products."""
        return self.gflop / self.rate_tflops


def floor_of(run: Callable[[], object], device: torch.device, dtype: torch.dtype) -> Floor:
    """Count one frame and measure the device."""
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        run()
    gflop = counter.get_total_flops() / 1e9
    return Floor(gflop, matrix_rate_tflops(device, dtype))


def matrix_rate_tflops(device: torch.device, dtype: torch.dtype, side: int | None = None) -> float:
    """TFLOP/s of products of square matrices, the best of a few; side: 8192 on a GPU, else 1024."""
    length = side or (1024 if device.type == "cpu" else 8192)
    left = torch.randn(length, length, device=device, dtype=dtype)
    right = torch.randn(length, length, device=device, dtype=dtype)
    seconds = []
    for _ in range(_ROUNDS):
        wait_for(device)
        start = perf_counter()
        torch.mm(left, right)
        wait_for(device)
        seconds.append(perf_counter() - start)
    return float(2 * length**3 / min(seconds) / 1e12)

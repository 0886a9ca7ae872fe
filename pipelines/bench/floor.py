"""A lower bound on a model's time: its FLOPs, divided by the device's matrix product rate."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import torch
from torch.utils.flop_counter import FlopCounterMode

from .machine import wait_for

_ROUNDS = 5  # products to time; the fastest counts


@dataclass(frozen=True)
class Floor:
    """The work of one frame, and the speed of the device.

    gflop: of one frame, a multiply-add counted as two. rate_tflops: the measured rate of products
    of square matrices in the model's dtype.
    """

    gflop: float
    rate_tflops: float

    @property
    def ms(self) -> float:
        """The time of a frame in ms, if all its work ran at that rate."""
        return self.gflop / self.rate_tflops


def floor_of(run: Callable[[], object], device: torch.device, dtype: torch.dtype) -> Floor:
    """Count the FLOPs of `run`, which filters one frame, and measure the device."""
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        run()
    gflop = counter.get_total_flops() / 1e9
    return Floor(gflop, matrix_rate_tflops(device, dtype))


def matrix_rate_tflops(device: torch.device, dtype: torch.dtype, side: int | None = None) -> float:
    """TFLOP/s of products of square matrices, the best of a few.

    side: of the matrices; by default 1024 on a CPU and 8192 on other devices.
    """
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

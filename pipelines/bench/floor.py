"""A lower bound on a model's time: its FLOPs, divided by the device's matrix product rate."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from turbolens.filter.acceleration.openvino.int8 import quantise
from turbolens.filter.acceleration.openvino.runtime import openvino_core
from turbolens.filter.networks import Range

from .machine import wait_for

_ROUNDS = 5  # products to time; the fastest counts
_CPU_SIDE = 1024


@dataclass(frozen=True)
class Floor:
    """The work of one frame, and the speed of the device.

    gflop: of one frame, a multiply-add counted as two. rate_tflops: the measured rate of products
    of square matrices in the number format that the work is done in.
    """

    gflop: float
    rate_tflops: float

    @property
    def ms(self) -> float:
        """The time of a frame in ms, if all its work ran at that rate."""
        return self.gflop / self.rate_tflops


def floor_of(run: Callable[[], object], rate_tflops: float) -> Floor:
    """Count the FLOPs of `run`, which does a part of a frame's work at that rate."""
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        run()
    return Floor(counter.get_total_flops() / 1e9, rate_tflops)


def joint_floor(floors: Iterable[Floor]) -> Floor:
    """The floor of all parts, which run one after the other. Its rate is their mean."""
    parts = list(floors)
    gflop, ms = sum(each.gflop for each in parts), sum(each.ms for each in parts)
    return Floor(gflop, gflop / ms if ms else parts[0].rate_tflops)


def rate_tflops(device: torch.device, dtype: torch.dtype, backend: str) -> float:
    """The rate of products in the number format of a backend, such as "int8"."""
    if backend == "int8":
        return int8_rate_tflops(torch.get_num_threads())
    return matrix_rate_tflops(device, dtype)


def matrix_rate_tflops(device: torch.device, dtype: torch.dtype, side: int | None = None) -> float:
    """TFLOP/s of products of square matrices, the best of a few.

    side: of the matrices; by default 1024 on a CPU and 8192 on other devices.
    """
    length = side or (_CPU_SIDE if device.type == "cpu" else 8192)
    left = torch.randn(length, length, device=device, dtype=dtype)
    right = torch.randn(length, length, device=device, dtype=dtype)

    def product() -> None:
        torch.mm(left, right)
        wait_for(device)

    wait_for(device)
    return _best_rate(product, length)


@lru_cache(maxsize=1)
def int8_rate_tflops(threads: int) -> float:
    """The same for 8-bit products by OpenVINO on a CPU, which also rounds one of the matrices."""
    opset: Any = import_module("openvino.opset13")
    values = opset.parameter([_CPU_SIDE, _CPU_SIDE], np.float32)
    weights = torch.randn(_CPU_SIDE, _CPU_SIDE).numpy()
    product = opset.matmul(values, weights, False, False)
    product.set_friendly_name("product")
    model = import_module("openvino").Model([product], [values])
    quantise(model, {"product": Range(-4.0, 4.0)})
    properties = {"INFERENCE_NUM_THREADS": str(threads), "PERFORMANCE_HINT": "LATENCY"}
    request = openvino_core().compile_model(model, "CPU", properties).create_infer_request()
    return _best_rate(lambda: request.infer([weights], share_inputs=True), _CPU_SIDE)


def _best_rate(product: Callable[[], object], side: int) -> float:
    """TFLOP/s of a product of square matrices, the best of a few."""
    seconds = []
    for _ in range(_ROUNDS):
        start = perf_counter()
        product()
        seconds.append(perf_counter() - start)
    return float(2 * side**3 / min(seconds) / 1e12)

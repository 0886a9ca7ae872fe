"""Runs compiled OpenVINO graphs: an image on all threads, or the images of a batch side by side."""

from collections import deque
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter.networks import Result

Arrays: TypeAlias = list[NDArray[Any]]


class BatchRun:
    """Runs batches of `count` images through graphs that take one image.

    parallel: a graph that was compiled for `streams` images at a time. single: a graph that runs
    one image on all threads, for what remains of a batch; `None` if nothing does. Not thread-safe.
    """

    def __init__(self, count: int, parallel: Any, single: Any, *, streams: int) -> None:
        self._count = count
        self._together = count - count % streams
        self._requests = [parallel.create_infer_request() for _ in range(streams)]
        self._single = None if single is None else single.create_infer_request()

    def __call__(self, *inputs: torch.Tensor) -> Result:
        rows = [_arrays(inputs, index, self._count) for index in range(self._count)]
        results = _side_by_side(self._requests, rows[: self._together])
        results += [_infer(self._single, row) for row in rows[self._together :]]
        tensors = [_tensor(parts) for parts in zip(*results, strict=True)]
        return tensors[0] if len(tensors) == 1 else tuple(tensors)


def row(tensor: torch.Tensor, index: int, count: int) -> torch.Tensor:
    """One row of a batch of `count`; other tensors are shared by all rows."""
    return tensor[index : index + 1] if tensor.ndim and len(tensor) == count else tensor


def stream_count(count: int, threads: int) -> int:
    """How many images of a batch of `count` run side by side on `threads` threads: a power of two.

    One thread for each image wastes nothing at the barriers between layers: on two threads the
    embedded decoder in INT8 takes 29 % less time for an image, the UNet 15 %.
    """
    return 1 << (min(count, threads).bit_length() - 1)


def _side_by_side(requests: Sequence[Any], rows: Sequence[Arrays]) -> list[Arrays]:
    """The results of all rows, in order, as many at a time as there are requests."""
    if len(requests) == 1:
        return [_infer(requests[0], each) for each in rows]
    free, running = list(requests), deque[Any]()
    results: list[Arrays] = []
    try:
        for each in rows:
            if not free:
                results.append(_finished(running[0]))
                free.append(running.popleft())
            request = free.pop()
            request.start_async(each, share_inputs=True)
            running.append(request)
        while running:
            results.append(_finished(running[0]))
            running.popleft()
    finally:
        for request in running:  # after an exception: a request cannot be started while it runs
            request.wait()
    return results


def _finished(request: Any) -> Arrays:
    """Wait for a request. Returns copies of its results, which its next run overwrites."""
    request.wait()
    return [np.array(value) for value in request.results.values()]


def _infer(request: Any, arrays: Arrays) -> Arrays:
    return list(request.infer(arrays, share_inputs=True, share_outputs=False).values())


def _arrays(inputs: Sequence[torch.Tensor], index: int, count: int) -> Arrays:
    """The inputs of one row, floats as float32."""
    rows = (row(tensor, index, count) for tensor in inputs)
    return [
        (tensor.float() if tensor.is_floating_point() else tensor).contiguous().numpy()
        for tensor in rows
    ]


def _tensor(parts: Sequence[NDArray[Any]]) -> torch.Tensor:
    return torch.from_numpy(parts[0] if len(parts) == 1 else np.concatenate(parts))

"""CUDA graphs: the thousand kernel launches of a module become one."""

from collections.abc import Sequence

import torch
from torch import nn

from turbolens.filter.networks import Result, Run

from .backend import PrepareTime, Unrecorded

_WARM_UP_RUNS = 3  # before the capture: cuDNN chooses algorithms, cuBLAS allocates workspaces


class CudaGraphs(Unrecorded):
    """A module captured once for a shape, and replayed.

    At batch 1 a fast GPU waits for the launches of SD-Turbo's 1,050 kernels (SDXL: 3,240), not for
    their work. Settings are inputs, so that a changed setting needs no new capture.
    """

    name: str = "cuda-graphs"
    prepare_time: PrepareTime = "moment"
    reduced_precision: bool = False
    calibrated: bool = False

    def prepare(self, module: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
        """Raises `RuntimeError` if the inputs are not on a CUDA device."""
        return captured(module, inputs)


def captured(run: Run, inputs: Sequence[torch.Tensor]) -> Run:
    """`run` as a CUDA graph over static copies of the inputs."""
    device = inputs[0].device
    if device.type != "cuda":
        raise RuntimeError(f"CUDA graphs need a CUDA device, got {device}")
    with torch.inference_mode(), torch.cuda.device(device):
        static = [tensor.clone() for tensor in inputs]
        _warm_up(run, static)
        graph = torch.cuda.CUDAGraph()
        # The default mode takes it for an error if another thread allocates meanwhile.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            output: Result = run(*static)

    def replay(*inputs: torch.Tensor) -> Result:
        for target, tensor in zip(static, inputs, strict=True):
            target.copy_(tensor, non_blocking=True)
        graph.replay()
        if isinstance(output, torch.Tensor):
            return output.clone()  # the next replay overwrites it
        return tuple(tensor.clone() for tensor in output)

    return replay


def _warm_up(run: Run, inputs: Sequence[torch.Tensor]) -> None:
    """Run on a side stream, as a capture requires."""
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(_WARM_UP_RUNS):
            run(*inputs)
    torch.cuda.current_stream().wait_stream(side)

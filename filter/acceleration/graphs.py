"""CUDA graphs: a part's thousand kernel launches become one."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from turbolens.filter.networks import Result, Run

_WARM_UP = 3  # runs before the capture: cuDNN chooses algorithms, cuBLAS takes its workspaces


class CudaGraphs:
    """A part captured once for a shape, and replayed.

    At batch 1 a fast GPU waits for the launches of SD-Turbo's 1,050 kernels (SDXL: 3,240), not for
    their work. Settings are among the inputs, so that nothing is ever captured again for them.
    inner: what is captured, if it is not the part itself.
    """

    name: str = "cuda-graphs"
    takes: Literal["moment", "seconds", "minutes"] = "moment"
    coarse: bool = False

    def prepare(self, part: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
        """Needs inputs on a CUDA device; raises `RuntimeError` where they are not."""
        return captured(part, inputs)


def captured(run: Run, inputs: Sequence[torch.Tensor]) -> Run:
    """`run` as a CUDA graph over static copies of the inputs."""
    device = inputs[0].device
    if device.type != "cuda":
        raise RuntimeError(f"CUDA graphs need a CUDA device, got {device}")
    with torch.inference_mode(), torch.cuda.device(device):
        static = [one.clone() for one in inputs]
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP):
                run(*static)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # Other threads may allocate meanwhile, which the default mode would take for an error.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            output: Result = run(*static)

    def replay(*inputs: torch.Tensor) -> Result:
        for target, one in zip(static, inputs, strict=True):
            target.copy_(one, non_blocking=True)
        graph.replay()
        if isinstance(output, torch.Tensor):
            return output.clone()  # the next replay writes over it
        return tuple(one.clone() for one in output)

    return replay

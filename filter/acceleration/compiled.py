"""torch.compile: fewer and faster kernels, made in minutes, found again on disk."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import platformdirs
import torch
from torch import nn

from turbolens.filter.networks import Run

from .graphs import captured

# What diffusers' guide to fast inference sets, after measurements on an A100.
_OPTIONS: dict[str, str | int | bool | Callable[..., Any]] = {
    "max_autotune": True,
    "conv_1x1_as_mm": True,
    "coordinate_descent_tuning": True,
    "epilogue_fusion": False,
    "triton.cudagraphs": False,  # one graph is captured around all of it instead
}


class Compiled:
    """A part through inductor, and on CUDA replayed as a graph."""

    name: str = "compile"
    takes: Literal["moment", "seconds", "minutes"] = "minutes"
    coarse: bool = False

    def prepare(self, part: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
        """Needs a C++ compiler on a CPU, Triton on a GPU; raises what inductor raises."""
        keep_compiled_code()
        on_gpu = inputs[0].device.type == "cuda"
        compiled: Run = torch.compile(part, dynamic=False, options=_OPTIONS if on_gpu else None)
        with torch.inference_mode():
            compiled(*inputs)
        return captured(compiled, inputs) if on_gpu else compiled


def keep_compiled_code() -> Path:
    """Where inductor keeps what it compiled: for the next start, not only until the next boot."""
    folder = Path(platformdirs.user_cache_dir("turbolens")) / "inductor"
    return Path(os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder)))

"""torch.compile: fewer and faster kernels, compiled in minutes and cached on disk."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import platformdirs
import torch
from torch import nn

from turbolens.filter.networks import Run

from .backend import PrepareTime, Unrecorded
from .graphs import captured

# As in diffusers' guide to fast inference, measured there on an A100.
_OPTIONS: dict[str, str | int | bool | Callable[..., Any]] = {
    "max_autotune": True,
    "conv_1x1_as_mm": True,
    "coordinate_descent_tuning": True,
    "epilogue_fusion": False,
    "triton.cudagraphs": False,  # one graph is captured around the whole module instead
}


class Compiled(Unrecorded):
    """A module compiled by inductor, on CUDA replayed as a graph."""

    name: str = "compile"
    prepare_time: PrepareTime = "minutes"
    reduced_precision: bool = False
    calibrated: bool = False

    def prepare(self, module: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
        """Needs a C++ compiler on a CPU and Triton on a GPU. Raises what inductor raises."""
        use_cache_folder()
        on_gpu = inputs[0].device.type == "cuda"
        compiled: Run = torch.compile(module, dynamic=False, options=_OPTIONS if on_gpu else None)
        with torch.inference_mode():
            compiled(*inputs)
        return captured(compiled, inputs) if on_gpu else compiled


def use_cache_folder() -> Path:
    """Let inductor cache compiled code in the user's cache folder, not in the temporary one."""
    folder = Path(platformdirs.user_cache_dir("turbolens")) / "inductor"
    return Path(os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder)))

"""Detects an NVIDIA GPU that the installed PyTorch cannot use."""

import os
from collections.abc import Iterable
from pathlib import Path

import torch

from turbolens.filter.device import is_available

# Files of NVIDIA's driver on Linux and Windows.
_DRIVER_FILES = (
    Path("/proc/driver/nvidia/version"),
    Path(os.environ.get("SYSTEMROOT", "C:/Windows"), "System32", "nvcuda.dll"),
)


def unused_gpu_advice(driver_files: Iterable[Path] | None = None) -> str | None:
    """What to do about an NVIDIA GPU that PyTorch cannot use, or `None` if there is none.

    `pip install torch` on Windows installs a PyTorch without CUDA. driver_files: files that exist
    where NVIDIA's driver is installed.
    """
    if is_available("cuda") or not any(map(Path.exists, driver_files or _DRIVER_FILES)):
        return None
    if torch.version.cuda is None:
        return (
            f"an NVIDIA card is here, but PyTorch {torch.__version__} is built without CUDA: "
            "install the one for CUDA, https://pytorch.org/get-started"
        )
    return (
        f"an NVIDIA card is here, but PyTorch {torch.__version__}, built for CUDA "
        f"{torch.version.cuda}, cannot use it: update NVIDIA's driver, or see that the card shows "
        "in nvidia-smi"
    )

"""What the processor can do, from its flags."""

import platform
from functools import lru_cache
from pathlib import Path

import torch

_CPUINFO = Path("/proc/cpuinfo")  # Linux
_FAST_INT8_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})


def processor_flags(cpuinfo: Path = _CPUINFO) -> frozenset[str]:
    """The instruction sets of the processor as Linux names them; empty if unknown."""
    if not cpuinfo.is_file():
        return frozenset()
    lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    listed = (line for line in lines if line.startswith(("flags", "Features")))
    return frozenset(next(listed, "").partition(":")[2].split())


@lru_cache(maxsize=1)
def has_fast_int8() -> bool:
    """True if the processor multiplies 8-bit integers faster than floats.

    With VNNI, AVX-VNNI or AMX on x86, and with dot products on Arm, which all Macs with Arm have.
    Where the flags are not known, PyTorch is asked, which knows VNNI.
    """
    if flags := processor_flags():
        return bool(flags & _FAST_INT8_FLAGS)
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    supported = getattr(torch.cpu, "_is_vnni_supported", None)
    return supported is not None and bool(supported())

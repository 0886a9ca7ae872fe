"""What the processor can do, from its flags."""

import platform
from functools import lru_cache
from pathlib import Path

import torch

_CPUINFO = Path("/proc/cpuinfo")  # Linux
_INSTRUCTIONS = {
    "AVX2": {"avx2"},
    "AVX-512": {"avx512f"},
    "VNNI": {"avx512_vnni"},
    "AVX-VNNI": {"avx_vnni"},
    "bfloat16": {"avx512_bf16", "bf16"},
    "AMX": {"amx_tile"},
    "NEON": {"asimd"},
    "dot products": {"asimddp"},
    "8-bit matrices": {"i8mm"},
}
"""Instruction sets that matter for networks, and the flags that Linux has for each."""
_FAST_INT8_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})


def processor_flags(cpuinfo: Path = _CPUINFO) -> frozenset[str]:
    """The instruction sets of the processor as Linux names them; empty if unknown."""
    if not cpuinfo.is_file():
        return frozenset()
    lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    listed = (line for line in lines if line.startswith(("flags", "Features")))
    return frozenset(next(listed, "").partition(":")[2].split())


def instruction_sets(cpuinfo: Path = _CPUINFO) -> tuple[str, ...]:
    """The instruction sets that matter for networks, such as "AVX2", "VNNI" and "bfloat16".

    Only Linux lists them. Elsewhere PyTorch names the one set that it uses itself.
    """
    if flags := processor_flags(cpuinfo):
        return tuple(name for name, own in _INSTRUCTIONS.items() if flags & own)
    return (torch.backends.cpu.get_cpu_capability(),)


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

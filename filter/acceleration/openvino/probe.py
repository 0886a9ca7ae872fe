"""Tries in another process whether OpenVINO can compile and run a model on this machine.

OpenVINO 2026.4 crashes with a segmentation fault on processors with AVX2 but without AVX-512,
unless snippets (fused element-wise operations) are disabled. The other process runs this file by
its path, so that it does not import PyTorch: `python probe.py MODEL OPTIONS`, the options
in JSON.
"""

import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

PROPERTIES: tuple[dict[str, str], ...] = ({}, {"SNIPPETS_MODE": "DISABLE"})
"""Properties to compile with, the fastest first."""

_TIMEOUT_S = 180  # for a busy machine


def runs_here(
    model: Path, shapes: Sequence[tuple[int, ...]], properties: Mapping[str, str]
) -> bool:
    """True if the model runs with these shapes. Tried once; the result is kept beside the model."""
    cache = model.with_name("sound.json")
    options = json.dumps({"shapes": list(shapes), "properties": dict(properties)}, sort_keys=True)
    key = f"{processor_id()} {options}"
    known = json.loads(cache.read_text(encoding="utf-8")) if cache.is_file() else {}
    if key not in known:
        known[key] = _runs_in_process(model, options)
        cache.write_text(json.dumps(known), encoding="utf-8")
    return bool(known[key])


def _runs_in_process(model: Path, options: str) -> bool:
    command = [sys.executable, __file__, str(model), options]
    try:
        done = subprocess.run(  # noqa: S603 - this file, by the interpreter that runs it
            command, timeout=_TIMEOUT_S, capture_output=True, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def processor_id() -> str:
    """A hash of this processor's name and instruction sets."""
    flags = Path("/proc/cpuinfo")
    lines = flags.read_text(encoding="utf-8").splitlines() if flags.is_file() else []
    lines = [line for line in lines if line.startswith(("model name", "flags", "Features"))][:2]
    whole = "\n".join([platform.machine(), platform.processor(), *lines])
    return hashlib.blake2b(whole.encode(), digest_size=8).hexdigest()


def openvino_module() -> Any:
    """The module openvino without its converter, which sends telemetry when it is imported."""
    converter = "openvino.tools.ovc"
    if "openvino" in sys.modules or converter in sys.modules:
        return import_module("openvino")
    sys.modules[converter] = None  # type: ignore[assignment] # makes its import fail, which is allowed
    try:
        return import_module("openvino")
    finally:
        del sys.modules[converter]


def shapes_of(model: Any, shapes: Sequence[Sequence[int]]) -> dict[Any, Any]:
    """The argument of an OpenVINO model's `reshape`, for shapes in the order of its inputs."""
    partial = openvino_module().PartialShape
    ports = zip(model.inputs, shapes, strict=True)
    return {port: partial(list(shape)) for port, shape in ports}


def main(path: str, options_json: str) -> None:
    """Compile the model with these options and run it once, on zeros."""
    options = json.loads(options_json)
    core = openvino_module().Core()
    model = core.read_model(path)
    model.reshape(shapes_of(model, options["shapes"]))
    core.compile_model(model, "CPU", options["properties"]).create_infer_request().infer()


if __name__ == "__main__":
    del sys.path[0]  # this folder: its modules must not shadow others
    main(*sys.argv[1:])

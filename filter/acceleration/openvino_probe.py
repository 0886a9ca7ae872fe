"""Whether OpenVINO can compile and run a model here, tried by a process of its own.

OpenVINO 2026.4 ends the whole program with a segmentation fault on processors with AVX2 but no
AVX-512, as long as it may join element-wise operations into snippets of code. The process runs
this file by its path, so that it need not wait for PyTorch: `python openvino_probe.py MODEL
QUESTION`, the question in JSON.
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
"""What to compile with, the fastest first."""

_SECONDS = 180  # for the other process, on a busy machine


def is_sound(model: Path, shapes: Sequence[tuple[int, ...]], properties: Mapping[str, str]) -> bool:
    """Whether the model runs with these shapes here; asked once, remembered beside it."""
    memory = model.with_name("sound.json")
    question = json.dumps({"shapes": list(shapes), "properties": dict(properties)}, sort_keys=True)
    here = f"{_processor()} {question}"
    known = json.loads(memory.read_text(encoding="utf-8")) if memory.is_file() else {}
    if here not in known:
        known[here] = _runs_elsewhere(model, question)
        memory.write_text(json.dumps(known), encoding="utf-8")
    return bool(known[here])


def _runs_elsewhere(model: Path, question: str) -> bool:
    command = [sys.executable, __file__, str(model), question]
    try:
        done = subprocess.run(  # noqa: S603 - this file, by the interpreter that runs it
            command, timeout=_SECONDS, capture_output=True, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _processor() -> str:
    """A short name of this processor and its instructions."""
    flags = Path("/proc/cpuinfo")
    lines = flags.read_text(encoding="utf-8").splitlines() if flags.is_file() else []
    told = [line for line in lines if line.startswith(("model name", "flags", "Features"))][:2]
    whole = "\n".join([platform.machine(), platform.processor(), *told])
    return hashlib.blake2b(whole.encode(), digest_size=8).hexdigest()


def openvino_module() -> Any:
    """The module openvino, without its converter, which reports every import to a server."""
    converter = "openvino.tools.ovc"
    if "openvino" in sys.modules or converter in sys.modules:
        return import_module("openvino")
    sys.modules[converter] = None  # type: ignore[assignment] # its import fails, and is optional
    try:
        return import_module("openvino")
    finally:
        del sys.modules[converter]


def shapes_of(model: Any, shapes: Sequence[Sequence[int]]) -> dict[Any, Any]:
    """What `reshape` of an OpenVINO model takes, for shapes in the order of its inputs."""
    partial = openvino_module().PartialShape
    ports = zip(model.inputs, shapes, strict=True)
    return {port: partial(list(shape)) for port, shape in ports}


def main(path: str, question: str) -> None:
    """Compile the model for these shapes and run it once, on zeros."""
    asked = json.loads(question)
    core = openvino_module().Core()
    model = core.read_model(path)
    model.reshape(shapes_of(model, asked["shapes"]))
    core.compile_model(model, "CPU", asked["properties"]).create_infer_request().infer()


if __name__ == "__main__":
    del sys.path[0]  # this folder, whose names are not for all the world
    main(*sys.argv[1:])

"""`turbolens doctor`: versions, devices, codecs, cameras, and the next steps."""

import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

import turbolens
from turbolens.pipelines import gstreamer

PACKAGES = (
    "torch",
    "diffusers",
    "transformers",
    "av",
    "numpy",
    "pydantic",
    "aiortc",
    "pyvirtualcam",
    "openvino",
)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Show versions, devices, codecs and cameras of this machine, and what to do next."""
    found = examine()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for name in ("versions", "devices", "codecs"):
        typer.echo(f"{name}:")
        for key, value in found[name].items():
            typer.echo(f"  {key:<14} {value}")
    typer.echo("cameras:")
    typer.echo("\n".join(f"  {camera}" for camera in found["cameras"]) or "  none")
    typer.echo("virtual cameras:")
    typer.echo("\n".join(f"  {camera}" for camera in found["virtual_cameras"]) or "  none")
    typer.echo("what to do:")
    typer.echo("\n".join(f"  {line}" for line in found["advice"]))


def examine() -> dict[str, Any]:
    """Everything that the command prints, as plain data."""
    found: dict[str, Any] = {
        "versions": _versions(),
        "devices": _devices(),
        "codecs": _codecs(),
        "cameras": _cameras(),
        "virtual_cameras": _virtual_cameras(),
        "unused_card": _unused_card(),
    }
    return {**found, "advice": _advice(found)}


def _versions() -> dict[str, str]:
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    own = {"turbolens": turbolens.__version__, "python": platform.python_version()}
    return {**own, "system": system, **{name: _version(name) for name in PACKAGES}}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _devices() -> dict[str, str]:
    import torch  # noqa: PLC0415 - seconds

    from turbolens.filter.acceleration.dtype import resolve_dtype  # noqa: PLC0415 - torch
    from turbolens.filter.device import resolve_device  # noqa: PLC0415 - torch

    device = resolve_device("auto")
    dtype = str(resolve_dtype("auto", device)).removeprefix("torch.")
    instructions = torch.backends.cpu.get_cpu_capability()
    found = {
        "chosen": f"{device}, {dtype}",
        "cpu": f"{torch.get_num_threads()} threads, {instructions}",
    }
    for kind in ("cuda", "xpu"):
        for index in range(getattr(torch, kind).device_count()):
            properties: Any = getattr(torch, kind).get_device_properties(index)
            memory = properties.total_memory / 2**30
            found[f"{kind}:{index}"] = f"{properties.name}, {memory:.0f} GiB"
    if torch.backends.mps.is_available():
        found["mps"] = platform.processor() or platform.machine()
    return found


def _unused_card() -> str | None:
    from turbolens.filter.acceleration.unused_gpu import unused_gpu_advice  # noqa: PLC0415 - torch

    return unused_gpu_advice()


def _codecs() -> dict[str, str]:
    from turbolens.pipelines.video.encoders.choice import (  # noqa: PLC0415
        CODEC_NAMES,
        CODECS,
        hardware_encoders,
        has_encoder,
    )

    found: dict[str, str] = {}
    for codec in CODEC_NAMES:
        encoder = CODECS[codec].encoder
        names = [encoder] if has_encoder(encoder) else []
        names += hardware_encoders(codec)
        found[codec] = ", ".join(names) or "none"
    return found


def _cameras() -> list[str]:
    from turbolens.pipelines.camera.camera import cameras  # noqa: PLC0415

    return [f"{camera.device}: {camera.name}" for camera in cameras()]


def _virtual_cameras() -> list[str]:
    """Each virtual camera and its state; on Linux, which kinds programs can see."""
    from .devices import virtual_camera_line, virtual_cameras  # noqa: PLC0415

    return [virtual_camera_line(vars(camera)) for camera in virtual_cameras()]


def _virtual_camera_advice() -> list[str]:
    """Which virtual camera to choose on a Linux desktop."""
    from .devices import PIPEWIRE, pipewire_advice, virtual_cameras  # noqa: PLC0415

    found = virtual_cameras()
    if not any(each.device == PIPEWIRE and each.ready for each in found):
        return []
    return [pipewire_advice(with_others=len(found) > 1)]


def _advice(found: dict[str, Any]) -> list[str]:
    lines = []
    if found["devices"]["chosen"].startswith("cpu"):
        lines.append("no GPU is used: the embedded model is fast on a CPU, SD-Turbo needs a GPU")
        if found["versions"]["openvino"] == "not installed":
            lines.append(
                "OpenVINO, which is faster on a CPU, is not installed: pip install openvino (it "
                "has wheels for Linux on x86-64 and arm64, Windows on x86-64, macOS on arm64)"
            )
        card = "with a GPU: install torch for it, https://pytorch.org/get-started"
        lines.append(found["unused_card"] or card)
    if "none" in found["codecs"].values():
        lines.append("some encoders are missing: pip install -U av")
    if not found["cameras"] and sys.platform == "linux":
        lines.append("no camera: plug one in; in a container pass --device /dev/video0")
    lines += _virtual_camera_advice()
    lines += gstreamer.advice()
    lines.append('try it: turbolens video test-scene demo.mp4 --prompt "oil painting" --compare')
    return lines

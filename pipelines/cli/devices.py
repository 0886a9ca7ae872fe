"""`turbolens devices`: cameras, their modes, virtual cameras, and the next step."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from turbolens.pipelines.camera.systems import CameraInfo
    from turbolens.pipelines.camera.v4l2 import Mode


@dataclass(frozen=True)
class VirtualCameraInfo:
    """A camera that can be written, or the program that would make one."""

    name: str
    device: str | None
    ready: bool
    note: str = ""


def devices(
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """List the cameras, their modes, the virtual cameras, and what to do where one is missing."""
    found = examine()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    typer.echo("cameras:")
    for camera in found["cameras"]:
        kind = " (virtual)" if camera["virtual"] else ""
        typer.echo(f"  {camera['index']}: {camera['name']}{kind}, {camera['device']}")
        for line in camera["modes"]:
            typer.echo(f"       {line}")
    typer.echo("  none" if not found["cameras"] else "", nl=not found["cameras"])
    typer.echo("virtual cameras:")
    for virtual in found["virtual_cameras"]:
        state = "ready" if virtual["ready"] else virtual["note"]
        typer.echo(f"  {virtual['name']}{_at(virtual['device'])}: {state}")
    typer.echo("  none" if not found["virtual_cameras"] else "", nl=not found["virtual_cameras"])
    typer.echo("what to do:")
    for line in found["advice"]:
        typer.echo(f"  {line}")


def examine() -> dict[str, Any]:
    """Everything the command says, as plain data."""
    from turbolens.pipelines.camera.camera import cameras  # noqa: PLC0415 - PyAV: after parsing

    known = cameras(with_modes=True)
    real = [camera for camera in known if not camera.virtual]
    virtual = virtual_cameras()
    return {
        "cameras": [
            {"index": camera.index, "name": camera.name, "device": camera.device,
             "virtual": camera.virtual, "modes": mode_lines(camera.modes)}
            for camera in known
        ],
        "virtual_cameras": [vars(camera) for camera in virtual],
        "advice": advice(real, virtual),
    }  # fmt: skip


def mode_lines(modes: "tuple[Mode, ...]") -> list[str]:
    """One line for each format, with its sizes and rates: "mjpeg: 1280×720@30 640×480@30"."""
    lines: dict[str, list[str]] = {}
    for mode in modes:
        fastest = float(max(mode.rates, default=0))
        size = f"{mode.width}×{mode.height}@{fastest:.3g}"
        lines.setdefault(mode.pixel_format, []).append(size)
    return [f"{name}: {' '.join(sizes)}" for name, sizes in lines.items()]


def virtual_cameras() -> list[VirtualCameraInfo]:
    """The virtual cameras of this machine: on Linux devices, elsewhere the backends that are known.

    Elsewhere only opening one would tell whether it is there, and that would disturb who reads it.
    """
    if sys.platform == "linux":
        return _loopback_devices()
    names = {"darwin": ("OBS Virtual Camera",), "win32": ("OBS Virtual Camera",
                                                          "Unity Video Capture")}  # fmt: skip
    return [
        VirtualCameraInfo(name, None, ready=False, note="used if it is installed")
        for name in names.get(sys.platform, ())
    ]


def _loopback_devices() -> list[VirtualCameraInfo]:
    from turbolens.pipelines.camera import v4l2  # noqa: PLC0415

    asked = [(path, v4l2.capability(path)) for path in v4l2.devices()]
    return [
        VirtualCameraInfo(found.card, str(path), *_state(path, found))
        for path, found in asked if found is not None and found.is_loopback
    ]  # fmt: skip


def _state(path: Path, found: Any) -> tuple[bool, str]:
    if found.outputs:
        return True, ""
    if found.captures:
        return False, "another program writes it"
    return True, f"{path} was closed by another program; turbolens webcam revives it"


def advice(real: "list[CameraInfo]", virtual: list[VirtualCameraInfo]) -> list[str]:
    """The next steps, in order."""
    from turbolens.pipelines.camera.virtual_camera import instructions  # noqa: PLC0415

    lines = []
    if not real:
        lines.append("no camera: plug one in, or try it with turbolens webcam --camera test-scene")
    if not virtual:
        lines.append(f"no virtual camera: {instructions()}")
    if real and virtual:
        lines.append("turbolens webcam, then choose the virtual camera in the video call")
    return lines


def _at(device: str | None) -> str:
    return "" if device is None else f", {device}"

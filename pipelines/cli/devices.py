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


HIDDEN_NOTE = "hidden from Chrome and others"
PIPEWIRE = "pipewire"  # what --virtual-camera takes for it


@dataclass(frozen=True)
class VirtualCameraInfo:
    """A virtual camera device, or a program that provides one."""

    name: str
    device: str | None
    ready: bool
    note: str = ""


def devices(
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """List cameras with their modes and virtual cameras, and say what to do about missing ones."""
    found = examine()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    _print_section("cameras", [line for each in found["cameras"] for line in _camera_lines(each)])
    _print_section("virtual cameras", list(map(virtual_camera_line, found["virtual_cameras"])))
    _print_section("what to do", found["advice"])


def _print_section(title: str, lines: list[str]) -> None:
    typer.echo(f"{title}:")
    for line in lines or ["none"]:
        typer.echo(f"  {line}")


def _camera_lines(camera: dict[str, Any]) -> list[str]:
    kind = " (virtual)" if camera["virtual"] else ""
    modes = [f"     {line}" for line in camera["modes"]]
    return [f"{camera['index']}: {camera['name']}{kind}, {camera['device']}", *modes]


def virtual_camera_line(camera: dict[str, Any]) -> str:
    """One line for a virtual camera: its name, its device, and its state."""
    device = "" if camera["device"] is None else f", {camera['device']}"
    return f"{camera['name']}{device}: {'ready' if camera['ready'] else camera['note']}"


def examine() -> dict[str, Any]:
    """Everything that the command prints, as plain data."""
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
    """The virtual cameras of this machine: devices on Linux, known programs elsewhere.

    There, only opening a virtual camera would tell if it is installed, and that would disturb
    the programs that read it.
    """
    if sys.platform == "linux":
        return [*_loopback_devices(), _pipewire_camera()]
    names = {"darwin": ("OBS Virtual Camera",), "win32": ("OBS Virtual Camera",
                                                          "Unity Video Capture")}  # fmt: skip
    return [
        VirtualCameraInfo(name, None, ready=False, note="used if it is installed")
        for name in names.get(sys.platform, ())
    ]


def _loopback_devices() -> list[VirtualCameraInfo]:
    from turbolens.pipelines.camera import v4l2  # noqa: PLC0415

    capabilities = [(path, v4l2.capability(path)) for path in v4l2.devices()]
    return [
        VirtualCameraInfo(found.card, str(path), *_state(path, found))
        for path, found in capabilities if found is not None and found.is_loopback
    ]  # fmt: skip


def _pipewire_camera() -> VirtualCameraInfo:
    """The camera that Turbolens itself adds to PipeWire when it starts."""
    from turbolens.pipelines.camera.pipewire import daemon  # noqa: PLC0415

    reason = daemon.why_unavailable()
    return VirtualCameraInfo("PipeWire", PIPEWIRE, reason is None, reason or "")


def _state(path: Path, found: Any) -> tuple[bool, str]:
    """Whether the device can be opened, and a note."""
    if found.is_hidden:
        return False, HIDDEN_NOTE
    if found.outputs:
        return True, ""
    if found.captures:
        return False, "another program writes to it"
    return True, f"{path} was closed by another program; turbolens webcam reopens it"


def advice(real: "list[CameraInfo]", virtual: list[VirtualCameraInfo]) -> list[str]:
    """The next steps, in order."""
    from turbolens.pipelines.camera.camera import forbidden_devices  # noqa: PLC0415
    from turbolens.pipelines.camera.virtual_camera import (  # noqa: PLC0415
        HIDDEN,
        RELOAD_MODULE,
        instructions,
    )

    lines = []
    pipewire = any(each.device == PIPEWIRE and each.ready for each in virtual)
    others = [each for each in virtual if each.device != PIPEWIRE]
    if not real:
        missing = forbidden_devices() or "plug one in, or try turbolens webcam --camera test-scene"
        lines.append(f"no camera: {missing}")
    if not others:
        lines.append(f"no virtual camera: {instructions()}")
    if any(each.note == HIDDEN_NOTE for each in others):
        lines.append(f"{HIDDEN}: {RELOAD_MODULE}")
    if real and others:
        lines.append("run turbolens webcam, then choose the virtual camera in the video call")
    if pipewire:
        lines.append(pipewire_advice(with_others=bool(others)))
    return lines


def pipewire_advice(*, with_others: bool) -> str:
    """Which programs see which kind of virtual camera. with_others: there is v4l2loopback too."""
    which = "a v4l2loopback device is seen by the others" if with_others else (
        "the others need v4l2loopback"
    )  # fmt: skip
    return (
        "PipeWire runs: if the program of the call does not list the virtual camera, run turbolens"
        " webcam --virtual-camera pipewire. Programs that ask the desktop for cameras (newer"
        f" Firefox, GNOME's Camera, OBS Studio) see that one; {which}"
    )

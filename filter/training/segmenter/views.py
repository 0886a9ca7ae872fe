"""`turbolens train views`: views of panoramas, as rooms and places without persons."""

from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import av
import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from turbolens.filter.errors import MediaError
from turbolens.filter.training.data import SUFFIXES

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
SIDE = 384  # of a view, in pixels
ASPECT = 16 / 9  # of the frame that is stretched to a square
FIELD = 55.0, 95.0  # degrees across a view
PITCH = 12.0  # degrees up or down, standard deviation
GREY, WHITE = 0.22, 0.45  # the median's level, and how soon bright light becomes white
BRIGHTEST = 1e4  # of the light: the sun may be infinite
SCRIPT = ".exr.js"  # of the npm package @pmndrs/assets: OpenEXR as base64 in a module


def views(
    panoramas: Annotated[Path, typer.Argument(
        help="Folder of panoramas of 360° by 180°: pictures, .exr, or .exr.js as in npm's "
        "@pmndrs/assets.")],
    out: Annotated[Path, typer.Argument(help="Folder for the views.")],
    *,
    count: Annotated[int, typer.Option(min=1, help="Views of each panorama.")] = 18,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the directions.")] = 0,
) -> None:  # fmt: skip
    """Cut views out of panoramas, as backgrounds for the network that finds persons."""
    out.mkdir(parents=True, exist_ok=True)
    found = sorted(path for path in panoramas.glob("*") if _is_panorama(path))
    if not found:
        raise MediaError(f"there is no panorama in {panoramas}: a picture, .exr or {SCRIPT}")
    for number, path in enumerate(found):
        rng, panorama = np.random.default_rng((seed, number)), read_panorama(path)
        for index in range(count):
            cv2.imwrite(str(out / f"{path.name.partition('.')[0]}-{index:02d}.png"),
                        view(rng, panorama))  # fmt: skip
    Console(stderr=True).print(f"{count * len(found)} views are in {out}", highlight=False)


def _is_panorama(path: Path) -> bool:
    return path.name.endswith(SCRIPT) or path.suffix.lower() in {".exr", *SUFFIXES}


def read_panorama(path: Path) -> Pixels:
    """BGR (H, 2H, 3). Linear light becomes levels whose median is a fifth. Raises `MediaError`."""
    data = path.read_bytes()
    if path.name.endswith(SCRIPT):
        data = b64decode(data.partition(b"base64,")[2].partition(b"'")[0] + b"==")
    elif path.suffix.lower() != ".exr":
        pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            raise MediaError(f"{path} must be a picture that can be decoded")
        return np.asarray(pixels, np.uint8)
    try:
        with av.open(BytesIO(data), "r", format="exr_pipe") as container:
            light = _light(next(container.decode(video=0)))
    except (av.FFmpegError, StopIteration, ValueError) as error:
        raise MediaError(f"{path} must be an OpenEXR picture: {error}") from error
    light = np.minimum(np.nan_to_num(light), BRIGHTEST)
    light = light * (GREY / max(1e-6, float(np.median(light.mean(2)))))
    levels = np.clip(light / (1 + light * WHITE), 0, 1) ** (1 / 2.2)
    return np.asarray((levels * 255).round(), np.uint8)


def _light(frame: av.VideoFrame) -> Floats:
    """BGR (H, W, 3) of planes of floats, which FFmpeg has in the order of green, blue, red."""
    kind = {"gbrpf16le": np.float16, "gbrpf32le": np.float32, "gbrapf32le": np.float32}
    if frame.format.name not in kind:
        raise ValueError(f"its pixels are {frame.format.name}")
    scalar = np.dtype(kind[frame.format.name])
    green, blue, red = (
        np.frombuffer(plane, scalar).reshape(frame.height, -1)[:, : frame.width]  # type: ignore[call-overload]
        for plane in frame.planes[:3]
    )
    return np.stack([blue, green, red], -1).astype(np.float32)


def view(rng: np.random.Generator, panorama: Pixels) -> Pixels:
    """A view in a random direction, of 16:9 and stretched to (384, 384, 3)."""
    yaw, pitch = rng.uniform(0, 2 * np.pi), np.radians(rng.normal(0, PITCH))
    reach = np.tan(np.radians(rng.uniform(*FIELD)) / 2)
    x, y = np.meshgrid(np.linspace(-reach, reach, SIDE), np.linspace(-reach, reach, SIDE) / ASPECT)
    down = y * np.cos(pitch) + np.sin(pitch)
    forward = np.cos(pitch) - y * np.sin(pitch)
    height, width = panorama.shape[:2]
    across = (yaw + np.arctan2(x, forward)) / (2 * np.pi) % 1.0
    along = np.arctan2(down, np.hypot(x, forward)) / np.pi + 0.5
    wide = np.concatenate([panorama, panorama[:, :2]], 1)  # a view may cross the seam
    return np.asarray(cv2.remap(
        wide, (across * width).astype(np.float32), (along * (height - 1)).astype(np.float32),
        cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
    ), np.uint8)  # fmt: skip

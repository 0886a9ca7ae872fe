"""Coherence of real clips, and motion estimation on image pairs with known optical flow."""

import importlib.util
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter import FilterSettings, MediaError, TurboModel
from turbolens.filter.coherence.change import InputView
from turbolens.filter.coherence.motion import Motion
from turbolens.filter.frames.luma import luma_of
from turbolens.pipelines.base import Notify

from .coherence_measures import laplacian_energy, warp, warp_error
from .coherence_methods import MethodName, make_method

Rgb = NDArray[np.uint8]
Floats = NDArray[np.float32]
WIDTH, HEIGHT = 512, 288  # clips are scaled to this
MIN_AGREEMENT = 0.5  # of forward and backward motion, above which it is trusted
COMPARED: tuple[MethodName, ...] = ("fixed", "ours")
MAX_DIFFERENCE = 24  # levels, between an input frame and the warped one before it


@dataclass(frozen=True)
class FlowResult:
    """Mean end-point errors in pixels.

    length: of zero flow. ours: of Turbolens. dis: of OpenCV's DIS, `None` without OpenCV.
    """

    name: str
    length: float
    ours: float
    dis: float | None


@dataclass(frozen=True)
class ClipResult:
    """Warp errors in levels along the estimated motion of the input.

    own: of the input. fixed: filtered with fixed noise alone. ours: filtered by Turbolens. detail:
    of ours, relative to fixed.
    """

    name: str
    own: float
    fixed: float
    ours: float
    detail: float


def read_photograph(path: Path, width: int, height: int) -> Rgb:
    """Read an image, scaled to width × height. Raises `MediaError`."""
    return _frames(path, 1, width, height)[0]


def measure_flow(folder: Path) -> list[FlowResult]:
    """Measure all triples NAME_a.png, NAME_b.png, NAME_flow.npz in flow/.

    The last one holds `flow` from a to b, (H, W, 2) in pixels, and `valid`, (H, W) bool.
    """
    results = []
    for path in sorted((folder / "flow").glob("*_flow.npz")):
        name = path.name.removesuffix("_flow.npz")
        now, past = (_native(path.with_name(f"{name}_{letter}.png")) for letter in "ab")
        with np.load(path) as truth:
            flow, valid = truth["flow"].astype(np.float32), truth["valid"]
        dis = None if _opencv() is None else _error(dis_flow(now, past), flow, valid)
        ours = _error(flow_between(now, past), flow, valid)
        results.append(FlowResult(name, _error(np.zeros_like(flow), flow, valid), ours, dis))
    return results


def measure_clips(
    model: TurboModel, settings: FilterSettings, folder: Path, *, frames: int,
    notify: Notify,
) -> list[ClipResult]:  # fmt: skip
    """Measure the first frames of every clip in clips/."""
    results = []
    for path in sorted((folder / "clips").glob("*.*")):
        notify(path.name)
        inputs = _frames(path, frames, WIDTH, HEIGHT)
        if len(inputs) > 2:
            results.append(_measure_clip(path.name, inputs, model, settings))
    return results


def flow_between(now: Rgb, past: Rgb) -> Floats:
    """Our own optical flow, (H, W, 2) in pixels: the point at p now was at p + flow(p)."""
    return _as_array(_motion(now, past), now.shape[0], now.shape[1])


def dis_flow(now: Rgb, past: Rgb) -> Floats:
    """Optical flow by OpenCV's Dense Inverse Search with its preset "fast", in the same form.

    Raises `MediaError` without OpenCV.
    """
    cv2 = _opencv()
    if cv2 is None:
        raise MediaError("comparing with DIS needs OpenCV: pip install opencv-python-headless")
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    grey = [np.asarray(luma_of(torch.from_numpy(frame))[0, 0].round().byte().numpy())
            for frame in (now, past)]  # fmt: skip
    return np.asarray(search.calc(grey[0], grey[1], None), np.float32)


def _opencv() -> Any | None:
    if importlib.util.find_spec("cv2") is None:
        return None
    return importlib.import_module("cv2")


@torch.inference_mode()
def _motion(now: Rgb, past: Rgb) -> Motion:
    device = torch.device("cpu")
    views = [InputView(luma_of(torch.from_numpy(frame)), device) for frame in (now, past)]
    return views[0].features.motion_from(views[1].features)


@torch.inference_mode()
def _as_array(motion: Motion, height: int, width: int) -> Floats:
    return np.asarray(motion.at(height, width)[0].permute(1, 2, 0).numpy())


def _error(flow: Floats, truth: Floats, valid: NDArray[np.bool_]) -> float:
    return float(np.linalg.norm(flow - truth, axis=-1)[valid].mean())


def _measure_clip(
    name: str, inputs: list[Rgb], model: TurboModel, settings: FilterSettings
) -> ClipResult:
    methods = {key: make_method(key, model, settings) for key in COMPARED}
    outputs = {key: [method(frame) for frame in inputs] for key, method in methods.items()}
    videos = {"own": inputs, "fixed": outputs["fixed"], "ours": outputs["ours"]}
    errors = _warp_errors(inputs, videos)
    detail = fmean(
        laplacian_energy(ours) / max(laplacian_energy(other), 1e-6)
        for ours, other in zip(outputs["ours"], outputs["fixed"], strict=True)
    )
    return ClipResult(name, **errors, detail=detail)


def _warp_errors(inputs: list[Rgb], videos: dict[str, list[Rgb]]) -> dict[str, float]:
    """The mean warp error of each video along the motion of the input."""
    errors: dict[str, list[float]] = {name: [] for name in videos}
    for index in range(1, len(inputs)):
        motion = _motion(inputs[index], inputs[index - 1])
        flow = _as_array(motion, HEIGHT, WIDTH)
        trusted = _trusted(motion, inputs[index], inputs[index - 1], flow)
        for name, frames in videos.items():
            errors[name].append(warp_error(frames[index], frames[index - 1], flow, trusted))
    return {name: float(np.nanmean(values)) for name, values in errors.items()}


def _trusted(motion: Motion, now: Rgb, past: Rgb, flow: Floats) -> NDArray[np.bool_]:
    """True where forward and backward motion agree, and the input looks the same."""
    agreement = torch.nn.functional.interpolate(motion.agreement, size=now.shape[:2])[0, 0].numpy()
    difference = np.abs(now.astype(np.float32) - warp(past, flow)).mean(axis=-1)
    return np.asarray((agreement > MIN_AGREEMENT) & (difference < MAX_DIFFERENCE))


def _native(path: Path) -> Rgb:
    try:
        with av.open(str(path)) as container:
            return _rgb(next(container.decode(video=0)))
    except (OSError, av.FFmpegError, StopIteration) as error:
        raise MediaError(f"cannot read the image {path}: {error}") from error


def _frames(path: Path, count: int, width: int, height: int) -> list[Rgb]:
    try:
        with av.open(str(path)) as container:
            frames = islice(container.decode(video=0), count)
            return [_rgb(frame.reformat(width, height)) for frame in frames]
    except (OSError, av.FFmpegError, IndexError) as error:
        raise MediaError(f"cannot read {path}: {error}") from error


def _rgb(frame: av.VideoFrame) -> Rgb:
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)

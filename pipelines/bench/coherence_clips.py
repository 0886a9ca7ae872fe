"""Coherence on real clips, and motion on pairs of pictures whose flow is known."""

import importlib.util
from collections.abc import Callable
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

from .coherence_measures import laplacian_energy, move, warp_error
from .coherence_rows import RowName, make_row

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
WIDTH, HEIGHT = 512, 288  # clips are fitted to this
SURE = 0.5  # agreement above which estimated motion is trusted


@dataclass(frozen=True)
class FlowResult:
    """Mean end-point errors in pixels. length: that of no motion. dis: OpenCV's, if it is there."""

    name: str
    length: float
    ours: float
    dis: float | None


@dataclass(frozen=True)
class ClipResult:
    """Warp errors in levels along the motion of the input, as we estimate it, and detail."""

    name: str
    own: float
    fixed: float
    ours: float
    detail: float


def read_photograph(path: Path, width: int, height: int) -> Pixels:
    """A picture scaled to width × height. Raises `MediaError`."""
    return _pictures(path, 1, width, height)[0]


def measure_flow(folder: Path) -> list[FlowResult]:
    """All pairs NAME_a.png, NAME_b.png, NAME_flow.npz (flow from a to b, valid) in flow/."""
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
    tell: Callable[[str], None],
) -> list[ClipResult]:  # fmt: skip
    """The first frames of every clip in clips/."""
    results = []
    for path in sorted((folder / "clips").glob("*.*")):
        tell(path.name)
        inputs = _pictures(path, frames, WIDTH, HEIGHT)
        if len(inputs) > 2:
            results.append(_measure_clip(path.name, inputs, model, settings))
    return results


def flow_between(now: Pixels, past: Pixels) -> Floats:
    """Our own flow, (H, W, 2) in pixels: what is at p now was at p + flow(p)."""
    return _as_array(_motion(now, past), now.shape[0], now.shape[1])


def dis_flow(now: Pixels, past: Pixels) -> Floats:
    """OpenCV's Dense Inverse Search with its preset "fast", the same way round."""
    cv2 = _opencv()
    if cv2 is None:
        raise MediaError("comparing with DIS needs OpenCV: pip install opencv-python-headless")
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    grey = [np.asarray(luma_of(torch.from_numpy(picture))[0, 0].round().byte().numpy())
            for picture in (now, past)]  # fmt: skip
    return np.asarray(search.calc(grey[0], grey[1], None), np.float32)


def _opencv() -> Any | None:
    if importlib.util.find_spec("cv2") is None:
        return None
    return importlib.import_module("cv2")


@torch.inference_mode()
def _motion(now: Pixels, past: Pixels) -> Motion:
    device = torch.device("cpu")
    views = [InputView(luma_of(torch.from_numpy(picture)), device) for picture in (now, past)]
    return views[0].features.motion_from(views[1].features)


@torch.inference_mode()
def _as_array(motion: Motion, height: int, width: int) -> Floats:
    return np.asarray(motion.at(height, width)[0].permute(1, 2, 0).numpy())


def _error(flow: Floats, truth: Floats, valid: NDArray[np.bool_]) -> float:
    return float(np.linalg.norm(flow - truth, axis=-1)[valid].mean())


def _measure_clip(
    name: str, inputs: list[Pixels], model: TurboModel, settings: FilterSettings
) -> ClipResult:
    outputs: dict[str, list[Pixels]] = {}
    compared: tuple[RowName, ...] = ("fixed", "ours")
    for row_name in compared:
        row = make_row(row_name, model, settings)
        outputs[row_name] = [row(picture) for picture in inputs]
    errors: dict[str, list[float]] = {"own": [], "fixed": [], "ours": []}
    for index in range(1, len(inputs)):
        motion = _motion(inputs[index], inputs[index - 1])
        flow = _as_array(motion, HEIGHT, WIDTH)
        sure = _trusted(motion, inputs[index], inputs[index - 1], flow)
        for key, pictures in {"own": inputs, **outputs}.items():
            errors[key].append(warp_error(pictures[index], pictures[index - 1], flow, sure))
    means = {key: float(np.nanmean(values)) for key, values in errors.items()}
    detail = fmean(
        laplacian_energy(ours) / max(laplacian_energy(other), 1e-6)
        for ours, other in zip(outputs["ours"], outputs["fixed"], strict=True)
    )
    return ClipResult(name, means["own"], means["fixed"], means["ours"], detail)


def _trusted(motion: Motion, now: Pixels, past: Pixels, flow: Floats) -> NDArray[np.bool_]:
    """Where the way there and back agree, and the input looks the same."""
    agree = torch.nn.functional.interpolate(motion.agreement, size=now.shape[:2])[0, 0].numpy()
    apart = np.abs(now.astype(np.float32) - move(past, flow)).mean(axis=-1)
    return np.asarray((agree > SURE) & (apart < 24))


def _native(path: Path) -> Pixels:
    try:
        with av.open(str(path)) as container:
            return _rgb(next(container.decode(video=0)))
    except (OSError, av.FFmpegError, StopIteration) as error:
        raise MediaError(f"cannot read the picture {path}: {error}") from error


def _pictures(path: Path, count: int, width: int, height: int) -> list[Pixels]:
    try:
        with av.open(str(path)) as container:
            frames = islice(container.decode(video=0), count)
            return [_rgb(frame.reformat(width, height)) for frame in frames]
    except (OSError, av.FFmpegError, IndexError) as error:
        raise MediaError(f"cannot read {path}: {error}") from error


def _rgb(frame: av.VideoFrame) -> Pixels:
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)

"""Pictures of a training run: loss curves and sheets of samples, drawn with numpy."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

COLOURS = ((214, 69, 65), (52, 120, 194), (46, 160, 97), (230, 150, 30), (130, 80, 180),
           (90, 90, 90), (0, 160, 170), (190, 90, 140))  # fmt: skip
_LINEAR_BELOW = 1e-3


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write an RGB picture (H, W, 3) as PNG."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    codec = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt = frame.width, frame.height, "rgb24"
    codec.time_base = Fraction(1)
    path.write_bytes(b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode()]))


def write_sheet(path: Path, rows: Sequence[Sequence[Tensor]]) -> None:
    """Write images (3, H, W) in −1…1 as a grid, one list a row, separated by thin white lines.

    As PNG, or as JPEG where the name says so.
    """
    lines = [torch.cat([_framed(image) for image in row], 2) for row in rows]
    sheet = torch.cat(lines, 1).permute(1, 2, 0)
    picture = ((sheet.clamp(-1, 1) + 1) * 127.5).round().byte().numpy()
    if path.suffix.lower() in (".jpg", ".jpeg"):
        av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").save(str(path))
    else:
        write_png(path, picture)


def _framed(image: Tensor) -> Tensor:
    return torch.nn.functional.pad(image.detach().float().cpu(), (0, 2, 0, 2), value=1.0)


def write_curves(
    path: Path, history: Sequence[dict[str, float]], size: tuple[int, int] = (640, 360)
) -> None:
    """Draw each loss, averaged over 1 % of the steps, coloured by order.

    The axis is logarithmic, and linear around 0, since an adversary's loss may be negative.
    """
    width, height = size
    canvas = np.full((height, width, 3), 255, np.uint8)
    canvas[:: height // 6] = 232
    names = list(dict.fromkeys(name for losses in history for name in losses))
    series = {name: _smoothed(_filled(history, name), width) for name in names}
    values = _on_axis(np.concatenate(list(series.values())))
    low, span = values.min(), max(float(np.ptp(values)), 1e-6)
    for (_, curve), colour in zip(series.items(), COLOURS, strict=False):
        rows = (height - 8) - (_on_axis(curve) - low) / span * (height - 16)
        for thickness in range(2):
            canvas[rows.astype(int) + thickness, np.arange(len(rows))] = colour
    write_png(path, canvas)


def _filled(history: Sequence[dict[str, float]], name: str) -> list[float]:
    """A loss at every step: that of the step before where a step has none, the first before it."""
    value = next(losses[name] for losses in history if name in losses)
    return [value := losses.get(name, value) for losses in history]


def _on_axis(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.arcsinh(values / _LINEAR_BELOW)


def _smoothed(values: Sequence[float], points: int) -> NDArray[np.float64]:
    window = max(1, len(values) // 100)
    kernel = np.ones(window) / window
    smooth = np.convolve(np.asarray(values), kernel, mode="valid")
    return np.interp(np.linspace(0, len(smooth) - 1, points), np.arange(len(smooth)), smooth)

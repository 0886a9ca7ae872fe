"""Loss curves and sheets of samples of a training run."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

COLOURS = ((214, 69, 65), (52, 120, 194), (46, 160, 97), (230, 150, 30), (130, 80, 180),
           (90, 90, 90), (0, 160, 170), (190, 90, 140), (125, 95, 40))  # fmt: skip
_LINEAR_BELOW = 1e-3
_PLOT, _LEFT, _LEGEND, _MARGIN = (560, 340), 64, 180, 16  # pixels
_QUALITY = 90  # of JPEG
_INK, _GRID = "#333", "#e4e4e4"


def write_sheet(path: Path, rows: Sequence[Sequence[Tensor]]) -> None:
    """Write images (3, H, W) in −1…1 as a grid, one list per row, separated by thin white lines.

    As PNG or JPEG, by the name's suffix.
    """
    lines = [torch.cat([_framed(image) for image in row], 2) for row in rows]
    sheet = torch.cat(lines, 1).permute(1, 2, 0)
    pixels = ((sheet.clamp(-1, 1) + 1) * 127.5).round().byte().numpy()
    Image.fromarray(pixels).save(path, quality=_QUALITY)


def _framed(image: Tensor) -> Tensor:
    return torch.nn.functional.pad(image.detach().float().cpu(), (0, 2, 0, 2), value=1.0)


def write_curves(path: Path, history: Sequence[dict[str, float]]) -> None:
    """Draw each loss over the steps, averaged over 1 % of them, with its name and last value.

    The axis is logarithmic, and linear around 0, since an adversary's loss may be negative.
    """
    names = list(dict.fromkeys(name for losses in history for name in losses))
    series = {name: _smoothed(_filled(history, name), _PLOT[0]) for name in names}
    every = np.concatenate(list(series.values()))
    low, high = _on_axis(every.min()), _on_axis(every.max())
    width, height = _PLOT

    def row(value: float) -> float:
        return _MARGIN + height * float(1 - (_on_axis(value) - low) / max(high - low, 1e-6))

    chart = Image.new("RGB", (_LEFT + width + _LEGEND, height + 3 * _MARGIN), "white")
    draw = ImageDraw.Draw(chart)
    for value in _ticks(every.min(), every.max()):
        draw.line((_LEFT, row(value), _LEFT + width, row(value)), fill=_GRID)
        draw.text((_LEFT - 6, row(value)), f"{value:g}", fill=_INK, anchor="rm")
    for index, (name, curve) in enumerate(series.items()):
        colour, top = COLOURS[index % len(COLOURS)], _MARGIN + 20 * index
        draw.line([(_LEFT + x, row(value)) for x, value in enumerate(curve)], fill=colour, width=2)
        draw.rectangle((_LEFT + width + 16, top, _LEFT + width + 28, top + 12), fill=colour)
        draw.text((_LEFT + width + 36, top), f"{name} {curve[-1]:.3g}", fill=_INK)
    draw.text((_LEFT, height + 2 * _MARGIN), "step 1", fill=_INK, anchor="lm")
    draw.text((_LEFT + width, height + 2 * _MARGIN), f"{len(history)}", fill=_INK, anchor="rm")
    chart.save(path)


def _ticks(low: float, high: float) -> list[float]:
    """0 and the powers of ten of both signs within the range."""
    powers = [10.0**power for power in range(-2, 5)]
    return [value for value in (0.0, *powers, *(-each for each in powers)) if low <= value <= high]


def _filled(history: Sequence[dict[str, float]], name: str) -> list[float]:
    """A loss at every step; steps without it repeat the last value, or the first one before it."""
    value = next(losses[name] for losses in history if name in losses)
    return [value := losses.get(name, value) for losses in history]


def _on_axis(value: float) -> float:
    return math.asinh(value / _LINEAR_BELOW)


def _smoothed(values: Sequence[float], points: int) -> NDArray[np.float64]:
    window = max(1, len(values) // 100)
    kernel = np.ones(window) / window
    smooth = np.convolve(np.asarray(values), kernel, mode="valid")
    return np.interp(np.linspace(0, len(smooth) - 1, points), np.arange(len(smooth)), smooth)

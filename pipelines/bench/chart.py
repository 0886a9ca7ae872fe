"""A chart of the time that each stage takes: one bar per case, one colour per stage."""

from collections.abc import Mapping

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from turbolens.pipelines.video.destination import Destination
from turbolens.pipelines.video.images.files import save_image

from .speed import BenchReport, CaseResult

WIDTH, ROW, TOP, LEFT, RIGHT = 960, 64, 112, 150, 110  # pixels
COLOURS = {
    "to_image": "#8d99ae", "encode": "#457b9d", "before": "#e9c46a", "denoise": "#e76f51",
    "decode": "#2a9d8f", "after": "#f4a261", "to_frame": "#adb5bd",
}  # fmt: skip
BASELINE = "#343a40"


def save_chart(report: BenchReport, destination: Destination) -> None:
    """Write the chart as a PNG file."""
    pixels = np.asarray(chart(report))
    save_image(av.VideoFrame.from_ndarray(pixels, format="rgb24"), destination)


def chart(report: BenchReport) -> Image.Image:
    """Draw the chart of the medians, in RGB. Baselines have bars of their own."""
    rows = [row for result in report.results for row in _rows(result)]
    longest = max((sum(parts.values()) for _, parts in rows), default=1.0)
    image = Image.new("RGB", (WIDTH, TOP + ROW * len(rows) + 24), "white")
    draw = ImageDraw.Draw(image)
    title = f"{report.model} in {report.dtype}, ms per frame"
    draw.text((24, 20), title, fill="black", font=_font(24))
    draw.text((24, 54), report.device, fill="#666", font=_font(16))
    _legend(draw)
    for index, (name, parts) in enumerate(rows):
        _bar(draw, TOP + ROW * index, name, parts, longest)
    return image


def _rows(result: CaseResult) -> list[tuple[str, Mapping[str, float]]]:
    name = f"{result.case.width}x{result.case.height}"  # Pillow's built-in font has no ×
    stages = {stage: timing.median_ms for stage, timing in result.stages.items()}
    baselines = [(f"{name}, {kind}", {kind: timing.median_ms})
              for kind, timing in result.baselines.items()]  # fmt: skip
    return [(name, stages), *baselines]


def _legend(draw: ImageDraw.ImageDraw) -> None:
    left = 24.0
    for stage, colour in COLOURS.items():
        draw.rectangle((left, 84, left + 14, 98), fill=colour)
        draw.text((left + 20, 80), stage, fill="#333", font=_font(15))
        left += 36 + draw.textlength(stage, font=_font(15))


def _bar(
    draw: ImageDraw.ImageDraw, top: int, name: str, parts: Mapping[str, float], longest: float
) -> None:
    label = name.replace(", ", "\n")
    draw.multiline_text((24, top + 8), label, fill="black", font=_font(15))
    scale = (WIDTH - LEFT - RIGHT) / longest
    left = float(LEFT)
    for stage, milliseconds in parts.items():
        right = left + milliseconds * scale
        draw.rectangle((left, top + 8, right, top + 42), fill=COLOURS.get(stage, BASELINE))
        left = right
    total = f"{sum(parts.values()):.1f} ms"
    draw.text((left + 8, top + 15), total, fill="black", font=_font(15))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)

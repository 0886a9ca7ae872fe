"""A person before a background as a camera, and how far a call shows each of them as it was."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from turbolens.pipelines.scene.frames import SceneFrame, TestScene

FRAMES = 30  # of the clip that plays as a camera
INSIDE, BESIDE = 0.02, 0.06  # of the height: from the person's edge
SAME, OTHER = 8.0, 12.0
"""Levels: a person that differs by less is the camera's own, a background by more is restyled."""
Floats = NDArray[np.float32]


def write_camera(path: Path, width: int, height: int) -> list[SceneFrame]:
    """A clip of the test scene, there and back, as a camera would give it. Returns its frames."""
    scene = TestScene(width, height, rate=Fraction(30))
    frames = [scene[index] for index in range(FRAMES)]
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("mjpeg", rate=30, width=width, height=height)
        stream.pix_fmt, stream.options = "yuvj420p", {"qmin": "2", "qmax": "4"}
        for number, each in enumerate([*frames, *frames[::-1]]):
            frame = each.frame.reformat(format="yuvj420p")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return frames


def compared(picture: Floats, frames: list[SceneFrame]) -> tuple[float, float]:
    """Levels by which the person and the background differ from the camera's nearest frame."""

    def differences(each: SceneFrame) -> tuple[float, float]:
        person = np.asarray(each.person > 0.5, np.uint8)
        inside = cv2.erode(person, _square(each, INSIDE)) > 0
        beside = cv2.dilate(person, _square(each, BESIDE)) == 0
        difference = np.abs(picture - each.picture).mean(2)
        return float(np.median(difference[inside])), float(difference[beside].mean())

    return min(differences(each) for each in frames)


def _square(each: SceneFrame, share: float) -> NDArray[np.uint8]:
    side = 2 * round(share * each.scene.height) + 1
    return np.ones((side, side), np.uint8)


def picture_from(png: bytes) -> Floats:
    """RGB (H, W, 3) in levels."""
    pixels: Any = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(pixels[..., ::-1], np.float32)

"""`TextureShift`, `TextureStep`: how far textures have moved."""

from typing import NamedTuple


class TextureShift(NamedTuple):
    """How far the textures of a picture have moved as a whole, in shares of its width: to the left
    (x) and upwards (y) if positive."""

    x: float
    y: float


class TextureStep(NamedTuple):
    """How far textures have moved as a whole after a frame. is_new: True if the frame begins a
    scene, so that it is counted from there."""

    shift: TextureShift
    is_new: bool

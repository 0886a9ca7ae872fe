"""`TextureShift`: how far textures have moved."""

from typing import NamedTuple


class TextureShift(NamedTuple):
    """How far the textures of a picture have moved as a whole, in shares of its width: to the left
    (x) and upwards (y) if positive."""

    x: float
    y: float

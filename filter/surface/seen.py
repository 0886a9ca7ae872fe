"""`Seen`: the frame that a result was made from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .planes import Plane


@dataclass(frozen=True)
class Seen:
    """A frame, as large as its result.

    rgb: uint8 (H, W, 3). luma: (H, W) in 0…1, with less noise. flow: (2, h, w) of any size, x and y
    in pixels of the frame: what is at p was at p + flow in the frame before; `None` if that is not
    known. is_cut: True if the frame before shows another scene.
    """

    rgb: NDArray[np.uint8]
    luma: Plane
    flow: NDArray[np.float32] | None = None
    is_cut: bool = False

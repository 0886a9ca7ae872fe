"""Motion estimation and temporal blending by OpenCV, for CPUs. Start with `motion.py`.

They take the place of `MotionEstimator` and `TemporalBlend`, whose tensors run on other devices,
where nothing may wait for the host. Import this package only where it is used: it loads OpenCV.
"""

from .blend import OpenCvBlend
from .motion import OpenCvMotion
from .warping import WarpCache

__all__ = ["OpenCvBlend", "OpenCvMotion", "WarpCache"]

"""`AcceleratedCoherence`: the three modules of `coherence`, run by OpenCV or by backends."""

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

import torch

from turbolens.filter.coherence.change import MotionEstimator
from turbolens.filter.coherence.reprojection import Reprojector
from turbolens.filter.coherence.temporal_blend import TemporalBlend

from .accelerated_module import AcceleratedModule
from .backend import Backend
from .trial_records import TrialRecords

if TYPE_CHECKING:
    from turbolens.filter.coherence.opencv import OpenCvBlend, OpenCvMotion

PATIENCE = 30  # frames of a size before a backend is prepared: more than a search for one takes


class AcceleratedCoherence:
    """Motion estimation, temporal blending and reprojection on one device, for many streams.

    On a CPU, OpenCV estimates motion and blends. Elsewhere backends are tried for the tensors.
    Backends that take minutes to prepare are left out: inductor would take minutes for each size,
    and makes forty kernels of what a CUDA graph launches at once. All methods but `reproject` are
    called under the model's lock.
    """

    def __init__(
        self,
        device: torch.device,
        backends: Sequence[Backend] = (),
        *,
        wait: bool = False,
        records: TrialRecords | None = None,
        frames: int | None = None,
        retry: bool = False,
    ) -> None:
        backends = [each for each in backends if each.prepare_time != "minutes"]
        self._opencv = _opencv() if device.type == "cpu" else None
        tried = () if device.type == "cpu" else backends
        self._estimator, self._blend = (
            AcceleratedModule(
                module,
                tried,
                wait=wait,
                patience=PATIENCE,
                records=records,
                frames=frames,
                retry=retry,
            )
            for module in (MotionEstimator(), TemporalBlend())
        )
        # Not on CUDA: a graph must be captured while nothing else uses the device.
        concurrent = () if device.type == "cuda" else backends
        self._reprojector = AcceleratedModule(
            Reprojector(), concurrent, wait=wait, patience=1, records=records, retry=retry
        )
        self._reprojector_lock = Lock()

    @property
    def modules(self) -> tuple[AcceleratedModule, AcceleratedModule]:
        """The modules that run for every frame."""
        return self._estimator, self._blend

    @property
    def by_opencv(self) -> tuple[str, ...]:
        """The names of the modules that OpenCV runs in place of a backend."""
        return () if self._opencv is None else tuple(each.name for each in self.modules)

    def estimate_motion(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...] | None:
        """As `MotionEstimator`. `None` if no backend is faster, or for tiny frames on a CPU.

        The plain way is then used step by step, because it reuses the features of the last frame.
        """
        if self._opencv is not None:
            return self._opencv[0](*inputs)
        return self._estimator(*inputs) if self._estimator.is_worthwhile(*inputs) else None

    def begin_blend(self, past: torch.Tensor, flow: torch.Tensor) -> None:
        """Begin what `blend` of the last result along this flow needs, on another thread."""
        if self._opencv is not None:
            self._opencv[1].begin(past, flow)

    def blend(self, *inputs: torch.Tensor) -> torch.Tensor:
        """As `TemporalBlend`."""
        result = None if self._opencv is None else self._opencv[1](*inputs)
        if result is not None:
            return result
        return self._blend(*inputs)  # type: ignore[no-any-return]

    def reproject(self, *inputs: torch.Tensor) -> torch.Tensor | None:
        """As `Reprojector`. `None` if no backend is faster. Thread-safe."""
        with self._reprojector_lock:
            if not self._reprojector.is_worthwhile(*inputs):
                return None
            return self._reprojector(*inputs)  # type: ignore[no-any-return]


def _opencv() -> "tuple[OpenCvMotion, OpenCvBlend]":
    from turbolens.filter.coherence.opencv import (  # noqa: PLC0415 - loads OpenCV: on CPUs only
        OpenCvBlend,
        OpenCvMotion,
        WarpCache,
    )

    warps = WarpCache()
    return OpenCvMotion(warps), OpenCvBlend(warps)

"""Coherence on a device: its hundreds of small operations as one."""

from collections.abc import Sequence
from threading import Lock

import torch

from turbolens.filter.coherence import Holding, Seeing
from turbolens.filter.reprojection import Moving

from .accelerated import Accelerated
from .trial import Backend, Run


class AcceleratedCoherence:
    """`Seeing`, `Holding` and `Moving`, by the same ways as the networks.

    Called under the model's lock, but for `moving`.
    """

    def __init__(
        self, device: torch.device, backends: Sequence[Backend] = (), *, wait: bool = False
    ) -> None:
        self._seeing = Accelerated(Seeing(), backends, wait=wait)
        self.holding = Accelerated(Holding(), backends, wait=wait)
        # Not on CUDA: a graph is captured while nothing else uses the device.
        beside = () if device.type == "cuda" else backends
        self._moving, self._lock = Accelerated(Moving(), beside, wait=wait), Lock()

    @property
    def seeing(self) -> Run | None:
        """A faster way to see motion, if there may be one.

        Without one it is better seen step by step, keeping what is known of the last picture.
        """
        return self._seeing if self._seeing.pays else None

    @property
    def moving(self) -> Run | None:
        """The same for `Moving`, from any thread."""
        return self._move if self._moving.pays else None

    @property
    def parts(self) -> tuple[Accelerated, Accelerated]:
        """What is called for every frame."""
        return self._seeing, self.holding

    def _move(self, *inputs: torch.Tensor) -> torch.Tensor:
        with self._lock:
            return self._moving(*inputs)  # type: ignore[no-any-return]

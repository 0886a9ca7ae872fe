"""Coherence on a device: its hundreds of small operations as one."""

from collections.abc import Sequence
from threading import Lock

import torch

from turbolens.filter.coherence.change import Seeing
from turbolens.filter.coherence.reprojection import Moving
from turbolens.filter.coherence.temporal_blend import Holding

from .accelerated import Accelerated
from .trial import Backend

PATIENCE = 30  # frames of a size before its ways are prepared: more than a search for one takes


class AcceleratedCoherence:
    """`Seeing`, `Holding` and `Moving`, by the same ways as the networks, but for the slow ones.

    inductor would take minutes for each size of picture, and makes forty pieces of what a graph
    launches whole. Called under the model's lock, but for `move`.
    """

    def __init__(
        self, device: torch.device, backends: Sequence[Backend] = (), *, wait: bool = False
    ) -> None:
        backends = [each for each in backends if each.takes != "minutes"]
        self._seeing = Accelerated(Seeing(), backends, wait=wait, patience=PATIENCE)
        self.holding = Accelerated(Holding(), backends, wait=wait, patience=PATIENCE)
        # Not on CUDA: a graph is captured while nothing else uses the device.
        beside = () if device.type == "cuda" else backends
        self._moving = Accelerated(Moving(), beside, wait=wait, patience=1)  # called now and then
        self._lock = Lock()

    @property
    def parts(self) -> tuple[Accelerated, Accelerated]:
        """What is called for every frame."""
        return self._seeing, self.holding

    @property
    def moves_by(self) -> str:
        """What runs `Moving` now: the name of a backend, or "none"."""
        return self._moving.latest

    def see(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...] | None:
        """As `Seeing`, if there is or may be a faster way.

        Without one motion is better seen step by step, keeping what is known of the last picture.
        """
        return self._seeing(*inputs) if self._seeing.pays(*inputs) else None

    def move(self, *inputs: torch.Tensor) -> torch.Tensor | None:
        """As `Moving`, if there is or may be a faster way. From any thread."""
        with self._lock:
            return self._moving(*inputs) if self._moving.pays(*inputs) else None

"""`PersonFinder`: the segmentation network on one device, shared by the streams of a model."""

from threading import Lock
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter.acceleration.accelerated_module import AcceleratedModule
from turbolens.filter.acceleration.backend import Backend
from turbolens.filter.acceleration.choice import backends_for
from turbolens.filter.acceleration.trial_records import TrialRecords
from turbolens.filter.settings import Acceleration

from .edges import refined
from .masks import Floats, is_sure, without_islands
from .network import SIDE
from .weights import load_segmenter

Array = NDArray[np.uint8]


class PersonFinder:
    """Finds persons in pictures. Thread-safe.

    On a CPU it runs in INT8 or float32 by OpenVINO, if that is faster than PyTorch. acceleration,
    wait, frames: as for `TurboModel.accelerate`.
    """

    def __init__(
        self,
        device: torch.device,
        acceleration: Acceleration = "auto",
        *,
        wait: bool = False,
        frames: int | None = None,
    ) -> None:
        self._device = device
        self._network = AcceleratedModule(
            load_segmenter().to(device), _backends(device, acceleration),
            wait=wait, records=TrialRecords(), frames=frames,
        )  # fmt: skip
        self._lock = Lock()

    @property
    def backend(self) -> str:
        """The backend that runs it, or "none" for PyTorch."""
        return self._network.latest

    @torch.inference_mode()
    def __call__(self, rgb: Array) -> Floats:
        """RGB (H, W, 3) uint8 of any size → the probability of a person (256, 256), 0…1.

        Areas that are small beside the largest person are left out. The edges of a sure mask are
        those of the picture; a mask that is not sure stays as doubtful as it is.
        """
        small: Any = cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        batch = torch.from_numpy(np.ascontiguousarray(small))[None].to(self._device)
        with self._lock:
            mask: torch.Tensor = self._network(batch)
        found: Floats = mask[0, 0].float().cpu().numpy()
        return with_edges(found, small)


def with_edges(found: Floats, rgb: Array) -> Floats:
    """The network's answer for a picture of its size, without islands and with exact edges."""
    mask = without_islands(found)
    return refined(mask, rgb) if is_sure(mask) else mask


def _backends(device: torch.device, acceleration: Acceleration) -> list[Backend]:
    """On a GPU plain PyTorch takes a millisecond, and a CUDA graph could not run beside another."""
    if device.type != "cpu" or acceleration in ("none", "compile"):
        return []
    return backends_for("auto", device, torch.float32, calibrated=True)

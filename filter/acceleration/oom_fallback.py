"""`OutOfMemoryFallback`: a module in smaller batches, or in tiles, if device memory runs out."""

import logging
from typing import Any

import torch

from turbolens.filter.device import GPUS
from turbolens.filter.errors import ModelError

from .accelerated_module import AcceleratedModule

log = logging.getLogger(__name__)


class OutOfMemoryFallback:
    """Runs a module on as large a batch as fits, and logs a warning once it has to be smaller.

    A batch that does not fit is halved until it does; later batches keep that size. If one image
    does not fit, a full-size autoencoder works in tiles with blended seams. Raises `ModelError` if
    that does not help either.
    """

    def __init__(self, accelerated: AcceleratedModule) -> None:
        self.accelerated = accelerated
        self.max_batch: int | None = None
        self.tiled = False

    def __call__(self, *inputs: torch.Tensor, error_gain: float = 1.0) -> torch.Tensor:
        """The module's result. Inputs as long as the first are batches, the others are shared.

        error_gain: as for `AcceleratedModule`.
        """
        count = len(inputs[0])
        size = min(count, self.max_batch or count)
        if size == count:
            return self._run(inputs, error_gain)
        starts = range(0, count, size)
        return torch.cat([self._run(_batch(inputs, start, size), error_gain) for start in starts])

    def _run(self, inputs: tuple[torch.Tensor, ...], error_gain: float) -> torch.Tensor:
        try:
            return self.accelerated(*inputs, error_gain=error_gain)  # type: ignore[no-any-return]
        except torch.OutOfMemoryError as error:
            reason = str(error).splitlines()[0]
        # Outside the handler, which keeps the tensors of the failed call alive.
        _empty_cache(inputs[0].device)
        self._use_less_memory(len(inputs[0]), reason)
        return self(*inputs, error_gain=error_gain)

    def _use_less_memory(self, count: int, reason: str) -> None:
        name = self.accelerated.name
        if count > 1:
            self.max_batch = count // 2
            log.warning("the %s takes %d frames at once from now on: %s",
                        name, self.max_batch, reason)  # fmt: skip
            return
        vae: Any = getattr(self.accelerated.module, "vae", None)
        can_tile = hasattr(vae, "use_tiling") and hasattr(vae, "tile_sample_min_size")
        if self.tiled or not can_tile:
            raise ModelError(
                f"the {name} does not fit into the memory of the device even with one frame "
                f"({reason}); choose a smaller --size, a smaller model, or close other programs"
            )
        vae.enable_tiling()
        self.accelerated.renew()
        self.tiled = True
        log.warning("the %s works in tiles from now on, slower: %s", name, reason)


def _batch(inputs: tuple[torch.Tensor, ...], start: int, size: int) -> tuple[torch.Tensor, ...]:
    count = len(inputs[0])
    return tuple(each[start : start + size] if len(each) == count else each for each in inputs)


def _empty_cache(device: torch.device) -> None:
    if device.type in GPUS:
        getattr(torch, device.type).empty_cache()

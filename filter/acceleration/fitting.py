"""`Fitting`: a part within the memory of its device."""

import logging
from typing import Any

import torch

from turbolens.filter.errors import ModelError

from .accelerated import Accelerated

log = logging.getLogger(__name__)


class Fitting:
    """Runs a part on as much at once as fits, and says so once where that is less than asked for.

    A batch that does not fit goes through by halves, from then on in pieces of the size that did.
    One picture that does not fit goes through a full-size autoencoder in tiles, whose seams are
    blended. Raises `ModelError` where nothing helps.
    """

    def __init__(self, accelerated: Accelerated) -> None:
        self.accelerated = accelerated
        self.most: int | None = None
        self.tiled = False

    def __call__(self, *inputs: torch.Tensor, gain: float = 1.0) -> torch.Tensor:
        """The part's result; inputs as long as the first are a batch, the others are shared.

        gain: as `Accelerated` takes it.
        """
        count = len(inputs[0])
        step = min(count, self.most or count)
        if step == count:
            return self._whole(inputs, gain)
        starts = range(0, count, step)
        pieces = [self._whole(_piece(inputs, start, step), gain) for start in starts]
        return torch.cat(pieces)

    def _whole(self, inputs: tuple[torch.Tensor, ...], gain: float) -> torch.Tensor:
        try:
            return self.accelerated(*inputs, gain=gain)  # type: ignore[no-any-return]
        except torch.OutOfMemoryError as error:
            reason = str(error).splitlines()[0]
        # Outside of the handler, which holds on to the tensors of the call that failed.
        _give_back(inputs[0].device)
        self._make_smaller(len(inputs[0]), reason)
        return self(*inputs, gain=gain)

    def _make_smaller(self, count: int, reason: str) -> None:
        name = type(self.accelerated.part).__name__.lower()
        if count > 1:
            self.most = count // 2
            log.warning("the %s takes %d frames at once from now on: %s", name, self.most, reason)
            return
        vae: Any = getattr(self.accelerated.part, "vae", None)
        if self.tiled or not hasattr(vae, "use_tiling") or not hasattr(vae, "tile_sample_min_size"):
            raise ModelError(
                f"the {name} does not fit into the memory of the device even with one frame "
                f"({reason}); choose a smaller --size, a smaller model, or close other programs"
            )
        vae.enable_tiling()
        self.accelerated.renew()
        self.tiled = True
        log.warning("the %s works in tiles from now on, slower: %s", name, reason)


def _piece(inputs: tuple[torch.Tensor, ...], start: int, step: int) -> tuple[torch.Tensor, ...]:
    count = len(inputs[0])
    return tuple(one[start : start + step] if len(one) == count else one for one in inputs)


def _give_back(device: torch.device) -> None:
    if device.type in ("cuda", "xpu", "mps"):
        getattr(torch, device.type).empty_cache()

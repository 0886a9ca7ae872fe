"""`Backend`: another way to run a module. OpenVINO, CUDA graphs, torch.compile, float8."""

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

import torch
from torch import nn

from turbolens.filter.networks import Run

PrepareTime: TypeAlias = Literal["moment", "seconds", "minutes"]


class Backend(Protocol):
    """Another way to run a module, whose inputs and `Result` are tensors.

    A module may set these attributes: `is_shape_specific`, its code depends on the shapes of its
    inputs; `typical_ranges`, one for each result, see `agreement_db`; `is_comparable`, a function
    of its results, False if rounding decides them; `num_threads`, how many threads of a CPU it
    should use; `activation_ranges`, the range of each layer's input by layer.
    """

    @property
    def name(self) -> str:
        """As in the setting `acceleration`."""
        ...

    @property
    def prepare_time(self) -> PrepareTime:
        """How long `prepare` takes.

        A "moment" is spent on the calling thread, "seconds" on another thread that the end of a
        Python program waits for, "minutes" on a daemon thread.
        """
        ...

    @property
    def reduced_precision(self) -> bool:
        """True if it computes in a coarser format than the model's own."""
        ...

    @property
    def calibrated(self) -> bool:
        """True if it needs `activation_ranges`, with which it is exact enough for every module."""
        ...

    @property
    def likely_saving(self) -> float:
        """The share of a module's time that it is likely to save, before it was ever tried."""
        ...

    def prepare(self, module: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
        """The module for inputs of these shapes, dtypes and device.

        Results must not share memory with later results. Raises `NoSpeedup` if it would not be
        faster, and any other exception if it is not possible.
        """
        ...

    def trial_key(self, module: nn.Module, inputs: Sequence[torch.Tensor]) -> str | None:
        """What the result of a trial with inputs like these depends on.

        That is the processor, the weights and the code of the module, the shape of one row of the
        inputs, and versions. `None` if results are not kept for the next start.
        """
        ...

    def is_prepared(self, key: str | None) -> bool:
        """True if `prepare` takes no time, because it has prepared this before."""
        ...

    def prepare_again_s(self, key: str | None) -> float:
        """Seconds that `prepare` takes at the next start, with what it has put into caches."""
        ...


class Unrecorded:
    """For backends whose trials are repeated at each start."""

    likely_saving: float = 0.3

    def trial_key(self, module: nn.Module, inputs: Sequence[torch.Tensor]) -> str | None:
        """`None`."""
        return None

    def is_prepared(self, key: str | None) -> bool:
        """False."""
        return False

    def prepare_again_s(self, key: str | None) -> float:
        """0, since no result is kept."""
        return 0.0


class NoSpeedup(Exception):  # noqa: N818 - not an error
    """A backend would not be faster for this module."""

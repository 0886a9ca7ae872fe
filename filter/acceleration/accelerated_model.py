"""`AcceleratedModel`: all modules of a model with their backends, replaced as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .accelerated_module import AcceleratedModule
from .backend import Backend
from .coherence import AcceleratedCoherence
from .modules import NetworkModules
from .oom_fallback import OutOfMemoryFallback
from .trial_records import TrialRecords


@dataclass(frozen=True)
class AcceleratedModel:
    """The accelerated encoder, predictor, decoder and coherence of one model on one device."""

    encoder: OutOfMemoryFallback
    predictor: OutOfMemoryFallback
    decoder: OutOfMemoryFallback
    coherence: AcceleratedCoherence

    @classmethod
    def with_backends(
        cls,
        backends: Sequence[Backend],
        modules: NetworkModules,
        device: torch.device,
        *,
        wait: bool,
        frames: int | None = None,
        retry: bool = False,
    ) -> "AcceleratedModel":
        """Every module with the backends that are exact enough for it.

        Reduced precision is for the predictor only, unless it is calibrated for all networks.
        wait, frames, retry: as for `AcceleratedModule`.
        """
        records = TrialRecords()
        exact = [backend for backend in backends if not backend.reduced_precision]
        for_images = [each for each in backends if each.calibrated or not each.reduced_precision]
        encoder, predictor, decoder = (
            OutOfMemoryFallback(
                AcceleratedModule(
                    module, chosen, wait=wait, records=records, frames=frames, retry=retry
                )
            )
            for module, chosen in (
                (modules.encoder, for_images),
                (modules.predictor, backends),
                (modules.decoder, for_images),
            )
        )
        coherence = AcceleratedCoherence(
            device, exact, wait=wait, records=records, frames=frames, retry=retry
        )
        return cls(encoder, predictor, decoder, coherence)

    @property
    def modules(self) -> tuple[AcceleratedModule, ...]:
        """The modules that run for every frame."""
        networks = self.encoder, self.predictor, self.decoder
        return *(each.accelerated for each in networks), *self.coherence.modules

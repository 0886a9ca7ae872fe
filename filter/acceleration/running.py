"""`Running`: how all of a model runs at the moment, which can be swapped as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .accelerated import Accelerated
from .coherence import AcceleratedCoherence
from .fitting import Fitting
from .parts import Parts
from .trial import Backend


@dataclass(frozen=True)
class Running:
    """The networks' parts and coherence, each with the ways it may take."""

    encoder: Fitting
    predictor: Fitting
    decoder: Fitting
    coherence: AcceleratedCoherence

    @classmethod
    def by(
        cls, backends: Sequence[Backend], parts: Parts, device: torch.device, *, wait: bool
    ) -> "Running":
        """Every part by the backends that are exact enough for it.

        wait: as `TurboModel.accelerate` takes it.
        """
        exact = [backend for backend in backends if not backend.coarse]
        encoder, predictor, decoder = (
            Fitting(Accelerated(part, ways, wait=wait))
            for part, ways in (
                (parts.encoder, exact),
                (parts.predictor, backends),
                (parts.decoder, exact),
            )
        )
        return cls(encoder, predictor, decoder, AcceleratedCoherence(device, exact, wait=wait))

    @property
    def accelerated(self) -> tuple[Accelerated, ...]:
        """What is called for every frame."""
        networks = self.encoder, self.predictor, self.decoder
        return *(each.accelerated for each in networks), *self.coherence.parts

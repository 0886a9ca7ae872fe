"""`Candidate`: a backend that may be tried for one module and shape, with what is known of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from .backend import Backend
from .trial_records import TrialRecords, TrialResult


@dataclass(frozen=True)
class Candidate:
    """A backend to try. result: of an earlier trial, whose winner needs no trial any more.

    key: of the trial, see `Backend.trial_key`. saved_s: by how many seconds a frame takes less with
    it than in plain PyTorch, as far as results tell.
    """

    backend: Backend
    key: str | None = None
    result: TrialResult | None = None
    saved_s: float = 0.0


def candidates_for(
    backends: Sequence[Backend],
    module: nn.Module,
    inputs: Sequence[torch.Tensor],
    records: TrialRecords | None,
    *,
    use_results: bool,
) -> list[Candidate]:
    """The backends in the order to try them, with their results.

    Those that have lost before are left out. If all are known, the fastest comes first. A result
    counts only if those before it are known, since it compares with them. use_results: if False,
    all are tried again.
    """
    if records is None:
        return [Candidate(backend) for backend in backends]
    found: list[Candidate] = []
    saved_s = 0.0
    for backend in backends:
        key = backend.trial_key(module, inputs)
        result = records.get(key) if use_results else None
        use_results = result is not None
        if result is None or result.won:
            saved_s += 0.0 if result is None else result.saved_s
            found.append(Candidate(backend, key, result, saved_s))
    return found[::-1] if all_known(found) else found


def all_known(candidates: Sequence[Candidate]) -> bool:
    """True if none of them needs a trial."""
    return all(each.result is not None for each in candidates)

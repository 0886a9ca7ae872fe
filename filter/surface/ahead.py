"""Computes what surfaces will need of a frame on threads beside the networks."""

import os
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import TypeAlias

from .ground import Ground

_MAX_THREADS = 8

Asked: TypeAlias = tuple[Callable[..., object], tuple[Hashable, ...]]
"""A function of a `Ground`, and its further arguments."""


def compute_ahead(ground: Ground, asked: Sequence[Asked]) -> Future[None] | None:
    """Begin to compute these in this order, until they are done or the ground is `finished`.

    An exception is raised for the surface that asks for its result. With a single processor nothing
    is computed ahead, because it would only be in the way of the networks; then returns `None`.
    """
    if not asked or processors() == 1:
        return None
    return _threads().submit(_computed, ground, asked)


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _computed(ground: Ground, asked: Sequence[Asked]) -> None:
    for function, args in asked:
        if ground.finished:
            return
        with suppress(Exception):  # kept in the ground's memo
            ground.of(function, *args)


@cache
def _threads() -> ThreadPoolExecutor:
    """Shared by all streams, so that their number does not matter."""
    return ThreadPoolExecutor(
        min(_MAX_THREADS, max(1, processors() - 1)), thread_name_prefix="turbolens-surface"
    )

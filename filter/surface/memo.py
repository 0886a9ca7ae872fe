"""`Memo`: what has been computed of one frame, each part once, by the first thread that asks."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from functools import wraps
from threading import Lock
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

import numpy as np

P = ParamSpec("P")
T = TypeVar("T")
OwnerT = TypeVar("OwnerT", bound="HasMemo")


class Memo:
    """Results by function and arguments. Thread-safe.

    A thread that asks for what another one is computing waits for it. An exception is kept as a
    result is, and raised for everybody who asks. Arrays become read-only, because they are shared.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._results: dict[tuple[Callable[..., Any], tuple[Hashable, ...]], Future[Any]] = {}

    def __len__(self) -> int:
        """How many results there are, or are being computed."""
        return len(self._results)

    def __call__(self, function: Callable[..., T], owner: object, *args: Hashable) -> T:
        """`function(owner, *args)`."""
        key = function, args
        with self._lock:
            future = self._results.get(key)
            is_first = future is None
            if future is None:
                future = self._results[key] = Future()
        if is_first:
            try:
                future.set_result(_shared(function(owner, *args)))
            except BaseException as error:  # noqa: BLE001 - raised below, and for those who wait
                future.set_exception(error)
        return cast(T, future.result())


class HasMemo(Protocol):
    """An object of one frame."""

    @property
    def memo(self) -> Memo: ...


def once(
    function: Callable[Concatenate[OwnerT, P], T],
) -> Callable[Concatenate[OwnerT, P], T]:
    """A method whose result is kept in the memo of its object. Arguments by position, hashable."""

    @wraps(function)
    def kept(owner: OwnerT, *args: P.args, **kwargs: P.kwargs) -> T:
        return owner.memo(function, owner, *cast(tuple[Hashable, ...], args), **kwargs)

    return cast(Callable[Concatenate[OwnerT, P], T], kept)


def _shared(result: T) -> T:
    for each in result if isinstance(result, tuple) else (result,):
        if isinstance(each, np.ndarray):
            each.setflags(write=False)
    return result

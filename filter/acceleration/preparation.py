"""`Preparation`: a backend prepares a module, on a thread of its own if that takes long."""

import logging
from collections.abc import Callable, Sequence
from functools import cache
from threading import Lock, Thread

import platformdirs
import torch
from torch import nn

from turbolens.filter.networks import Run

from .backend import Backend, NoSpeedup
from .naming import first_line, spoken_name
from .thread_priority import lower_thread_priority

_NICE_LEVELS = 1  # the running filter comes first
_ONE_AT_A_TIME = Lock()  # on few cores several would slow down the filter and each other
log = logging.getLogger(__name__)


@cache
def _warn_of_cache(error: str) -> None:
    """Once, not for each module and backend."""
    folder = platformdirs.user_cache_dir("turbolens")
    log.warning("without acceleration, because the cache %s cannot be used: %s; free some space or "
                "set XDG_CACHE_HOME to another folder", folder, error)  # fmt: skip


class Preparation:
    """Prepares `module` by `backend` for inputs like these, which are copied.

    wait: prepare on the calling thread. is_wanted: called when a slow preparation gets its turn;
    if it returns False, the preparation ends as `skipped`.
    """

    def __init__(
        self,
        backend: Backend,
        module: nn.Module,
        inputs: Sequence[torch.Tensor],
        *,
        wait: bool,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self.backend = backend
        self.run: Run | None = None
        """What the backend prepared; `None` before the end, and if it failed."""
        self.skipped = False
        self._module, self._is_wanted = module, is_wanted
        copies = [tensor.clone() for tensor in inputs]
        self._thread: Thread | None = None
        if wait or backend.prepare_time == "moment":
            self._prepare(copies)
            return
        self._thread = Thread(
            target=self._prepare_in_background, args=(copies,), name="acceleration",
            daemon=backend.prepare_time == "minutes",
        )  # fmt: skip
        self._thread.start()

    @property
    def done(self) -> bool:
        """True if it has ended, successfully or not."""
        return self._thread is None or not self._thread.is_alive()

    def _prepare_in_background(self, inputs: Sequence[torch.Tensor]) -> None:
        lower_thread_priority(_NICE_LEVELS)
        if self.backend.prepare_time == "minutes":
            self._prepare(inputs)
            return
        with _ONE_AT_A_TIME:
            if self._is_wanted():
                self._prepare(inputs)
            else:
                self.skipped = True

    def _prepare(self, inputs: Sequence[torch.Tensor]) -> None:
        name, module_name = self.backend.name, spoken_name(self._module)
        try:
            self.run = self.backend.prepare(self._module, inputs)
        except NoSpeedup as reason:
            log.info("%s for the %s would not pay: %s", name, module_name, reason)
        except OSError as error:
            _warn_of_cache(str(error))
        except Exception as error:
            log.warning("%s for the %s is not possible here: %s",
                        name, module_name, first_line(error))  # fmt: skip
            log.debug("%s could not be prepared", name, exc_info=error)

"""`TrialRecords`: the results of trials, kept on disk for the next start."""

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import platformdirs

_MAX_KEPT = 1000  # results, the newest


@dataclass(frozen=True)
class TrialResult:
    """The result of comparing a backend with the best way to run a module before it.

    won: it agrees and is faster. max_error_gain: as in `Comparison`. saved_s: by how many seconds a
    call takes less for one row of a batch. prepare_s: how long it takes to prepare the backend
    again, in seconds, with its files in the cache.
    """

    won: bool
    max_error_gain: float
    saved_s: float
    prepare_s: float


class TrialRecords:
    """Results by the key of the trial, see `Backend.trial_key`, in one file of the user's cache.

    Thread-safe. A file that cannot be read counts as empty, and one that cannot be written is left
    out: the trial is then repeated at the next start.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or Path(platformdirs.user_cache_dir("turbolens")) / "trials.json"
        self._lock = Lock()
        self._results: dict[str, TrialResult] | None = None

    def __bool__(self) -> bool:
        """True if there are results."""
        return bool(self._loaded())

    def get(self, key: str | None) -> TrialResult | None:
        """The result of this trial, or `None` if it was not kept."""
        return None if key is None else self._loaded().get(key)

    def put(self, key: str | None, result: TrialResult) -> None:
        """Keep a result. A key of `None` is ignored."""
        if key is None:
            return
        with self._lock:
            results = _read(self._file)  # another process may have added to it
            results.pop(key, None)
            results[key] = result
            self._results = dict(list(results.items())[-_MAX_KEPT:])
            with suppress(OSError):
                _write(self._file, self._results)

    def _loaded(self) -> dict[str, TrialResult]:
        with self._lock:
            if self._results is None:
                self._results = _read(self._file)
            return self._results


def _read(file: Path) -> dict[str, TrialResult]:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return {key: TrialResult(**fields) for key, fields in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(file: Path, results: dict[str, TrialResult]) -> None:
    """Replace the file atomically."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as unfinished:
            json.dump({key: asdict(result) for key, result in results.items()}, unfinished)
        Path(name).replace(file)
    finally:
        Path(name).unlink(missing_ok=True)

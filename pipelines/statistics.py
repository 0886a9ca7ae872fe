"""What a live pipeline does, in numbers: rates, delays, and what was dropped or made up for."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from math import ceil
from threading import Lock
from typing import Any

RATE_SECONDS = 3.0  # rates are of the last seconds
KEPT = 600  # times kept of each kind, so that memory does not grow
COUNTERS = {
    "captured": "Frames that the source gave",
    "filtered": "Frames that the filter finished",
    "sent": "Frames that were shown",
    "dropped": "Frames overwritten by newer ones",
    "reprojected": "Times that the last picture was moved along with the camera",
    "repeated": "Times that the last picture was shown again",
    "stalled": "Times that the stand-in for a stall was shown",
    "failures": "Frames at which the filter failed",
    "reloads": "Times that the filter was loaded anew",
    "reopened": "Times that a source or sink was opened again",
}


@dataclass(frozen=True)
class Stats:
    """A live pipeline up to now: counts since the start, rates and delays of the last seconds.

    latency: from the capture of a frame to the moment when its filtered picture has been sent.
    stages: median milliseconds of "wait" (for the filter), "filter", "pace" (for the moment to
    show it) and "send".
    """

    seconds: float = 0.0
    captured: int = 0
    filtered: int = 0
    sent: int = 0
    dropped: int = 0
    reprojected: int = 0
    repeated: int = 0
    stalled: int = 0
    failures: int = 0
    reloads: int = 0
    reopened: int = 0
    fps_in: float = 0.0
    fps_filtered: float = 0.0
    fps_out: float = 0.0
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    stages: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain data with rounded numbers, for JSON."""
        return {name: _rounded(value) for name, value in asdict(self).items()}

    def prometheus(self) -> str:
        """The numbers in Prometheus' text format, version 0.0.4."""
        lines: list[str] = []
        for name, help_text in COUNTERS.items():
            values = [("", float(getattr(self, name)))]
            lines += _metric(f"turbolens_{name}_total", "counter", help_text, values)
        rates = [(f'{{at="{at}"}}', getattr(self, f"fps_{at}")) for at in ("in", "filtered", "out")]
        lines += _metric("turbolens_fps", "gauge", "Frames a second", rates)
        latency = (("0.5", self.latency_p50_ms), ("0.95", self.latency_p95_ms))
        lines += _metric(
            "turbolens_latency_seconds", "gauge", "From capture to send",
            [(f'{{quantile="{name}"}}', value / 1000) for name, value in latency
             if value is not None],
        )  # fmt: skip
        stages = [(f'{{stage="{name}"}}', value / 1000) for name, value in self.stages.items()]
        lines += _metric("turbolens_stage_seconds", "gauge", "Median time of a stage", stages)
        return "\n".join(lines) + "\n"


def _metric(name: str, kind: str, help_text: str, values: Iterable[tuple[str, float]]) -> list[str]:
    samples = [f"{name}{labels} {value:.6g}" for labels, value in values]
    return [f"# HELP {name} {help_text}.", f"# TYPE {name} {kind}", *samples] if samples else []


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return round(value, 2) if isinstance(value, float) else value


class Tally:
    """Gathers what `Stats` tell, from any thread. Times are given, never taken from a clock."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._lock = Lock()
        self._counts: Counter[str] = Counter()
        self._times: dict[str, deque[float]] = {}
        self._stages: dict[str, deque[float]] = {}
        self._latencies: deque[float] = deque(maxlen=KEPT)

    def count(self, name: str, at: float | None = None, number: int = 1) -> None:
        """It happened (`number` times more). With a time its rate is told as well."""
        with self._lock:
            self._counts[name] += number
            if at is not None:
                self._times.setdefault(name, deque(maxlen=KEPT)).append(at)

    def set(self, name: str, number: int) -> None:
        """It has happened so many times in all."""
        with self._lock:
            self._counts[name] = number

    def stage(self, name: str, seconds: float) -> None:
        """A stage took so long."""
        with self._lock:
            self._stages.setdefault(name, deque(maxlen=KEPT)).append(seconds)

    def latency(self, seconds: float) -> None:
        """A filtered frame was sent so long after its capture."""
        with self._lock:
            self._latencies.append(seconds)

    def stats(self, now: float) -> Stats:
        """Everything up to now."""
        with self._lock:
            return Stats(
                seconds=now - self._began,
                **{name: self._counts[name] for name in COUNTERS},
                fps_in=self._rate("captured", now),
                fps_filtered=self._rate("filtered", now),
                fps_out=self._rate("sent", now),
                latency_p50_ms=_milliseconds(self._latencies, 0.5),
                latency_p95_ms=_milliseconds(self._latencies, 0.95),
                stages={name: _milliseconds(times, 0.5) or 0.0
                        for name, times in self._stages.items()},
            )  # fmt: skip

    def _rate(self, name: str, now: float) -> float:
        recent = [time for time in self._times.get(name, ()) if now - time <= RATE_SECONDS]
        if len(recent) < 2 or recent[-1] <= recent[0]:
            return 0.0
        return (len(recent) - 1) / (recent[-1] - recent[0])


def quantile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that at least this share of the values does not exceed; none of none."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def _milliseconds(values: Iterable[float], share: float) -> float | None:
    seconds = quantile(values, share)
    return None if seconds is None else seconds * 1000

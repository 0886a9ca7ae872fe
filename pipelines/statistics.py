"""`Stats`: the figures of a live pipeline, and `StatsCollector`, which gathers them.

Every user reads the same names: `run`, `turbolens webcam`, `turbolens serve` (HTTP and data
channel), the page and Prometheus.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from math import ceil
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from prometheus_client.core import Metric

Clock = Callable[[], float]
"""The current time in seconds, from any start."""

CounterName = Literal[
    "captured", "filtered", "sent", "dropped", "reprojected", "repeated", "stalled", "failures",
    "reloads", "reopened",
]  # fmt: skip

RATE_SECONDS = 3.0  # rates cover the last three seconds
KEPT_EVENTS = 600  # enough for three seconds at 200 frames per second
KEPT_DURATIONS = 100  # about three seconds at 30 frames per second
SMOOTHING = 0.1  # weight of the newest value in a moving average


class Stats(BaseModel):
    """Figures of a live pipeline: counts since the start, rates and times of the last seconds.

    Immutable. Rates are in frames per second and cover the last three seconds. Latencies and
    stages are quantiles of the last 100 values.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = Field(default=0.0, description="Seconds since the start")
    captured: int = Field(default=0, description="Frames received from the source")
    filtered: int = Field(default=0, description="Frames finished by the filter")
    sent: int = Field(default=0, description="Frames written to the output")
    dropped: int = Field(default=0, description="Frames replaced by a newer one")
    reprojected: int = Field(default=0, description="Times that the last result was reprojected")
    repeated: int = Field(default=0, description="Times that the last result was shown again")
    stalled: int = Field(default=0, description="Times that a stand-in was shown for a stall")
    failures: int = Field(default=0, description="Frames at which the filter failed")
    reloads: int = Field(default=0, description="Times that the filter was loaded again")
    reopened: int = Field(default=0, description="Times that a source or sink was opened again")
    fps_in: float = Field(default=0.0, description="Frames per second from the source")
    fps_filtered: float = Field(default=0.0, description="Frames per second finished by the filter")
    fps_out: float = Field(default=0.0, description="Frames per second written to the output")
    latency_p50_ms: float | None = Field(
        default=None,
        description="Median time from capture to output; null if unknown",
    )
    latency_p95_ms: float | None = Field(default=None, description="95th percentile of that time")
    stages: dict[str, float] = Field(
        default_factory=dict,
        description="Median milliseconds of wait (for the filter), filter, pace (for the time of "
        "output) and send",
    )

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON, rounded to two digits."""
        return {name: _rounded(value) for name, value in self.model_dump().items()}

    def prometheus(self) -> str:
        """The figures in Prometheus' text format, version 0.0.4."""
        from .prometheus import exposition  # noqa: PLC0415 - loaded only for metrics

        return exposition(self.metrics())

    def metrics(self) -> "Iterator[Metric]":
        """The figures as metrics of prometheus-client. Times are in seconds."""
        from .prometheus import counter, gauge  # noqa: PLC0415 - loaded only for metrics

        for name in get_args(CounterName):
            text = Stats.model_fields[name].description
            yield counter(f"turbolens_{name}", f"{text}.", getattr(self, name))
        rates = {at: getattr(self, f"fps_{at}") for at in ("in", "filtered", "out")}
        yield gauge("turbolens_fps", "Frames per second.", rates, "at")
        quantiles = {"0.5": self.latency_p50_ms, "0.95": self.latency_p95_ms}
        latencies = {
            name: _seconds(value) for name, value in quantiles.items() if value is not None
        }
        if latencies:
            text = "From capture to output."
            yield gauge("turbolens_latency_seconds", text, latencies, "quantile")
        if self.stages:
            stages = {name: _seconds(value) for name, value in self.stages.items()}
            yield gauge("turbolens_stage_seconds", "Median time of a stage.", stages, "stage")


class SessionStats(Stats):
    """Figures of a WebRTC session: those of its track, and those of its connection.

    The source is the peer's video track, the output is the filtered track.
    """

    width: int = Field(default=0, description="Width of the last received frame, or 0")
    height: int = Field(default=0, description="Height of the last received frame, or 0")
    received_kbits: float = Field(default=0.0, description="Received kilobits per second")
    sent_kbits: float = Field(default=0.0, description="Sent kilobits per second")
    packets_lost: int = Field(default=0, description="RTP packets lost on the way here")
    round_trip_ms: float | None = Field(
        default=None, description="Round-trip time; null if unknown"
    )


def _seconds(milliseconds: float) -> float:
    return round(milliseconds / 1000, 6)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return round(value, 2) if isinstance(value, float) else value


class StatsCollector:
    """Gathers `Stats`, from any thread. Times are arguments, in seconds of one clock."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._lock = Lock()
        self._counts: Counter[CounterName] = Counter()
        self._rates: dict[CounterName, Rate] = {}
        self._stages: dict[str, deque[float]] = {}
        self._latencies: deque[float] = deque(maxlen=KEPT_DURATIONS)

    def count(self, name: CounterName, at: float | None = None, *, number: int = 1) -> None:
        """Add `number` to a counter. Events with a time are also part of a rate."""
        with self._lock:
            self._counts[name] += number
            if at is not None:
                self._rates.setdefault(name, Rate()).add(at)

    def set(self, name: CounterName, number: int) -> None:
        """Set a counter that is kept elsewhere."""
        with self._lock:
            self._counts[name] = number

    def stage(self, name: str, seconds: float) -> None:
        """Add the duration of a stage."""
        with self._lock:
            self._stages.setdefault(name, deque(maxlen=KEPT_DURATIONS)).append(seconds)

    def latency(self, seconds: float) -> None:
        """Add the time from the capture of a frame to its output."""
        with self._lock:
            self._latencies.append(seconds)

    def rate(self, name: CounterName, now: float) -> float:
        """Events per second of a counter."""
        with self._lock:
            return self._rate(name, now)

    def stats(self, now: float) -> Stats:
        """All figures up to now."""
        with self._lock:
            return Stats(
                seconds=now - self._began,
                **{str(name): number for name, number in self._counts.items()},
                fps_in=self._rate("captured", now),
                fps_filtered=self._rate("filtered", now),
                fps_out=self._rate("sent", now),
                latency_p50_ms=_milliseconds(self._latencies, 0.5),
                latency_p95_ms=_milliseconds(self._latencies, 0.95),
                stages={name: _milliseconds(times, 0.5) or 0.0
                        for name, times in self._stages.items()},
            )  # fmt: skip

    def _rate(self, name: CounterName, now: float) -> float:
        rate = self._rates.get(name)
        return 0.0 if rate is None else rate.per_second(now)


class Rate:
    """Events per second over the last three seconds."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=KEPT_EVENTS)

    def add(self, at: float) -> None:
        """One event at this time, in seconds."""
        self._times.append(at)

    def per_second(self, now: float) -> float:
        """The mean rate between the first and the last of the recent events; 0 below two."""
        recent = [time for time in self._times if now - time <= RATE_SECONDS]
        if len(recent) < 2 or recent[-1] <= recent[0]:
            return 0.0
        return (len(recent) - 1) / (recent[-1] - recent[0])


class Smoothed:
    """An exponential moving average; 0 before the first value.

    weight: of a new value, 0…1. start: the average before the first value. By default there is
    none, so that the first value counts in full.
    """

    def __init__(self, weight: float = SMOOTHING, *, start: float | None = None) -> None:
        self._weight = weight
        self._value = start

    def add(self, value: float) -> None:
        """Add a value."""
        if self._value is None:
            self._value = value
        self._value += self._weight * (value - self._value)

    def __float__(self) -> float:
        return self._value or 0.0


def quantile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that is at least as large as `share` of all values; `None` if empty."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def _milliseconds(values: Iterable[float], share: float) -> float | None:
    seconds = quantile(values, share)
    return None if seconds is None else seconds * 1000

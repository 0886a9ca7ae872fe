"""Metrics in Prometheus' text format, made with prometheus-client."""

from collections.abc import Iterable, Iterator, Mapping
from typing import get_args

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .statistics import CounterName, Stats

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Values = Mapping[str, float]
"""Values by the value of the metric's one label."""


def counter(name: str, text: str, values: float | Values, label: str = "") -> Metric:
    """A counter; "_total" is added to its name. With a label: one value for each of its values."""
    return _filled(CounterMetricFamily(name, text, labels=_labels(label)), values)


def gauge(name: str, text: str, values: float | Values, label: str = "") -> Metric:
    """A gauge. With a label: one value for each of its values."""
    return _filled(GaugeMetricFamily(name, text, labels=_labels(label)), values)


def _labels(label: str) -> list[str]:
    return [label] if label else []


def _filled(
    family: CounterMetricFamily | GaugeMetricFamily, values: float | Values
) -> CounterMetricFamily | GaugeMetricFamily:
    if isinstance(values, Mapping):
        for label, value in values.items():
            family.add_metric([label], value)
    else:
        family.add_metric([], values)
    return family


def metrics_of(stats: Stats) -> Iterator[Metric]:
    """The metrics of a live pipeline. Times are in seconds."""
    for name in get_args(CounterName):
        text = Stats.model_fields[name].description or ""
        yield counter(f"turbolens_{name}", f"{text}.", getattr(stats, name))
    rates = {at: getattr(stats, f"fps_{at}") for at in ("in", "filtered", "out")}
    yield gauge("turbolens_fps", "Frames per second.", rates, "at")
    quantiles = {"0.5": stats.latency_p50_ms, "0.95": stats.latency_p95_ms}
    latencies = {name: _seconds(value) for name, value in quantiles.items() if value is not None}
    if latencies:
        yield gauge("turbolens_latency_seconds", "From capture to output.", latencies, "quantile")
    if stats.stages:
        stages = {name: _seconds(value) for name, value in stats.stages.items()}
        yield gauge("turbolens_stage_seconds", "Median time of a stage.", stages, "stage")


def _seconds(milliseconds: float) -> float:
    return round(milliseconds / 1000, 6)


class _Metrics(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def exposition(metrics: Iterable[Metric]) -> str:
    """The metrics as text, for the content type `CONTENT_TYPE`."""
    return generate_latest(_Metrics(metrics)).decode()

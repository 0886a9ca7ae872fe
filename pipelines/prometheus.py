"""Metrics in Prometheus' text format, made with prometheus-client."""

from collections.abc import Iterable, Mapping

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

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


class _Metrics(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def exposition(metrics: Iterable[Metric]) -> str:
    """The metrics as text, for the content type `CONTENT_TYPE`."""
    return generate_latest(_Metrics(metrics)).decode()

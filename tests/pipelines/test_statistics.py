"""The figures of a live pipeline: rates, quantiles, JSON and Prometheus' text."""

import pytest
from pydantic import ValidationError

from turbolens.pipelines.statistics import SessionStats, Smoothed, Stats, StatsCollector


def test_stats_as_data_and_as_prometheus_text() -> None:
    collector = StatsCollector(100.0)
    for n in range(31):
        collector.count("captured", 100 + n / 30)
        collector.latency(0.05 + n / 1000)
    collector.stage("filter", 0.04)
    stats = collector.stats(101.0)
    assert stats.fps_in == pytest.approx(30)
    assert stats.latency_p50_ms == pytest.approx(65)
    assert stats.latency_p95_ms == pytest.approx(79)
    assert stats.as_dict()["stages"] == {"filter": 40.0}
    lines = stats.prometheus().splitlines()
    assert "turbolens_captured_total 31.0" in lines
    assert 'turbolens_latency_seconds{quantile="0.5"} 0.065' in lines
    assert sum(line.startswith("# TYPE") for line in lines) == 13


def test_rates_forget_what_is_long_ago() -> None:
    collector = StatsCollector(0.0)
    collector.count("sent", 0.1)
    collector.count("sent", 0.2)
    assert collector.stats(1.0).fps_out == pytest.approx(10)
    assert collector.stats(10.0).fps_out == 0.0


def test_a_rate_needs_two_events() -> None:
    collector = StatsCollector(0.0)
    collector.count("captured", 0.5)
    assert collector.rate("captured", 0.6) == collector.rate("sent", 0.6) == 0.0
    collector.count("captured", 0.75)
    assert collector.rate("captured", 0.75) == 4.0


def test_quantiles_follow_the_last_hundred_latencies() -> None:
    collector = StatsCollector(0.0)
    for latency in [9.0] * 50 + [0.1] * 100:
        collector.latency(latency)
    assert collector.stats(1.0).latency_p95_ms == pytest.approx(100)


def test_stats_cannot_be_changed_and_know_no_other_names() -> None:
    stats = Stats(sent=7)
    with pytest.raises(ValidationError):
        stats.sent = 8
    with pytest.raises(ValidationError):
        Stats.model_validate({"delivered": 7})


def test_a_session_has_all_figures_of_a_pipeline_and_those_of_its_connection() -> None:
    figures = SessionStats(fps_out=24.567, round_trip_ms=3.14159).as_dict()
    assert set(Stats.model_fields) < set(figures)
    assert (figures["fps_out"], figures["round_trip_ms"]) == (24.57, 3.14)


def test_a_moving_average_starts_at_its_first_value() -> None:
    smoothed = Smoothed()
    assert float(smoothed) == 0.0
    smoothed.add(10.0)
    smoothed.add(20.0)
    assert float(smoothed) == pytest.approx(11.0)

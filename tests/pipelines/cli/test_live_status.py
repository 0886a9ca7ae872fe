"""The status line, notices and summary of a live command."""

import pytest

from turbolens.pipelines.cli.live_status import LiveReporter, status_line
from turbolens.pipelines.statistics import Stats


def test_the_status_line_tells_rates_delay_and_drops() -> None:
    stats = Stats(fps_in=30.0, fps_filtered=24.5, fps_out=30.0, dropped=3,
                  latency_p50_ms=61.2, latency_p95_ms=80.0)  # fmt: skip
    assert status_line(stats) == (
        "in 30.0  filtered 24.5  out 30.0 fps  61 ms (p95 80)  dropped 3"
    )  # fmt: skip


def test_notices_and_the_summary_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with LiveReporter(as_json=False) as reporter:
        reporter.stats(Stats())
        reporter.notice("[b]the camera[/b] is back")
        reporter.done(Stats(seconds=2.0, sent=60, filtered=50))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "[b]the camera[/b] is back"
    assert "30.0 a second" in err

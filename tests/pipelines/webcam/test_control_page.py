"""The control page of a call and its metrics, over HTTP."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.pipelines.live.live_parts import WAIT
from tests.pipelines.webcam.call_parts import Look
from turbolens.filter import FilterSettings, MediaError
from turbolens.pipelines.statistics import Stats
from turbolens.pipelines.webcam.control_page import ControlPage
from turbolens.pipelines.webcam.metrics import MetricsServer


def test_the_control_page_changes_the_current_filter() -> None:
    filters = [Look(FilterSettings(prompt="comic"))]
    with ControlPage(lambda: filters[-1], ["comic", "noir"], 0) as page:

        def asked(path: str, body: bytes | None = None) -> Any:
            request = urllib.request.Request(  # noqa: S310
                f"{page.url}{path}", body, {"Content-Type": "application/json"},
                method="GET" if body is None else "PATCH",
            )  # fmt: skip
            with urllib.request.urlopen(request, timeout=WAIT) as answer:  # noqa: S310
                return json.load(answer)

        assert asked("api/looks")["looks"] == ["comic", "noir"]
        asked("api/settings", b'{"strength": 0.3}')
        assert filters[0].settings.strength == 0.3
        filters.append(Look(FilterSettings(strength=0.9)))
        assert asked("api/settings")["settings"]["strength"] == 0.9


def test_metrics_are_served_to_this_machine() -> None:
    server = MetricsServer(0)
    server.update(Stats(sent=7))
    try:
        address = f"http://127.0.0.1:{server.port}"
        with urllib.request.urlopen(f"{address}/metrics", timeout=WAIT) as answer:  # noqa: S310
            assert "turbolens_sent_total 7" in answer.read().decode()
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(address, timeout=WAIT)
        refused.value.close()
        with pytest.raises(MediaError, match=str(server.port)):
            MetricsServer(server.port)
    finally:
        server.close()

"""The embedded model in a browser's session: frame rate and latency.

LIVE_SECONDS=600 python -m pytest tests/pipelines/webrtc/test_live_figures.py -s measures for ten
minutes, minute by minute; LIVE_SIZE=384 sets the working size, LIVE_SIZE=auto lets the server
choose. Such a measurement uses the acceleration that `turbolens serve` uses by default, the test
without LIVE_SECONDS that of the other tests.
"""

import os
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from .browsers import chromium, needs_chromium
from .conftest import asynchronous_for
from .control.counting import COUNT, MEASURE
from .server.test_serve_command import ready, server

SECONDS = float(os.environ.get("LIVE_SECONDS", "2"))
SIZE = os.environ.get("LIVE_SIZE", "128")
MINUTE = 60.0
COUNTED = ("captured", "filtered", "reprojected", "sent")
LIMIT = 200 + 2 * SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(LIMIT + 60)]


async def statistics(session: aiohttp.ClientSession) -> dict[str, Any]:
    """The server's figures of its only session."""
    async with session.get("/api/sessions") as answer:
        own: dict[str, Any] = (await answer.json())["sessions"][0]["statistics"]
    return own


@asynchronous_for(LIMIT)
async def test_filtered_frames_arrive_and_their_numbers_can_be_read(tmp_path: Path) -> None:
    needs_chromium()
    options: tuple[str, ...] = ("--prompt", "pastel", "--strength", "0.3")
    if "LIVE_SECONDS" in os.environ:
        options += ("--acceleration", "auto")
    with server(*options, size=None if SIZE == "auto" else SIZE) as (_, link):
        base = f"http://localhost:{link[3]}"
        async with aiohttp.ClientSession(base) as session, chromium(tmp_path) as page:
            await ready(session)
            await page.goto(base)
            await page.evaluate(COUNT)
            await page.evaluate(MEASURE, min(SECONDS, 10.0))  # encoders find their bit-rate
            left, before = SECONDS, await statistics(session)
            while left > 0:
                figures = await page.evaluate(MEASURE, min(left, MINUTE))
                left -= MINUTE
                own = await statistics(session)
                seconds = own["seconds"] - before["seconds"]
                rates = {each: round((own[each] - before[each]) / seconds, 1) for each in COUNTED}
                before = own
                print(figures, own, "a second:", rates, file=sys.stderr)  # noqa: T201 - the measurement
                assert figures["size"] == "512x512"
                assert figures["read"] >= 10

"""The embedded model in a browser's session: frame rate and latency.

LIVE_SECONDS=600 python -m pytest tests/pipelines/webrtc/test_live_figures.py -s measures for ten
minutes, minute by minute; LIVE_SIZE=384 sets the working size, LIVE_SIZE=auto lets the server
choose.
"""

import os
import sys
from pathlib import Path

import aiohttp
import pytest

from .browsers import chromium, needs_chromium
from .conftest import asynchronous_for
from .control.counting import COUNT, MEASURE
from .server.test_serve_command import ready, server

SECONDS = float(os.environ.get("LIVE_SECONDS", "2"))
SIZE = os.environ.get("LIVE_SIZE", "128")
MINUTE = 60.0
LIMIT = 200 + 2 * SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(LIMIT + 60)]


@asynchronous_for(LIMIT)
async def test_filtered_frames_arrive_and_their_numbers_can_be_read(tmp_path: Path) -> None:
    needs_chromium()
    look = ("--prompt", "pastel", "--strength", "0.3")
    with server(*look, size=None if SIZE == "auto" else SIZE) as (_, link):
        base = f"http://localhost:{link[3]}"
        async with aiohttp.ClientSession(base) as session, chromium(tmp_path) as page:
            await ready(session)
            await page.goto(base)
            await page.evaluate(COUNT)
            await page.evaluate(MEASURE, min(SECONDS, 10.0))  # encoders find their bit-rate
            left = SECONDS
            while left > 0:
                figures = await page.evaluate(MEASURE, min(left, MINUTE))
                left -= MINUTE
                async with session.get("/api/sessions") as answer:
                    own = (await answer.json())["sessions"][0]["statistics"]
                print(figures, own, file=sys.stderr)  # noqa: T201 - the measurement
                assert figures["size"] == "512x512"
                assert figures["read"] >= 10

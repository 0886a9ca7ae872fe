"""A bad network between a browser and the server: the video continues.

LOSSY_SECONDS=30 python -m pytest tests/pipelines/webrtc/peer/test_lossy_network.py -s measures for
longer.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.async_api import Page

from tests.pipelines.webrtc.browsers import CHROMIUM, chromium, needs_chromium, sees
from tests.pipelines.webrtc.conftest import serving
from tests.pipelines.webrtc.control.counting import COUNT, MEASURE
from tests.pipelines.webrtc.pages import live, opened, state, use_camera
from tests.pipelines.webrtc.programs import Program
from tests.pipelines.webrtc.test_chromium import dimmed
from turbolens.filter import FilterSettings
from turbolens.pipelines.webrtc.server.negotiation import Server

from .networks import ADDRESSES, Network, line, needs_networks, program_within

T = TypeVar("T")
SECONDS = float(os.environ.get("LOSSY_SECONDS", "2.5"))
LIMIT = 180 + 8 * SECONDS
SETTLING = SECONDS / 5  # for bit rates and jitter buffers to adapt
LINES: dict[str, dict[str, Any]] = {
    "perfect": {},
    "40 ms": {"delay_ms": 40, "jitter_ms": 5},
    "40 ms, 5 % lost": {"delay_ms": 40, "jitter_ms": 5, "loss": 0.05},
    "40 ms, 10 % lost in bursts of 3": {"delay_ms": 40, "jitter_ms": 5, "loss": 0.1, "burst": 3},
    "20 ms, 800 kbit/s": {"delay_ms": 20, "kbits": 800},
    "perfect again": {},
}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(LIMIT + 60)]
GOOD = {"delay_ms": 0, "jitter_ms": 0, "loss": 0, "burst": 1, "kbits": None}
RESOLVE = f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {ADDRESSES[0]}, EXCLUDE localhost"
FLAGS = ("--disable-features=WebRtcHideLocalIpsWithMdns", RESOLVE)


@pytest.fixture
def networks() -> Iterator[tuple[Network, Network]]:
    """Our network, with the server, and theirs, with the browser."""
    needs_networks()
    needs_chromium()
    ours, theirs = Network(ADDRESSES[0]), Network(ADDRESSES[1])
    yield ours, theirs
    ours.close()
    theirs.close()


@asynccontextmanager
async def apart(
    ours: Network, theirs: Network, folder: Path
) -> AsyncIterator[tuple[Program, str, Server, Page]]:
    """The link, the server's address, the server, and a page of a browser in the other network."""
    program = program_within(theirs, str(CHROMIUM), folder / "chromium")
    settings = FilterSettings(strength=0.3)
    async with (
        line(ours, theirs) as wire,
        serving(host=ADDRESSES[0], settings=settings) as (client, server),
    ):
        url = str(client.make_url("/"))
        safe = f"--unsafely-treat-insecure-origin-as-secure={url}"
        async with chromium(folder, more=(*FLAGS, safe), program=program) as page:
            yield wire, url, server, page


async def bounded(work: Coroutine[Any, Any, T]) -> T:
    """The result, within the time of a test."""
    return await asyncio.wait_for(work, LIMIT)


async def measured(ours: Network, theirs: Network, folder: Path) -> dict[str, dict[str, Any]]:
    """The figures of every link, measured one after the other in one session."""
    found: dict[str, dict[str, Any]] = {}
    async with apart(ours, theirs, folder) as (wire, url, server, page):
        await page.goto(url)
        await page.evaluate(COUNT)
        for name, settings in LINES.items():
            wire.send(**{**GOOD, **settings})
            await page.evaluate(MEASURE, SETTLING)  # not counted
            found[name] = await page.evaluate(MEASURE, SECONDS)
        assert server.sessions.opened == 1
    return found


def test_the_video_continues_over_a_bad_network(
    networks: tuple[Network, Network], tmp_path: Path
) -> None:
    ours, theirs = networks
    found = ours.within(lambda: asyncio.run(bounded(measured(ours, theirs, tmp_path))))
    for name, figures in found.items():
        print(name, figures)  # noqa: T201 - the measurement
        assert figures["size"] == "512x512", name
    assert found["40 ms, 10 % lost in bursts of 3"]["lost"] > 0
    assert found["perfect again"]["read"] >= 10


async def lost_and_restored(ours: Network, theirs: Network, folder: Path) -> None:
    """All packets are lost until the page notices; then none."""
    async with apart(ours, theirs, folder) as (wire, url, server, page):
        await opened(page, f"{url}#strength=0.1")
        await use_camera(page)
        await sees(page, dimmed(0.1))
        wire.send(loss=1.0)
        await state(page, "Reconnecting")
        wire.send(loss=0.0)
        await live(page)
        await sees(page, dimmed(0.1))
        assert server.sessions.opened > 1


def test_the_page_reconnects_when_the_network_is_back(
    networks: tuple[Network, Network], tmp_path: Path
) -> None:
    ours, theirs = networks
    ours.within(lambda: asyncio.run(bounded(lost_and_restored(ours, theirs, tmp_path))))

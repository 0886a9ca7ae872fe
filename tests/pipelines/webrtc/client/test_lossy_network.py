"""A bad network between a client and its server: what it adds in delay and gaps.

Measured with a filter that takes no time; LOSSY_SECONDS=10 LOSSY_SIZE=1280x720 python -m pytest -s
with this file measures for longer, and with a larger picture.
"""

import asyncio
import os
from collections.abc import Iterator
from fractions import Fraction

import pytest

from tests.pipelines.webrtc.client.server_thread import ServerThread, sending
from tests.pipelines.webrtc.peer.networks import ADDRESSES, Network, line, needs_networks
from tests.pipelines.webrtc.peer.test_lossy_network import GOOD, LINES, SECONDS
from turbolens.filter import FilterSettings
from turbolens.pipelines.bench import latency
from turbolens.pipelines.webcam.remote import RemoteFilter
from turbolens.pipelines.webrtc.client.options import ClientOptions

WIDTH, HEIGHT = map(int, os.environ.get("LOSSY_SIZE", "320x180").split("x"))
LIMIT = 120 + len(LINES) * (SECONDS + 5)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(LIMIT + 60)]


@pytest.fixture
def networks() -> Iterator[tuple[Network, Network]]:
    """Our network, with the server, and theirs, with the client."""
    needs_networks()
    ours, theirs = Network(ADDRESSES[0]), Network(ADDRESSES[1])
    yield ours, theirs
    ours.close()
    theirs.close()


def measured(
    options: ClientOptions,
    *,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    seconds: float = SECONDS,
) -> latency.LatencyReport:
    """The figures of one session."""
    remote = RemoteFilter(options, FilterSettings(strength=0.1))
    try:
        return latency.measure_latency(
            remote, width=size[0], height=size[1], rate=Fraction(30), seconds=seconds
        )
    finally:
        remote.close()


def new_frames(figures: latency.LatencyReport) -> int:
    """How many frames were shown for the first time."""
    return figures.shown - figures.repeated - figures.unreadable


async def all_lines(ours: Network, theirs: Network) -> dict[str, latency.LatencyReport]:
    """The figures of every link, measured one after the other."""
    found = {}
    with ServerThread(host=ADDRESSES[0]) as server:
        async with line(ours, theirs) as wire:
            for name, settings in LINES.items():
                wire.send(**{**GOOD, **settings})
                found[name] = await asyncio.to_thread(
                    theirs.within, lambda: measured(server.client())
                )
    return found


def test_the_delay_stays_bounded_on_a_bad_network(networks: tuple[Network, Network]) -> None:
    ours, theirs = networks
    found = ours.within(lambda: asyncio.run(asyncio.wait_for(all_lines(ours, theirs), LIMIT)))
    for name, figures in found.items():
        new = new_frames(figures)
        print(  # noqa: T201 - the measurement
            f"{name}: {figures.fresh_p50_ms} ms (p95 {figures.fresh_p95_ms}), {new} new frames, "
            f"longest gap {figures.gap_max_ms} ms"
        )
        assert new > 0, name
        assert figures.stats.failures == 0, name


async def through_a_narrow_line(ours: Network, theirs: Network) -> latency.LatencyReport:
    """The figures of a session whose video does not fit the line at its highest bit rate."""
    with ServerThread(host=ADDRESSES[0]) as server:
        async with line(ours, theirs) as wire:
            wire.send(**LINES["20 ms, 800 kbit/s"])
            return await asyncio.to_thread(
                theirs.within, lambda: measured(server.client(), size=(640, 360), seconds=5.0)
            )


def test_frames_go_through_a_narrow_line(networks: tuple[Network, Network]) -> None:
    """Its queue holds 250 ms; a video that fills it loses packets of nearly every frame."""
    ours, theirs = networks
    work = through_a_narrow_line(ours, theirs)
    found = ours.within(lambda: asyncio.run(asyncio.wait_for(work, LIMIT)))
    print(found)  # noqa: T201 - the measurement
    assert new_frames(found) > found.shown / 5, "a fifth of what is shown is new"


async def lost_and_restored(ours: Network, theirs: Network) -> None:
    """All packets are lost until the client notices; then none."""
    with ServerThread(host=ADDRESSES[0]) as server:
        async with line(ours, theirs) as wire:

            def use() -> None:
                with sending(server.client(), FilterSettings(strength=0.5)) as (remote, found):
                    found.sees(100)
                    wire.send(loss=1.0)
                    found.told("nothing was received")
                    wire.send(loss=0.0)
                    found.told("connected again")
                    found.sees(100)
                    assert remote.connection.sessions > 1

            await asyncio.to_thread(theirs.within, use)


def test_the_client_reconnects_when_the_network_is_back(
    networks: tuple[Network, Network],
) -> None:
    ours, theirs = networks
    ours.within(lambda: asyncio.run(asyncio.wait_for(lost_and_restored(ours, theirs), LIMIT)))

"""A bad line between two networks: the picture goes on, and how well.

LOSSY_SECONDS=30 python -m pytest tests/pipelines/webrtc/test_lossy_network.py -s measures longer.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from turbolens.filter import FilterSettings

from .browsers import CHROMIUM, chromium, needs_chromium
from .conftest import serving
from .counting import COUNT, MEASURE
from .networks import ADDRESSES, Network, line, needs_networks, program_within

pytestmark = pytest.mark.slow
SECONDS = float(os.environ.get("LOSSY_SECONDS", "5"))
SETTLING = 4.0  # encoders find their bit-rate, jitter buffers their length
LINES: dict[str, dict[str, Any]] = {
    "as good as none": {},
    "40 ms": {"delay_ms": 40, "jitter_ms": 5},
    "40 ms, 5 % lost": {"delay_ms": 40, "jitter_ms": 5, "loss": 0.05},
    "40 ms, 10 % lost in bursts of 3": {"delay_ms": 40, "jitter_ms": 5, "loss": 0.1, "burst": 3},
    "20 ms, 800 kbit/s": {"delay_ms": 20, "kbits": 800},
    "as good as none again": {},
}
GOOD = {"delay_ms": 0, "jitter_ms": 0, "loss": 0, "burst": 1, "kbits": None}
FLAGS = (
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 10.77.0.1, EXCLUDE localhost",
)


@pytest.fixture
def networks() -> Iterator[tuple[Network, Network]]:
    """Ours, with the server, and theirs, with the browser."""
    needs_networks()
    needs_chromium()
    ours, theirs = Network(ADDRESSES[0]), Network(ADDRESSES[1])
    yield ours, theirs
    ours.close()
    theirs.close()


async def measured(ours: Network, theirs: Network, folder: Path) -> dict[str, dict[str, Any]]:
    """The figures of every kind of line, one after the other in one session."""
    program = program_within(theirs, str(CHROMIUM), folder / "chromium")
    found: dict[str, dict[str, Any]] = {}
    async with (
        line(ours, theirs) as wire,
        serving(host=ADDRESSES[0], settings=FilterSettings(strength=0.3)) as (client, server),
        chromium(folder, more=FLAGS, program=program) as page,
    ):
        await page.goto(str(client.make_url("/")))
        await page.evaluate(COUNT)
        for name, settings in LINES.items():
            wire.say(**{**GOOD, **settings})
            await asyncio.sleep(SETTLING)
            found[name] = await page.evaluate(MEASURE, SECONDS)
        assert server.sessions.opened == 1
    return found


def test_the_picture_goes_on_over_a_bad_line(
    networks: tuple[Network, Network], tmp_path: Path
) -> None:
    ours, theirs = networks
    found = ours.within(lambda: asyncio.run(measured(ours, theirs, tmp_path)))
    for name, figures in found.items():
        print(name, figures)  # noqa: T201 - this is what is measured
    for name, figures in found.items():
        assert figures["fps"] > 3, name
        assert figures["read"] > 3, name
        assert figures["longest_gap"] < 4000, name
    assert found["40 ms, 10 % lost in bursts of 3"]["lost"] > 0
    assert found["as good as none again"]["lost"] == 0

"""GStreamer's webrtcbin (RSA certificates, its own ICE) publishes by WHIP and plays by WHEP."""

import subprocess
from pathlib import Path

import pytest

from .conftest import Peer, asynchronous, serving, until
from .programs import SCRIPTS, needs, running
from .server.test_streams import exchange

pytestmark = pytest.mark.slow

PYTHON = Path("/usr/bin/python3")  # whose GStreamer bindings Debian packages
PARTS = (
    "webrtcbin with Debian's Python: apt-get install python3-gst-1.0 gstreamer1.0-nice "
    "gstreamer1.0-plugins-bad gstreamer1.0-plugins-good gir1.2-gst-plugins-bad-1.0"
)
LOOK = """
import gi
gi.require_version("Gst", "1.0"); gi.require_version("GstWebRTC", "1.0")
from gi.repository import Gst, GstWebRTC
Gst.init(None)
assert all(Gst.ElementFactory.find(name) for name in ("webrtcbin", "nicesrc", "vp8enc", "opusenc"))
"""
SENT = 16 + 200 * 219 / 255  # the luma of its grey


@pytest.fixture(scope="module")
def peer() -> tuple[Path, Path]:
    """The start of the command that runs a GStreamer peer."""
    look = [str(PYTHON), "-c", LOOK]
    found = PYTHON.exists() and subprocess.run(look, capture_output=True, check=False)  # noqa: S603
    needs(bool(found and found.returncode == 0), PARTS)
    return PYTHON, SCRIPTS / "gstreamer_peer.py"


def full(luma: float) -> float:
    """Limited-range luma in full range, as GStreamer's grey format has it."""
    return (luma - 16) * 255 / 219


@pytest.mark.parametrize("codec", ["VP8", "H264"])
@asynchronous
async def test_gstreamer_publishes_by_whip(codec: str, peer: tuple[Path, Path]) -> None:
    player = Peer(direction="recvonly", audio=True)
    async with serving() as (client, server):
        await client.patch("/api/settings", json={"strength": 0.5})
        url = str(client.make_url("/whip/studio"))
        async with running(*peer, "publish", url, codec) as publisher:
            await publisher.shows("a connection", state="connected")
            await exchange(client, "/whep/studio", player)
            await player.sees(SENT / 2)
            assert (player.frames[-1].width, player.frames[-1].height) == (320, 240)
            await until(lambda: player.audio_frames > 10, "its audio")
        await until(lambda: len(server.sessions) == 0, "its DELETE")
    await player.close()


@pytest.mark.parametrize("codec", ["VP8", "H264"])
@asynchronous
async def test_gstreamer_plays_by_whep(codec: str, peer: tuple[Path, Path]) -> None:
    publisher = Peer(direction="sendonly", size=(128, 96))
    async with serving() as (client, server):
        await client.patch("/api/settings", json={"strength": 0.5})
        await exchange(client, "/whip/studio", publisher)
        url = str(client.make_url("/whep/studio"))
        async with running(*peer, "play", url, codec) as player:
            await player.shows("the filtered picture", luma=full(100), width=128, height=96)
            controls = server.sessions.publisher("studio").controls
            assert controls is not None
            controls.set({"strength": 0.1})
            await player.shows("a brighter picture", luma=full(180))
        await until(lambda: [each.kind for each in server.sessions] == ["whip"], "its DELETE")
    await publisher.close()

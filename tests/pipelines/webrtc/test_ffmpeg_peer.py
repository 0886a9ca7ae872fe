"""FFmpeg's WHIP muxer publishes, with an ICE and a DTLS of its own; a player gets it filtered."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

from .conftest import Peer, asynchronous, serving, until
from .programs import needs, running
from .server.test_streams import exchange

pytestmark = pytest.mark.slow

SENT = 16 + 200 * 219 / 255  # the luma of its grey


@pytest.fixture(scope="module")
def ffmpeg() -> str:
    """An FFmpeg that has the muxer; Debian's has not."""
    needs(find_spec("imageio_ffmpeg") is not None, "pip install imageio-ffmpeg")
    module: Any = import_module("imageio_ffmpeg")
    return str(module.get_ffmpeg_exe())


@asynchronous
async def test_what_ffmpeg_publishes_is_played_filtered_until_its_delete(ffmpeg: str) -> None:
    player = Peer(direction="recvonly", sound=True)
    async with serving() as (client, server):
        await client.patch("/api/settings", json={"strength": 0.5})
        command = [
            ffmpeg, "-hide_banner", "-re",
            "-f", "lavfi", "-i", "color=0xC8C8C8:size=320x240:rate=15",
            "-f", "lavfi", "-i", "sine=sample_rate=48000",
            "-c:v", "libx264", "-profile:v", "baseline", "-pix_fmt", "yuv420p", "-bf", "0",
            "-g", "15", "-tune", "zerolatency", "-c:a", "libopus", "-ac", "2",
            "-f", "whip", str(client.make_url("/whip/studio")),
        ]  # fmt: skip
        async with running(*command) as publisher:
            await until(lambda: [each.state for each in server.sessions] == ["connected"],
                        "a connection")  # fmt: skip
            await exchange(client, "/whep/studio", player)
            await player.sees(SENT / 2)
            assert (player.frames[-1].width, player.frames[-1].height) == (320, 240)
            await until(lambda: player.sounds > 10, "its sound")
            assert publisher.process.stdin is not None
            publisher.process.stdin.write(b"q")
        await until(lambda: len(server.sessions) == 0, "its DELETE")
    await player.close()

"""FFmpeg's WHIP muxer, which has its own ICE and DTLS, publishes to a player."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from yarl import URL

from .conftest import Peer, asynchronous, asynchronous_for, serving, until
from .programs import needs, running
from .server.test_streams import exchange

pytestmark = pytest.mark.slow

SENT = 16 + 200 * 219 / 255  # the luma of its grey


@pytest.fixture(scope="module")
def ffmpeg() -> str:
    """An FFmpeg with the WHIP muxer; Debian's has none."""
    needs(find_spec("imageio_ffmpeg") is not None, "pip install imageio-ffmpeg")
    module: Any = import_module("imageio_ffmpeg")
    return str(module.get_ffmpeg_exe())


def command(ffmpeg: str, url: URL, *, profile: str) -> list[str]:
    """FFmpeg as publisher of grey video and a tone. profile: of H.264."""
    return [
        ffmpeg, "-hide_banner", "-nostats", "-re",
        "-f", "lavfi", "-i", "color=0xC8C8C8:size=320x240:rate=15",
        "-f", "lavfi", "-i", "sine=sample_rate=48000",
        "-c:v", "libx264", "-profile:v", profile, "-pix_fmt", "yuv420p", "-bf", "0",
        "-g", "15", "-tune", "zerolatency", "-c:a", "libopus", "-ac", "2",
        "-f", "whip", str(url),
    ]  # fmt: skip


@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
@asynchronous
async def test_ffmpeg_publishes_by_whip(ffmpeg: str, profile: str) -> None:
    player = Peer(direction="recvonly", audio=True)
    async with serving() as (client, server):
        await client.patch("/api/settings", json={"strength": 0.5})
        url = client.make_url("/whip/studio")
        async with running(*command(ffmpeg, url, profile=profile)) as publisher:
            await until(lambda: [each.state for each in server.sessions] == ["connected"],
                        "a connection")  # fmt: skip
            await exchange(client, "/whep/studio", player)
            await player.sees(SENT / 2)
            assert (player.frames[-1].width, player.frames[-1].height) == (320, 240)
            await until(lambda: player.audio_frames > 10, "its audio")
            assert publisher.process.stdin is not None
            publisher.process.stdin.write(b"q")
        await until(lambda: len(server.sessions) == 0, "its DELETE")
    await player.close()


@asynchronous_for(200)
async def test_ffmpeg_publishes_for_90_seconds(ffmpeg: str) -> None:
    """It answers no consent checks (RFC 7675), which expire after 30 seconds."""
    async with serving() as (client, server):
        url = client.make_url("/whip/studio")
        async with running(*command(ffmpeg, url, profile="baseline")) as publisher:
            await until(lambda: len(server.sessions) == 1, "a session")
            (session,) = server.sessions
            frames = session.track
            assert frames is not None
            for received in range(15, 15 * 90, 15):
                await until(lambda least=received: frames.statistics.captured > least,  # type: ignore[misc]
                            f"frame {received}")  # fmt: skip
            assert [each.state for each in server.sessions] == ["connected"]
            assert publisher.process.stdin is not None
            publisher.process.stdin.write(b"q")
        await until(lambda: len(server.sessions) == 0, "its DELETE")

"""Native libwebrtc without a browser: a session with its control channel, WHIP and WHEP."""

import shutil
from pathlib import Path

from turbolens.filter import FilterSettings

from .conftest import asynchronous, serving, until
from .programs import SCRIPTS, needs, running

HALF = FilterSettings(strength=0.5)


def command() -> tuple[str, Path]:
    """The start of the command that runs a libwebrtc peer; skips if it is not installed."""
    node = shutil.which("node")
    found = node is not None and (SCRIPTS / "node_modules/@roamhq/wrtc").is_dir()
    needs(found, f"Node.js 18 and, in {SCRIPTS}, npm install --no-audit --no-fund")
    return str(node), SCRIPTS / "libwebrtc_peer.cjs"


@asynchronous
async def test_libwebrtc_has_a_session_and_changes_its_settings() -> None:
    async with serving(settings=HALF) as (client, server):
        async with running(*command(), "session", str(client.make_url("/api/sessions"))) as other:
            await other.shows("its picture", luma=100.0, width=320, height=240)
            assert other.messages()[0]["event"] == "state"
            other.send(v=1, id="a", op="set", params={"strength": 0.1})
            await other.shows("another picture", luma=180.0)
            other.send(v=1, id="b", op="set", params={"strength": 9})
            await until(lambda: len(other.messages()) == 3, "both acknowledgements")
            done, refused = other.messages()[1:]
            assert (done["id"], done["ok"]) == ("a", True)
            assert (refused["id"], refused["error"]["code"]) == ("b", "invalid")
        await until(lambda: len(server.sessions) == 0, "the end of the session")


@asynchronous
async def test_libwebrtc_publishes_by_whip_and_plays_by_whep() -> None:
    async with serving(settings=HALF) as (client, server):
        whip, whep = (str(client.make_url(f"/{kind}/studio")) for kind in ("whip", "whep"))
        async with running(*command(), "whip", whip) as publisher:
            await publisher.shows("a connection", state="connected")
            async with running(*command(), "whep", whep) as player:
                await player.shows("the filtered picture", luma=100.0, width=320, height=240)
            await until(lambda: [each.kind for each in server.sessions] == ["whip"], "its DELETE")
        await until(lambda: len(server.sessions) == 0, "the other DELETE")

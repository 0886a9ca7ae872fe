"""A WHIP server for one publisher: a program that takes PORT FRAMES and prints JSON."""

import asyncio
import json
import sys
from typing import Any

from aiohttp import web
from aiortc import RTCPeerConnection, RTCSessionDescription


async def receive(port: int, frames: int) -> dict[str, Any]:
    """Brightness of this many video frames, the number of audio frames, and the token."""
    seen: dict[str, Any] = {"levels": [], "audio_frames": 0, "token": None}
    done, peers = asyncio.Event(), []

    async def count(track: Any) -> None:
        while not done.is_set():
            frame = await track.recv()
            if track.kind == "audio":
                seen["audio_frames"] += 1
                continue
            seen["levels"].append(float(frame.to_ndarray(format="gray").mean()))
            if len(seen["levels"]) >= frames and seen["audio_frames"]:
                done.set()

    async def offered(request: web.Request) -> web.Response:
        seen["token"] = request.headers.get("Authorization")
        peer = RTCPeerConnection()
        peers.append(peer)
        tasks: list[Any] = []
        peer.on("track", lambda track: tasks.append(asyncio.ensure_future(count(track))))
        await peer.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        return web.Response(
            status=201, text=peer.localDescription.sdp, content_type="application/sdp",
            headers={"Location": "/whip/1"},
        )  # fmt: skip

    async def ended(request: web.Request) -> web.Response:
        return web.Response()

    application = web.Application()
    application.router.add_post("/whip", offered)
    application.router.add_delete("/whip/1", ended)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.wait_for(done.wait(), 50)
    for peer in peers:
        await peer.close()
    await runner.cleanup()
    return seen


if __name__ == "__main__":
    result = asyncio.run(receive(int(sys.argv[1]), int(sys.argv[2])))
    sys.stdout.write(json.dumps(result))
    sys.stdout.flush()

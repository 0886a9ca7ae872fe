"""A server of your own: Turbolens mounted into an aiohttp application, and a track by hand.

python examples/webrtc_server.py [PORT]      then open http://localhost:8080/filter/
"""

import asyncio
import sys

from aiohttp import web
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription

from turbolens.filter import FilterSettings, FrameFilter, TurboModel
from turbolens.pipelines.webrtc import FilteredTrack, ServerOptions, create_app

model = TurboModel.load("embedded")
peers: list[RTCPeerConnection] = []  # closed at the end, or they would leave tasks behind


async def noir(request: web.Request) -> web.Response:
    """Answer an offer: every video comes back in black and white."""
    peers.append(peer := RTCPeerConnection())

    @peer.on("track")
    def filter_it(track: MediaStreamTrack) -> None:
        if track.kind == "video":
            peer.addTrack(FilteredTrack(track, FrameFilter(model, prompt="noir")))

    await peer.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    return web.Response(text=peer.localDescription.sdp, content_type="application/sdp")


async def close_peers(app: web.Application) -> None:
    await asyncio.gather(*(peer.close() for peer in peers))


app = web.Application()
app.router.add_post("/noir", noir)
app.add_subapp("/filter/", create_app(model, ServerOptions(settings=FilterSettings(strength=0.8))))
app.on_shutdown.append(close_peers)

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 8080)

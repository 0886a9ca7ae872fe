"""A client in Python: send a clip to `turbolens serve`, and save what comes back.

python examples/webrtc_client.py http://localhost:8080 clip.mp4 styled.mp4
"""

import asyncio
import json
import sys

import aiohttp
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer, MediaRecorder


async def main(server: str, source: str, destination: str) -> None:
    """Send, receive, and turn a dial on the way."""
    peer, recorder = RTCPeerConnection(), MediaRecorder(destination)
    video = MediaPlayer(source).video
    if video is None:
        raise SystemExit(f"{source} has no video")
    peer.addTrack(video)
    peer.on("track", recorder.addTrack)
    control = peer.createDataChannel("control")
    change = {"v": 1, "id": 1, "op": "set", "params": {"prompt": "neon", "strength": 0.8}}
    control.on("open", lambda: control.send(json.dumps(change)))
    control.on("message", lambda message: print(message[:100]))
    await peer.setLocalDescription(await peer.createOffer())
    async with aiohttp.ClientSession() as http:
        body = {"sdp": peer.localDescription.sdp, "settings": {"prompt": "watercolour"}}
        reply = await http.post(f"{server}/api/sessions", json=body)
        answer = await reply.json()
        if not reply.ok:  # the model may still be loading, or a token be wanted
            raise SystemExit(f"{server} says no: {answer.get('detail', reply.reason)}")
    await peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
    await recorder.start()
    while video.readyState == "live":  # until the clip ends
        await asyncio.sleep(0.1)
    await recorder.stop()
    await peer.close()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))

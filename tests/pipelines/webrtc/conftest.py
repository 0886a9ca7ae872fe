"""Real peers in this process: tracks, the browser's side of a session, a server."""

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from fractions import Fraction
from time import monotonic
from typing import Any, TypeVar

import av
import numpy as np
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer
from aiortc import MediaStreamTrack, RTCCertificate, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from turbolens.filter import FilterSettings
from turbolens.pipelines.webrtc import Limits, ServerOptions, create_app
from turbolens.pipelines.webrtc.peer.aiortc_internals import replace_certificate
from turbolens.pipelines.webrtc.server.negotiation import SERVER, Server

T = TypeVar("T")
Client = TestClient[web.Request, web.Application]

PATIENCE = 90.0  # seconds for a whole test on a busy machine
SIDE = 64
CLOCK = Fraction(1, 90000)


Test = Callable[..., Coroutine[Any, Any, None]]


def asynchronous_for(seconds: float) -> Callable[[Test], Callable[..., None]]:
    """Run a test in its own event loop, with a limit of time."""

    def decorate(test: Test) -> Callable[..., None]:
        @functools.wraps(test)
        def run(*arguments: Any, **fixtures: Any) -> None:
            asyncio.run(asyncio.wait_for(test(*arguments, **fixtures), seconds))

        return run

    return decorate


asynchronous = asynchronous_for(PATIENCE)


async def until(condition: Callable[[], T | None], what: str = "the condition") -> T:
    """Poll until `condition` returns something true, and return that; fail after a while."""

    async def check() -> T | None:
        return condition()

    return await until_async(check, what)


async def until_async(
    condition: Callable[[], Awaitable[T | None]], what: str | Callable[[], str]
) -> T:
    """`until` for a condition that must be awaited.

    what: the event, for the failure message, or a function that is called for it at the end.
    """
    deadline = monotonic() + PATIENCE / 2
    while monotonic() < deadline:
        if result := await condition():
            return result
        await asyncio.sleep(0.02)
    event = what if isinstance(what, str) else what()
    raise AssertionError(f"waited {PATIENCE / 2:.0f} s in vain for {event}")


def flat(luma: int, pts: int = 0, *, size: tuple[int, int] = (SIDE, SIDE)) -> av.VideoFrame:
    """A grey frame. size: (width, height)."""
    picture = np.full((size[1] * 3 // 2, size[0]), 128, np.uint8)
    picture[: size[1]] = luma
    frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
    frame.pts, frame.time_base = pts, CLOCK
    return frame


def luma_of(frame: av.VideoFrame) -> float:
    """The mean of a frame's luma plane."""
    return float(frame.reformat(format="yuv420p").to_ndarray()[: frame.height].mean())


class Shade:
    """A filter that takes microseconds: it darkens a frame by `strength`."""

    def __init__(self, settings: FilterSettings | None = None) -> None:
        self.settings = settings or FilterSettings()
        self.resets = 0

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        planes = frame.reformat(format="yuv420p").to_ndarray()
        planes[: frame.height] = (planes[: frame.height] * (1 - self.settings.strength)).astype(
            np.uint8
        )
        return av.VideoFrame.from_ndarray(planes, format="yuv420p")

    def update(self, **changes: Any) -> FilterSettings:
        self.settings = self.settings.replace(**changes)
        return self.settings

    def reset(self) -> None:
        self.resets += 1


class ShadeModel:
    """The parts of a model that a server needs."""

    name, looks = "shade", ("dark", "bright")
    steps = (1, 4)


def new_shade(model: ShadeModel, settings: FilterSettings) -> Shade:
    return Shade(settings)


class Camera(MediaStreamTrack):
    """About 30 grey frames per second, until stopped."""

    kind = "video"

    def __init__(self, luma: int = 200, size: tuple[int, int] = (SIDE, SIDE)) -> None:
        super().__init__()
        self.luma, self.size, self._count = luma, size, 0

    async def recv(self) -> av.VideoFrame:
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(1 / 30)
        self._count += 1
        return flat(self.luma, self._count * 3000, size=self.size)


class Microphone(MediaStreamTrack):
    """A tone in frames of 20 ms, until stopped."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    async def recv(self) -> av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(0.02)
        wave = (np.sin(np.arange(960) / 10) * 8000).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, self._count, Fraction(1, 48000)
        self._count += 960
        return frame


class Peer:
    """A browser's side of a session: camera, received frames, control channel."""

    def __init__(
        self,
        *,
        direction: str = "sendrecv",
        audio: bool = False,
        size: tuple[int, int] = (SIDE, SIDE),
        certificate: RTCCertificate | None = None,
    ) -> None:
        self.pc = RTCPeerConnection()
        if certificate is not None:
            replace_certificate(self.pc, certificate)
        self.messages: list[dict[str, Any]] = []
        self.frames: list[av.VideoFrame] = []
        self.audio_frames = 0
        self.camera = Camera(size=size)
        self._tasks: list[asyncio.Task[None]] = []
        self._id = 0
        self.pc.on("track", lambda track: self._tasks.append(asyncio.create_task(self._see(track))))
        if direction == "recvonly":
            self.pc.addTransceiver("video", direction=direction)
            if audio:
                self.pc.addTransceiver("audio", direction=direction)
        else:
            self.pc.addTransceiver(self.camera, direction=direction)
            if audio:
                self.pc.addTransceiver(Microphone(), direction=direction)

    def open_control(self) -> None:
        self.channel = self.pc.createDataChannel("control")
        self.channel.on("message", lambda text: self.messages.append(json.loads(text)))

    async def offer(self) -> str:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return str(self.pc.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def ask(self, op: str, **params: Any) -> dict[str, Any]:
        """Send a request, and wait for its answer."""
        self._id += 1
        identity = self._id
        self.channel.send(json.dumps({"v": 1, "id": identity, "op": op, "params": params}))
        return await until(lambda: self._answer(identity), f"an answer to {op}")

    def _answer(self, identity: int) -> dict[str, Any] | None:
        return next((each for each in self.messages if each.get("id") == identity), None)

    def event(self, name: str) -> dict[str, Any] | None:
        """The last event of this name."""
        return next((each for each in reversed(self.messages) if each.get("event") == name), None)

    async def _see(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self.frames.append(frame)
                else:
                    self.audio_frames += 1
        except MediaStreamError:
            pass

    async def sees(self, luma: float, tolerance: float = 12) -> None:
        """Wait for a received frame of about this luma."""
        await until(
            lambda: self.frames and abs(luma_of(self.frames[-1]) - luma) < tolerance,
            f"a frame of luma {luma}",
        )

    async def close(self) -> None:
        await self.pc.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def serving(
    *, model: Any = None, make_filter: Any = new_shade, host: str = "127.0.0.1", **options: Any
) -> AsyncIterator[tuple[Client, Server]]:
    """A server with a loaded model, and an HTTP client of it."""
    limits = options.pop("limits", Limits())
    given = ServerOptions(limits=limits, **options)
    app = create_app(model or ShadeModel(), given, make_filter=make_filter)
    async with TestClient(TestServer(app, host=host)) as client:
        server = app[SERVER]
        await until(lambda: server.slot.state in ("ready", "failed"), "a model")
        yield client, server


@asynccontextmanager
async def browser(
    client: Client, *, control: bool = True, peer: Peer | None = None, **body: Any
) -> AsyncIterator[Peer]:
    """A connected browser session."""
    peer = peer or Peer()
    try:
        if control:
            peer.open_control()
        answer = await post_offer(client, await peer.offer(), **body)
        await peer.accept(answer["sdp"])
        await until(lambda: peer.pc.connectionState == "connected", "a connection")
        if control:
            await until(lambda: peer.event("state"), "the first message")
        yield peer
    finally:
        await peer.close()


async def post_offer(client: Client | ClientSession, offer: str, **body: Any) -> Any:
    async with client.post("/api/sessions", json={"sdp": offer, **body}) as response:
        data = await response.json()
        assert response.status == 201, data
        return data


async def detail(response: Any) -> str:
    """The message of a problem document."""
    assert response.content_type == "application/problem+json", await response.text()
    problem = await response.json()
    assert problem["status"] == response.status
    assert problem["detail"]
    return str(problem["detail"])

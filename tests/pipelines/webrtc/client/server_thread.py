"""A real server on a thread of its own, and a client of it that sends grey frames."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Condition, Event, Thread
from time import monotonic
from typing import Any

import av
from aiohttp import web

from tests.pipelines.webrtc.conftest import ShadeModel, flat, luma_of, new_shade
from turbolens.filter import FilterSettings, PeerError
from turbolens.pipelines.webcam.remote import RemoteFilter
from turbolens.pipelines.webrtc import ServerOptions, create_app
from turbolens.pipelines.webrtc.client.options import ClientOptions, ServerAddress
from turbolens.pipelines.webrtc.server.negotiation import SERVER, Server

WAIT = 45.0  # seconds: far more than anything here takes, even on a busy machine
CAMERA_LUMA = 200


class ServerThread:
    """Serves inside a `with` block. Port 0 takes any free port."""

    def __init__(
        self, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None,
        model: Any = None, make_filter: Any = new_shade, **options: Any,
    ) -> None:  # fmt: skip
        self._model = ShadeModel() if model is None else model
        self._options, self._make_filter = ServerOptions(**options), make_filter
        self.host, self.port, self._tls = host, port, tls
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = Thread(target=self._run, name="test server", daemon=True)
        self._started: Future[Server] = Future()

    def __enter__(self) -> "ServerThread":
        self._thread.start()
        self.server = self._started.result(WAIT)
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(WAIT)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:
            self._started.set_exception(error)
            raise
        self._loop.run_until_complete(asyncio.sleep(0.1))  # TLS connections close meanwhile
        self._loop.close()

    async def _serve(self) -> None:
        app = create_app(self._model, self._options, make_filter=self._make_filter)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, self.host, self.port, ssl_context=self._tls, reuse_address=True)
        await site.start()
        self.port = int(runner.addresses[0][1])
        self._started.set_result(app[SERVER])
        await self._stop.wait()
        await runner.cleanup()

    def call(self, action: Callable[[], Any]) -> Any:
        """The result of `action` on the server's thread."""

        async def act() -> Any:
            return action()

        return asyncio.run_coroutine_threadsafe(act(), self._loop).result(WAIT)

    def client(self, **options: Any) -> ClientOptions:
        """The options of a client of this server."""
        return ClientOptions(ServerAddress(self.host, self.port, self._tls is not None), **options)

    def controls(self) -> Any:
        """The settings of the one session."""
        (session,) = self.server.sessions
        return session.controls


@dataclass
class Results:
    """What a client was given: notices, and the luma of each result with its age in seconds."""

    notices: list[str] = field(default_factory=list)
    lumas: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    changed: Condition = field(default_factory=Condition)

    def deliver(self, frame: av.VideoFrame, captured_at: float) -> None:
        with self.changed:
            self.lumas.append(luma_of(frame))
            self.ages.append(monotonic() - captured_at)
            self.changed.notify_all()

    def notify(self, text: str) -> None:
        with self.changed:
            self.notices.append(text)
            self.changed.notify_all()

    def wait_for(self, condition: Callable[[], Any], what: str = "it") -> None:
        deadline = monotonic() + WAIT
        with self.changed:
            while not condition():
                assert monotonic() < deadline, f"waited in vain for {what}: {self.notices}"
                self.changed.wait(0.05)  # what else the condition is about is not announced

    def sees(self, luma: float, tolerance: float = 12.0) -> None:
        """Wait for a new result of this luma."""
        before = len(self.lumas)
        self.wait_for(
            lambda: any(abs(each - luma) < tolerance for each in self.lumas[before:]),
            f"a frame of luma {luma}",
        )

    def told(self, text: str) -> None:
        """Wait for a notice with this text."""
        self.wait_for(lambda: any(text in notice for notice in self.notices), text)


@contextmanager
def sending(
    options: ClientOptions, settings: FilterSettings | None = None, *, luma: int = CAMERA_LUMA
) -> Iterator[tuple[RemoteFilter, Results]]:
    """A client that sends about 30 grey frames per second, and what it was given."""
    found = Results()
    remote = RemoteFilter(options, settings or FilterSettings(), notify=found.notify)
    ended = Event()

    def send() -> None:
        with suppress(PeerError):  # the error of a client that will never connect
            while not ended.wait(1 / 30):
                remote.submit(flat(luma), monotonic())

    camera = Thread(target=send, name="test camera", daemon=True)
    try:
        remote.connection.check()
        remote.start(found.deliver)
        camera.start()
        yield remote, found
    finally:
        ended.set()
        if camera.ident is not None:
            camera.join(WAIT)
        remote.close()

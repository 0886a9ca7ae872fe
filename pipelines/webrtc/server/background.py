"""`BackgroundServer`: an HTTP server on a thread, beside a program that does something else."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from threading import Thread
from types import TracebackType
from typing import TypeVar

from aiohttp import web

from turbolens.filter import MediaError
from turbolens.pipelines.errors import system_reason
from turbolens.pipelines.webrtc.limits import Limits

from .running import new_runner

logger = logging.getLogger(__name__)

STOP_SECONDS = 5.0
T = TypeVar("T")


class BackgroundServer:
    """Serves an aiohttp application on its own thread, inside a `with` block.

    Port 0 takes any free port. tls: for HTTPS. limits: of requests. Raises `MediaError` if it
    cannot listen there.
    """

    thread_name = "http server"

    def __init__(
        self,
        app: web.Application,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._app, self._host, self._port = app, host, port
        self._tls, self._limits = tls, limits or Limits()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = Thread(target=self._run, name=self.thread_name, daemon=True)
        self._started: Future[int] = Future()
        self._stop: Callable[[], object] = lambda: None

    @property
    def port(self) -> int:
        """The port it listens on, once it has started."""
        return self._port

    @property
    def url(self) -> str:
        """The address of the root, with a slash at its end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'http' if self._tls is None else 'https'}://{host}:{self._port}/"

    def call(self, action: Callable[[], Awaitable[T]], timeout: float) -> T:
        """The result of a coroutine function on the server's event loop. timeout: in seconds."""

        async def act() -> T:
            return await action()

        assert self._loop is not None  # noqa: S101 - inside the `with` block
        return asyncio.run_coroutine_threadsafe(act(), self._loop).result(timeout)

    def __enter__(self) -> "BackgroundServer":
        self._thread.start()
        self._port = self._started.result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # the edge of the thread: raised by __enter__
            if self._started.done():
                logger.exception("the HTTP server has ended")
            else:
                self._started.set_exception(error)

    async def _serve(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        self._stop = lambda: loop.call_soon_threadsafe(stop.set)
        self._loop = loop
        runner = new_runner(self._app, self._limits, shutdown_seconds=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port, ssl_context=self._tls).start()
            self._started.set_result(int(runner.addresses[0][1]))
            await stop.wait()
        except OSError as error:
            raise MediaError(
                f"cannot listen at {self._host} port {self._port}: {system_reason(error)}; choose "
                "another port, or 0 for any free one"
            ) from error
        finally:
            await runner.cleanup()

"""`ServerConnection`: keeps a session with a server open, on a thread of its own."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from threading import Thread
from typing import Any, Literal, TypeVar

import av

from turbolens.filter.errors import PeerError, TurbolensError
from turbolens.pipelines.base import Notify, ignore
from turbolens.pipelines.live.pacing import back_off
from turbolens.pipelines.webrtc.control.controls import Data
from turbolens.pipelines.webrtc.peer.encoders import prepare_encoders
from turbolens.pipelines.webrtc.peer.options import IceServer

from .api import ServerApi
from .camera_track import TimedFrame
from .control import OnAnswer
from .errors import ServerError
from .known_servers import KnownServers
from .options import ClientOptions
from .session import ClientSession, Deliver
from .tls import trusted_tls

State = Literal["connecting", "live", "reconnecting", "closed"]
T = TypeVar("T")

LONGEST_PAUSE = 8.0  # seconds between two attempts
LOADING_PAUSE = 0.7  # seconds until the server is asked again whether its model is loaded
CLOSE_SECONDS = 8.0
logger = logging.getLogger(__name__)


class ServerConnection:
    """Opens a session with a server, and again with growing pauses whenever it is lost.

    settings: returns the changes of the server's first settings, as plain data, when a session
    begins. on_event: takes the events of the control channel; "state" is the first of a session.
    All callbacks are called on the connection's thread.
    """

    def __init__(
        self,
        options: ClientOptions,
        *,
        settings: Callable[[], Data],
        on_event: Callable[[str, Data], None],
        notify: Notify,
        known: KnownServers | None = None,
    ) -> None:
        self._options, self._settings = options, settings
        self._on_event, self._notify = on_event, notify
        self._known = known or KnownServers()
        self._deliver: Deliver = ignore  # until something takes results
        self._loop = asyncio.new_event_loop()
        self._session: ClientSession | None = None
        self._running: asyncio.Task[None] | None = None
        self._last_notice = ""
        self._thread = Thread(target=self._run_loop, name="server connection", daemon=True)
        self._thread.start()
        self.state: State = "connecting"
        self.sessions = 0
        """The number of sessions that were opened so far."""
        self.error: TurbolensError | None = None
        """Why no session could ever be opened; `None` unless that is certain."""

    def check(self) -> Data:
        """Ask for the server's status, looks and schema. Raises `TurbolensError`."""
        return self._wait_for(self._check())

    def start(self, deliver: Deliver) -> None:
        """Connect, and call `deliver` with every result."""
        self._deliver = deliver
        self._loop.call_soon_threadsafe(self._start)

    def submit(self, frame: av.VideoFrame, captured_at: float) -> None:
        """Send a frame, which this object owns from now on. Raises `error` if there is one."""
        if self.error is not None:
            raise self.error
        self._soon(lambda session: session.send(TimedFrame(frame, captured_at)))

    def request(self, operation: str, params: Data, on_answer: OnAnswer | None = None) -> None:
        """Send a request on the control channel. Does nothing while there is no session."""
        self._soon(lambda session: session.request(operation, params, on_answer))

    def traffic(self) -> Data:
        """Bit rates, lost packets and round-trip time of the session; empty without one."""
        session = self._session
        return {} if session is None or session.traffic is None else session.traffic.data()

    def close(self) -> None:
        """End the session and the thread. May be called twice."""
        if self.state == "closed":
            return
        self.state = "closed"
        with suppress(asyncio.TimeoutError, TimeoutError):
            self._wait_for(self._stop(), CLOSE_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_SECONDS)

    def _run_loop(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def _wait_for(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def _soon(self, action: Callable[[ClientSession], None]) -> None:
        def act() -> None:
            if self._session is not None:
                action(self._session)

        if self.state != "closed":
            self._loop.call_soon_threadsafe(act)

    async def _check(self) -> Data:
        async with await self._api() as api:
            status = _object(await api.request("GET", "api/status"))
            if status.get("mode") != "server":
                raise ServerError(
                    f"{self._options.server.url} is no turbolens serve; a control page takes no "
                    "camera", permanent=True,
                )  # fmt: skip
            looks = _object(await api.request("GET", "api/looks"))
            schema = _object(await api.request("GET", "api/schema"))
        return {"status": status, "looks": looks.get("looks", []), "schema": schema}

    async def _api(self) -> ServerApi:
        tls = await trusted_tls(self._options, self._known, self._notify)
        return ServerApi(self._options, self._known, tls)

    def _start(self) -> None:
        self._running = self._loop.create_task(self._run())

    async def _stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    async def _run(self) -> None:
        failures = 0
        while True:
            before = self.sessions
            pause = None
            try:
                reason = await self._one_session()
                self._notify_once(f"the connection to {self._name} is lost ({reason})")
            except PeerError as error:
                pause = getattr(error, "retry_seconds", None)
                if not self.sessions and getattr(error, "permanent", False):
                    self.error = error
                    return
                self._notify_once(f"{error}; trying again")
            except Exception as error:  # the edge of the task: the next attempt may succeed
                logger.exception("a session has failed")
                self._notify_once(f"the session has failed ({type(error).__name__}: {error})")
            self.state = "reconnecting" if self.sessions else "connecting"
            failures = 1 if self.sessions > before else failures + 1
            await asyncio.sleep(pause or back_off(failures, first=0.5, longest=LONGEST_PAUSE))

    async def _one_session(self) -> str:
        """One session from start to end. Returns the reason of its end. Raises `PeerError`."""
        async with await self._api() as api:
            status = _object(await api.request("GET", "api/status"))
            self._require_model(_object(status.get("model")))
            await prepare_encoders(int(status["bit_rate"]))
            session = ClientSession(
                api, self._options, deliver=self._deliver, on_event=self._on_event
            )
            try:
                servers = map(_ice_server, status.get("ice_servers", ()))
                first = await session.open(self._settings(), servers)
                self._opened(session, first)
                return await session.wait_ended()
            finally:
                self._session = None
                await asyncio.shield(session.close())

    def _opened(self, session: ClientSession, first: Data) -> None:
        self._session, self.state = session, "live"
        self.sessions += 1
        model = _object(first.get("model")).get("name", "")
        again = " again" if self.sessions > 1 else ""
        self._notify_once(f"connected{again} to {self._name}, which runs {model}")
        self._on_event("state", first)

    def _require_model(self, model: Data) -> None:
        """Raise `ServerError` unless the server's model is loaded."""
        if model.get("state") == "failed":
            raise ServerError(f"{self._name}: {model.get('message')}", permanent=True)
        if model.get("state") != "ready":
            raise ServerError(f"{self._name}: {model.get('message')}", retry_seconds=LOADING_PAUSE)

    @property
    def _name(self) -> str:
        return self._options.server.name

    def _notify_once(self, text: str) -> None:
        """Notify, unless it was the last notice too."""
        if text != self._last_notice:
            self._last_notice = text
            self._notify(text)


def _ice_server(data: Any) -> IceServer:
    """An ICE server as `/api/status` lists it."""
    return IceServer(data["urls"], data.get("username"), data.get("credential"))


def _object(value: Any) -> Data:
    return value if isinstance(value, dict) else {}

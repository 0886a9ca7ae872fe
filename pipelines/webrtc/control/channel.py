"""`ControlChannel`: answers JSON requests on a data channel and sends events. See PROTOCOL.md."""

import json
import logging
from collections.abc import Callable
from typing import Protocol

from pydantic import ValidationError

from turbolens.filter import FilterSettings, SettingsError
from turbolens.pipelines.statistics import Clock
from turbolens.pipelines.webrtc.limits import Limits

from .controls import Controls, Data
from .messages import (
    VERSION,
    ControlError,
    NoParams,
    Request,
    ResetParams,
    SubscribeParams,
    first_message,
    parse_request,
    request_id,
)

logger = logging.getLogger(__name__)

LABEL = "control"
MAX_BUFFERED = 1 << 20  # bytes; a peer that does not read is sent nothing more


class Channel(Protocol):
    """The part of aiortc's RTCDataChannel that is used here."""

    @property
    def bufferedAmount(self) -> int:  # noqa: N802 - the name in WebRTC
        """Bytes that are not sent yet."""
        ...

    @property
    def readyState(self) -> str:  # noqa: N802
        """connecting, open, closing or closed."""
        ...

    def send(self, data: str) -> None:
        """Send a message."""
        ...


class RateLimiter:
    """Token bucket: `per_second` messages on average, and `burst` at once."""

    def __init__(self, per_second: float, burst: int, clock: Clock) -> None:
        self._rate, self._burst, self._clock = per_second, burst, clock
        self._tokens, self._updated_at = float(burst), clock()

    def take(self) -> bool:
        """Count a message. False if it is above the limit."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._updated_at) * self._rate)
        self._updated_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class ControlChannel:
    """The server's side of one control channel.

    Call `opened`, then `receive` for each message, `tick` at least five times per second, and
    `closed`. on_flood: called once if the peer keeps sending after its messages were refused.
    """

    def __init__(
        self,
        channel: Channel,
        controls: Controls,
        limits: Limits,
        *,
        clock: Clock,
        on_flood: Callable[[], None],
    ) -> None:
        self._channel, self._controls, self._limits = channel, controls, limits
        self._clock, self._on_flood = clock, on_flood
        self._rate_limiter = RateLimiter(limits.messages_per_second, limits.message_burst, clock)
        self._too_many = 0
        self._interval: float | None = None
        self._statistics_at = clock()
        self._answering = False
        self._stop_listening = controls.listen(self._settings_changed)
        self._operations: dict[str, Callable[[Data], Data]] = {
            "ping": self._ping, "get": self._get, "set": self._set, "reset": self._reset,
            "snapshot": self._snapshot, "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
        }  # fmt: skip

    def opened(self) -> None:
        """Send the state, the first message of a channel."""
        self.send_event("state", self._controls.snapshot())

    def closed(self) -> None:
        """Send nothing more."""
        self._interval = None
        self._stop_listening()

    def receive(self, message: str | bytes) -> None:
        """Execute a request and answer it. Every error becomes an answer."""
        if not self._rate_limiter.take():
            self._reject_excess()
            return
        request: Request | None = None
        try:
            request = parse_request(message, self._limits.message_bytes)
            self._send({"id": request.id, "ok": True, "result": self._execute(request)})
        except ControlError as error:
            identity = request.id if request else request_id(message, self._limits.message_bytes)
            self._send_error(identity, error)

    def tick(self) -> None:
        """Send the statistics if the peer subscribed and the interval has passed."""
        if self._interval is not None and self._clock() - self._statistics_at >= self._interval:
            self._statistics_at = self._clock()
            self.send_event("statistics", self._controls.statistics())

    def send_event(self, event: str, data: Data) -> None:
        """Send an event."""
        self._send({"event": event, "data": data})

    def _execute(self, request: Request) -> Data:
        operation = self._operations.get(request.op)
        if operation is None:
            known = ", ".join(self._operations)
            raise ControlError("unknown", f"unknown operation {request.op!r}; known: {known}")
        self._answering = True
        try:
            return operation(request.params)
        except SettingsError as error:
            raise ControlError("invalid", str(error)) from error
        except ValidationError as error:
            raise ControlError("invalid", first_message(error)) from error
        finally:
            self._answering = False

    def _ping(self, params: Data) -> Data:
        NoParams(**params)
        return {}

    def _get(self, params: Data) -> Data:
        NoParams(**params)
        return self._controls.state()

    def _set(self, params: Data) -> Data:
        self._controls.set(params)
        return self._controls.state()

    def _reset(self, params: Data) -> Data:
        self._controls.reset(settings=ResetParams(**params).settings)
        return self._controls.state()

    def _snapshot(self, params: Data) -> Data:
        NoParams(**params)
        return self._controls.snapshot()

    def _subscribe(self, params: Data) -> Data:
        given = SubscribeParams(**params)
        self._interval, self._statistics_at = given.interval_ms / 1000, self._clock()
        return {"interval_ms": given.interval_ms, "statistics": self._controls.statistics()}

    def _unsubscribe(self, params: Data) -> Data:
        NoParams(**params)
        self._interval = None
        return {}

    def _settings_changed(self, _: FilterSettings) -> None:
        """Send changes from elsewhere; the peer's own changes are in its answer."""
        if not self._answering:
            self.send_event("settings", self._controls.state())

    def _reject_excess(self) -> None:
        """Answer only the first of too many messages."""
        self._too_many += 1
        if self._too_many == 1:
            rate = self._limits.messages_per_second
            self._send_error(
                None, ControlError("too_fast", f"at most {rate:g} messages per second")
            )
        if self._too_many == self._limits.refused_messages:
            self._on_flood()

    def _send_error(self, identity: int | str | None, error: ControlError) -> None:
        data = {"code": error.code, "message": str(error)}
        self._send({"id": identity, "ok": False, "error": data})

    def _send(self, message: Data) -> None:
        if self._channel.readyState != "open" or self._channel.bufferedAmount > MAX_BUFFERED:
            return
        self._channel.send(json.dumps({"v": VERSION, **message}, allow_nan=False))

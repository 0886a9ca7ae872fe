"""The control channel: JSON requests and their acknowledgements, events, limits. PROTOCOL.md."""

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
    Nothing,
    Refusal,
    Request,
    ResetParams,
    SubscribeParams,
    first_of,
    identity_of,
    parsed,
)

logger = logging.getLogger(__name__)

LABEL = "control"
MAX_BUFFERED = 1 << 20  # bytes that wait to be sent; a peer that does not read gets no more


class Channel(Protocol):
    """What is needed of a data channel."""

    @property
    def bufferedAmount(self) -> int:  # noqa: N802 - the field's name
        """Bytes that wait to be sent."""
        ...

    @property
    def readyState(self) -> str:  # noqa: N802
        """connecting, open, closing or closed."""
        ...

    def send(self, data: str) -> None:
        """Send a message."""
        ...


class Allowance:
    """So many messages a second on average, and so many at once."""

    def __init__(self, per_second: float, burst: int, clock: Clock) -> None:
        self._rate, self._burst, self._clock = per_second, burst, clock
        self._left, self._at = float(burst), clock()

    def take(self) -> bool:
        """Whether one more is allowed now."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class ControlChannel:
    """The server's side of one control channel: `receive` what a peer says, `tick` now and then.

    on_flood is called once, when a peer goes on with messages that are refused for being too many.
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
        self._allowance = Allowance(limits.messages_per_second, limits.message_burst, clock)
        self._refused = 0
        self._interval: float | None = None
        self._told_at = clock()
        self._answering = False
        self._end_listening = controls.listen(self._settings_changed)
        self._operations: dict[str, Callable[[Data], Data]] = {
            "ping": self._ping, "get": self._get, "set": self._set, "reset": self._reset,
            "snapshot": self._snapshot, "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
        }  # fmt: skip

    def opened(self) -> None:
        """Tell the state, as the first message."""
        self.tell("state", self._controls.snapshot())

    def closed(self) -> None:
        """The channel is gone."""
        self._interval = None
        self._end_listening()

    def receive(self, message: str | bytes) -> None:
        """Do what a peer asks, and acknowledge it. Raises nothing."""
        if not self._allowance.take():
            self._refuse_flood()
            return
        request: Request | None = None
        try:
            request = parsed(message, self._limits.message_bytes)
            self._send({"id": request.id, "ok": True, "result": self._do(request)})
        except Refusal as refusal:
            identity = request.id if request else identity_of(message, self._limits.message_bytes)
            self._refuse(identity, refusal)

    def tick(self) -> None:
        """Send the statistics, if the peer subscribed and it is time."""
        if self._interval is not None and self._clock() - self._told_at >= self._interval:
            self._told_at = self._clock()
            self.tell("statistics", self._controls.statistics())

    def tell(self, event: str, data: Data) -> None:
        """Send an event."""
        self._send({"event": event, "data": data})

    def _do(self, request: Request) -> Data:
        operation = self._operations.get(request.op)
        if operation is None:
            known = ", ".join(self._operations)
            raise Refusal("unknown", f"there is no operation {request.op!r}; there are {known}")
        self._answering = True
        try:
            return operation(request.params)
        except SettingsError as error:
            raise Refusal("invalid", str(error)) from error
        except ValidationError as error:
            raise Refusal("invalid", first_of(error)) from error
        finally:
            self._answering = False

    def _ping(self, params: Data) -> Data:
        Nothing(**params)
        return {}

    def _get(self, params: Data) -> Data:
        Nothing(**params)
        return {"settings": self._controls.settings}

    def _set(self, params: Data) -> Data:
        return {"settings": self._controls.set(params)}

    def _reset(self, params: Data) -> Data:
        return {"settings": self._controls.reset(settings=ResetParams(**params).settings)}

    def _snapshot(self, params: Data) -> Data:
        Nothing(**params)
        return self._controls.snapshot()

    def _subscribe(self, params: Data) -> Data:
        wanted = SubscribeParams(**params)
        self._interval, self._told_at = wanted.interval_ms / 1000, self._clock()
        return {"interval_ms": wanted.interval_ms, "statistics": self._controls.statistics()}

    def _unsubscribe(self, params: Data) -> Data:
        Nothing(**params)
        self._interval = None
        return {}

    def _settings_changed(self, settings: FilterSettings) -> None:
        """Somebody else turned a dial; who did it here is told by the acknowledgement."""
        if not self._answering:
            self.tell("settings", {"settings": settings.model_dump(mode="json")})

    def _refuse_flood(self) -> None:
        """One answer to the first of a flood, none to the rest, which would be a flood too."""
        self._refused += 1
        if self._refused == 1:
            rate = self._limits.messages_per_second
            self._refuse(None, Refusal("too_fast", f"at most {rate:g} messages a second"))
        if self._refused == self._limits.refused_messages:
            self._on_flood()

    def _refuse(self, identity: int | str | None, refusal: Refusal) -> None:
        error = {"code": refusal.code, "message": str(refusal)}
        self._send({"id": identity, "ok": False, "error": error})

    def _send(self, message: Data) -> None:
        if self._channel.readyState != "open" or self._channel.bufferedAmount > MAX_BUFFERED:
            return
        self._channel.send(json.dumps({"v": VERSION, **message}, allow_nan=False))

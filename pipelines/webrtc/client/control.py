"""`ControlClient`: a client's side of the control data channel. See PROTOCOL.md."""

import json
import logging
from collections.abc import Callable
from itertools import count
from typing import Any

from aiortc import RTCDataChannel

from turbolens.pipelines.webrtc.control.controls import Data
from turbolens.pipelines.webrtc.control.messages import VERSION

logger = logging.getLogger(__name__)

OnEvent = Callable[[str, Data], None]
OnAnswer = Callable[[Data | None, str | None], None]
"""Called with the result, or with `None` and the server's sentence for an error."""


class ControlClient:
    """Sends requests, and passes on answers and events. Used on the event loop only.

    on_event: called with the name and the data of each event: state, statistics, settings, closing.
    """

    def __init__(self, channel: RTCDataChannel, on_event: OnEvent) -> None:
        self._channel, self._on_event = channel, on_event
        self._pending: dict[int, OnAnswer] = {}
        self._numbers = count(1)
        channel.on("message", self._receive)

    def request(self, operation: str, params: Data, on_answer: OnAnswer | None = None) -> None:
        """Send a request. Does nothing unless the channel is open."""
        if self._channel.readyState != "open":
            return
        number = next(self._numbers)
        if on_answer is not None:
            self._pending[number] = on_answer
        message = {"v": VERSION, "id": number, "op": operation, "params": params}
        self._channel.send(json.dumps(message))

    def _receive(self, text: str | bytes) -> None:
        message = _parsed(text)
        if isinstance(message.get("event"), str):
            self._on_event(message["event"], _data(message.get("data")))
            return
        on_answer = self._pending.pop(message.get("id", 0), None)
        if on_answer is None:
            return
        if message.get("ok"):
            on_answer(_data(message.get("result")), None)
        else:
            on_answer(None, str(_data(message.get("error")).get("message", "refused")))


def _parsed(text: str | bytes) -> Data:
    try:
        return _data(json.loads(text))
    except ValueError:
        logger.warning("the server has sent a message that is not JSON")
        return {}


def _data(value: Any) -> Data:
    return value if isinstance(value, dict) else {}

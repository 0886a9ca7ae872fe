"""`OscServer`: settings by OSC over UDP, from control surfaces such as TouchOSC or QLab."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from turbolens.filter import MediaError, SettingsError, TurbolensError
from turbolens.pipelines.errors import system_reason
from turbolens.pipelines.statistics import Clock
from turbolens.pipelines.webrtc.control.channel import RateLimiter
from turbolens.pipelines.webrtc.limits import Limits

from .messages import ERROR, NOTICE, PREFIX, RESET, name_of, value_of, values_of

logger = logging.getLogger(__name__)

Data = dict[str, Any]
Sender = tuple[Any, ...]

POLL = 0.02  # seconds to wait for a packet while changes wait
IDLE_POLL = 0.2  # seconds until the thread notices that it should end
MAX_PACKET = 65_536  # bytes
MAX_VALUES = 64  # of one message
MAX_TEXT = 300  # characters of an answer: many receivers take 1024 bytes
LOOPBACK = "127.0.0.1"


class OscTarget(Protocol):
    """What OSC controls. `Controls` is one."""

    def state(self) -> Data:
        """`settings` by name, and maybe `readings` of their prompts."""
        ...

    def set(self, changes: Data) -> Data:
        """Change settings. Raises `SettingsError`, and changes nothing then."""
        ...

    def reset(self) -> Data:
        """Forget the previous frames."""
        ...


class OscAddress(NamedTuple):
    """Where to listen."""

    host: str
    port: int


def parse_osc_address(text: str) -> OscAddress:
    """ "9000" → loopback; "0.0.0.0:9000" → all interfaces; "[::1]:9000". Raises `SettingsError`.

    Also raises it if python-osc is not installed.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise SettingsError(f"--osc must be PORT or HOST:PORT, for example 9000, got {text!r}")
    if find_spec("pythonosc") is None:
        raise SettingsError("--osc needs python-osc: pip install 'turbolens[osc]'")
    return OscAddress(host.strip("[]") or LOOPBACK, int(port))


class OscServer:
    """Receives OSC messages on a thread, inside a `with` block.

    `/turbolens/NAME VALUE` changes a setting, without a value it is answered with the present one.
    `/turbolens/look NAME` sets the prompt, `/turbolens/reset` forgets the previous frames. Errors
    are answered to the sender as `/turbolens/error`, and a prompt that is read in another way than
    it is written as `/turbolens/notice`.

    Changes are applied at most `limits.messages_per_second` times a second, with the newest value
    of each setting, so that a fader can be moved as fast as one likes. Answers have the same limit;
    those above it are left out.

    Raises `MediaError` if the port cannot be used.
    """

    def __init__(
        self,
        target: OscTarget,
        address: OscAddress,
        *,
        limits: Limits | None = None,
        clock: Clock = monotonic,
    ) -> None:
        limits = limits or Limits()
        self._target = target
        self._changes_rate = RateLimiter(limits.messages_per_second, 1, clock)
        self._answers_rate = RateLimiter(limits.messages_per_second, limits.message_burst, clock)
        self._pending: dict[str, tuple[Any, Sender]] = {}
        self._socket = _bound(address)
        self._ended = Event()
        self._thread = Thread(target=self._run, name="osc", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """Where to send messages, for people."""
        host = str(self._socket.getsockname()[0])
        return f"osc.udp://{f'[{host}]' if ':' in host else host}:{self.port}{PREFIX}"

    def __enter__(self) -> "OscServer":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(2.0)
        self._socket.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._socket.settimeout(POLL if self._pending else IDLE_POLL)
            try:
                data, sender = self._socket.recvfrom(MAX_PACKET)
            except (TimeoutError, ConnectionError):  # a sender that has gone, on Windows
                self._apply_pending()
                continue
            except OSError:
                return  # the socket was closed
            try:
                self._receive(data, sender)
                self._apply_pending()
            except Exception:  # the edge of a packet: a faulty one must not end the thread
                logger.exception("an OSC message failed")

    def _receive(self, data: bytes, sender: Sender) -> None:
        from pythonosc.osc_packet import OscPacket, ParseError  # noqa: PLC0415 - if asked

        try:
            messages = [each.message for each in OscPacket(data).messages]
        except (ParseError, ValueError, IndexError) as error:
            self._answer(sender, ERROR, f"a packet must be OSC 1.0: {error}")
            return
        for message in messages:
            with self._answering_errors(sender):
                self._take(message.address, message.params, sender)

    def _take(self, address: str, values: list[Any], sender: Sender) -> None:
        """Note a change, or answer a question."""
        name = name_of(address)
        if name == RESET:
            self._target.reset()
        elif not values:
            present = self._target.state()["settings"][name]
            self._answer(sender, f"{PREFIX}{name}", *values_of(name, present))
        elif len(values) > MAX_VALUES:
            raise SettingsError(f"{name}: at most {MAX_VALUES} values, got {len(values)}")
        else:
            self._pending[name] = value_of(name, values), sender

    def _apply_pending(self) -> None:
        """Apply the changes that wait, each on its own, if the limit of the rate allows it."""
        if not self._pending or not self._changes_rate.take():
            return
        waiting, self._pending = self._pending, {}
        for name, (value, sender) in waiting.items():
            with self._answering_errors(sender):
                self._target.set({name: value})
                if name == "prompt":
                    self._answer_readings(sender)

    def _answer_readings(self, sender: Sender) -> None:
        """Tell the sender of a prompt how it is read, if that is not as it is written."""
        for reading in self._target.state().get("readings", ()):
            if reading["message"]:
                self._answer(sender, NOTICE, reading["message"])

    @contextmanager
    def _answering_errors(self, sender: Sender) -> Iterator[None]:
        """Answer an error of the block to the sender."""
        try:
            yield
        except TurbolensError as error:
            self._answer(sender, ERROR, str(error))

    def _answer(self, sender: Sender, address: str, *values: Any) -> None:
        from pythonosc.osc_message_builder import OscMessageBuilder  # noqa: PLC0415 - if asked

        if not self._answers_rate.take():
            return
        message = OscMessageBuilder(address)
        for value in values:
            message.add_arg(_limited(value) if isinstance(value, str) else value)
        try:
            self._socket.sendto(message.build().dgram, sender)
        except OSError as error:
            logger.debug("an OSC answer could not be sent: %s", error)


def _limited(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def _bound(address: OscAddress) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.bind((address.host, address.port))
    except OSError as error:
        bound.close()
        raise MediaError(
            f"--osc: cannot listen at {address.host} port {address.port}: {system_reason(error)};"
            " choose another port, or 0 for any free one"
        ) from error
    return bound

"""`Limits`: how much a peer may ask of a server."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a server allows. A request beyond a limit is refused with a message that names it.

    sessions: sessions at a time, publishers and players included.
    body_bytes, body_seconds: size of the body of an HTTP request, and the time to send it.
    header_seconds: time to send the head of a request, and between two requests of a connection.
    message_bytes, messages_per_second, message_burst: size, average rate and burst of messages on
    a control channel. A peer is disconnected after `refused_messages` above that rate.
    prompt_characters: length of all prompts of one filter together.
    working_size: the largest `size` of a filter, in pixels.
    frame_pixels: width × height of a received frame.
    connect_seconds: time from the answer to the first packet.
    idle_seconds: time without a packet in either direction.
    total_seconds: length of a session; `None` for no limit.
    candidates: ICE candidates in an offer.
    """

    sessions: int = 8
    body_bytes: int = 64 << 10
    body_seconds: float = 10.0
    header_seconds: float = 15.0
    message_bytes: int = 16 << 10
    messages_per_second: float = 60.0
    message_burst: int = 120
    refused_messages: int = 2000
    prompt_characters: int = 2000
    working_size: int = 1024
    frame_pixels: int = 4096 * 2304
    connect_seconds: float = 30.0
    idle_seconds: float = 60.0
    total_seconds: float | None = 12 * 3600.0
    candidates: int = 64

"""`Limits`: how much a peer may ask of a server."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a server allows. Beyond it a request is refused with one sentence that says so.

    sessions: at the same time, publishers and players included. body_bytes, body_seconds: of an
    HTTP request. message_bytes, messages_per_second, message_burst: on a control channel; a peer
    that goes on for `refused_messages` is disconnected. prompt_characters: all prompts of one
    filter together. working_size: the largest `size` of a filter. frame_pixels: of a received
    frame. connect_seconds: from the answer to the first packet. idle_seconds: without a frame
    either way. total_seconds: of a session, none for ever. header_seconds: for a request's head,
    and between two requests of a connection. candidates: of an offer.
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

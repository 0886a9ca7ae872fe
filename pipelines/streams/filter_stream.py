"""Any stream to any stream: connects a source, the filter and an output, and keeps them going."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from threading import Event, Thread

import av

from turbolens.pipelines.base import FilterCallable, Notify, Sink, Source, rate_of
from turbolens.pipelines.live.filtering import Reload
from turbolens.pipelines.live.options import RunOptions
from turbolens.pipelines.live.running import run
from turbolens.pipelines.statistics import Stats

from .endpoints import Place
from .sink import StreamEncoding, StreamSink
from .source import FALLBACK_RATE, StreamSource

POLL = 0.1  # seconds between two looks whether somebody wants to stop


@dataclass(frozen=True)
class StreamOptions:
    """How a stream is filtered and sent. rate: frames a second sent, none: the source's.

    until_end: the end of the input is the end, rather than waiting for it to come back. loop: a
    file begins again. running: what is sent when the input or the filter is late.
    """

    encoding: StreamEncoding = field(default_factory=StreamEncoding)
    rate: Fraction | None = None
    until_end: bool = False
    loop: bool = False
    sound: bool = True
    running: RunOptions = field(default_factory=RunOptions)


def filter_stream(
    source: Place | Source,
    target: Place | Sink,
    frame_filter: FilterCallable,
    options: StreamOptions | None = None,
    *,
    on_stats: Callable[[Stats], None] | None = None,
    on_notice: Notify | None = None,
    reload: Reload | None = None,
    stop: Event | None = None,
) -> Stats:
    """Filter one stream into another until it ends, `stop` is set, or Ctrl-C.

    Either end may be a place, or a source or sink such as `Camera` and `VirtualCamera`, which carry
    no sound. Both are connected again when they are lost. Raises `MediaError` where the input has
    no picture, or where either end cannot be reached at the beginning.
    """
    options, notify, stop = options or StreamOptions(), on_notice or _ignore, stop or Event()
    incoming = _source_of(source, options, notify)
    outgoing, running = None, False
    try:
        if isinstance(incoming, StreamSource) and not _opened(incoming, stop):
            return Stats()
        outgoing = _sink_of(target, incoming, options, notify)
        running = True  # which closes the source, unless a thread hangs in it
        return run(
            incoming, _unmoved(frame_filter), outgoing,
            options=options.running, on_stats=on_stats, on_notice=on_notice, stop=stop,
            reload=None if reload is None else lambda: _unmoved(reload()),
        )  # fmt: skip
    finally:
        if isinstance(outgoing, StreamSink):
            outgoing.abandon()
        if not running:
            incoming.close()


def _source_of(source: Place | Source, options: StreamOptions, notify: Notify) -> Source:
    if not isinstance(source, Place):
        return source
    return StreamSource(source, notify=notify, until_end=options.until_end, loop=options.loop)


def _sink_of(target: Place | Sink, source: Source, options: StreamOptions, notify: Notify) -> Sink:
    if not isinstance(target, Place):
        return target
    rate = options.rate or rate_of(source) or FALLBACK_RATE
    if not isinstance(source, StreamSource) or not options.sound:
        return StreamSink(target, options.encoding, rate=rate, notify=notify)
    sink = StreamSink(
        target, options.encoding, rate=rate, notify=notify, has_sound=lambda: source.has_sound
    )
    source.on_sound = sink.hear
    return sink


def _opened(source: StreamSource, stop: Event) -> bool:
    """Open it on a thread of its own: Ctrl-C is heard while a listener waits for its peer."""
    failures: list[Exception] = []

    def connect() -> None:
        try:
            source.open()
        except Exception as error:  # noqa: BLE001 - the edge of a thread: raised in the caller's
            failures.append(error)

    thread = Thread(target=connect, name="connect", daemon=True)
    thread.start()
    while thread.is_alive() and not stop.is_set():
        thread.join(POLL)
    if failures:
        raise failures[0]
    return not stop.is_set()


def _unmoved(frame_filter: FilterCallable) -> FilterCallable:
    """The filter without `reproject`: a moved picture would come before the sound of its time."""

    def filtered(frame: av.VideoFrame) -> av.VideoFrame:
        return frame_filter(frame)

    return filtered


def _ignore(_: str) -> None:
    """Nobody listens."""

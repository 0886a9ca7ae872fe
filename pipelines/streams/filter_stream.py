"""Any stream to any stream: connects source, filter and sink, and reconnects what is lost."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from threading import Event, Thread

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import FilterCallable, Notify, Sink, Source, ignore, rate_of
from turbolens.pipelines.live.filtering import Reload
from turbolens.pipelines.live.options import RunOptions
from turbolens.pipelines.live.running import run
from turbolens.pipelines.statistics import Stats

from .encoding import StreamEncoding
from .endpoints import Endpoint
from .sink import StreamSink
from .source import FALLBACK_RATE, StreamSource

POLL = 0.1  # seconds between two checks whether to stop


@dataclass(frozen=True)
class StreamOptions:
    """How a stream is filtered and sent.

    rate: frames per second to send, `None` for the source's. until_end: stop when the input ends,
    instead of waiting for it to come back. loop: start a file again at its end. running:
    what to send when the input or the filter is late.
    """

    encoding: StreamEncoding = field(default_factory=StreamEncoding)
    rate: Fraction | None = None
    until_end: bool = False
    loop: bool = False
    audio: bool = True
    running: RunOptions = field(default_factory=RunOptions)


def filter_stream(
    source: Endpoint | Source,
    target: Endpoint | Sink,
    frame_filter: FilterCallable,
    options: StreamOptions | None = None,
    *,
    on_stats: Callable[[Stats], None] | None = None,
    on_notice: Notify | None = None,
    reload: Reload | None = None,
    stop: Event | None = None,
) -> Stats:
    """Filter one stream into another until it ends, `stop` is set, or Ctrl-C.

    Both ends are connected again when they are lost. A source or sink such as `Camera` or
    `VirtualCamera` carries no audio. It and WHIP get frames with square pixels, because they know
    no others. Raises `MediaError` if the input has no video, if either end cannot be reached at the
    beginning, or if nothing was sent when the input ends.
    """
    options, notify, stop = options or StreamOptions(), on_notice or ignore, stop or Event()
    opened_source = _source(source, options, notify, square_pixels=_needs_square_pixels(target))
    opened_sink, running = None, False
    try:
        if isinstance(opened_source, StreamSource) and not _connect(opened_source, stop):
            return Stats()
        opened_sink = _sink(target, opened_source, options, notify)
        running = True  # from now on `run` closes the source, unless a thread hangs in it
        stats = run(
            opened_source, _without_reprojection(frame_filter), opened_sink,
            options=options.running, on_stats=on_stats, on_notice=on_notice, stop=stop,
            reload=None if reload is None else lambda: _without_reprojection(reload()),
        )  # fmt: skip
        _check_sent(opened_source, opened_sink)
        return stats
    finally:
        if isinstance(opened_sink, StreamSink):
            opened_sink.abandon()
        if not running:
            opened_source.close()


def _source(
    source: Endpoint | Source, options: StreamOptions, notify: Notify, *, square_pixels: bool
) -> Source:
    if not isinstance(source, Endpoint):
        return source
    return StreamSource(
        source, notify=notify, until_end=options.until_end, loop=options.loop,
        square_pixels=square_pixels,
    )  # fmt: skip


def _needs_square_pixels(target: Endpoint | Sink) -> bool:
    return target.square_pixels if isinstance(target, Endpoint) else True


def _sink(target: Endpoint | Sink, source: Source, options: StreamOptions, notify: Notify) -> Sink:
    if not isinstance(target, Endpoint):
        return target
    rate = options.rate or rate_of(source) or FALLBACK_RATE
    if not isinstance(source, StreamSource):
        return StreamSink(target, options.encoding, rate=rate, notify=notify)
    sink = StreamSink(
        target, options.encoding, rate=rate, notify=notify,
        has_audio=lambda: options.audio and source.has_audio,
        sample_aspect_ratio=lambda: source.sample_aspect_ratio,
    )  # fmt: skip
    if options.audio:
        source.on_audio = sink.write_audio
    return sink


def _check_sent(source: Source, sink: Sink) -> None:
    """Raise `MediaError` if the source has ended and the sink has sent nothing."""
    ended = isinstance(source, StreamSource) and source.ended
    if ended and isinstance(sink, StreamSink) and not sink.has_sent:
        raise MediaError(
            f"nothing was sent to {sink.name}: the input ended before a frame was filtered"
        )


def _connect(source: StreamSource, stop: Event) -> bool:
    """Open the source on its own thread, so that Ctrl-C works while it waits for a peer.

    Returns False if `stop` was set first. Raises the error of opening.
    """
    errors: list[Exception] = []

    def connect() -> None:
        try:
            source.open()
        except Exception as error:  # noqa: BLE001 - edge of a thread: raised in the caller's
            errors.append(error)

    thread = Thread(target=connect, name="connect", daemon=True)
    thread.start()
    while thread.is_alive() and not stop.is_set():
        thread.join(POLL)
    if errors:
        raise errors[0]
    return not stop.is_set()


def _without_reprojection(frame_filter: FilterCallable) -> FilterCallable:
    """The filter without `reproject`: a reprojected frame would be earlier than its audio."""

    def filtered(frame: av.VideoFrame) -> av.VideoFrame:
        return frame_filter(frame)

    return filtered

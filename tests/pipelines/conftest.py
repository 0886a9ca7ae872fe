"""Small clips of every kind, made with PyAV, a cheap frame filter, free ports and programs."""

import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.filter
import numpy as np
import pytest
from numpy.typing import NDArray

MakeClip = Callable[..., Path]


def invert(frame: av.VideoFrame) -> av.VideoFrame:
    """A filter that inverts every colour and keeps the frame's format and alpha."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    graph.link_nodes(source, graph.add("negate"), graph.add("buffersink")).configure()
    graph.vpush(frame)
    return graph.vpull()


def _gradient(index: int, width: int, height: int) -> NDArray[np.uint8]:
    """A gradient that moves, (H, W, 3)."""
    across = np.linspace(20, 220, width)[None, :] + np.zeros((height, 1))
    down = np.linspace(20, 220, height)[:, None] + np.zeros((1, width))
    return np.stack([across, down, np.full_like(across, 40 + 5 * index % 160)], -1).astype(np.uint8)


def write_clip(
    path: Path,
    *,
    pts: Sequence[int] = tuple(range(12)),
    time_base: Fraction = Fraction(1, 25),
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    rotation: float | None = None,
    tags: dict[str, Any] | None = None,
    audio: Sequence[str] = (),
    subtitles: Sequence[tuple[int, int, str]] = (),
    chapters: Sequence[Any] = (),
    metadata: dict[str, str] | None = None,
) -> Path:
    """A clip whose frames have exactly these times, with audio (codecs) and subtitles."""
    with av.open(str(path), "w") as output:
        video: Any = output.add_stream(
            codec, rate=25, options=options or {}, width=size[0], height=size[1]
        )
        video.codec_context.pix_fmt = pixel_format
        video.codec_context.time_base = video.time_base = time_base
        for name, value in (tags or {}).items():
            setattr(video.codec_context, name, value)
        if pixel_format == "yuva420p":
            video.metadata["alpha_mode"] = "1"
        if rotation is not None:
            video.set_display_rotation(rotation)
        tracks: list[Any] = [output.add_stream(name, rate=48000, layout="mono") for name in audio]
        texts: Any = (
            output.add_mux_stream("subrip", time_base=Fraction(1, 1000)) if subtitles else None
        )
        output.metadata.update(metadata or {})
        if chapters:
            output.set_chapters(list(chapters))
        ends = [*pts[1:], pts[-1] + round(1 / 25 / time_base)]
        for index, (start, end) in enumerate(zip(pts, ends, strict=True)):
            frame = av.VideoFrame.from_ndarray(_gradient(index, *size), format="rgb24")
            frame = frame.reformat(format=pixel_format, dst_colorspace=1)
            frame.pts, frame.time_base, frame.duration = start, time_base, end - start
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        for stream in tracks:
            _write_audio(output, stream)
        _write_subtitles(output, texts, subtitles)
    return path


def _write_subtitles(output: Any, stream: Any, subtitles: Sequence[tuple[int, int, str]]) -> None:
    """Subtitles as (start in ms, duration in ms, text)."""
    for start, duration, text in subtitles:
        packet = av.Packet(text.encode())
        packet.stream, packet.time_base = stream, Fraction(1, 1000)
        packet.pts = packet.dts = start
        packet.duration = duration
        output.mux(packet)


def _write_audio(output: Any, stream: Any, seconds: float = 0.5) -> None:
    wave = np.sin(np.arange(int(48000 * seconds)) / 20) * 0.3
    size = stream.codec_context.frame_size or 1024
    for start in range(0, len(wave) - size, size):
        block = wave[start : start + size].astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        resampler = av.AudioResampler(stream.codec_context.format, "mono", 48000)
        for resampled in resampler.resample(frame):
            output.mux(stream.encode(resampled))
    output.mux(stream.encode(None))


def times_of(path: Path) -> list[Fraction]:
    """The exact time of every frame in seconds."""
    with av.open(str(path)) as container:
        return [
            (frame.pts or 0) * (frame.time_base or Fraction(0))
            for frame in container.decode(video=0)
        ]


def packets_of(path: Path, kind: str) -> list[tuple[int, Fraction, bytes]]:
    """(stream, time in seconds, bytes) of every packet of a kind of stream, in order."""
    with av.open(str(path)) as container:
        return sorted(
            (packet.stream.index, (packet.pts or 0) * packet.time_base, bytes(packet))
            for packet in container.demux()
            if packet.size and packet.stream.type == kind
        )


@pytest.fixture
def clip(tmp_path: Path) -> MakeClip:
    """Makes a clip in the test's folder: `clip("a.mkv", codec="libx265", …)`."""

    def make(name: str = "clip.mp4", **properties: Any) -> Path:
        return write_clip(tmp_path / name, **properties)

    return make


@pytest.fixture
def port() -> int:
    """A free port on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A running program, which is killed at the end of the block."""
    with subprocess.Popen(command, **options) as process:  # noqa: S603
        try:
            yield process
        finally:
            process.kill()

"""Films with scene cuts, sound and subtitles, and what a file holds."""

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from turbolens.pipelines.video.job import VideoJob, VideoOptions
from turbolens.pipelines.video.report import VideoReport
from turbolens.pipelines.video.segments.segmentation import Segmentation
from turbolens.pipelines.video.writer import Encoding

RATE = 50
FRAMES = 400
SECONDS = Fraction(2)  # of a segment: between 75 and 125 frames
LOSSLESS = Encoding(codec="ffv1")
SAME = 100  # dB
CUTS = (90, 190)
SEAMS = (*CUTS, 315)
FAILURE = 385  # a frame after which the third segment is written, as the queues hold 64 frames
SIZE = (64, 48)


def make_film(
    path: Path,
    *,
    pts: Sequence[int] | None = None,
    codec: str = "libx264",
    shown: Sequence[int] = range(FRAMES),
) -> Path:
    """Scenes of random patterns that pan, with sound and a subtitle each second.

    shown: the index of each frame's picture.
    """
    times = range(FRAMES) if pts is None else pts
    with av.open(str(path), "w") as output:
        video: Any = output.add_stream(codec, rate=RATE, options={"g": "24"})
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        video.codec_context.time_base = Fraction(1, 200 if pts else RATE)
        sound: Any = output.add_stream("aac", rate=8000, layout="mono")
        texts: Any = None
        if path.suffix == ".mkv":
            texts = output.add_mux_stream("subrip", time_base=Fraction(1, 1000))
        for index, time in enumerate(times):
            frame = picture(shown[index])
            frame.pts, frame.time_base = time, video.codec_context.time_base
            output.mux(video.encode(frame))
            if index % RATE == 0:
                _write_second(output, sound, texts, index // RATE)
        output.mux([*video.encode(None), *sound.encode(None)])
    return path


def _write_second(output: Any, stream: Any, texts: Any, second: int) -> None:
    wave = (np.sin(np.arange(8000) / (5 + second)) * 0.3).astype(np.float32)[None]
    sound = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
    sound.sample_rate, sound.pts = 8000, second * 8000
    output.mux(stream.encode(sound))
    if texts is not None:
        packet: Any = av.Packet(f"second {second}".encode())
        packet.stream, packet.time_base = texts, Fraction(1, 1000)
        packet.pts = packet.dts = second * 1000
        packet.duration = 500
        output.mux(packet)


def picture(index: int) -> av.VideoFrame:
    """The frame of this index."""
    scene = sum(index >= cut for cut in CUTS)
    coarse = np.random.default_rng(scene).integers(20, 235, (6, 8, 3)).astype(np.uint8)
    pixels = np.roll(coarse.repeat(8, 0).repeat(8, 1), index, axis=1)
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")


def run(
    source: Path, target: Path, frame_filter: Any, *, whole: bool = False, **properties: Any
) -> VideoReport:
    """Filter a film in segments of `SECONDS`, or in one piece, without loss.

    x264 gives other bytes on each run. properties: of `Segmentation` or `VideoOptions`.
    """
    properties.setdefault("encoding", LOSSLESS)
    of_segments = {name: properties.pop(name) for name in ("resume", "run_up", "identity")
                   if name in properties}  # fmt: skip
    job = VideoJob.prepare(str(source), str(target), VideoOptions(**properties))
    return job.run(
        frame_filter, segmentation=None if whole else Segmentation(SECONDS, **of_segments)
    )


def parts_of(target: Path) -> list[str]:
    """The names of the files in the folder of segments."""
    folder = target.with_name(target.name + ".parts")
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def content_of(path: Path) -> list[Any]:
    """Everything in a file: its streams, and every packet with its times."""
    with av.open(str(path)) as container:
        packets = [(packet.stream.index, packet.pts, packet.dts, packet.is_keyframe, bytes(packet))
                   for packet in container.demux() if packet.size]  # fmt: skip
    return [*streams_of(path), *sorted(packets)]


def streams_of(path: Path) -> list[tuple[str, str, str]]:
    """Kind, codec and a digest of the parameter sets of every stream."""
    with av.open(str(path)) as container:
        return [
            (stream.type, stream.codec_context.name,
             hashlib.sha256(stream.codec_context.extradata or b"").hexdigest())
            for stream in container.streams
        ]  # fmt: skip


def pictures_of(path: Path) -> list[Any]:
    """Every frame as RGB, float."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24").astype(float)
                for frame in container.decode(video=0)]  # fmt: skip


def key_frames_of(path: Path) -> list[int]:
    """The indices, in order of presentation, of the video's key frames."""
    with av.open(str(path)) as container:
        packets = sorted((packet.pts or 0, packet.is_keyframe)
                         for packet in container.demux(video=0) if packet.size)  # fmt: skip
    return [index for index, (_, key) in enumerate(packets) if key]


def psnr(first: Any, second: Any) -> float:
    """In dB, `SAME` or more for equal pictures."""
    return float(10 * np.log10(255**2 / max(((first - second) ** 2).mean(), 1e-6)))

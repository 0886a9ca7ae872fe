"""The other side of a stream, a publisher or a receiver: a program that prints JSON.

It is a process of its own, because PyAV connects an output with Python's global lock held.
"""

import json
import sys
import time
from contextlib import suppress
from fractions import Fraction
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import av
import numpy as np

from tests.pipelines.streams.waiting import wait_for_listener, wait_until

SIZE = 96, 64
RATE = 25
LISTENING = {
    "rtmp": {"listen": "1"},
    "rtsp": {"rtsp_flags": "listen", "listen_timeout": "40"},
}


def write_stream(
    target: str, seconds: float, *, with_audio: bool = True, format_name: str | None = None,
    options: dict[str, str] | None = None, paced: bool = False,
    sample_aspect_ratio: Fraction = Fraction(1), size: tuple[int, int] = SIZE,
) -> None:  # fmt: skip
    """A dark video with a bright flash of 0.2 seconds every second, and a tone as long as it.

    paced: write in real time, as a camera does.
    """
    with av.open(target, "w", format=format_name, container_options=options or {}) as output:
        video: Any = output.add_stream("libx264", rate=RATE, width=size[0], height=size[1])
        video.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "10"}
        video.codec_context.sample_aspect_ratio = sample_aspect_ratio
        audio: Any = output.add_stream("aac", rate=48000, layout="mono") if with_audio else None
        samples = 0
        began = time.monotonic()
        for index in range(round(seconds * RATE)):
            level = 220 if index % RATE < 5 else 30
            pixels = np.full((size[1], size[0], 3), level, np.uint8)
            output.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            while audio is not None and samples / 48000 < (index + 1) / RATE:
                output.mux(audio.encode(tone(samples)))
                samples += 1024
            if paced:
                Event().wait(max(0.0, began + (index + 1) / RATE - time.monotonic()))
        for stream in filter(None, (video, audio)):
            output.mux(stream.encode(None))


def tone(start: int, samples: int = 1024) -> av.AudioFrame:
    at = (start + np.arange(samples)) / 48000
    wave = np.where(at % 1 < 0.2, np.sin(2 * np.pi * 600 * at) * 0.5, 0).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
    return frame


def receive(address: str, frames: int, listen: bool) -> dict[str, Any]:
    """Brightness and times of this many video frames, and the number of audio frames with them."""
    options = LISTENING[address.partition(":")[0]] if listen else {}
    levels: list[float] = []
    times: list[float] = []
    audio_frames = 0
    with av.open(address, options=options, timeout=(40, 20)) as container:
        for frame in container.decode():
            audio_frames += isinstance(frame, av.AudioFrame)
            if isinstance(frame, av.VideoFrame):
                levels.append(float(frame.to_ndarray(format="gray").mean()))
                times.append(frame.time or 0.0)
            if len(levels) >= frames:
                break
    return {"levels": levels, "times": times, "audio_frames": audio_frames}


def watch(address: str, frames: int) -> dict[str, Any]:
    """Receive as soon as there is a stream."""

    def received() -> dict[str, Any] | None:
        with suppress(av.FFmpegError, OSError):
            return receive(address, frames, listen=False)
        return None

    seen = wait_until(received, f"a stream at {address}")
    assert seen is not None
    return seen


def publish(address: str, format_name: str, seconds: float) -> None:
    """Push a stream as soon as a program listens at the address."""
    port = urlsplit(address).port
    assert port is not None
    wait_for_listener(port)
    write_stream(address, seconds, format_name=format_name, paced=True)


def send(address: str, format_name: str, seconds: float) -> None:
    """Send packets whether somebody receives them or not, as a camera does by RTP."""
    write_stream(address, seconds, format_name=format_name, paced=True, with_audio=False)


def main() -> None:
    action, address, detail, *rest = sys.argv[1:]
    seen = receive(address, int(detail), bool(rest)) if action == "receive" else None
    if action == "watch":
        seen = watch(address, int(detail))
    if action == "send":
        send(address, detail, float(rest[0]))
    if action == "publish":
        publish(address, detail, float(rest[0]) if rest else 3)
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main()

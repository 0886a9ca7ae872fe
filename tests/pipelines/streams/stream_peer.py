"""The other side of a stream: a publisher or a server, run as a program.

PyAV connects an output with Python's lock held, so that both sides cannot be in one process.
"""

import json
import sys
import time
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
import numpy as np

SIZE = 96, 64
RATE = 25
LISTENING = {
    "rtmp": {"listen": "1"},
    "rtsp": {"rtsp_flags": "listen", "listen_timeout": "40"},
}


def write_stream(
    target: str, seconds: float, *, sound: bool = True, format_name: str | None = None,
    options: dict[str, str] | None = None, paced: bool = False,
) -> None:  # fmt: skip
    """Dark, a flash of a fifth of a second every second, and a tone as long as the flash."""
    with av.open(target, "w", format=format_name, container_options=options or {}) as output:
        video: Any = output.add_stream("libx264", rate=RATE, width=SIZE[0], height=SIZE[1])
        video.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "10"}
        audio: Any = output.add_stream("aac", rate=48000, layout="mono") if sound else None
        heard = 0
        for index in range(round(seconds * RATE)):
            level = 220 if index % RATE < 5 else 30
            pixels = np.full((SIZE[1], SIZE[0], 3), level, np.uint8)
            output.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            while audio is not None and heard / 48000 < (index + 1) / RATE:
                output.mux(audio.encode(tone(heard)))
                heard += 1024
            if paced:
                time.sleep(1 / RATE)
        for stream in filter(None, (video, audio)):
            output.mux(stream.encode(None))


def tone(start: int, samples: int = 1024) -> av.AudioFrame:
    at = (start + np.arange(samples)) / 48000
    wave = np.where(at % 1 < 0.2, np.sin(2 * np.pi * 600 * at) * 0.5, 0).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
    return frame


def receive(address: str, frames: int, listen: bool) -> dict[str, Any]:
    """Brightness and times of so many pictures, and how many frames of sound came with them."""
    options = LISTENING[address.partition(":")[0]] if listen else {}
    levels: list[float] = []
    times: list[float] = []
    sounds = 0
    with av.open(address, options=options, timeout=(40, 20)) as container:
        for frame in container.decode():
            sounds += isinstance(frame, av.AudioFrame)
            if isinstance(frame, av.VideoFrame):
                levels.append(float(frame.to_ndarray(format="gray").mean()))
                times.append(frame.time or 0.0)
            if len(levels) >= frames:
                break
    return {"levels": levels, "times": times, "sounds": sounds}


def watch(address: str, frames: int) -> dict[str, Any]:
    """Receive, as soon as somebody sends."""
    for _ in range(20):
        with suppress(av.FFmpegError, OSError):
            return receive(address, frames, listen=False)
        time.sleep(0.5)
    sys.exit("nobody sends")


def publish(address: str, format_name: str, seconds: float) -> None:
    """Push so many seconds, as soon as somebody listens."""
    for _ in range(100):
        with suppress(av.FFmpegError, OSError):
            write_stream(address, seconds, format_name=format_name, paced=True)
            return
        time.sleep(0.3)
    sys.exit("nobody listens")


def main() -> None:
    what, address, detail, *rest = sys.argv[1:]
    seen = receive(address, int(detail), bool(rest)) if what == "receive" else None
    if what == "watch":
        seen = watch(address, int(detail))
    if what == "publish":
        publish(address, detail, float(rest[0]) if rest else 3)
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main()

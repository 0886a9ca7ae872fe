"""Inputs made with the `ffmpeg` program, and what `ffprobe` reads in outputs."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

VIDEO = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2")
TONE = ("-f", "lavfi", "-i", "sine=440:d=2:r=48000")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2")
SUBTITLES = """1
00:00:00,200 --> 00:00:01,000
one

2
00:00:00,500 --> 00:00:01,500
two

3
00:00:01,600 --> 00:00:01,900
three
"""
STYLED = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,F,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.20,0:00:01.00,Default,,0,0,0,,one
Dialogue: 0,0:00:00.20,0:00:00.80,Default,,0,0,0,,two at once
Dialogue: 0,0:00:01.20,0:00:01.90,Default,,0,0,0,,three
"""


def ffmpeg(path: Path, *arguments: str) -> Path:
    """The file at this path, written by ffmpeg with these arguments in the path's folder."""
    command = ["ffmpeg", "-v", "error", "-y", *arguments, str(path)]
    subprocess.run(command, check=True, cwd=path.parent)  # noqa: S603 - arguments of tests
    return path


def ffprobe(path: Path, stream: str, entries: str) -> list[str]:
    """One line for each packet, frame or stream, as ffprobe prints it."""
    command = ["ffprobe", "-v", "error", "-select_streams", stream, "-show_entries", entries,
               "-of", "compact=p=0:nk=1", str(path)]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return [line for line in done.stdout.splitlines() if line]


def subtitle_starts(path: Path) -> list[float]:
    """Seconds at which ffmpeg shows the subtitles of a file."""
    command = ["ffmpeg", "-v", "error", "-copyts", "-i", str(path), "-f", "srt", "-"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    starts = [line.split()[0] for line in done.stdout.splitlines() if "-->" in line]
    return [float(start.rpartition(":")[2].replace(",", ".")) for start in starts]


def subtitle_cues(path: Path) -> list[str]:
    """What ffmpeg shows of the subtitles of a file, as "START --> END LINE/LINE"."""
    command = ["ffmpeg", "-v", "error", "-copyts", "-i", str(path), "-f", "srt", "-"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    cues = [cue.splitlines()[1:] for cue in done.stdout.strip().split("\n\n")]
    return [f"{times} {'/'.join(lines)}".replace("00:00:0", "") for times, *lines in cues]


def codecs_of(path: Path) -> list[str]:
    """The codec of each stream, as the decoders are named."""
    with av.open(str(path)) as container:
        return [getattr(stream.codec_context, "name", stream.type) for stream in container.streams]


def changed_packets(source: Path, target: Path, change: Callable[[Any, int], bool]) -> Path:
    """A copy without the packets for which `change` is false.

    `change` gets an audio packet and its number, and may modify it.
    """
    with av.open(str(source)) as container, av.open(str(target), "w") as output:
        streams: Any = {stream.index: output.add_stream_from_template(stream, opaque=True)
                        for stream in container.streams}  # fmt: skip
        number = 0
        for packet in container.demux():
            is_audio = packet.stream.type == "audio"
            number += is_audio
            if packet.size and (not is_audio or change(packet, number)):
                packet.stream = streams[packet.stream.index]
                output.mux(packet)
    return target

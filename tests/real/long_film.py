#!/usr/bin/env python3
"""Filters a long film on `--cluster local`, kills it twice, and compares with a run in one piece.

    python tests/real/long_film.py FOLDER [--minutes 10] [OPTIONS OF THE COMMAND]

It is run on request only: ten minutes of film take about half an hour on two cores. The film is
the test scene with sound, small; its second half has no scene cuts. The driver is ended by SIGKILL
after a fifth of the segments, and again after as many more. Frames, times and streams must be
those of the run in one piece, and so must be every picture but for those after a seam without a
cut, there at least 40 dB. The strokes of a look enlarge what differs there: `--texture 0` leaves
them out. Files that exist in FOLDER are used again. The last line is the verdict.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Any

import av
import numpy as np

from turbolens.pipelines.scene.frames import TestScene
from turbolens.pipelines.video.segments.cutter import Cutter

RATE, SIZE, SOUND_RATE = 4, (320, 180), 16000  # few frames: it is the length that counts
LOOP = 60 * RATE  # frames of each scene, which are shown again
SEGMENT_SECONDS = 20
MIN_DB = 40.0
COMMAND = [sys.executable, "-m", "turbolens", "video"]
OPTIONS = [
    "--size", "64", "--acceleration", "none", "--codec", "ffv1", "--json",
    "--cluster-cores", "1",
]  # fmt: skip


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


def scene(*, cuts: bool) -> TestScene:
    """A minute, or less, with a cut every three seconds or without any."""
    return TestScene(*SIZE, rate=RATE, frames=LOOP, cuts=cuts)


def shown(frames: int) -> Iterator[Any]:
    """The pictures of the film: one scene again and again, and then the other to and fro."""
    for cuts, number in ((True, frames // 2), (False, frames - frames // 2)):
        pictures = [each.picture for each in scene(cuts=cuts)]
        turned = pictures if cuts else [*pictures, *pictures[::-1]]
        yield from (turned[index % len(turned)] for index in range(number))


def is_cut(index: int, frames: int) -> bool:
    """True if the film has a scene cut before this frame."""
    if index > frames // 2:
        return False
    return index == frames // 2 or index % LOOP == 0 or scene(cuts=True).is_cut(index % LOOP)


def make_film(path: Path, frames: int) -> None:
    """Write the film: H.264 with AAC."""
    with av.open(str(path), "w") as output:
        video: Any = output.add_stream("libx264", rate=RATE, options={"g": "60", "crf": "18"})
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        sound: Any = output.add_stream("aac", rate=SOUND_RATE, layout="mono")
        for index, picture in enumerate(shown(frames)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            output.mux(video.encode(frame))
            if index % RATE == 0:
                output.mux(sound.encode(tone(index // RATE)))
        output.mux([*video.encode(None), *sound.encode(None)])


def tone(second: int) -> av.AudioFrame:
    """A second of sound, of a pitch of its own."""
    angle = np.arange(SOUND_RATE) * (0.1 + second % 7 / 50)
    frame = av.AudioFrame.from_ndarray(
        (np.sin(angle) * 0.3).astype(np.float32)[None], format="fltp", layout="mono"
    )
    frame.sample_rate, frame.pts = SOUND_RATE, second * SOUND_RATE
    return frame


def run(film: Path, target: Path, options: list[str], *, segments: int | None) -> bool:
    """Run the command; after so many segments kill it. True if it has come to its end."""
    arguments = [*COMMAND, str(film), str(target), *OPTIONS, *options]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] != "progress":
                say(f"  {json.dumps(event)[:300]}")
            elif segments is not None and event.get("segments", 0) >= segments:
                process.kill()
                say(f"  killed after {event['segments']} segments, {event['frames']} frames")
                segments = None
    return process.returncode == 0


def layout_of(path: Path) -> list[Any]:
    """Streams and metadata, and each packet's stream and times; of other streams its bytes too."""
    with av.open(str(path)) as container:
        streams = [(each.type, each.codec_context.name, each.time_base, dict(each.metadata))
                   for each in container.streams]  # fmt: skip
        packets = [
            (packet.stream.index, packet.pts, packet.dts, packet.duration,
             b"" if packet.stream.type == "video" else bytes(packet))
            for packet in container.demux() if packet.size
        ]  # fmt: skip
    return [*streams, *sorted(packets)]


def pictures_of(path: Path) -> Iterator[Any]:
    """Each frame as RGB, float."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24").astype(np.float32)


def psnr(first: Any, second: Any) -> float:
    """In dB, infinite for equal pictures."""
    error = float(((first - second) ** 2).mean())
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def seams_of(film: Path) -> list[int]:
    """The frames at which a segment begins, but for the first one."""
    cutter = Cutter(Fraction(SEGMENT_SECONDS))
    with av.open(str(film)) as container:
        begins = [cutter.begins_segment(frame) for frame in container.decode(video=0)]
    return [index for index, begin in enumerate(begins) if begin and index]


def compare(film: Path, whole: Path, joined: Path) -> bool:
    """Tell how two results differ. True if they may."""
    if layout_of(whole) != layout_of(joined):
        say("streams, frames or times differ")
        return False
    pairs = zip_longest(pictures_of(whole), pictures_of(joined))
    values = [psnr(*pair) for pair in pairs]
    seams = seams_of(film)
    hidden = {index for index in seams if is_cut(index, len(values))}
    unlike = [index for index, value in enumerate(values) if value < float("inf")]
    last = {index: max((seam for seam in seams if seam <= index), default=0) for index in unlike}
    wrong = [index for index in unlike if last[index] in hidden or last[index] == 0]
    say(f"{len(values)} frames, {len(seams)} seams, {len(hidden)} of them at a scene cut")
    lowest, begins = min(values), len(set(last.values()))
    say(f"{len(unlike)} frames differ after {begins} seams, lowest {lowest:.1f} dB")
    say(f"{len(wrong)} of them are not after a seam without a cut")
    return not wrong and lowest >= MIN_DB


def main() -> int:
    """Make the film, run, kill, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    known, options = parser.parse_known_args()
    folder, frames = known.folder, round(known.minutes * 60 * RATE)
    folder.mkdir(parents=True, exist_ok=True)
    film, whole, joined = (folder / name for name in ("film.mp4", "whole.mkv", "joined.mkv"))
    if not film.exists():
        say(f"making a film of {frames} frames")
        make_film(film.with_suffix(".new.mp4"), frames)
        film.with_suffix(".new.mp4").rename(film)
    if not whole.exists():
        say("in one piece")
        if not run(film, whole, [*options, "--segment-length", "0"], segments=None):
            return 1
    cluster = ["--cluster", "local", *options]
    segments = max(1, round(known.minutes * 60 / SEGMENT_SECONDS / 5))
    for kill_after in (segments, segments, None):
        say("on a cluster")
        ended = run(film, joined, cluster, segments=kill_after)
        if ended != (kill_after is None):
            say("FAILED: the command should " + ("go on" if kill_after else "have ended well"))
            return 1
    passed = compare(film, whole, joined)
    say("passed" if passed else "FAILED")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())

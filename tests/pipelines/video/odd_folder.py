"""A folder of short files of many kinds, and what must become of each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.pipelines.conftest import write_clip

from .odd_files import Recipe

Writer = Callable[[Path, int], None]
SIZES = ((64, 48), (48, 64), (80, 46), (34, 34))


def _recipe(suffix: str, video: str, **properties: Any) -> tuple[str, Writer]:
    def write(path: Path, index: int) -> None:
        frames = properties.get("frames", 3 + index % 5)
        Recipe(suffix, video, **{
            "size": SIZES[index % len(SIZES)], **properties, "frames": frames,
        }).write(path)  # fmt: skip

    return suffix, write


def _variable_rate(path: Path, index: int) -> None:
    write_clip(path, pts=[0, 1, 5, 6, 11 + index % 7, 30], audio=["aac"])


def _sound_alone(path: Path, index: int) -> None:
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("aac", rate=48000, layout="mono")
        for number in range(3 + index % 3):
            silence = np.zeros((1, 1024), np.float32)
            frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, number * 1024
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _noise(path: Path, index: int) -> None:
    path.write_bytes(np.random.default_rng(index).bytes(1000))


GOOD: dict[str, tuple[str, Writer]] = {
    "h264": _recipe("mp4", "libx264", audio="aac", subtitles="mov_text"),
    "hevc-10-bit": _recipe(
        "mkv", "libx265", size=(96, 64), pixel_format="yuv420p10le", audio="libopus"
    ),
    "vp9": _recipe("webm", "libvpx-vp9", audio="libvorbis"),
    "prores": _recipe("mov", "prores_ks", pixel_format="yuv422p10le", audio="pcm_s16le"),
    "mpeg2": _recipe("ts", "mpeg2video", size=(64, 48), audio="ac3"),
    "avi": _recipe("avi", "mpeg4", audio="mp2"),
    "variable-rate": ("mkv", _variable_rate),
    "rotated": _recipe("mp4", "libx264", rotation=90, audio="aac"),
    "one-frame": _recipe("mp4", "libx264", frames=1),
    "lossless": _recipe("mkv", "ffv1", pixel_format="yuv444p", audio="flac"),
    "truncated": _recipe("ts", "mpeg2video", size=(64, 48), frames=12, damage=(("cut", 0.6, 0),)),
}
"""Kinds that can be filtered: suffix, and what writes a file of a number."""
BAD: dict[str, tuple[str, Writer]] = {
    "empty": ("mp4", lambda path, _: path.touch()),
    "noise": ("mkv", _noise),
    "without-index": _recipe("mp4", "libx264", damage=(("cut", 0.4, 0),)),
    "sound-alone": ("m4a", _sound_alone),
}
"""Kinds that must be reported."""
PICTURE = "picture", _recipe("png", "png", frames=1)
"""One that is filtered on one machine, and reported on a cluster."""


def make_folder(folder: Path, files: int) -> None:
    """Write so many files, of each kind in turn. Their names are a number and the kind."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = [*GOOD.items(), *BAD.items(), PICTURE]
    for index in range(files):
        name, (suffix, write) = kinds[index % len(kinds)]
        write(folder / f"{index:03}-{name}.{suffix}", index // len(kinds))


def kind_of(path: Path) -> str:
    """The kind of a file by its name."""
    return path.stem.partition("-")[2]


def must_fail(path: Path, *, on_cluster: bool) -> bool:
    """True if this file cannot be filtered."""
    return kind_of(path) in BAD or (on_cluster and kind_of(path) == PICTURE[0])


def problems(
    folder: Path, outputs: Path, summary: dict[str, Any], *, on_cluster: bool
) -> list[str]:
    """What is wrong with the summary of a run, or with its outputs."""
    sources = sorted(folder.iterdir())
    found = {Path(each["input"]): each for each in summary["files"]}
    wrong = [] if sorted(found) == sources else ["the summary has other inputs"]
    for path in sources:
        each = found.get(path, {})
        wanted = "failed" if must_fail(path, on_cluster=on_cluster) else "done"
        if each.get("state") != wanted:
            wrong.append(f"{path.name}: {each.get('state')}, must be {wanted}: {each}")
        elif wanted == "failed" and not each["reason"]:
            wrong.append(f"{path.name}: without a reason")
        elif wanted == "done" and _differs(path, Path(each["output"])):
            wrong.append(f"{path.name}: {_differs(path, Path(each['output']))}")
    made = sum(each["state"] == "done" for each in summary["files"])
    left = sorted(outputs.iterdir())
    return wrong if len(left) == made else [*wrong, f"{made} are done, and {left} is there"]


def _differs(source: Path, output: Path) -> str:
    before, after = _streams(source), _streams(output)
    return "" if before == after else f"{before} before, {after} after"


def _streams(path: Path) -> list[Any]:
    """Frames of the video, as far as they can be decoded, and packets of the other streams."""
    with av.open(str(path)) as container:
        packets = list(container.demux())
        frames = 0
        for packet in packets:
            if packet.stream.type == "video":
                try:
                    frames += len(packet.decode())
                except av.FFmpegError:
                    continue
        others = sorted((each.type, sum(packet.stream is each and packet.size > 0
                                        for packet in packets))
                        for each in container.streams if each.type == "audio")  # fmt: skip
        return [frames, *others]

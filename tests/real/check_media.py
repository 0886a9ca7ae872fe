"""Runs a folder of media through `turbolens video` and compares each output with its input.

The comparison uses the program `ffprobe`, which shares no code with Turbolens:

    python tests/real/check_media.py FOLDER [--size 64] [--json]

Exit code 1 if an output differs from its input, or if a run ends with a traceback.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

CONTAINERS = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".ts", ".mts", ".m2ts", ".nut", ".flv"}
IGNORED = {".txt", ".md", ".json", ".py", ".sh", ".srt", ".csv", ".html", ".npz", ".npy"}
COLOURS = ("color_range", "color_space", "color_primaries", "color_transfer")
HDR = {"smpte2084", "arib-std-b67"}
MARKS = ("default", "forced", "hearing_impaired", "visual_impaired", "comment", "original", "dub")
TIME_TOLERANCE = 0.002  # seconds; Matroska and FLV store milliseconds
DURATION_TOLERANCE = 0.25  # seconds; containers disagree about the end of the last frame
Probe = dict[str, Any]


@dataclass
class Result:
    """What became of one file. status: ok, differs, refused or crashed."""

    name: str
    status: str
    frames: int = 0
    seconds: float = 0.0
    differences: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def main() -> int:
    """Check every file; print a table and a summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=64, help="size of the working image")
    parser.add_argument("--json", action="store_true", help="one JSON object for each file")
    parser.add_argument(
        "--option", action="append", default=[], help="further option: --option=--codec=hevc"
    )
    options = parser.parse_args()
    paths = sorted(path for path in options.folder.rglob("*")
                   if path.is_file() and path.suffix.lower() not in IGNORED)  # fmt: skip
    results = []
    for path in paths:
        with tempfile.TemporaryDirectory() as folder:
            result = check(path, Path(folder), [f"--size={options.size}", *options.option])
        results.append(result)
        write(json.dumps(asdict(result)) if options.json else row(result))
    write(summary(results, as_json=options.json))
    return int(any(result.status in ("differs", "crashed") for result in results))


def write(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def row(result: Result) -> str:
    """A line of the table."""
    details = "; ".join(result.differences or result.notices)
    return (f"{result.status:8} {result.frames:6} frames {result.seconds:7.1f} s  {result.name}"
            + (f"  [{details}]" if details else ""))  # fmt: skip


def summary(results: Sequence[Result], *, as_json: bool) -> str:
    """How many files ended in each way, and how often each property differs."""
    statuses = Counter(result.status for result in results)
    kinds = Counter(text.partition(":")[0] for result in results for text in result.differences)
    frames = sum(result.frames for result in results)
    if as_json:
        return json.dumps(
            {"files": len(results), "frames": frames, **statuses, "differences": kinds}
        )
    counts = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    lines = [f"{len(results)} files, {frames} frames: {counts or 'nothing to check'}"]
    return "\n".join(lines + [f"  {count} × {kind}" for kind, count in kinds.most_common()])


def check(path: Path, folder: Path, options: Sequence[str]) -> Result:
    """Filter a file and compare."""
    suffix = path.suffix.lower() if path.suffix.lower() in CONTAINERS else ".mkv"
    target = folder / f"out{suffix}"
    command = [sys.executable, "-m", "turbolens", "video", str(path), str(target), *options]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    result = Result(path.name, "ok", seconds=round(time.monotonic() - began, 1))
    said = [line for line in done.stderr.splitlines() if line.strip()]
    if done.returncode != 0:
        crashed = "Traceback" in done.stderr or done.returncode not in (1, 2)
        result.status = "crashed" if crashed else "refused"
        result.differences = [f"exit code {done.returncode}: {said[-1] if said else 'no message'}"]
        if target.exists():
            result.differences.append("output: it exists although the command failed")
        return result
    result.notices = [line.partition(": ")[2] for line in said if line.startswith(path.name)]
    before, after = probe(path), probe(target)
    result.frames = len(times(after))
    result.differences = list(differences(before, after))
    result.status = "differs" if result.differences else "ok"
    return result


def probe(path: Path) -> Probe:
    """Streams, frames of the main video and audio packets, by ffprobe."""
    described = _ffprobe(path, "-show_format", "-show_streams")
    video = main_video(described["streams"])
    index = "v:0" if video is None else str(video["index"])
    frames = _ffprobe(path, "-select_streams", index, "-show_entries",
                      "frame=best_effort_timestamp_time,width,height")  # fmt: skip
    packets = _ffprobe(path, "-select_streams", "a", "-show_entries",
                       "packet=stream_index,size,pts_time")  # fmt: skip
    return {**described, "video": video, "frames": frames.get("frames", []),
            "packets": packets.get("packets", [])}  # fmt: skip


def _ffprobe(path: Path, *options: str) -> Probe:
    command = ["ffprobe", "-v", "quiet", "-of", "json", *options, f"file:{path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    found: Probe = json.loads(done.stdout or "{}")
    return {"streams": [], "format": {}, **found}


def main_video(streams: Sequence[Probe]) -> Probe | None:
    """The video marked as default, or else the first one that is no cover art."""
    videos = [
        each
        for each in streams
        if each["codec_type"] == "video" and not each["disposition"]["attached_pic"]
    ]
    marked = [each for each in videos if each["disposition"]["default"]]
    return next(iter(marked or videos), None)


def differences(before: Probe, after: Probe) -> Iterator[str]:
    """What the output does not have as the input has it."""
    if before["video"] is None or after["video"] is None:
        yield "video: there is none"
        return
    yield from _different_times(before, after)
    yield from _different_picture(before["video"], after["video"])
    yield from _different_audio(before, after)
    yield from _different_marks(before, after)
    durations = [float(each["format"].get("duration", 0)) for each in (before, after)]
    if durations[0] and abs(durations[0] - durations[1]) > DURATION_TOLERANCE:
        yield f"duration: {durations[0]:.2f} s became {durations[1]:.2f} s"


def times(probed: Probe) -> list[float]:
    """The time of every frame that has one, in seconds from the first."""
    found = [float(frame["best_effort_timestamp_time"]) for frame in probed["frames"]
             if "best_effort_timestamp_time" in frame]  # fmt: skip
    return [time_ - found[0] for time_ in found]


def _different_times(before: Probe, after: Probe) -> Iterator[str]:
    counts = len(before["frames"]), len(after["frames"])
    if counts[0] != counts[1]:
        yield f"frames: {counts[0]} became {counts[1]}"
        return
    pairs = list(zip(times(before), times(after), strict=False))
    wrong = [abs(a - b) for a, b in pairs if abs(a - b) > TIME_TOLERANCE]
    if wrong:
        yield f"times: {len(wrong)} of {len(pairs)} frames moved, by {max(wrong):.3f} s at most"


def _different_picture(before: Probe, after: Probe) -> Iterator[str]:
    turned = abs(rotation(before)) % 180 == 90
    size = before["width"], before["height"]
    expected = size[::-1] if turned else size
    if (after["width"], after["height"]) != expected:
        yield f"size: {expected[0]}x{expected[1]} became {after['width']}x{after['height']}"
    if rotation(after):
        yield f"rotation: {rotation(after)}° is left"
    shapes = shape(before), shape(after)
    wanted = 1 / shapes[0] if turned else shapes[0]
    if abs(wanted - shapes[1]) > 0.01:
        yield f"sample aspect ratio: {wanted:.3f} became {shapes[1]:.3f}"
    converted = before.get("color_transfer") in HDR or before.get("color_space") in ("gbr", "rgb")
    for name in () if converted else COLOURS:
        if before.get(name) and before.get(name) != after.get(name):
            yield f"{name}: {before.get(name)} became {after.get(name)}"


def rotation(stream: Probe) -> int:
    """Degrees by the display matrix."""
    return next((int(each["rotation"]) for each in stream.get("side_data_list", [])
                 if "rotation" in each), 0)  # fmt: skip


def shape(stream: Probe) -> float:
    """The sample aspect ratio; 1 if it is unknown."""
    width, _, height = stream.get("sample_aspect_ratio", "1:1").partition(":")
    return int(width) / int(height) if int(width) and int(height) else 1.0


def _audio(probed: Probe) -> list[Probe]:
    return [each for each in probed["streams"] if each["codec_type"] == "audio"]


def _different_audio(before: Probe, after: Probe) -> Iterator[str]:
    tracks = _audio(before), _audio(after)
    if len(tracks[0]) != len(tracks[1]):
        yield f"audio tracks: {len(tracks[0])} became {len(tracks[1])}"
        return
    for number, (source, target) in enumerate(zip(*tracks, strict=True)):
        if source.get("codec_name") != target.get("codec_name"):
            continue  # converted, which a notice says
        sizes = [packet_sizes(before, source), packet_sizes(after, target)]
        if sizes[0] != sizes[1]:
            yield f"audio packets: of track {number}, {len(sizes[0])} became {len(sizes[1])}"
    offsets = audio_offset(before), audio_offset(after)
    if None not in offsets and abs(offsets[0] - offsets[1]) > 0.03:  # type: ignore[operator]
        yield f"audio offset: {offsets[0]:.3f} s became {offsets[1]:.3f} s"


def packet_sizes(probed: Probe, track: Probe) -> list[str]:
    """The size of each packet of an audio track."""
    return [each["size"] for each in probed["packets"] if each["stream_index"] == track["index"]]


def audio_offset(probed: Probe) -> float | None:
    """Seconds from the first frame to the first audio packet, `None` if unknown."""
    frame = next((float(each["best_effort_timestamp_time"]) for each in probed["frames"]
                  if "best_effort_timestamp_time" in each), None)  # fmt: skip
    packet = next(
        (float(each["pts_time"]) for each in probed["packets"] if "pts_time" in each), None
    )
    return None if frame is None or packet is None else packet - frame


def _different_marks(before: Probe, after: Probe) -> Iterator[str]:
    pairs = [(before["video"], after["video"])]
    pairs += zip(_audio(before), _audio(after), strict=False)
    for source, target in pairs:
        old, new = source["disposition"], target["disposition"]
        lost = [mark for mark in MARKS if old.get(mark) and not new.get(mark)]
        if lost:
            yield f"dispositions: {source['codec_type']} is no longer marked {', '.join(lost)}"


if __name__ == "__main__":
    sys.exit(main())

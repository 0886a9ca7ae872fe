"""Run in GStreamer's Python: plays pipelines with the element, and prints results as JSON.

python3 gstreamer_checks.py formats|playing FORMAT...
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import Gst, GstApp  # noqa: E402, F401

TIMEOUT = 60 * 1_000_000_000  # ns


class Player:
    """A pipeline with an appsink at its end. Iterating pulls its samples."""

    def __init__(self, line: str) -> None:
        self.pipeline: Any = Gst.parse_launch(f"{line} ! appsink name=end sync=false max-buffers=1")
        self.end = self.pipeline.get_by_name("end")
        self.pipeline.set_state(Gst.State.PLAYING)

    def __iter__(self) -> Iterator[Any]:
        while (sample := self.end.try_pull_sample(TIMEOUT)) is not None:
            yield sample

    def close(self) -> None:
        self.pipeline.set_state(Gst.State.NULL)


def pixels(sample: Any) -> list[int]:
    buffer = sample.get_buffer()
    return list(buffer.extract_dup(0, buffer.get_size()))


def first_frame(pixel_format: str, element: str) -> list[int]:
    player = Player(
        "videotestsrc num-buffers=1 pattern=smpte75 "
        f"! video/x-raw,format={pixel_format},width=70,height=50 ! {element} "
        "! videoconvert ! video/x-raw,format=RGB"
    )
    frame = pixels(next(iter(player)))
    player.close()
    return frame


def formats(names: list[str]) -> dict[str, float]:
    """The mean difference between a frame that passes and one that is filtered very little."""
    distances = {}
    for name in names:
        before = first_frame(name, "identity")
        after = first_frame(name, "turbolens mix=0.004 size=64")
        differences = [abs(a - b) for a, b in zip(before, after, strict=True)]
        distances[name] = sum(differences) / len(differences)
    return distances


def playing() -> dict[str, Any]:
    """Times, settings changed during playback, and frames dropped because they are late."""
    player = Player(
        "videotestsrc num-buffers=30 pattern=blue "
        "! video/x-raw,format=RGB,width=64,height=64,framerate=10/1 ! turbolens name=t size=64"
    )
    element = player.pipeline.get_by_name("t")
    seen: list[tuple[int, list[int]]] = []
    for sample in player:
        seen.append((sample.get_buffer().pts, pixels(sample)[:3]))
        if len(seen) == 5:
            element.set_property("enabled", False)
        if len(seen) == 10:
            late = Gst.Event.new_qos(Gst.QOSType.UNDERFLOW, 1.5, Gst.SECOND // 2, seen[-1][0])
            player.end.get_static_pad("sink").push_event(late)
    element.set_property("prompt", "neon:2 | noir")
    element.set_property("fit", "squeeze")
    result = {
        "times": [pts for pts, _ in seen],
        "colours": [colour for _, colour in seen],
        "prompt": element.get_property("prompt"),
        "fit": element.get_property("fit"),
        "warning": warning(player.pipeline.get_bus()),
    }
    element.set_property("prompt", "a zombie made of lego")
    result["reading"] = warning(player.pipeline.get_bus())
    player.close()
    return result


def latency() -> int:
    """The latency that the element adds to a live source, in ns."""
    player = Player(
        "videotestsrc is-live=true ! video/x-raw,width=64,height=64,framerate=30/1 "
        "! turbolens name=t size=64"
    )
    for count, _ in enumerate(player):
        if count == 4:
            break
    element = player.pipeline.get_by_name("t")
    before, after = Gst.Query.new_latency(), Gst.Query.new_latency()
    assert element.get_static_pad("sink").peer_query(before)
    assert element.get_static_pad("src").query(after)
    player.close()
    return int(after.parse_latency()[1] - before.parse_latency()[1])


def warning(bus: Any) -> str:
    message = bus.timed_pop_filtered(TIMEOUT, Gst.MessageType.WARNING)
    return str(message.parse_warning()[0].message)


def main() -> None:
    Gst.init(None)
    if sys.argv[1] == "formats":
        found: Any = formats(sys.argv[2:])
    else:
        found = {**playing(), "latency": latency()}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()

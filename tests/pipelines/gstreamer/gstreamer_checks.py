"""Run by the Python that GStreamer uses: drives the element and prints what it saw as JSON.

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

PATIENCE = 60 * 1_000_000_000  # ns


class Player:
    """A pipeline that ends in an appsink, pulled from by hand."""

    def __init__(self, line: str) -> None:
        self.pipeline: Any = Gst.parse_launch(f"{line} ! appsink name=end sync=false max-buffers=1")
        self.end = self.pipeline.get_by_name("end")
        self.pipeline.set_state(Gst.State.PLAYING)

    def __iter__(self) -> Iterator[Any]:
        while (sample := self.end.try_pull_sample(PATIENCE)) is not None:
            yield sample

    def close(self) -> None:
        self.pipeline.set_state(Gst.State.NULL)


def pixels(sample: Any) -> list[int]:
    buffer = sample.get_buffer()
    return list(buffer.extract_dup(0, buffer.get_size()))


def first_picture(picture_format: str, element: str) -> list[int]:
    player = Player(
        "videotestsrc num-buffers=1 pattern=smpte75 "
        f"! video/x-raw,format={picture_format},width=70,height=50 ! {element} "
        "! videoconvert ! video/x-raw,format=RGB"
    )
    picture = pixels(next(iter(player)))
    player.close()
    return picture


def formats(names: list[str]) -> dict[str, float]:
    """The mean distance of a picture that is nearly untouched from one that is."""
    distances = {}
    for name in names:
        before = first_picture(name, "identity")
        after = first_picture(name, "turbolens mix=0.004 size=64")
        differences = [abs(a - b) for a, b in zip(before, after, strict=True)]
        distances[name] = sum(differences) / len(differences)
    return distances


def playing() -> dict[str, Any]:
    """Times, a setting changed while playing, and pictures given up because they are late."""
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
    player.close()
    return result


def latency() -> int:
    """What the element adds to the latency of a live source, in ns."""
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
    message = bus.timed_pop_filtered(PATIENCE, Gst.MessageType.WARNING)
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

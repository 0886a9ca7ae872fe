"""Run as a program: takes one stream of packets from its standard input to where it is sent.

What is wanted comes in the environment, where no other user can read a token of it, as JSON:
{"name", "format", "options", "open_seconds"}.

PyAV connects an output with Python's lock held, and without a limit of time: a server that accepts
and then says nothing would hold up whatever else the program does. Here it holds up this program
only, which ends by itself after that time. It says `READY`, or what went wrong, in one line.
"""

import faulthandler
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av
from av.container import InputContainer, OutputContainer

from turbolens.pipelines.errors import reason

CONTAINER = "nut"  # keeps every time as it is, and needs no way back in the file
READY = "ready"
WANTED = "TURBOLENS_SENDER"
"""The variable that says what is wanted."""
AT_ONCE = {  # nothing has to be looked at: the header says it all
    "fflags": "nobuffer", "probesize": "100000", "analyzeduration": "1", "fpsprobesize": "0",
    "max_ts_probe": "0",
}  # fmt: skip


def send(wanted: dict[str, Any]) -> None:
    """Copy packets until the input ends. Raises FFmpeg's errors."""
    with _ended_after(wanted["open_seconds"]):
        incoming, output, copies = _connected(wanted)
    _say(READY)
    for packet in incoming.demux():
        if packet.dts is not None:
            packet.stream = copies[packet.stream.index]
            with _ended_after(wanted["open_seconds"]):  # who started this may be gone by now
                output.mux(packet)
    with _ended_after(wanted["open_seconds"]):
        output.close()


def _connected(wanted: dict[str, Any]) -> tuple[InputContainer, OutputContainer, dict[int, Any]]:
    incoming = av.open("pipe:0", format=CONTAINER, options=AT_ONCE)
    output = av.open(
        wanted["name"], "w", format=wanted["format"], container_options=wanted["options"]
    )
    copies = {stream.index: output.add_stream_from_template(stream)
              for stream in incoming.streams if stream.type in ("video", "audio")}  # fmt: skip
    output.start_encoding()
    return incoming, output, copies


@contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    """End the program if this takes longer. The watch is a thread of C: it needs no lock."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
        yield
        faulthandler.cancel_dump_traceback_later()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Send what is wanted, and end with the input, or with a line that says why."""
    try:
        send(json.loads(os.environ[WANTED]))
    except (av.FFmpegError, OSError, ValueError) as error:
        _say(reason(error))
    # What is left of a broken connection is not closed in good order: that may wait for ever.
    os._exit(0)


if __name__ == "__main__":
    main()

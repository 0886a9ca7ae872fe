"""Run as a program: sends the stream on its standard input to a server.

The request comes in an environment variable, where other users cannot read its token, as JSON:
{"name", "format", "options", "open_seconds"}.

PyAV connects an output with Python's global lock held and without a time limit: a server that
accepts the connection and then does not answer would block the whole program. Here it blocks only
this process, which ends by itself after that time. It prints one line: `READY`, or what went wrong.
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

CONTAINER = "nut"  # keeps timestamps exactly, and can be written without seeking
READY = "ready"
REQUEST_VARIABLE = "TURBOLENS_SENDER"
NO_PROBING = {  # the container's header tells everything
    "fflags": "nobuffer", "probesize": "100000", "analyzeduration": "1", "fpsprobesize": "0",
    "max_ts_probe": "0",
}  # fmt: skip


def send(request: dict[str, Any]) -> None:
    """Copy packets until the input ends. Raises FFmpeg's errors."""
    seconds = request["open_seconds"]
    with _time_limit(seconds):
        incoming, output, copies = _connect(request)
    _print_line(READY)
    for packet in incoming.demux():
        if packet.dts is not None:
            packet.stream = copies[packet.stream.index]
            with _time_limit(seconds):  # the parent process may be gone by now
                output.mux(packet)
    with _time_limit(seconds):
        output.close()


def _connect(request: dict[str, Any]) -> tuple[InputContainer, OutputContainer, dict[int, Any]]:
    incoming = av.open("pipe:0", format=CONTAINER, options=NO_PROBING)
    output = av.open(
        request["name"], "w", format=request["format"], container_options=request["options"]
    )
    copies = {stream.index: output.add_stream_from_template(stream)
              for stream in incoming.streams if stream.type in ("video", "audio")}  # fmt: skip
    output.start_encoding()
    return incoming, output, copies


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """End the process if this takes longer. The watchdog is a C thread and needs no Python lock."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
        yield
        faulthandler.cancel_dump_traceback_later()


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Send until the input ends, or print why that failed."""
    try:
        send(json.loads(os.environ[REQUEST_VARIABLE]))
    except (av.FFmpegError, OSError, ValueError) as error:
        _print_line(reason(error))
    # Closing a broken connection could block for ever, so the process ends without it.
    os._exit(0)


if __name__ == "__main__":
    main()

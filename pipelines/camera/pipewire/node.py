"""The process that owns a node of PipeWire: frames on standard input, to every program that reads.

It is a process of its own, because an error in the C library must not end a call, and because the
library must not wait for other threads of Python. It writes "node NUMBER" once programs can see the
node, and one line if that fails or the connection is lost.
"""

import ctypes
import os
import sys
from fractions import Fraction
from queue import SimpleQueue
from threading import Thread
from time import monotonic_ns
from typing import Any

from . import library as pw
from . import pods

NODE = "node"  # first word of the line that says that the node is there
REFUSED, LOST = "PipeWire refuses the connection", "the connection to PipeWire was lost"

PROPERTIES = (
    b'{ media.type = "Video" media.category = "Capture" media.class = "Video/Source"'
    b' media.role = "Camera" node.name = "turbolens" node.description = "Turbolens"'
    b' node.nick = "Turbolens" }'
)
"""With these, desktops list the node as a camera."""


class Node:
    """A video source with one format. `lines` gets its number, and why the connection was lost."""

    def __init__(self, width: int, height: int, rate: Fraction) -> None:
        self._size = width, height
        self._lib = pw.load()
        self._number = 0
        self.lines: SimpleQueue[str] = SimpleQueue()
        self._loop = self._lib.pw_thread_loop_new(b"turbolens", None)
        self._stream = self._open(rate)

    def _open(self, rate: Fraction) -> Any:
        lib = self._lib
        context = lib.pw_context_new(lib.pw_thread_loop_get_loop(self._loop), None, 0)
        core = lib.pw_context_connect(context, None, 0) if context else None
        if not core:
            raise OSError(REFUSED)
        stream = lib.pw_stream_new(core, b"Turbolens", lib.pw_properties_new_string(PROPERTIES))
        self._events = pw.StreamEvents(
            version=pw.EVENTS_VERSION,
            state_changed=pw.StateChanged(self._state_changed),
            param_changed=pw.ParamChanged(self._param_changed),
        )
        self._hook = ctypes.create_string_buffer(64)  # `spa_hook`, which has 48 bytes
        lib.pw_stream_add_listener(stream, self._hook, ctypes.byref(self._events), None)
        params, count = pw.pod_array(pods.video_format(*self._size, rate))
        flags = pw.DRIVER | pw.MAP_BUFFERS
        if lib.pw_stream_connect(stream, pw.OUTPUT, pw.ANY_ID, flags, params, count) < 0:
            raise OSError(REFUSED)
        return stream

    def start(self) -> None:
        """Begin to talk to the daemon."""
        self._lib.pw_thread_loop_start(self._loop)

    def _state_changed(self, _: Any, old: int, new: int, error: bytes | None) -> None:
        if new == pw.PAUSED and old == pw.CONNECTING:
            self.lines.put(f"{NODE} {self._lib.pw_stream_get_node_id(self._stream)}")
        elif new in (pw.ERROR, pw.UNCONNECTED):
            self.lines.put(LOST if error is None else f"{LOST}: {error.decode()}")

    def _param_changed(self, _: Any, identity: int, pod: int | None) -> None:
        """A reader has accepted the format: ask for buffers."""
        if identity == pods.PARAM_FORMAT and pod:
            params, count = pw.pod_array(pods.buffers(*self._size), pods.header())
            self._lib.pw_stream_update_params(self._stream, params, count)

    def send(self, pixels: Any) -> None:
        """Hand a frame to the readers. Does nothing if there is none, or none has a free buffer.

        pixels: the bytes of a frame in YUY2, as a ctypes array.
        """
        lib = self._lib
        lib.pw_thread_loop_lock(self._loop)
        try:
            if lib.pw_stream_get_state(self._stream, None) != pw.STREAMING:
                return
            buffer = lib.pw_stream_dequeue_buffer(self._stream)
            if buffer:
                self._fill(buffer.contents.buffer.contents, pixels)
                lib.pw_stream_queue_buffer(self._stream, buffer)
            lib.pw_stream_trigger_process(self._stream)
        finally:
            lib.pw_thread_loop_unlock(self._loop)

    def _fill(self, buffer: pw.SpaBuffer, pixels: Any) -> None:
        data = buffer.datas[0]
        size = min(len(pixels), data.maxsize) if data.data else 0
        ctypes.memmove(data.data, pixels, size)
        chunk = data.chunk.contents
        chunk.offset, chunk.size, chunk.flags = 0, size, 0
        chunk.stride = pods.BYTES_PER_PIXEL * self._size[0]
        self._number += 1
        for meta in buffer.metas[: buffer.n_metas]:
            if meta.type == pods.META_HEADER and meta.size >= pods.META_HEADER_BYTES:
                header = ctypes.cast(meta.data, ctypes.POINTER(pw.Header)).contents
                header.flags, header.offset, header.dts_offset = 0, 0, 0
                header.pts, header.seq = monotonic_ns(), self._number


def _read_frames(node: Node, size: int) -> None:
    """Send each frame of standard input, until its end."""
    pixels = (ctypes.c_char * size)()
    with os.fdopen(os.dup(0), "rb", buffering=0) as source:
        while _filled(source, memoryview(pixels).cast("B")):
            node.send(pixels)
    node.lines.put("")


def _filled(source: Any, view: memoryview) -> bool:
    """Read until the view is full. False at the end."""
    done = 0
    while done < len(view):
        count = source.readinto(view[done:])
        if not count:
            return False
        done += count
    return True


def main(width: str, height: str, rate: str) -> None:
    """Run until standard input ends or the connection is lost."""
    size = int(width), int(height)
    try:
        node = Node(*size, Fraction(rate))
    except OSError as error:
        sys.stdout.write(f"{error}\n")
        return
    node.start()
    reader = Thread(
        target=_read_frames, args=(node, pods.BYTES_PER_PIXEL * size[0] * size[1]), daemon=True
    )
    reader.start()
    while line := node.lines.get():
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        if not line.startswith(NODE):
            break
    os._exit(0)  # closing the library's objects could wait for a daemon that is gone


if __name__ == "__main__":
    main(*sys.argv[1:])

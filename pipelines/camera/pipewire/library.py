"""The part of libpipewire-0.3 that a video source needs, by ctypes.

Its structures and functions have been the same in every version since 0.3.0: they are the library's
public interface, https://docs.pipewire.org/group__pw__stream.html.
"""

import ctypes
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

NAME = "libpipewire-0.3.so.0"
OUTPUT, ANY_ID = 1, 0xFFFFFFFF
MAP_BUFFERS, DRIVER = 1 << 2, 1 << 3  # flags of a stream
ERROR, UNCONNECTED, CONNECTING, PAUSED, STREAMING = -1, 0, 1, 2, 3  # states of a stream
EVENTS_VERSION = 2


class Chunk(Structure):
    """`spa_chunk`: the valid part of a block of data."""

    _fields_ = (("offset", c_uint32), ("size", c_uint32), ("stride", c_int32), ("flags", c_int32))


class Data(Structure):
    """`spa_data`: a block of data."""

    _fields_ = (
        ("type", c_uint32), ("flags", c_uint32), ("fd", c_int64), ("mapoffset", c_uint32),
        ("maxsize", c_uint32), ("data", c_void_p), ("chunk", POINTER(Chunk)),
    )  # fmt: skip


class Meta(Structure):
    """`spa_meta`: metadata of a buffer."""

    _fields_ = (("type", c_uint32), ("size", c_uint32), ("data", c_void_p))


class Header(Structure):
    """`spa_meta_header`: the time (nanoseconds) and the number of a frame."""

    _fields_ = (
        ("flags", c_uint32), ("offset", c_uint32), ("pts", c_int64), ("dts_offset", c_int64),
        ("seq", c_uint64),
    )  # fmt: skip


class SpaBuffer(Structure):
    """`spa_buffer`: blocks of data and metadata."""

    _fields_ = (
        ("n_metas", c_uint32), ("n_datas", c_uint32), ("metas", POINTER(Meta)),
        ("datas", POINTER(Data)),
    )  # fmt: skip


class Buffer(Structure):
    """`pw_buffer`: a buffer of a stream. Later fields are not used here."""

    _fields_ = (("buffer", POINTER(SpaBuffer)), ("user_data", c_void_p), ("size", c_uint64))


StateChanged = CFUNCTYPE(None, c_void_p, c_int, c_int, c_char_p)
ParamChanged = CFUNCTYPE(None, c_void_p, c_uint32, c_void_p)


class StreamEvents(Structure):
    """`pw_stream_events`: the functions that the library calls."""

    _fields_ = (
        ("version", c_uint32), ("destroy", c_void_p), ("state_changed", StateChanged),
        ("control_info", c_void_p), ("io_changed", c_void_p), ("param_changed", ParamChanged),
        ("add_buffer", c_void_p), ("remove_buffer", c_void_p), ("process", c_void_p),
        ("drained", c_void_p), ("command", c_void_p), ("trigger_done", c_void_p),
    )  # fmt: skip


_POINTERS = {
    "pw_init": (None, c_void_p, c_void_p),
    "pw_thread_loop_new": (c_void_p, c_char_p, c_void_p),
    "pw_thread_loop_get_loop": (c_void_p, c_void_p),
    "pw_thread_loop_start": (c_int, c_void_p),
    "pw_thread_loop_stop": (None, c_void_p),
    "pw_thread_loop_lock": (None, c_void_p),
    "pw_thread_loop_unlock": (None, c_void_p),
    "pw_context_new": (c_void_p, c_void_p, c_void_p, ctypes.c_size_t),
    "pw_context_connect": (c_void_p, c_void_p, c_void_p, ctypes.c_size_t),
    "pw_properties_new_string": (c_void_p, c_char_p),
    "pw_stream_new": (c_void_p, c_void_p, c_char_p, c_void_p),
    "pw_stream_add_listener": (None, c_void_p, c_void_p, c_void_p, c_void_p),
    "pw_stream_connect": (c_int, c_void_p, c_int, c_uint32, c_int, c_void_p, c_uint32),
    "pw_stream_get_node_id": (c_uint32, c_void_p),
    "pw_stream_get_state": (c_int, c_void_p, c_void_p),
    "pw_stream_update_params": (c_int, c_void_p, c_void_p, c_uint32),
    "pw_stream_dequeue_buffer": (POINTER(Buffer), c_void_p),
    "pw_stream_queue_buffer": (c_int, c_void_p, POINTER(Buffer)),
    "pw_stream_trigger_process": (c_int, c_void_p),
}
"""Result and arguments of each function."""


def load() -> Any:
    """The library. Raises `OSError` if it is not installed."""
    library = ctypes.CDLL(NAME)
    for name, (result, *arguments) in _POINTERS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.pw_init(None, None)
    return library


def pod_array(*pods: bytes) -> tuple[Any, int]:
    """An array of pointers to parameters, and its length. The library copies what it points to."""
    return (c_char_p * len(pods))(*pods), len(pods)

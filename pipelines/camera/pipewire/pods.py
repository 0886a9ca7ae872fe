"""PipeWire's parameters as bytes: plain old data (POD).

Layout and numbers: https://docs.pipewire.org/page_spa_pod.html and the headers in
`spa/include/spa/param`. A POD is its size and type (32 bits each), and its body, padded to 8 bytes.
"""

import struct
from fractions import Fraction

POD_ID, POD_INT, POD_RECTANGLE, POD_FRACTION, POD_OBJECT, POD_CHOICE = 3, 4, 10, 11, 15, 19
CHOICE_RANGE, CHOICE_FLAGS = 1, 4
OBJECT_FORMAT, OBJECT_BUFFERS, OBJECT_META = 0x40003, 0x40004, 0x40005
PARAM_ENUM_FORMAT, PARAM_FORMAT, PARAM_BUFFERS, PARAM_META = 3, 4, 5, 6
MEDIA_TYPE, MEDIA_SUBTYPE = 1, 2  # keys of a format
VIDEO_FORMAT, VIDEO_SIZE, VIDEO_RATE = 0x20001, 0x20003, 0x20004
VIDEO, RAW, YUY2 = 2, 1, 4  # values of a format
BUFFER_COUNT, BUFFER_BLOCKS, BUFFER_SIZE, BUFFER_STRIDE, BUFFER_DATA_TYPE = 1, 2, 3, 4, 6
DATA_POINTER, DATA_FILE = 1, 2  # memory of this process; shared memory
META_TYPE, META_SIZE = 1, 2
META_HEADER, META_HEADER_BYTES = 1, 32

BYTES_PER_PIXEL = 2  # of YUY2, the format that webcams give
FEWEST_BUFFERS, BUFFERS, MOST_BUFFERS = 2, 8, 16


def video_format(width: int, height: int, rate: Fraction) -> bytes:
    """The only format that the node offers: YUY2 of this size (even, in pixels) and rate."""
    return _object(OBJECT_FORMAT, PARAM_ENUM_FORMAT, {
        MEDIA_TYPE: _pod(POD_ID, struct.pack("I", VIDEO)),
        MEDIA_SUBTYPE: _pod(POD_ID, struct.pack("I", RAW)),
        VIDEO_FORMAT: _pod(POD_ID, struct.pack("I", YUY2)),
        VIDEO_SIZE: _pod(POD_RECTANGLE, struct.pack("II", width, height)),
        VIDEO_RATE: _pod(POD_FRACTION, struct.pack("II", rate.numerator, rate.denominator)),
    })  # fmt: skip


def buffers(width: int, height: int) -> bytes:
    """How many buffers the node wants, their size, and in which kind of memory."""
    stride = BYTES_PER_PIXEL * width
    return _object(OBJECT_BUFFERS, PARAM_BUFFERS, {
        BUFFER_COUNT: _choice(CHOICE_RANGE, BUFFERS, FEWEST_BUFFERS, MOST_BUFFERS),
        BUFFER_BLOCKS: _int(1),
        BUFFER_SIZE: _int(stride * height),
        BUFFER_STRIDE: _int(stride),
        BUFFER_DATA_TYPE: _choice(CHOICE_FLAGS, 1 << DATA_POINTER | 1 << DATA_FILE),
    })  # fmt: skip


def header() -> bytes:
    """Asks for a header with the time of each frame."""
    return _object(OBJECT_META, PARAM_META, {
        META_TYPE: _pod(POD_ID, struct.pack("I", META_HEADER)),
        META_SIZE: _int(META_HEADER_BYTES),
    })  # fmt: skip


def _int(value: int) -> bytes:
    return _pod(POD_INT, struct.pack("i", value))


def _choice(kind: int, *values: int) -> bytes:
    """A choice of integers, the default first; for a range then the lowest and the highest."""
    body = struct.pack("IIII", kind, 0, 4, POD_INT) + struct.pack(f"{len(values)}i", *values)
    return _pod(POD_CHOICE, body)


def _object(kind: int, identity: int, properties: dict[int, bytes]) -> bytes:
    body = struct.pack("II", kind, identity)
    for key, value in properties.items():
        body += struct.pack("II", key, 0) + value
    return _pod(POD_OBJECT, body)


def _pod(kind: int, body: bytes) -> bytes:
    return struct.pack("II", len(body), kind) + body + bytes(-len(body) % 8)

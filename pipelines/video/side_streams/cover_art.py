"""Cover art: images attached to a file. FFmpeg lists them as video streams of one packet."""

from collections.abc import Iterable
from typing import Any

from av.container import OutputContainer
from av.stream import Disposition, Stream

from turbolens.pipelines.base import Notify

MP4_LIKE = {"mp4", "ipod"}  # in MOV, FFmpeg drops them without an error
MP4_CODECS = {"mjpeg", "png", "bmp"}
MATROSKA_FILES = {
    "mjpeg": ("cover.jpg", "image/jpeg"),
    "png": ("cover.png", "image/png"),
    "bmp": ("cover.bmp", "image/bmp"),
    "gif": ("cover.gif", "image/gif"),
    "webp": ("cover.webp", "image/webp"),
}
"""File name and MIME type of an attachment, by codec."""


def is_cover(stream: Stream) -> bool:
    """True for an image attached to the file, such as an album cover."""
    return bool(stream.disposition & Disposition.attached_pic)


class CoverArt:
    """Carries the cover art of an input over to an output: MP4's covers, Matroska's attachments.

    packets: the packets of the input up to the first frame; those of covers come first.
    """

    def __init__(self, packets: Iterable[Any], notify: Notify) -> None:
        self._images: dict[int, Any] = {}
        for packet in packets:
            if is_cover(packet.stream):
                self._images.setdefault(packet.stream.index, packet)
        self._notify = notify
        self._waiting: list[Any] = []

    def add_to(self, output: OutputContainer) -> None:
        """Add the covers that the container can hold, before its header is written."""
        for index, packet in self._images.items():
            if not self._add(output, packet):
                self._notify(
                    f"stream {index} (cover art) is left out: {output.format.name} cannot hold it"
                )

    def packets(self) -> list[Any]:
        """The packets to write after the header."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def _add(self, output: OutputContainer, packet: Any) -> bool:
        context = packet.stream.codec_context
        codec = context.name if context is not None else ""
        if output.format.name == "matroska" and codec in MATROSKA_FILES:
            output.add_attachment(*MATROSKA_FILES[codec], bytes(packet))
            return True
        if output.format.name in MP4_LIKE and codec in MP4_CODECS:
            self._add_stream(output, packet)
            return True
        return False

    def _add_stream(self, output: OutputContainer, packet: Any) -> None:
        stream = output.add_stream_from_template(packet.stream, opaque=True)
        stream.disposition = Disposition.attached_pic
        packet.stream, packet.pts, packet.dts = stream, 0, 0
        self._waiting.append(packet)

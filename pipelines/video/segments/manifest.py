"""The list of a video's finished segments, as it is stored beside them."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from .first_frame import FirstFrame
from .packet_file import Checksum

VERSION = 1  # of the manifest and of the files beside it; others are not read


@dataclass(frozen=True)
class TexturePlace:
    """How far textures had moved before the frame of this `pts`, see `TextureShift`."""

    pts: int
    x: float
    y: float


@dataclass(frozen=True)
class ResumePoint:
    """Where a segment begins in the input.

    pts: of its first frame. run_up_pts: of the first frame to filter, so that the filter knows the
    past when the segment begins. packet: the number of the video's packet from which to decode, a
    key frame; 0 to decode from the beginning. textures: where they were during the run-up; without
    any, they begin anew with the run-up.
    """

    pts: int
    run_up_pts: int
    packet: int = 0
    textures: tuple[TexturePlace, ...] = ()


@dataclass(frozen=True)
class Segment:
    """A finished segment.

    file: its name. parameters: see `SegmentEncoder`. following: where the next segment begins,
    `None` after the last one. damaged: pieces of the input that could not be decoded so far.
    """

    file: str
    frames: int
    checksum: Checksum
    parameters: str
    following: ResumePoint | None
    damaged: int = 0


@dataclass(frozen=True)
class SegmentAhead:
    """A segment that was finished before an earlier one. `segment.damaged` counts its own pieces.

    index: its place among all segments. pts: of its first frame.
    """

    index: int
    pts: int
    segment: Segment


@dataclass(frozen=True)
class Manifest:
    """What is finished of a video.

    identity: see `Identity`. segments: the first ones, without a gap. partial: the identity of a
    shorter output that was written after Ctrl-C and may be replaced. ahead: segments after a gap,
    if several are made at a time.
    """

    identity: dict[str, str]
    first_frame: FirstFrame | None = None
    segments: tuple[Segment, ...] = ()
    partial: str | None = None
    ahead: tuple[SegmentAhead, ...] = ()
    version: int = field(default=VERSION, kw_only=True)

    @property
    def frames(self) -> int:
        """How many frames are finished."""
        return sum(segment.frames for segment in self.segments)

    @property
    def is_complete(self) -> bool:
        """True if no segment is missing."""
        return bool(self.segments) and self.segments[-1].following is None

    @property
    def resume_point(self) -> ResumePoint | None:
        """Where to go on; `None` for the beginning, or if nothing is missing."""
        return self.segments[-1].following if self.segments else None

    def to_bytes(self) -> bytes:
        """As JSON."""
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Manifest":
        """Raises `ValueError` if it cannot be read, or was written by another version."""
        try:
            read = json.loads(content)
            if read["version"] != VERSION:
                raise ValueError(f"version {read['version']}")
            first = read["first_frame"]
            return cls(
                {str(name): str(value) for name, value in read["identity"].items()},
                None if first is None else FirstFrame(**first),
                tuple(map(_segment, read["segments"])), read["partial"],
                tuple(SegmentAhead(each["index"], each["pts"], _segment(each["segment"]))
                      for each in read.get("ahead", ())),
            )  # fmt: skip
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a manifest: {error}") from error


def _segment(read: dict[str, Any]) -> Segment:
    return Segment(
        read["file"], read["frames"], Checksum(**read["checksum"]), read["parameters"],
        None if read["following"] is None else _resume_point(read["following"]),
        read["damaged"],
    )  # fmt: skip


def _resume_point(read: dict[str, Any]) -> ResumePoint:
    """Without `textures` in manifests of versions that did not store them."""
    textures = (TexturePlace(**each) for each in read.get("textures", ()))
    return ResumePoint(read["pts"], read["run_up_pts"], read["packet"], tuple(textures))

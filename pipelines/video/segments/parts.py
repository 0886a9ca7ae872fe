"""The folder `OUT.parts` with the finished segments of an output, and their manifest."""

import shutil
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify

from .durable import write_durably
from .first_frame import FirstFrame
from .folder_lock import FolderLock
from .identity import Identity, differences, file_identity
from .manifest import Manifest, ResumePoint, Segment, SegmentAhead
from .packet_file import Checksum, PacketFileWriter, checksum_of

MANIFEST = "manifest.json"


def parts_folder(output: Path) -> Path:
    """The folder for the segments of this output."""
    return output.with_name(output.name + ".parts")


def has_partial_output(output: Path) -> bool:
    """True if the output is a shorter one that an interrupted run has written, unchanged since."""
    manifest = _read_manifest(parts_folder(output))
    if manifest is None or manifest.partial is None or not output.is_file():
        return False
    return file_identity(output) == manifest.partial


def stored_identity(output: Path) -> Identity | None:
    """What the finished segments of this output were made from. `None` if there are none."""
    manifest = _read_manifest(parts_folder(output))
    return None if manifest is None else manifest.identity


def stored_dtypes(outputs: Iterable[Path]) -> dict[str, str]:
    """By device, in which dtype interrupted runs have made segments of these outputs.

    A program that goes on with them must not choose anew: by time, it could choose differently.
    """
    found = [stored_identity(output) or {} for output in outputs]
    return {each["device"]: each["dtype"] for each in found if {"device", "dtype"} <= each.keys()}


class Parts:
    """The segments of one output on disk. Only one process can use them at a time.

    manifest: what is finished. resume: False to begin anew. must_resume: True if the output exists
    and may be replaced only by going on. Raises `MediaError` if that is not possible, if another
    process uses the folder, or if it cannot be written.
    """

    def __init__(
        self,
        output: Path,
        identity: Identity,
        *,
        resume: bool = True,
        must_resume: bool = False,
        notify: Notify,
    ) -> None:
        self._output, self.folder = output, parts_folder(output)
        self.manifest = Manifest(dict(identity))
        try:
            self.folder.mkdir(exist_ok=True)
            self._lock = self._locked()
            if resume:
                self._load(notify)
            if must_resume and not self.manifest.segments:
                self._lock.release()
                raise MediaError(f"{output} exists; --overwrite replaces it")
            self._clean()
        except OSError as error:
            raise MediaError(
                f"cannot use {self.folder}: {error.strerror or error}; --segment-length 0 works"
                " without this folder"
            ) from error

    def _locked(self) -> FolderLock:
        try:
            return FolderLock(self.folder)
        except (BlockingIOError, PermissionError) as error:
            raise MediaError(
                f"cannot write {self._output}: another turbolens is making it (its segments lie in"
                f" {self.folder}); wait for it, or choose another name"
            ) from error

    def _load(self, notify: Notify) -> None:
        found = _read_manifest(self.folder)
        if found is None or not (found.segments or found.ahead):
            return
        different = differences(found.identity, self.manifest.identity)
        if different:
            notify(f"{self.folder} was made with another {', '.join(different)}: beginning anew")
            return
        intact = self._intact(found)
        if len(intact) < len(found.segments):
            notify(f"{self.folder}: segment {len(intact) + 1} is damaged and is made again")
        ahead = tuple(each for each in found.ahead
                      if each.index > len(intact) and self._is_intact(each.segment))  # fmt: skip
        if intact or ahead:
            self.manifest = replace(found, segments=intact, ahead=ahead)

    def _intact(self, manifest: Manifest) -> tuple[Segment, ...]:
        """The segments up to the first one whose file is missing or has changed."""
        for index, segment in enumerate(manifest.segments):
            if not self._is_intact(segment):
                return manifest.segments[:index]
        return manifest.segments

    def _is_intact(self, segment: Segment) -> bool:
        path = self.folder / segment.file
        return path.is_file() and checksum_of(path) == segment.checksum

    def _clean(self) -> None:
        """Remove what the manifest does not list, the manifest first if it is not valid now."""
        if not self.has_segments:
            (self.folder / MANIFEST).unlink(missing_ok=True)
        ahead = (each.segment for each in self.manifest.ahead)
        files = (segment.file for segment in (*self.manifest.segments, *ahead))
        wanted = {MANIFEST, "lock", *files}
        for path in self.folder.iterdir():
            if path.name not in wanted and path.is_file():
                path.unlink()

    @property
    def has_segments(self) -> bool:
        """True if any segment is finished."""
        return bool(self.manifest.segments or self.manifest.ahead)

    @property
    def joined(self) -> Path:
        """The unfinished output, with the suffix of the finished one."""
        return self.folder / f"joined{self._output.suffix}"

    @property
    def files(self) -> list[Path]:
        """The files of the finished segments, in order."""
        return [self.folder / segment.file for segment in self.manifest.segments]

    def next_file(self) -> PacketFileWriter:
        """The file of the next segment, to write to."""
        return PacketFileWriter(self.folder / self.next_name)

    @property
    def next_name(self) -> str:
        """The name of the next segment's file."""
        return name_of(len(self.manifest.segments))

    def store(self, name: str, content: bytes) -> Checksum:
        """Write the file of a segment that was encoded elsewhere."""
        write_durably(self.folder / name, content)
        return Checksum(len(content), zlib.crc32(content))

    def set_first_frame(self, first: FirstFrame) -> None:
        """Keep the properties of the first frame. They are stored with the first segment."""
        self.manifest = replace(self.manifest, first_frame=first)

    def append(self, segment: Segment) -> None:
        """Add a finished segment, whose file is on the disk."""
        self._save(replace(self.manifest, segments=(*self.manifest.segments, segment)))

    def place(self, finished: SegmentAhead) -> None:
        """Add a finished segment, whose file is on the disk, in any order."""
        ahead = {each.index: each for each in (*self.manifest.ahead, finished)}
        segments = list(self.manifest.segments)
        while (following := ahead.pop(len(segments), None)) is not None:
            segment, before = following.segment, segments[-1].damaged if segments else 0
            segments.append(replace(segment, damaged=before + segment.damaged))
        remaining = tuple(ahead[index] for index in sorted(ahead))
        self._save(replace(self.manifest, segments=tuple(segments), ahead=remaining))

    def holds(self, index: int, pts: int, following: ResumePoint | None) -> bool:
        """True if this segment, from `pts` to the following one, is finished."""
        if index < len(self.manifest.segments):
            return True
        return any(
            (each.index, each.pts, _pts(each.segment.following)) == (index, pts, _pts(following))
            for each in self.manifest.ahead
        )

    def note_partial_output(self) -> None:
        """Allow a later run to replace the shorter output that was just written."""
        self._save(replace(self.manifest, partial=file_identity(self._output)))

    def _save(self, manifest: Manifest) -> None:
        write_durably(self.folder / MANIFEST, manifest.to_bytes())
        self.manifest = manifest

    def close(self) -> None:
        """Let other processes use the folder. It is removed if nothing is finished."""
        self._lock.release()
        if not self.has_segments:
            self.remove()

    def remove(self) -> None:
        """Remove the folder, the manifest first, so that no half of it counts as finished."""
        self._lock.release()
        with suppress(OSError):  # the output is whole; what is left of the folder does no harm
            (self.folder / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(self.folder)


def name_of(index: int) -> str:
    """The name of a segment's file."""
    return f"{index:05}.packets"


def _pts(point: ResumePoint | None) -> int | None:
    return None if point is None else point.pts


def _read_manifest(folder: Path) -> Manifest | None:
    try:
        return Manifest.from_bytes((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None

"""`Relay`: one track for any number of viewers. A slow viewer loses frames, and slows nobody."""

from asyncio import Event, Task, get_running_loop
from contextlib import suppress
from typing import Any

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from turbolens.pipelines.latest_slot import AsyncLatestSlot, Closed

CAPACITY = {"video": 1, "audio": 50}  # frames that a viewer may be behind


class Relay:
    """Reads a track as fast as its fastest viewer does, and gives every frame to all of them.

    `track` is anything with `recv`; it is stopped with the relay. Without viewers it is not read.
    """

    def __init__(self, track: MediaStreamTrack) -> None:
        self._track = track
        self._viewers: set[RelayedTrack] = set()
        self._wanted = Event()
        self._task: Task[None] | None = None
        self._ended = False

    @property
    def viewers(self) -> int:
        """How many tracks were given out and not stopped since."""
        return len(self._viewers)

    def subscribe(self) -> "RelayedTrack":
        """One more track with the same frames, from now on."""
        viewer = RelayedTrack(self, self._track.kind)
        if self._ended:
            viewer.stop()
            return viewer
        self._viewers.add(viewer)
        if self._task is None:
            self._task = get_running_loop().create_task(self._run())
        return viewer

    def want(self) -> None:
        """A viewer has nothing left."""
        self._wanted.set()

    def leave(self, viewer: "RelayedTrack") -> None:
        """A viewer was stopped."""
        self._viewers.discard(viewer)

    def stop(self) -> None:
        """End every viewer's track, and the source."""
        self._ended = True
        self._track.stop()
        for viewer in list(self._viewers):
            viewer.end()
        self._wanted.set()

    async def _run(self) -> None:
        with suppress(MediaStreamError):
            while not self._ended:
                await self._wanted.wait()
                self._wanted.clear()
                frame = await self._track.recv()
                for viewer in self._viewers:
                    viewer.give(frame)
        self.stop()


class RelayedTrack(MediaStreamTrack):
    """A viewer's own track."""

    def __init__(self, relay: Relay, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self._relay = relay
        self._frames: AsyncLatestSlot[Any] = AsyncLatestSlot(CAPACITY[kind])

    async def recv(self) -> Any:
        """The next frame. Raises `MediaStreamError` when there will be none."""
        if self.readyState != "live":
            raise MediaStreamError
        if not len(self._frames):
            self._relay.want()
        try:
            return await self._frames.take()
        except Closed:
            self.stop()
            raise MediaStreamError from None

    def give(self, frame: Any) -> None:
        """A new frame, in place of one that was not taken in time."""
        self._frames.put(frame)

    def end(self) -> None:
        """No more frames will come; those that are there can be received."""
        self._frames.close()

    def stop(self) -> None:
        """This viewer wants no more."""
        super().stop()
        self._frames.close()
        self._frames.clear()
        self._relay.leave(self)

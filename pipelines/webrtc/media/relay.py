"""`Relay`: one track for any number of viewers. A slow viewer drops frames and delays no other."""

from asyncio import Event, Task, get_running_loop
from contextlib import suppress
from typing import Any

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from turbolens.pipelines.live.latest_slot import AsyncLatestSlot, Closed

CAPACITY = {"video": 1, "audio": 50}  # frames that wait for a viewer; then the oldest is dropped


class Relay:
    """Reads a track at the pace of its fastest viewer, and passes every frame to all viewers.

    track: is stopped with the relay, and not read while there are no viewers.
    """

    def __init__(self, track: MediaStreamTrack) -> None:
        self._track = track
        self._viewers: set[RelayedTrack] = set()
        self._wanted = Event()
        self._task: Task[None] | None = None
        self._ended = False

    @property
    def viewers(self) -> int:
        """The number of subscribed tracks that have not stopped."""
        return len(self._viewers)

    def subscribe(self) -> "RelayedTrack":
        """A new track that receives the same frames, from now on."""
        viewer = RelayedTrack(self, self._track.kind)
        if self._ended:
            viewer.stop()
            return viewer
        self._viewers.add(viewer)
        if self._task is None:
            self._task = get_running_loop().create_task(self._run())
        return viewer

    def request_frame(self) -> None:
        """Read one more frame. Called by a viewer that has none left."""
        self._wanted.set()

    def remove(self, viewer: "RelayedTrack") -> None:
        """Forget a viewer that has stopped."""
        self._viewers.discard(viewer)

    def stop(self) -> None:
        """End the tracks of all viewers, and stop the source."""
        self._ended = True
        self._track.stop()
        for viewer in list(self._viewers):
            viewer.close()
        self._wanted.set()

    async def _run(self) -> None:
        with suppress(MediaStreamError):
            while not self._ended:
                await self._wanted.wait()
                self._wanted.clear()
                frame = await self._track.recv()
                for viewer in self._viewers:
                    viewer.put(frame)
        self.stop()


class RelayedTrack(MediaStreamTrack):
    """The track of one viewer."""

    def __init__(self, relay: Relay, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self._relay = relay
        self._frames: AsyncLatestSlot[Any] = AsyncLatestSlot(CAPACITY[kind])

    async def recv(self) -> Any:
        """The next frame. Raises `MediaStreamError` after the last one."""
        if self.readyState != "live":
            raise MediaStreamError
        if not len(self._frames):
            self._relay.request_frame()
        try:
            return await self._frames.take()
        except Closed:
            self.stop()
            raise MediaStreamError from None

    def put(self, frame: Any) -> None:
        """Add a frame. Drops the oldest one if too many wait."""
        self._frames.put(frame)

    def close(self) -> None:
        """End the track after the frames that wait."""
        self._frames.close()

    def stop(self) -> None:
        """End the track now, and leave the relay."""
        super().stop()
        self._frames.close()
        self._frames.clear()
        self._relay.remove(self)

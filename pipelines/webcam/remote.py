"""`RemoteFilter`: the filter of a call whose frames are filtered by `turbolens serve` elsewhere."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from threading import Lock
from typing import Any

import av
from av.video.reformatter import VideoReformatter

from turbolens.filter import FilterSettings, SettingsError
from turbolens.pipelines.base import Notify
from turbolens.pipelines.webrtc.client.connection import ServerConnection
from turbolens.pipelines.webrtc.client.options import ClientOptions
from turbolens.pipelines.webrtc.client.session import Deliver
from turbolens.pipelines.webrtc.control.controls import Data

FULL, LIMITED = 2, 1  # FFmpeg's colour ranges
IDLE_SECONDS = 1.0  # between two frames that are sent while the filter is off or frozen


class RemoteFilter:
    """Sends frames to a server, and gives its results. All methods may be called from any thread.

    settings: what the user has set; everything else is as the server has it. The unfiltered camera
    is given only while `enabled` is off. `frozen` repeats the last result. In both cases the
    session stays open with one frame per second.
    """

    def __init__(
        self, options: ClientOptions, settings: FilterSettings, *, notify: Notify = lambda _: None
    ) -> None:
        self._url, self._notify = options.server.url, notify
        self._lock = Lock()
        self._own: Data = {"enabled": True, **settings.model_dump(exclude_unset=True)}
        self._server: Data = {}  # the settings of the session, as the server last sent them
        self._settings = FilterSettings(**self._own)
        self._statistics: Data = {}
        self._messages: list[str] = []  # about the prompts, told last
        self._deliver: Deliver | None = None
        self._last: av.VideoFrame | None = None
        self._sent_at = float("-inf")
        self._reformatter = VideoReformatter()
        self.frozen = False
        self.connection = ServerConnection(
            options, settings=self._changes, on_event=self._event, notify=notify
        )

    @property
    def settings(self) -> FilterSettings:
        """The settings for the next frame, as far as they are known."""
        return self._settings

    @property
    def size(self) -> int | None:
        """The longer side of the working picture in pixels; `None` is the model's own."""
        return self._settings.size

    def update(self, **changes: Any) -> FilterSettings:
        """Change settings, on the server too. Raises `SettingsError`, and changes nothing then.

        If the server refuses a change, a notice says why, and the setting goes back.
        """
        with self._lock:
            changed = self._settings.replace(**changes)
            self._own |= {name: getattr(changed, name) for name in changes}
            self._settings = changed
        sent = self._as_sent(changed, changes)
        if sent:
            self.connection.request("set", sent, partial(self._answered, sent))
        return changed

    def reset(self) -> None:
        """Forget the past frames."""
        self.connection.request("reset", {})

    def start(self, deliver: Deliver) -> None:
        """Connect, and call `deliver` with every result and when its input was captured."""
        self._deliver = deliver
        self.connection.start(self._result)

    def submit(self, frame: av.VideoFrame, captured_at: float) -> None:
        """Send a frame. Raises `TurbolensError` if no session can ever be opened."""
        local = self._local_result(frame)
        if local is not None and self._deliver is not None:
            self._deliver(local, captured_at)
            if captured_at - self._sent_at < IDLE_SECONDS:
                return
        self._sent_at = captured_at
        self.connection.submit(self._prepared(frame), captured_at)

    def close(self) -> None:
        """End the session. May be called twice."""
        self.connection.close()

    def state(self) -> str:
        """The server's side for the status line."""
        if self.connection.state != "live":
            return f"server {self.connection.state}"
        figures = {**self._statistics, **self.connection.traffic()}
        parts = [f"server {figures.get('fps_out', 0.0):.1f} fps"]
        if (latency := figures.get("latency_p50_ms")) is not None:
            parts.append(f"{latency:.0f} ms")
        if (round_trip := figures.get("round_trip_ms")) is not None:
            parts.append(f"ping {round_trip:.0f} ms")
        return " ".join(parts)

    def details(self) -> Data:
        """The connection and the server's statistics, for the JSON lines."""
        connection = self.connection
        return {
            "server": {
                "url": self._url, "state": connection.state, "sessions": connection.sessions,
                **connection.traffic(), "statistics": self._statistics,
            }
        }  # fmt: skip

    def _local_result(self, frame: av.VideoFrame) -> av.VideoFrame | None:
        """What is given in place of the server's result; `None` if that is to be given."""
        if self.frozen and self._last is not None:
            return self._last
        return None if self._settings.enabled else frame

    def _result(self, frame: av.VideoFrame, captured_at: float) -> None:
        if self._settings.enabled and not self.frozen and self._deliver is not None:
            self._last = frame
            self._deliver(frame, captured_at)

    def _prepared(self, frame: av.VideoFrame) -> av.VideoFrame:
        """A copy in the encoders' format, since its time and type change on the way."""
        full = frame.format.is_rgb or frame.color_range == FULL
        width, height = frame.width // 2 * 2, frame.height // 2 * 2
        prepared = self._reformatter.reformat(
            frame, width=width, height=height, format="yuv420p",
            src_color_range=FULL if full else LIMITED, dst_color_range=LIMITED,
        )  # fmt: skip
        if prepared is frame:
            prepared = av.VideoFrame.from_ndarray(frame.to_ndarray(), format="yuv420p")
        return prepared

    def _changes(self) -> Data:
        """The changes of the server's first settings, for a new session."""
        with self._lock:
            own = FilterSettings(**self._own)
            return self._as_sent(own, self._own)

    def _as_sent(self, settings: FilterSettings, names: Collection[str]) -> Data:
        """These settings as plain data. The server never switches the filter off for us.

        Otherwise frames that it has not filtered would still arrive after `enabled` is on again.
        """
        values = settings.model_dump(mode="json")
        sent = {name: values[name] for name in names if name != "enabled"}
        return sent if "enabled" not in names else {**sent, "enabled": True}

    def _answered(self, sent: Mapping[str, Any], result: Data | None, error: str | None) -> None:
        """Take back what the server has refused."""
        if error is None:
            self._tell_readings((result or {}).get("readings", ()))
            return
        with self._lock:
            for name in sent.keys() - {"enabled"}:
                self._own.pop(name, None)
            self._settings = self._merged()
        self._notify(f"the server refuses {', '.join(sent)}: {error}")

    def _event(self, event: str, data: Data) -> None:
        if event == "statistics":
            self._statistics = data
        elif event in ("state", "settings") and isinstance(data.get("settings"), dict):
            self._adopt(data["settings"], first=event == "state")
            self._tell_readings(data.get("readings", ()))

    def _adopt(self, settings: Data, *, first: bool) -> None:
        """Take over the settings of the session. Those that another program changed become ours."""
        with self._lock:
            if not first:
                self._own |= {
                    name: value for name, value in settings.items()
                    if self._server.get(name) != value
                }  # fmt: skip
            self._server = settings
            self._settings = self._merged()

    def _tell_readings(self, readings: Sequence[Data]) -> None:
        """Tell the user how the server's model reads a prompt, if that is not as it is written."""
        messages = [str(each["message"]) for each in readings if each.get("message")]
        if messages != self._messages:
            self._messages = messages
            for message in messages:
                self._notify(message)

    def _merged(self) -> FilterSettings:
        """Our settings, and the server's for all others. A newer server may have more of them."""
        known = {name: self._server[name] for name in FilterSettings.model_fields
                 if name in self._server and name != "enabled"}  # fmt: skip
        try:
            return FilterSettings(**{**known, **self._own})
        except SettingsError:  # of another version
            return FilterSettings(**self._own)


def adapters_of(schema: Data) -> tuple[str, ...]:
    """The kinds of adapters that a server's model has, by the settings that it does not mark."""
    own = FilterSettings.model_json_schema()["properties"]
    theirs = schema.get("properties", {})
    needed = {name: field["needs"] for name, field in own.items() if "needs" in field}
    missing = {kind for name, kind in needed.items() if "needs" in theirs.get(name, {})}
    return tuple(sorted(set(needed.values()) - missing))

"""A call: camera, filter and virtual camera, and what the keys do to them while it runs."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import inf
from pathlib import Path
from threading import Event

from turbolens.filter import MediaError, TurbolensError
from turbolens.pipelines.base import Notify, Sink, Source
from turbolens.pipelines.live.running import OnStats, RunOptions, run
from turbolens.pipelines.statistics import Stats
from turbolens.pipelines.video.recorder import Recorder, RecordingSink

from .control_page import ControlPage
from .filter import WebcamFilter
from .keys import Keys
from .metrics import MetricsServer
from .presets import free_name, save_preset

KEYS = (
    "keys: n p look · + - strength · space on/off · f freeze · s snapshot · r record"
    " · S save preset · q end"
)
STRENGTH_STEP = 0.05
HANG_AFTER = 60.0  # seconds; loading a large model happens within a call of the filter


@dataclass(frozen=True)
class CallOptions:
    """How a call goes on. folder: where snapshots and recordings are put; seconds: its length."""

    running: RunOptions
    folder: Path = Path()
    record: Path | None = None
    overwrite: bool = False
    metrics_port: int | None = None
    control_port: int | None = None
    adapters: tuple[str, ...] = ()
    seconds: float = inf


class Webcam:
    """One call. `looks` are those that the keys go through. Made and run on the main thread."""

    def __init__(
        self,
        source: Source,
        frame_filter: WebcamFilter,
        sinks: Sequence[Sink],
        *,
        looks: Sequence[str],
        options: CallOptions,
        notify: Notify,
    ) -> None:
        self._source, self._sinks = source, list(sinks)
        self.filter = frame_filter
        self._looks, self._options, self._notify = list(looks), options, notify
        self._recording = RecordingSink(notify)
        self._stop = Event()
        self._actions = self._keys()
        if options.record is not None:
            self._record_to(options.record, overwrite=options.overwrite)

    def run(self, on_stats: OnStats, *, keyboard: int | None = None) -> Stats:
        """Until key q, the end of the source, or Ctrl-C, which is a good way to end it.

        Source and sinks are closed at the end in any case.
        """
        with ExitStack() as stack, ExitStack() as devices:
            devices.callback(self._source.close)
            for sink in self._sinks:
                devices.callback(sink.close)
            listener = stack.enter_context(Keys(self.press, descriptor=keyboard))
            if listener.listening:
                self._notify(KEYS)
            listeners = [on_stats]
            if self._options.metrics_port is not None:
                server = MetricsServer(self._options.metrics_port)
                stack.callback(server.close)
                listeners.append(server.update)
                self._notify(f"metrics: http://127.0.0.1:{server.port}/metrics")
            if self._options.control_port is not None:
                page = stack.enter_context(
                    ControlPage(
                        lambda: self.filter,
                        self._looks,
                        self._options.control_port,
                        adapters=self._options.adapters,
                    )
                )
                listeners.append(page.update)
                self._notify(f"dials: {page.url}")

            def tell(stats: Stats) -> None:
                for told in listeners:
                    told(stats)
                if stats.seconds >= self._options.seconds:
                    self._stop.set()

            devices.pop_all()  # `run` closes them, but for one that a thread hangs in
            return run(
                self._source, self.filter, *self._sinks, self._recording,
                options=self._options.running, on_notice=self._notify, reload=self._reload,
                stop=self._stop, on_stats=tell,
            )  # fmt: skip

    def state(self) -> str:
        """Look, strength and what is switched on, for the status line."""
        settings = self.filter.settings
        parts = [" + ".join(text for text, _ in settings.prompt), f"{settings.strength:.2f}"]
        if self.filter.size is not None:
            parts.append(f"{self.filter.size} px")
        flags = {
            "OFF": not settings.enabled, "frozen": self.filter.frozen,
            "● recording": self._recording.recording is not None,
        }  # fmt: skip
        return " · ".join([*parts, *(name for name, on in flags.items() if on)])

    def press(self, key: str) -> None:
        """Do what a key stands for. Failures become notices; unknown keys show the list."""
        action = self._actions.get(key)
        try:
            if action is None:
                self._notify(KEYS)
            else:
                action()
        except (TurbolensError, OSError) as error:
            self._notify(str(error))

    def _keys(self) -> dict[str, Callable[[], None]]:
        return {
            "n": lambda: self._turn_look(1), "p": lambda: self._turn_look(-1),
            "+": lambda: self._change_strength(STRENGTH_STEP),
            "=": lambda: self._change_strength(STRENGTH_STEP),
            "-": lambda: self._change_strength(-STRENGTH_STEP),
            " ": self._switch, "o": self._switch, "f": self._freeze, "s": self._snapshot,
            "r": self._record, "S": self._save_preset, "q": self._stop.set,
        }  # fmt: skip

    def _turn_look(self, step: int) -> None:
        if not self._looks:
            self._notify("this model has no list of looks; choose one by --prompt")
            return
        current = self.filter.settings.prompt[0][0]
        before = self._looks.index(current) if current in self._looks else -min(step, 0) - 1
        look = self._looks[(before + step) % len(self._looks)]
        self.filter.update(prompt=look)
        self._notify(f"look: {look}")

    def _change_strength(self, step: float) -> None:
        wanted = round(self.filter.settings.strength + step, 2)
        self.filter.update(strength=min(1.0, max(0.0, wanted)))

    def _switch(self) -> None:
        enabled = self.filter.update(enabled=not self.filter.settings.enabled).enabled
        self._notify("filter on" if enabled else "filter OFF: the camera is shown as it is")

    def _freeze(self) -> None:
        self.filter.frozen = not self.filter.frozen
        self._notify("frozen" if self.filter.frozen else "not frozen any more")

    def _snapshot(self) -> None:
        path = self._free_path("png")
        self._recording.snapshot(path)
        self._notify(f"snapshot: {path}")

    def _record(self) -> None:
        finished = self._recording.stop_recording()
        if finished is not None:
            self._notify(f"recorded: {finished}")
            return
        self._record_to(self._free_path("mp4"))

    def _record_to(self, path: Path, *, overwrite: bool = False) -> None:
        self._recording.start_recording(Recorder(path, overwrite=overwrite, notify=self._notify))
        self._notify(f"recording to {path}")

    def _save_preset(self) -> None:
        name = free_name(self.filter.settings)
        file = save_preset(name, self.filter.settings)
        self._notify(f"saved: turbolens webcam --preset {name} (in {file})")

    def _free_path(self, suffix: str) -> Path:
        stem = time.strftime("turbolens-%Y%m%d-%H%M%S")
        for number in range(1, 1000):
            path = self._options.folder / f"{stem}{f'-{number}' if number > 1 else ''}.{suffix}"
            if not path.exists():
                return path
        raise MediaError(f"there is no free name for {stem}.{suffix}; remove old ones")

    def _reload(self) -> WebcamFilter:
        """The filter loaded anew, in place of one that keeps failing."""
        self.filter = self.filter.renewed()
        return self.filter

"""`Webcam`: a video call, and what the keys do while it runs."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from textwrap import shorten
from threading import Event
from typing import TYPE_CHECKING, Any, TypeAlias

from turbolens.filter import MediaError, TurbolensError
from turbolens.filter.diffusion.vocabulary import Vocabulary, readings
from turbolens.pipelines.base import Notify
from turbolens.pipelines.live.devices import Devices
from turbolens.pipelines.live.running import OnStats, run_devices
from turbolens.pipelines.osc.server import OscServer
from turbolens.pipelines.statistics import Stats
from turbolens.pipelines.video.recorder import Recorder, RecordingSink
from turbolens.pipelines.webrtc.control.controls import Controls

from .browser import open_page
from .control_page import ControlPage, CurrentFilter
from .controlled_call import ControlledCall
from .device_choices import DeviceChoices
from .filter import WebcamFilter
from .keys import Keys
from .live_picture import LivePicture
from .metrics import MetricsServer
from .options import CallOptions
from .presets import free_name, save_preset

if TYPE_CHECKING:
    from .remote import RemoteFilter

CallFilter: TypeAlias = "WebcamFilter | RemoteFilter"

KEYS = (
    "keys: n p next/previous look · + - strength · space on/off · f freeze · s snapshot · r record"
    " · S save preset · q quit"
)
STRENGTH_STEP = 0.05
LOOK_WIDTH = 24  # characters of the look in the status line


class Webcam:
    """One call. Create and run it on the main thread.

    devices: the camera and the sinks, which the call closes at its end. looks: the prompts that the
    keys n and p go through. notify: takes a line for the user, from any thread. vocabulary: the
    words of the model; `None` if it takes any prompt. choices: the devices that the control page
    may change; `None` for none.
    """

    def __init__(
        self,
        devices: Devices,
        frame_filter: CallFilter,
        options: CallOptions,
        *,
        looks: Sequence[str],
        notify: Notify,
        vocabulary: Vocabulary | None = None,
        choices: DeviceChoices | None = None,
    ) -> None:
        self._choices = choices
        self._devices, self._options = devices, options
        self.filter: CallFilter = frame_filter
        self._looks, self._notify, self._vocabulary = list(looks), notify, vocabulary
        self._recording = RecordingSink(notify)
        self._picture = LivePicture()
        devices.sinks += [self._recording, self._picture]
        self._stop = Event()
        self._actions = self._actions_of_keys()
        if options.record is not None:
            self._record_to(options.record, overwrite=options.overwrite)

    def run(self, on_stats: OnStats, *, keyboard: int | None = None) -> Stats:
        """Run until the key q, the end of the source, or Ctrl-C, which raises KeyboardInterrupt.

        keyboard: the file descriptor of a terminal; `None` is standard input, if it is a terminal.
        """
        with self._devices:
            listeners = [on_stats, *self._open_services(keyboard)]

            def report(stats: Stats) -> None:
                for listener in listeners:
                    listener(stats)
                if stats.seconds >= self._options.seconds:
                    self._stop.set()

            return run_devices(
                self._devices, self.filter, options=self._options.running, on_stats=report,
                on_notice=self._notify, reload=self._reload, stop=self._stop,
            )  # fmt: skip

    def _open_services(self, keyboard: int | None) -> list[OnStats]:
        """Open the keys and the servers. Returns what must be called with new statistics."""
        options, listeners = self._options, list[OnStats]()
        keys = self._devices.enter(Keys(self.press, descriptor=keyboard))
        if keys.listening:
            self._notify(KEYS)
        if options.metrics_port is not None:
            server = self._devices.enter(closing(MetricsServer(options.metrics_port)))
            listeners.append(server.update)
            self._notify(f"metrics: http://127.0.0.1:{server.port}/metrics")
        if options.control_port is not None:
            page = self._devices.enter(
                ControlPage(
                    lambda: self.filter, self._looks, options.control_port,
                    adapters=options.adapters, vocabulary=self._vocabulary,
                    call=self._controlled_call(),
                )
            )  # fmt: skip
            listeners.append(page.update)
            self._notify(f"control page: {page.url}")
            if options.browser:
                open_page(page.url, self._notify)
        if options.osc is not None:
            current = CurrentFilter(lambda: self.filter, self._looks, self._vocabulary)
            osc = self._devices.enter(OscServer(Controls(current), options.osc))
            self._notify(f"OSC: {osc.url}")
        return listeners

    def _controlled_call(self) -> ControlledCall | None:
        """What the control page changes besides the settings."""
        if self._choices is None:
            return None
        return ControlledCall(
            lambda: self.filter, self._choices, self._picture, self._looks,
            toggle_pause=lambda: self.press("f"),
        )  # fmt: skip

    @property
    def filtering(self) -> bool:
        """True unless the filter is off or frozen."""
        return self.filter.settings.enabled and not self.filter.frozen

    def state(self) -> str:
        """What is switched on, then strength, working size and look, for the status line."""
        settings = self.filter.settings
        flags = {
            "OFF": not settings.enabled, "frozen": self.filter.frozen,
            "● recording": self._recording.recording is not None,
        }  # fmt: skip
        size = [] if self.filter.size is None else [f"{self.filter.size} px"]
        found = readings(self._vocabulary, settings.weighted_prompts)
        look = " + ".join(
            [each.replacement or each.text for each in found]
            or [text for text, _ in settings.prompt]
        )
        return " · ".join(
            [*(name for name, on in flags.items() if on), f"{settings.strength:.2f}", *size,
             shorten(look, LOOK_WIDTH, placeholder="…"), *self._filter_state()]
        )  # fmt: skip

    def _filter_state(self) -> list[str]:
        state = self.filter.state()
        return [state] if state else []

    def details(self) -> dict[str, Any]:
        """What the JSON lines have besides the statistics: the working size in pixels, and more."""
        return {"size": self.filter.size, **self.filter.details()}

    def press(self, key: str) -> None:
        """Do what the key is for. Errors become notices; an unknown key shows the list of keys."""
        action = self._actions.get(key)
        try:
            if action is None:
                self._notify(KEYS)
            else:
                action()
        except (TurbolensError, OSError) as error:
            self._notify(str(error))

    def _actions_of_keys(self) -> dict[str, Callable[[], None]]:
        return {
            "n": lambda: self._change_look(1), "p": lambda: self._change_look(-1),
            "+": lambda: self._change_strength(STRENGTH_STEP),
            "=": lambda: self._change_strength(STRENGTH_STEP),
            "-": lambda: self._change_strength(-STRENGTH_STEP),
            " ": self._toggle_filter, "o": self._toggle_filter, "f": self._toggle_frozen,
            "s": self._save_snapshot, "r": self._toggle_recording, "S": self._save_preset,
            "q": self._stop.set,
        }  # fmt: skip

    def _change_look(self, step: int) -> None:
        """Go to the next (1) or previous (-1) look. From another prompt: the first or the last."""
        if not self._looks:
            self._notify("this model has no list of looks; choose a prompt with --prompt")
            return
        current = self.filter.settings.prompt[0][0]
        if current in self._looks:
            index = self._looks.index(current) + step
        else:
            index = 0 if step > 0 else -1
        look = self._looks[index % len(self._looks)]
        self.filter.update(prompt=look)
        self._notify(f"look: {look}")

    def _change_strength(self, step: float) -> None:
        strength = round(self.filter.settings.strength + step, 2)
        self.filter.update(strength=min(1.0, max(0.0, strength)))

    def _toggle_filter(self) -> None:
        enabled = self.filter.update(enabled=not self.filter.settings.enabled).enabled
        self._notify("filter on" if enabled else "filter OFF: the unfiltered camera is shown")

    def _toggle_frozen(self) -> None:
        self.filter.frozen = not self.filter.frozen
        self._notify("frozen: the last picture stays" if self.filter.frozen else "no longer frozen")

    def _save_snapshot(self) -> None:
        path = self._free_path("png")
        self._recording.snapshot(path)
        self._notify(f"snapshot: {path}")

    def _toggle_recording(self) -> None:
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
        self._notify(
            f"saved in {file}; use it with --preset {name}, in video, stream and serve too"
        )

    def _free_path(self, suffix: str) -> Path:
        """A path named after the present time that does not exist yet."""
        stem = time.strftime("turbolens-%Y%m%d-%H%M%S")
        for number in range(1, 1000):
            path = self._options.folder / f"{stem}{f'-{number}' if number > 1 else ''}.{suffix}"
            if not path.exists():
                return path
        raise MediaError(f"there is no free name for {stem}.{suffix}; remove some of these files")

    def _reload(self) -> WebcamFilter:
        """A new filter in place of one that keeps failing."""
        assert isinstance(self.filter, WebcamFilter)  # noqa: S101 - the other kind never fails
        self.filter = self.filter.reloaded()
        return self.filter

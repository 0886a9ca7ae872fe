"""The GStreamer element `turbolens`: restyles raw video in place, every time stamp kept.

Imported by GStreamer's own Python, which has `gi`; torch is loaded when the element starts.
"""

import os
import time
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstBase", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import GLib, GObject, Gst, GstBase, GstVideo  # noqa: E402

from turbolens.filter import FilterSettings, SettingsError, TurbolensError  # noqa: E402
from turbolens.filter.settings import ACCELERATIONS  # noqa: E402
from turbolens.pipelines.cli.adapter_options import AdapterChoices  # noqa: E402
from turbolens.pipelines.cli.model_options import ModelChoice  # noqa: E402
from turbolens.pipelines.model_choice import load_filter  # noqa: E402

from .buffers import FORMATS, Layout, frame_from, write_into  # noqa: E402
from .properties import SEPARATOR, Property, properties, to_setting  # noqa: E402

RANGES = {0: 0, 1: 2, 2: 1}  # GStreamer's number of a colour range → FFmpeg's
SMOOTHING = 0.1  # share of the newest frame in the mean time that filtering takes
WORTH_TELLING = 1.25  # the latency is told to the pipeline when it changes by this factor
SETTINGS = properties()
LOADING = {
    "model": ("embedded", "A name of `turbolens models`, or a folder. Read at the start."),
    "device": ("auto", "auto, cpu, cuda, mps, … Read at the start."),
    "dtype": ("auto", "Number format: auto, float32, bfloat16, float16. Read at the start."),
    "vae": ("auto", "The autoencoder: auto, tiny, full. Read at the start."),
    "acceleration": (
        os.environ.get("TURBOLENS_ACCELERATION", "auto"),
        f"What runs the networks: {', '.join(ACCELERATIONS)}. Read at the start.",
    ),
    "loras": ("", f"Files or hub ids, as FILE:weight {SEPARATOR} FILE:weight. Read at the start."),
    "controlnet": ("", "A folder or hub id; it sees each picture's edges. Read at the start."),
    "ip_adapter": ("", "A file or hub id, for image-prompt. Read at the start."),
    "image_prompt": ("", "A picture as a prompt, for ip-adapter: its file. Read at the start."),
}


def _caps() -> Any:
    formats = ", ".join(FORMATS)
    return Gst.Caps.from_string(
        f"video/x-raw, format=(string){{ {formats} }}, width=(int)[ 16, 16384 ], "
        "height=(int)[ 16, 16384 ], framerate=(fraction)[ 0/1, 2147483647/1 ]"
    )


def _template(name: str, direction: Any) -> Any:
    return Gst.PadTemplate.new(name, direction, Gst.PadPresence.ALWAYS, _caps())


def _described(name: str, known: Property) -> tuple[Any, ...]:
    """A property for GObject: type, nick, help, bounds, default, flags."""
    bounds: tuple[Any, ...] = ()
    kind: Any = {"text": str, "switch": bool, "number": float}.get(known.kind, GObject.TYPE_INT64)
    if known.kind in ("number", "whole"):
        bounds = known.lowest, known.highest
    return (kind, name, known.help, *bounds, known.default, GObject.ParamFlags.READWRITE)


class Turbolens(GstBase.BaseTransform):  # type: ignore[misc] # gi has no types
    """Filters one stream. Every setting may be changed while it plays.

    Pictures that come too late are dropped before they are filtered (`qos`), as GStreamer's own
    video filters do, and the time that filtering takes is added to the pipeline's latency.
    """

    __gtype_name__ = "GstTurbolens"
    __gstmetadata__ = (
        "Turbolens",
        "Filter/Effect/Video",
        "Restyles video by one step of a Turbo diffusion model, steady over time",
        "The Turbolens authors",
    )
    __gsttemplates__ = (
        _template("sink", Gst.PadDirection.SINK),
        _template("src", Gst.PadDirection.SRC),
    )
    __gproperties__ = {  # noqa: RUF012 - GObject reads it as it is
        **{name: _described(name, known) for name, known in SETTINGS.items()},
        **{name: _described(name, Property("text", default, help=text))
           for name, (default, text) in LOADING.items()},
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._values: dict[str, Any] = {name: known.default for name, known in SETTINGS.items()}
        self._values |= {name: default for name, (default, _) in LOADING.items()}
        self._settings = FilterSettings()
        self._refused: dict[str, TurbolensError] = {}
        self._filter: Any = None
        self._layout: Layout | None = None
        self._last_pts = 0
        self._mean = self._told = 0.0  # seconds
        self._warm = False
        self.set_in_place(True)
        self.set_qos_enabled(True)
        answers = Gst.PadProbeType.QUERY_UPSTREAM | Gst.PadProbeType.PULL
        self.get_static_pad("src").add_probe(answers, self._add_latency)

    def do_get_property(self, prop: Any) -> Any:
        """The value as it was set."""
        return self._values[prop.name.replace("-", "_")]

    def do_set_property(self, prop: Any, value: Any) -> None:
        """From any thread. What cannot be is a warning while it plays; before, it will not start.

        (`gst-launch-1.0` sets properties before anybody could hear a warning.)
        """
        name = prop.name.replace("-", "_")
        try:
            self._update(name, value)
        except TurbolensError as error:
            self._refused[name] = error
            self._tell(Gst.Message.new_warning, Gst.LibraryError.SETTINGS, error)
        else:
            self._refused.pop(name, None)
            self._values[name] = value

    def _update(self, name: str, value: Any) -> None:
        if name in LOADING:
            return
        change = {name: to_setting(name, value)}
        self._settings = self._settings.replace(**change)
        if self._filter is not None:
            self._filter.update(**change)

    def do_start(self) -> bool:
        """Load the model; it takes some seconds, before anything plays."""
        try:
            for refusal in self._refused.values():
                raise refusal
            self._filter = load_filter(self._choice(), self._settings, live=True)
        except (TurbolensError, OSError) as error:
            self._tell(Gst.Message.new_error, Gst.LibraryError.INIT, error)
            return False
        return True

    def _choice(self) -> ModelChoice:
        """The model that the properties name. Raises `SettingsError`."""
        given = {name: self._values[name] or None for name in LOADING}
        names = "ip_adapter", "image_prompt"
        if len({given[name] is None for name in names}) > 1:
            raise SettingsError("the properties ip-adapter and image-prompt need each other")
        adapters = AdapterChoices(
            lora=tuple(filter(None, map(str.strip, self._values["loras"].split(SEPARATOR)))),
            controlnet=given["controlnet"],
            control=None if given["controlnet"] is None else "canny",
            **{name: given[name] for name in names},
        )
        named = ("model", "device", "dtype", "vae", "acceleration")
        return ModelChoice(**{name: self._values[name] for name in named}, adapters=adapters)

    def do_stop(self) -> bool:
        """Give the model back."""
        self._filter = None
        return True

    def do_set_caps(self, incaps: Any, outcaps: Any) -> bool:
        """The size, format and colours from now on."""
        info = GstVideo.VideoInfo.new_from_caps(incaps)
        self._layout = Layout(
            info.finfo.name, info.width, info.height, tuple(info.offset), tuple(info.stride),
            int(GstVideo.video_color_matrix_to_iso(info.colorimetry.matrix)),
            RANGES.get(int(info.colorimetry.range), 0),
        )  # fmt: skip
        return True

    def do_transform_ip(self, buffer: Any) -> Any:
        """Filter the picture where it lies."""
        if buffer.pts != Gst.CLOCK_TIME_NONE:
            if buffer.pts < self._last_pts:
                self._filter.reset()  # a seek, or the beginning again
            self._last_pts = buffer.pts
        began = time.perf_counter()
        try:
            self._restyle(buffer)
        except (TurbolensError, ValueError) as error:
            self._tell(Gst.Message.new_error, Gst.StreamError.FAILED, error)
            return Gst.FlowReturn.ERROR
        self._measure(time.perf_counter() - began)
        return Gst.FlowReturn.OK

    def _restyle(self, buffer: Any) -> None:
        layout = self._laid_out(buffer)
        with buffer.map(Gst.MapFlags.READ | Gst.MapFlags.WRITE) as mapped:
            frame = frame_from(mapped.data, layout)
            styled = self._filter(frame)
            if styled is not frame:
                write_into(mapped.data, layout, styled)

    def _laid_out(self, buffer: Any) -> Layout:
        """The negotiated layout, or the buffer's own where its maker chose other strides."""
        assert self._layout is not None  # noqa: S101 - caps come before buffers
        meta = GstVideo.buffer_get_video_meta(buffer)
        if meta is None:
            return self._layout
        return self._layout._replace(offsets=tuple(meta.offset), strides=tuple(meta.stride))

    def _measure(self, seconds: float) -> None:
        """Live sinks wait as long as the pipeline's latency: tell them when ours has changed.

        The first picture, which warms everything up, does not count.
        """
        if not self._warm:
            self._warm = True
            return
        self._mean += (seconds - self._mean) * (SMOOTHING if self._mean else 1.0)
        if not self._told / WORTH_TELLING <= self._mean <= self._told * WORTH_TELLING:
            self._told = self._mean
            self.post_message(Gst.Message.new_latency(self))

    def _add_latency(self, pad: Any, probe: Any) -> Any:
        """A query has been answered: to upstream's latency comes the time that filtering takes."""
        query = probe.get_query()
        if query.type == Gst.QueryType.LATENCY:
            own = int(self._told * Gst.SECOND)
            live, least, most = query.parse_latency()
            unbounded = most == Gst.CLOCK_TIME_NONE
            query.set_latency(live, least + own, most if unbounded else most + own)
        return Gst.PadProbeReturn.OK

    def _tell(self, kind: Any, code: Any, error: Exception) -> None:
        text = " ".join(str(error).split())
        domain = "stream" if isinstance(code, Gst.StreamError) else "library"
        quark = GLib.quark_from_string(f"gst-{domain}-error-quark")
        self.post_message(kind(self, GLib.Error.new_literal(quark, text, int(code)), ""))


FACTORY = ("turbolens", Gst.Rank.NONE, Turbolens)

"""The GStreamer element `turbolens`: filters raw video in place and keeps its timestamps.

Imported in GStreamer's Python, which has `gi`. torch is loaded when the element starts.
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
from turbolens.pipelines.model_choice import (  # noqa: E402
    AdapterChoices,
    ModelChoice,
    load_filter,
    prompt_notices,
)
from turbolens.pipelines.statistics import Smoothed  # noqa: E402

from .buffers import FORMATS, Layout, frame_from, write_into  # noqa: E402
from .properties import SEPARATOR, Property, properties, to_setting  # noqa: E402

RANGES = {0: 0, 1: 2, 2: 1}  # GStreamer's number of a colour range → FFmpeg's
REPORT_FACTOR = 1.25  # a change of the latency by this factor is reported to the pipeline
SETTINGS = properties()
LOADING = {
    "model": ("embedded", "A name of `turbolens models`, a folder or hub id. Read at the start."),
    "device": ("auto", "auto, cpu, cuda, mps, … Read at the start."),
    "dtype": (
        "auto",
        "Number format of the networks: auto, float32, bfloat16, float16. Read at the start.",
    ),
    "vae": ("auto", "The autoencoder: auto, tiny, full. Read at the start."),
    "acceleration": (
        os.environ.get("TURBOLENS_ACCELERATION", "auto"),
        f"How the networks run: {', '.join(ACCELERATIONS)}. Read at the start.",
    ),
    "loras": ("", f"Files or hub ids, as FILE:weight {SEPARATOR} FILE:weight. Read at the start."),
    "controlnet": ("", "A folder or hub id. It sees the edges of each frame. Read at the start."),
    "ip_adapter": ("", "A file or hub id; needs image-prompt. Read at the start."),
    "image_prompt": ("", "An image file as a prompt; needs ip-adapter. Read at the start."),
}


def _caps() -> Any:
    formats = ", ".join(FORMATS)
    return Gst.Caps.from_string(
        f"video/x-raw, format=(string){{ {formats} }}, width=(int)[ 16, 16384 ], "
        "height=(int)[ 16, 16384 ], framerate=(fraction)[ 0/1, 2147483647/1 ]"
    )


def _template(name: str, direction: Any) -> Any:
    return Gst.PadTemplate.new(name, direction, Gst.PadPresence.ALWAYS, _caps())


def _gobject_property(name: str, known: Property) -> tuple[Any, ...]:
    """The property for GObject: type, nick, help, bounds, default, flags."""
    bounds: tuple[Any, ...] = ()
    kind: Any = {"text": str, "switch": bool, "number": float}.get(known.kind, GObject.TYPE_INT64)
    if known.kind in ("number", "whole"):
        bounds = known.lowest, known.highest
    return (kind, name, known.help, *bounds, known.default, GObject.ParamFlags.READWRITE)


class Turbolens(GstBase.BaseTransform):  # type: ignore[misc] # gi has no types
    """Filters one stream. Settings can be changed during playback.

    Late frames are dropped before they are filtered (`qos`), as in GStreamer's own video filters.
    The time that filtering takes is added to the pipeline's latency.
    """

    __gtype_name__ = "GstTurbolens"
    __gstmetadata__ = (
        "Turbolens",
        "Filter/Effect/Video",
        "Restyles video with one step of a Turbo diffusion model, steady over time",
        "The Turbolens authors",
    )
    __gsttemplates__ = (
        _template("sink", Gst.PadDirection.SINK),
        _template("src", Gst.PadDirection.SRC),
    )
    __gproperties__ = {  # noqa: RUF012 - GObject reads this attribute
        **{name: _gobject_property(name, known) for name, known in SETTINGS.items()},
        **{name: _gobject_property(name, Property("text", default, help=text))
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
        self._duration = Smoothed()
        self._reported = 0.0  # seconds
        self._warm = False
        self.set_in_place(True)
        self.set_qos_enabled(True)
        query_replies = Gst.PadProbeType.QUERY_UPSTREAM | Gst.PadProbeType.PULL
        self.get_static_pad("src").add_probe(query_replies, self._add_latency)

    def do_get_property(self, prop: Any) -> Any:
        """Return the value as it was set."""
        return self._values[prop.name.replace("-", "_")]

    def do_set_property(self, prop: Any, value: Any) -> None:
        """Set a property, from any thread.

        An invalid value is a warning during playback. Before, it makes the start fail, because
        `gst-launch-1.0` sets properties before it listens for warnings.
        """
        name = prop.name.replace("-", "_")
        try:
            self._update(name, value)
        except TurbolensError as error:
            self._refused[name] = error
            self._post(Gst.Message.new_warning, Gst.LibraryError.SETTINGS, error)
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
            if name == "prompt":
                self._warn_of_prompts()

    def _warn_of_prompts(self) -> None:
        """Post a warning for each prompt that the model reads in another way than it is written."""
        for notice in prompt_notices(self._choice(), self._settings):
            error = SettingsError(notice)
            self._post(Gst.Message.new_warning, Gst.LibraryError.SETTINGS, error)

    def do_start(self) -> bool:
        """Load the model before playback, which takes seconds. False if that fails."""
        try:
            for refusal in self._refused.values():
                raise refusal
            self._filter = load_filter(self._choice(), self._settings, live=True)
            self._warn_of_prompts()
        except (TurbolensError, OSError) as error:
            self._post(Gst.Message.new_error, Gst.LibraryError.INIT, error)
            return False
        return True

    def _choice(self) -> ModelChoice:
        """The model that the properties choose. Raises `SettingsError` for an invalid choice."""
        loras = map(str.strip, self._values["loras"].split(SEPARATOR))
        controlnet = self._values["controlnet"] or None
        ip_adapter, image_prompt = self._values["ip_adapter"], self._values["image_prompt"]
        if bool(ip_adapter) != bool(image_prompt):
            raise SettingsError("the properties ip-adapter and image-prompt need each other")
        adapters = AdapterChoices(
            lora=tuple(filter(None, loras)),
            controlnet=controlnet,
            control="canny" if controlnet else None,
            ip_adapter=ip_adapter or None,
            image_prompt=image_prompt or None,
        )
        named = ("model", "device", "dtype", "vae", "acceleration")
        return ModelChoice(**{name: self._values[name] for name in named}, adapters=adapters)

    def do_stop(self) -> bool:
        """Free the model."""
        self._filter = None
        return True

    def do_set_caps(self, incaps: Any, outcaps: Any) -> bool:
        """Take over the negotiated size, format and colours."""
        info = GstVideo.VideoInfo.new_from_caps(incaps)
        self._layout = Layout(
            info.finfo.name, info.width, info.height, tuple(info.offset), tuple(info.stride),
            int(GstVideo.video_color_matrix_to_iso(info.colorimetry.matrix)),
            RANGES.get(int(info.colorimetry.range), 0),
        )  # fmt: skip
        return True

    def do_transform_ip(self, buffer: Any) -> Any:
        """Filter the frame in its buffer."""
        if buffer.pts != Gst.CLOCK_TIME_NONE:
            if buffer.pts < self._last_pts:
                self._filter.reset()  # a seek or a new loop
            self._last_pts = buffer.pts
        start = time.perf_counter()
        try:
            self._filter_buffer(buffer)
        except (TurbolensError, ValueError) as error:
            self._post(Gst.Message.new_error, Gst.StreamError.FAILED, error)
            return Gst.FlowReturn.ERROR
        self._update_latency(time.perf_counter() - start)
        return Gst.FlowReturn.OK

    def _filter_buffer(self, buffer: Any) -> None:
        layout = self._layout_of(buffer)
        with buffer.map(Gst.MapFlags.READ | Gst.MapFlags.WRITE) as mapped:
            frame = frame_from(mapped.data, layout)
            styled = self._filter(frame)
            if styled is not frame:
                write_into(mapped.data, layout, styled)

    def _layout_of(self, buffer: Any) -> Layout:
        """The negotiated layout, with the buffer's own offsets and strides if it has any."""
        assert self._layout is not None  # noqa: S101 - caps come before buffers
        meta = GstVideo.buffer_get_video_meta(buffer)
        if meta is None:
            return self._layout
        return self._layout._replace(offsets=tuple(meta.offset), strides=tuple(meta.stride))

    def _update_latency(self, seconds: float) -> None:
        """Update the mean filter time, and report a change of latency, for which live sinks wait.

        The first frame includes warming up and does not count.
        """
        if not self._warm:
            self._warm = True
            return
        self._duration.add(seconds)
        mean = float(self._duration)
        if not self._reported / REPORT_FACTOR <= mean <= self._reported * REPORT_FACTOR:
            self._reported = mean
            self.post_message(Gst.Message.new_latency(self))

    def _add_latency(self, pad: Any, probe: Any) -> Any:
        """Add the filter time to upstream's latency in the reply to a latency query."""
        query = probe.get_query()
        if query.type == Gst.QueryType.LATENCY:
            filtering = int(self._reported * Gst.SECOND)
            live, minimum, maximum = query.parse_latency()
            unbounded = maximum == Gst.CLOCK_TIME_NONE
            query.set_latency(
                live, minimum + filtering, maximum if unbounded else maximum + filtering
            )
        return Gst.PadProbeReturn.OK

    def _post(self, kind: Any, code: Any, error: Exception) -> None:
        text = " ".join(str(error).split())
        domain = "stream" if isinstance(code, Gst.StreamError) else "library"
        quark = GLib.quark_from_string(f"gst-{domain}-error-quark")
        self.post_message(kind(self, GLib.Error.new_literal(quark, text, int(code)), ""))


FACTORY = ("turbolens", Gst.Rank.NONE, Turbolens)

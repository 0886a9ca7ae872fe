"""Prepares a call from its options: settings, camera, sinks and filter."""

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from typing import Any

from turbolens.filter import FilterSettings
from turbolens.filter.loading.catalogue import EMBEDDED_FOLDER
from turbolens.filter.loading.looks import load_looks
from turbolens.pipelines.base import Notify, Sink, Source, rate_of
from turbolens.pipelines.live.devices import Devices
from turbolens.pipelines.live.switching import SwitchableSink, SwitchableSource
from turbolens.pipelines.live.working_size import SizeSearch
from turbolens.pipelines.model_choice import (
    ModelChoice,
    checked_model,
    load_filter,
    looks_of,
    require_look,
    vocabulary_of,
)
from turbolens.pipelines.webrtc.client.options import ClientOptions

from .call import Webcam
from .device_choices import DeviceChoices
from .devices import open_source, open_virtual_camera
from .filter import WebcamFilter
from .options import CallOptions, WebcamOptions
from .preview import Preview, check_display


def merge_settings(given: dict[str, Any], size: int | None) -> FilterSettings:
    """The settings that were given, with this working size unless it is `None`.

    Raises `SettingsError`.
    """
    return FilterSettings(**(given if size is None else {**given, "size": size}))


def open_devices(options: WebcamOptions, notify: Notify) -> Devices:
    """Open the camera and the sinks. Raises `MediaError`, and then leaves nothing open.

    The virtual camera is opened before the model is loaded, so that a call can choose it at once.
    """
    source = open_source(options)
    devices = Devices(SwitchableSource(source))
    try:
        for sink in _open_sinks(options, source, notify):
            devices.sinks.append(sink)
    except BaseException:
        devices.close()
        raise
    return devices


def _open_sinks(options: WebcamOptions, source: Source, notify: Notify) -> Iterator[Sink]:
    """The virtual camera and the preview, as far as they were chosen."""
    if options.preview:
        check_display()
    preview = Preview() if options.preview else None  # fails first if its program is missing
    camera = open_virtual_camera(options, source)
    yield SwitchableSink(camera)
    if camera is not None:
        notify(f"showing on {camera.device} ({camera.backend}): choose it in the call")
        if warning := getattr(camera, "warning", ""):
            notify(warning)
    if preview is not None:
        yield preview


def _rate(source: Source) -> Fraction:
    return rate_of(source) or Fraction(30)


def prepare_call(
    options: WebcamOptions, settings: FilterSettings, devices: Devices, *, notify: Notify
) -> Webcam:
    """The call, ready to run.

    Raises `ModelNotFoundError` if there is no such model, and `ServerError` if there is no server.
    """
    if options.client is not None:
        return _prepare_remote_call(options, options.client, settings, devices, notify=notify)
    model = options.model
    checked_model(model)
    frame_filter = WebcamFilter(
        lambda wanted: load_filter(model, wanted, live=True),
        settings, search=SizeSearch(), notify=notify,
    )  # fmt: skip
    frame_filter.preload()
    call = _call_options(options, devices.source, model.adapters.kinds)
    return Webcam(
        devices, frame_filter, call, looks=offered_looks(model), notify=notify,
        vocabulary=vocabulary_of(model), choices=device_choices(options, devices, notify),
    )  # fmt: skip


def device_choices(
    options: WebcamOptions, devices: Devices, notify: Notify
) -> DeviceChoices | None:
    """The devices to choose from, if `open_devices` has opened these. `None` otherwise."""
    source, sink = devices.source, devices.sinks[0] if devices.sinks else None
    if isinstance(source, SwitchableSource) and isinstance(sink, SwitchableSink):
        return DeviceChoices(options, source, sink, notify=notify)
    return None


def _prepare_remote_call(
    options: WebcamOptions,
    client: ClientOptions,
    settings: FilterSettings,
    devices: Devices,
    *,
    notify: Notify,
) -> Webcam:
    """A call that a server filters. No model is loaded here.

    Raises `ServerError`, and `SettingsError` for a look that the server's model does not have.
    """
    from .remote import RemoteFilter, adapters_of  # noqa: PLC0415 - aiortc, if asked

    frame_filter = devices.enter(closing(RemoteFilter(client, settings, notify=notify)))
    found = frame_filter.connection.check()
    looks = tuple(map(str, found["looks"]))
    model = found["status"].get("model") or {}
    if model.get("state") == "ready":
        require_look(options.model.look, f"the server's {model.get('name')}", looks)
    call = _call_options(options, devices.source, adapters_of(found["schema"]))
    choices = device_choices(options, devices, notify)
    return Webcam(
        devices, frame_filter, call, looks=looks or load_looks(EMBEDDED_FOLDER), notify=notify,
        choices=choices,
    )  # fmt: skip


def _call_options(options: WebcamOptions, source: Source, adapters: tuple[str, ...]) -> CallOptions:
    running = replace(options.call.running, rate=_rate(source))
    return replace(options.call, running=running, adapters=adapters)


def offered_looks(model: ModelChoice) -> tuple[str, ...]:
    """The looks of this model, and own looks; the embedded model's if there are none."""
    return looks_of(model) or load_looks(EMBEDDED_FOLDER)


def silence_log() -> None:
    """Log nothing to the terminal: the command shows errors in one line, without a traceback."""
    for name in ("turbolens", "aiortc", "aioice", "asyncio"):
        logging.getLogger(name).addHandler(logging.NullHandler())

"""`turbolens webcam --server`: the command with a real server, without a model here."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.pipelines.camera.virtual_backend import KeepingBackend
from tests.pipelines.cli.test_cli import Result, one_line
from tests.pipelines.live.live_parts import WAIT
from tests.pipelines.webcam.call_parts import SMALL
from tests.pipelines.webrtc.client.server_thread import ServerThread
from turbolens.filter import FilterSettings, SettingsError, TurboModel
from turbolens.pipelines.live.options import RunOptions
from turbolens.pipelines.model_choice import ModelChoice
from turbolens.pipelines.statistics import Stats
from turbolens.pipelines.webcam.options import CallOptions, WebcamOptions
from turbolens.pipelines.webcam.remote import adapters_of
from turbolens.pipelines.webcam.setup import open_devices, prepare_call
from turbolens.pipelines.webrtc.control.controls import schema
from turbolens.pipelines.webrtc.limits import Limits
from turbolens.pipelines.webrtc.server.model_slot import frame_filter

Call = Callable[..., Result]
QUIET = [*SMALL, "--virtual-camera", "none", "--json"]


def options_for(server: ServerThread, **running: Any) -> WebcamOptions:
    return WebcamOptions(
        camera="test-scene", size=(64, 64), client=server.client(),
        call=CallOptions(RunOptions(stats_interval=0.05, **running)),
    )  # fmt: skip


@pytest.mark.slow
def test_the_embedded_model_of_a_server_filters_the_camera(backend: type[KeepingBackend]) -> None:
    model, first = TurboModel.load("embedded"), FilterSettings(size=64)
    notices: list[str] = []
    with ServerThread(model=model, make_filter=frame_filter, settings=first) as server:
        options = options_for(server)
        devices = open_devices(options, notices.append)
        settings = FilterSettings(prompt="pizza oven")
        call = prepare_call(options, settings, devices, notify=notices.append)
        pressed = Event()

        def look_on(stats: Stats) -> None:
            if stats.filtered > 3 and not pressed.is_set():
                pressed.set()
                call.press("n")
            if stats.filtered > 10 and call.details()["server"]["statistics"]:
                call.press("q")

        done = call.run(look_on)
    assert done.failures == 0
    assert done.latency_p50_ms is not None
    assert any(notice.startswith("look: ") for notice in notices)
    assert sum("'pizza oven' names no look" in notice for notice in notices) == 1
    assert "server " in call.state()
    assert call.filter.size == 64
    assert (backend.opened[0].width, backend.opened[0].height) == (64, 64)


def test_a_look_that_the_server_does_not_have_is_refused(backend: type[KeepingBackend]) -> None:
    with ServerThread() as server:
        options = replace(options_for(server), model=ModelChoice(look="nothing"))
        with (
            open_devices(options, lambda _: None) as devices,
            pytest.raises(SettingsError, match="has no look 'nothing'; its looks: dark, bright"),
        ):
            prepare_call(options, FilterSettings(), devices, notify=lambda _: None)


@pytest.mark.parametrize("on_stall", ["slate", "passthrough"])
def test_the_raw_camera_is_shown_after_a_failure_only_if_that_was_chosen(
    on_stall: str, backend: type[KeepingBackend]
) -> None:
    notices: list[str] = []
    shown = "the slate" if on_stall == "slate" else "the unfiltered camera"
    with ServerThread() as server:
        options = options_for(server, on_stall=on_stall, deadline=2.0)
        devices = open_devices(options, notices.append)
        settings = FilterSettings(strength=1.0)  # black
        call = prepare_call(options, settings, devices, notify=notices.append)
        lost = Event()

        def look_on(stats: Stats) -> None:
            if stats.filtered > 5 and not lost.is_set():
                lost.set()
                server.__exit__()
            if lost.is_set() and any(f"showing {shown}" in notice for notice in notices):
                call.press("q")

        call.run(look_on)
    brightest = max(int(each.max()) for each in backend.opened[0].sent)
    assert any(f"showing {shown}" in notice for notice in notices)
    assert brightest < 250 or on_stall == "passthrough"


@pytest.mark.parametrize(
    ("arguments", "expected", "code"),
    [
        (["--server", "gpu:8443"], "https://HOST:8443", 2),
        (["--server", "http://192.0.2.7:8080"], "--tls-self-signed", 2),
        (["--server", "https://127.0.0.1:9", "--model", "sd-turbo"], "turbolens serve", 2),
        (["--server", "https://127.0.0.1:9", "--fingerprint", "12:34"], "SHA256:", 2),
        (["--server", "https://127.0.0.1:9", "--turn", "host"], "USER:PASSWORD@HOST", 2),
        (["--relay-only"], "--relay-only needs --server", 2),
        (["--server", "https://127.0.0.1:9"], "cannot reach 127.0.0.1:9", 1),
    ],
)
def test_a_mistake_is_one_line(
    turbolens: Call, arguments: list[str], expected: str, code: int
) -> None:
    result = turbolens("webcam", *QUIET, *arguments)
    assert result.code == code
    assert "Traceback" not in result.err
    assert expected in one_line(result.err)


@pytest.mark.slow
def test_no_torch_is_imported_and_the_statistics_of_both_sides_are_printed(tmp_path: Path) -> None:
    program = (
        "import sys; from turbolens.pipelines.cli import main\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules, file=sys.stderr)"
    )
    with ServerThread(token="a-given-token") as server:  # noqa: S106 - of no other server
        link = f"http://127.0.0.1:{server.port}/#token=a-given-token"
        command = [sys.executable, "-c", program, "webcam", *QUIET, "--duration", "3"]
        done = subprocess.run(  # noqa: S603
            [*command, "--server", link], cwd=tmp_path, capture_output=True, text=True,
            timeout=WAIT, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr.strip()) == (0, "False")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    last = lines[-1]
    assert last["filtered"] > 0
    assert last["server"]["sessions"] == 1
    assert last["server"]["statistics"]["captured"] > 0


def test_the_adapters_of_the_server_are_read_from_its_schema() -> None:
    assert adapters_of(schema(Limits())) == ()
    assert adapters_of(schema(Limits(), ("controlnet",))) == ("controlnet",)

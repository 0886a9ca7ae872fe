"""The control page's requests to a running call: devices, picture, pause, looks."""

import io
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import av
import pytest

from tests.pipelines.camera.virtual_backend import KeepingBackend
from tests.pipelines.cli.test_cli import make_clip
from tests.pipelines.live.live_parts import WAIT
from turbolens.filter import FilterSettings
from turbolens.pipelines.webcam.options import CallOptions, WebcamOptions

from .running_call import RunningCall, running_call

pytestmark = pytest.mark.slow


@pytest.fixture
def call(tmp_path: Path, backend: type[KeepingBackend]) -> Iterator[RunningCall]:
    """A call without a model whose camera is a clip of 64×48 pixels."""
    clip = make_clip(tmp_path / "clip.mp4")
    options = WebcamOptions(camera=str(clip), size=(64, 36), call=CallOptions(control_port=0))
    with running_call(options, FilterSettings(enabled=False)) as running:
        yield running


def answer(call: RunningCall, path: str, changes: Any = None) -> tuple[int, Any, Any]:
    """Status, headers and body; PATCH if there are changes."""
    request = urllib.request.Request(  # noqa: S310
        f"{call.url}api/call{path}", None if changes is None else json.dumps(changes).encode(),
        {"Content-Type": "application/json"}, method="GET" if changes is None else "PATCH",
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=2 * WAIT) as response:  # noqa: S310
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def changed(call: RunningCall, **changes: Any) -> Any:
    status, _, body = answer(call, "", changes)
    assert status == 200, body
    return json.loads(body)


def test_another_camera_is_used_while_the_call_goes_on(
    call: RunningCall, tmp_path: Path, backend: type[KeepingBackend]
) -> None:
    _, _, body = answer(call, "/choices")
    listed = [each["value"] for each in json.loads(body)["cameras"]]
    assert listed == [str(tmp_path / "clip.mp4"), "test-scene"]
    assert changed(call, camera="test-scene")["camera"] == "test-scene"
    assert "camera: Test scene" in call.notices
    before = call.stats.filtered
    call.wait_filtered(before + 3)
    number, size = 0, (0, 0)
    while size != (64, 36):
        _, headers, jpeg = answer(call, f"/picture.jpg?after={number}")
        number = int(headers["X-Picture"])
        size = size_of(jpeg)
    [camera] = backend.opened
    assert camera.closed == 0
    assert changed(call, camera=listed[0])["camera"] == listed[0], "a file can be chosen again"


def size_of(jpeg: bytes) -> tuple[int, int]:
    with av.open(io.BytesIO(jpeg), "r") as container:
        frame = next(container.decode(video=0))
    return frame.width, frame.height


def test_a_camera_that_is_not_listed_or_fails_changes_nothing(
    call: RunningCall, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for changes in ({"camera": "/etc/passwd"}, {"paused": 1}, {"model": "sd-turbo"}):
        status, _, body = answer(call, "", changes)
        assert status == 400, body
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(tmp_path / "pipewire-0"))
        daemon.listen()
        # It is listed, because it answers, and hangs up as soon as the node connects.
        status, _, body = refused_by(daemon, call)
    assert status == 503
    line = json.loads(body)["detail"]
    assert line in call.notices
    assert "PipeWire camera cannot be used" in line
    assert line.endswith("the virtual camera stays as it was")
    assert changed(call, paused=False)["virtual_camera"] == "Keeping Camera"
    call.wait_filtered(call.stats.filtered + 3)


def refused_by(daemon: socket.socket, call: RunningCall) -> tuple[int, Any, Any]:
    def hang_up() -> None:
        for _ in range(4):
            connection, _ = daemon.accept()
            connection.close()

    Thread(target=hang_up, daemon=True).start()
    return answer(call, "", {"virtual_camera": "pipewire"})


def test_the_virtual_camera_is_closed_for_none(
    call: RunningCall, backend: type[KeepingBackend]
) -> None:
    assert changed(call, virtual_camera="none")["virtual_camera"] == "none"
    assert backend.opened[0].closed == 1
    call.wait_filtered(call.stats.filtered + 3)


def test_pause_is_what_the_key_does(call: RunningCall) -> None:
    assert call.webcam is not None
    assert changed(call, paused=True)["paused"] is True
    assert call.webcam.filter.frozen
    assert "frozen: the last picture stays" in call.notices
    call.webcam.press("f")
    assert json.loads(answer(call, "")[2])["paused"] is False


def test_other_pages_do_not_see_the_picture(call: RunningCall) -> None:
    for headers in ({"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"},
                    {"Origin": "https://evil.example"}):  # fmt: skip
        request = urllib.request.Request(f"{call.url}api/call/picture.jpg", headers=headers)  # noqa: S310
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=WAIT)  # noqa: S310
        assert refused.value.code == 403
        refused.value.close()


def test_a_look_is_drawn_from_the_camera(tmp_path: Path) -> None:
    options = WebcamOptions(
        camera="test-scene", size=(64, 36), virtual_camera="none",
        call=CallOptions(control_port=0),
    )  # fmt: skip
    settings = FilterSettings(prompt="noir", size=64)
    with running_call(options, settings) as call:
        assert call.webcam is not None
        looks = json.loads(urllib.request.urlopen(f"{call.url}api/looks").read())  # noqa: S310
        assert looks["thumbnails"][0] == "api/call/looks/0.jpg"
        status, jpeg = 503, b""
        while status == 503:  # while the faster model is being prepared
            status, _, jpeg = answer(call, "/looks/0.jpg")
        assert (status, size_of(jpeg)) == (200, (64, 36))
        assert answer(call, "/looks/9999.jpg")[0] == 404
        assert call.webcam.filter.settings.prompt == settings.prompt

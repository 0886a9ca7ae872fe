"""OSC by a real client over UDP on loopback: settings, answers, errors and limits."""

import asyncio
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pythonosc.udp_client import SimpleUDPClient

from tests.pipelines.cli.test_cli import COMMAND, one_line, turbolens
from tests.pipelines.conftest import started, write_clip
from tests.pipelines.webrtc.conftest import Shade, asynchronous, browser, serving, until
from turbolens.filter import FilterSettings, MediaError, SettingsError
from turbolens.pipelines.osc import server as osc_server
from turbolens.pipelines.osc.messages import name_of, value_of, values_of
from turbolens.pipelines.osc.server import OscAddress, OscServer, parse_osc_address
from turbolens.pipelines.webrtc.control.controls import Controls
from turbolens.pipelines.webrtc.limits import Limits
from turbolens.pipelines.webrtc.server.all_sessions import AllSessions

__all__ = ["turbolens"]  # a fixture

ANY_PORT = OscAddress("127.0.0.1", 0)
ATTEMPTS, WAIT = 8, 5.0  # seconds, on a busy machine
FAST = Limits(messages_per_second=1e6, message_burst=10**6)


class Surface:
    """A control surface: sends messages, and waits for answers. Use it in a `with` block."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.client = SimpleUDPClient("127.0.0.1", port)

    def __enter__(self) -> "Surface":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def send(self, address: str, *values: Any) -> None:
        self.client.send_message(f"/turbolens/{address}", list(values))

    def ask(self, address: str, *values: Any) -> tuple[str, list[Any]]:
        """Send a message and wait for its answer: the address without prefix, and the values.

        UDP and the limit of the rate may lose a message, so it is sent again.
        """
        expected = {"prompt" if address == "look" else address, "error", "notice"}
        for _ in range(ATTEMPTS):
            self.send(address, *values)
            while (answer := self.answer(WAIT)) is not None:
                if answer[0] in expected:
                    return answer
        raise AssertionError(f"no answer to {address}")

    def answer(self, seconds: float) -> tuple[str, list[Any]] | None:
        for message in self.client.get_messages(seconds):
            return str(message.address).removeprefix("/turbolens/"), list(message.params)
        return None


@contextmanager
def surface(shade: Shade, limits: Limits | None = None) -> Iterator[Surface]:
    with (
        OscServer(Controls(shade), ANY_PORT, limits=limits or FAST) as server,
        Surface(server.port) as remote,
    ):
        yield remote


def changed(remote: Surface, address: str, *values: Any) -> list[Any]:
    """Change a setting, and ask for it until it has another value than before."""
    _, before = remote.ask(address)
    remote.send(address, *values)
    for _ in range(10_000):
        name, now = remote.ask(address)
        assert name != "error", now
        if now != before:
            return now
    raise AssertionError(f"{address} stays {before}")


@pytest.mark.parametrize("name", FilterSettings.model_fields)
def test_every_setting_has_an_address(name: str) -> None:
    value = FilterSettings().model_dump(mode="json")[name]
    assert name_of(f"/turbolens/{name}") == name
    assert FilterSettings(**{name: value_of(name, values_of(name, value))}) == FilterSettings()


def test_settings_are_changed_and_asked_for() -> None:
    shade = Shade()
    with surface(shade) as remote:
        assert changed(remote, "strength", 0.25) == [0.25]
        assert changed(remote, "enabled", 0) == [False]
        assert changed(remote, "steps", 2.0) == [2]
        assert changed(remote, "size", 256) == [256]
        assert changed(remote, "size", "auto") == ["none"]
        assert changed(remote, "fit", "cover") == ["cover"]
        changed(remote, "look", "comic")
        assert remote.ask("look") == ("prompt", ["comic", 1.0])
        changed(remote, "prompt", "neon", 0.25, "noir", 0.75)
        remote.send("reset")
        assert remote.ask("prompt")[1] == ["neon", 0.25, "noir", 0.75]
    assert shade.settings.strength == 0.25
    assert shade.resets == 1


@pytest.mark.parametrize(
    ("address", "values", "message"),
    [
        ("strength", (3.0,), "strength: must be between 0 and 1, got 3.0"),
        ("strength", (0.1, 0.2), "strength: one value is required, got 2"),
        ("strength", ("much",), "strength: must be a valid number"),
        ("prompt", ("neon", "noir"), "prompt: a text, or texts and weights alternately"),
        ("prompt", ("neon", 0.0), "at least one weight must be above 0"),
        (
            "volume",
            (1.0,),
            "there is no address '/turbolens/volume'; an address is /turbolens/ and",
        ),
        ("strenght", (1.0,), "'/turbolens/strenght'; did you mean /turbolens/strength?"),
        ("size", (2048,), "size: at most 1024 here"),
        ("look", ("x" * 2001,), "at most 2000 characters"),
    ],
)
def test_an_error_is_answered_and_nothing_changes(
    address: str, values: tuple[Any, ...], message: str
) -> None:
    shade = Shade()
    with surface(shade) as remote:
        name, (text,) = remote.ask(address, *values)
        assert name == "error"
        assert message in text
        assert remote.ask("strength")[1] == [pytest.approx(shade.settings.strength)]
    assert shade.settings == FilterSettings()


@pytest.mark.parametrize("packet", [b"", b"/", b"/turbolens/strength", b"\xff" * 40, b"#bundle\0"])
def test_a_packet_that_is_no_osc_is_answered_and_the_next_one_works(packet: bytes) -> None:
    shade = Shade()
    with surface(shade) as remote:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
            raw.sendto(packet, ("127.0.0.1", remote.port))
        assert changed(remote, "strength", 0.5) == [0.5]


class CountingControls(Controls):
    """Counts the changes."""

    count = 0

    def set(self, changes: dict[str, Any]) -> dict[str, Any]:
        self.count += 1
        return super().set(changes)


def test_a_fader_that_sends_too_fast_is_followed_with_its_newest_value() -> None:
    now, limits = [0.0], Limits(messages_per_second=10.0)
    controls = CountingControls(Shade())
    with (
        OscServer(controls, ANY_PORT, limits=limits, clock=lambda: now[0]) as server,
        Surface(server.port) as remote,
    ):
        for number in range(100):
            remote.send("strength", number / 128)
        remote.ask("mix")  # the messages before it have been received
        assert controls.count == 1  # no time has passed for another
        now[0] = 1.0
        while controls.count < 2:
            remote.ask("mix")
            now[0] += 0.1
        assert controls.settings["strength"] == 99 / 128


def test_answers_are_limited_too() -> None:
    limits = Limits(messages_per_second=1.0, message_burst=3)
    with (
        OscServer(Controls(Shade()), ANY_PORT, limits=limits, clock=lambda: 0.0) as server,
        Surface(server.port) as remote,
    ):
        for _ in range(20):
            remote.send("volume", 1)
        for _ in range(3):
            answer = remote.answer(30.0)
            assert answer is not None
            assert answer[0] == "error"
        assert remote.answer(0.2) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("9000", ("127.0.0.1", 9000)), ("0.0.0.0:9", ("0.0.0.0", 9)), ("[::1]:0", ("::1", 0))],  # noqa: S104
)
def test_it_listens_at_loopback_unless_told(text: str, expected: tuple[str, int]) -> None:
    assert parse_osc_address(text) == expected


@pytest.mark.parametrize("text", ["", "x", "1:x", "70000", "-1"])
def test_a_bad_address_is_a_settings_error(text: str) -> None:
    with pytest.raises(SettingsError, match=r"--osc must be PORT or HOST:PORT"):
        parse_osc_address(text)


def test_a_port_in_use_is_a_media_error() -> None:
    with OscServer(Controls(Shade()), ANY_PORT) as server:
        taken = OscAddress("127.0.0.1", server.port)
        with pytest.raises(MediaError, match=f"cannot listen at 127.0.0.1 port {server.port}"):
            OscServer(Controls(Shade()), taken)


@pytest.mark.parametrize("command", ["webcam", "serve", "stream"])
def test_without_the_extra_a_message_says_what_to_install(
    turbolens: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setattr(osc_server, "find_spec", lambda _: None)
    clip = write_clip(tmp_path / "clip.mp4")
    files = [clip, "out.mkv"] if command == "stream" else []
    code, _, err = turbolens(command, *files, "--osc", "9000")
    assert code == 2
    assert "pip install 'turbolens[osc]'" in one_line(err)


@contextmanager
def listening(*command: str) -> Iterator[Surface]:
    """A surface connected to the running command, whose output names the address."""
    line = [*COMMAND, *command, "--osc", "0"]
    with started(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        for text in process.stdout:
            found = re.search(r"osc\.udp://127\.0\.0\.1:(\d+)/turbolens/", text)
            if found:
                with Surface(int(found[1])) as remote:
                    yield remote
                return
        raise AssertionError("no address of OSC was printed")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["webcam", "serve", "stream"])
def test_each_live_command_is_controlled(tmp_path: Path, command: str) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    commands = {
        "webcam": ["webcam", "--camera", "test-scene", "--camera-size", "64x48", "--json",
                   "--virtual-camera", "none", "--size", "64"],
        "serve": ["serve", "--port", "0", "--size", "64"],
        "stream": ["stream", str(clip), str(tmp_path / "out.mkv"), "--loop", "--json",
                   "--size", "64"],
    }  # fmt: skip
    with listening(*commands[command]) as remote:
        assert changed(remote, "strength", 0.25) == [0.25]
        changed(remote, "look", "neon")
        assert remote.ask("volume")[0] == "error"
        if command != "serve":  # there the model may still be loading
            name, (text,) = remote.ask("look", "zombie")
            assert (name, "'zombie' names no look" in text) == ("notice", True)


@asynchronous
async def test_all_sessions_of_a_server_are_controlled() -> None:
    async with serving() as (client, server), browser(client) as peer:
        target = AllSessions(server, asyncio.get_running_loop())
        with OscServer(target, ANY_PORT) as osc, Surface(osc.port) as remote:
            remote.send("strength", 0.25)
            event = await until(lambda: peer.event("settings"), "the event of the change")
            assert event["data"]["settings"]["strength"] == 0.25
            name, (text,) = await asyncio.to_thread(remote.ask, "strength", 2)
            assert (name, "between 0 and 1" in text) == ("error", True)
            remote.send("reset")
            assert await asyncio.to_thread(remote.ask, "strength") == ("strength", [0.25])
        response = await client.get("/api/settings")
        assert (await response.json())["settings"]["strength"] == 0.25
        (session,) = server.sessions
        assert session.controls is not None
        assert session.controls.settings["strength"] == 0.25

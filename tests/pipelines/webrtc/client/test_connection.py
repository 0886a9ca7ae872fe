"""A client and a real server: results come back, settings change, lost sessions are replaced."""

from threading import Event

import av
import pytest

from tests.pipelines.webrtc.client.server_thread import CAMERA_LUMA, WAIT, ServerThread, sending
from tests.pipelines.webrtc.conftest import Shade, ShadeModel
from turbolens.filter import FilterSettings, SettingsError
from turbolens.pipelines.webrtc import Limits
from turbolens.pipelines.webrtc.client import camera_track
from turbolens.pipelines.webrtc.client import session as client_session
from turbolens.pipelines.webrtc.client.errors import ServerError
from turbolens.pipelines.webrtc.peer.options import Codec

HALF = FilterSettings(strength=0.5)


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_filtered_frames_come_back_with_their_age(codec: Codec) -> None:
    with ServerThread() as server, sending(server.client(codec=codec), HALF) as (remote, found):
        found.sees(CAMERA_LUMA / 2)
        assert all(0 < age < 30 for age in found.ages)
        assert any("runs shade" in notice for notice in found.notices)
        assert remote.details()["server"]["state"] == "live"


def test_settings_reach_the_session_and_those_of_the_server_are_adopted() -> None:
    first = FilterSettings(prompt="fog", strength=0.9)
    with ServerThread(settings=first) as server, sending(server.client(), HALF) as (remote, found):
        found.sees(CAMERA_LUMA / 2)
        assert remote.settings.prompt == (("fog", 1.0),)
        remote.update(strength=0.2, prompt="rain")
        found.sees(CAMERA_LUMA * 0.8)
        assert server.controls().settings["prompt"] == [["rain", 1.0]]


def test_a_change_by_another_program_is_adopted_and_outlives_the_session() -> None:
    with ServerThread() as server, sending(server.client(), HALF) as (remote, found):
        found.sees(CAMERA_LUMA / 2)
        server.call(lambda: server.controls().set({"strength": 0.1}))
        found.sees(CAMERA_LUMA * 0.9)
        found.wait_for(lambda: remote.settings.strength == 0.1)
        (session,) = server.server.sessions
        server.call(lambda: server.server.sessions.end(session, "a test"))
        found.told("a test")
        found.told("connected again")
        found.sees(CAMERA_LUMA * 0.9)


def test_a_setting_that_the_server_refuses_goes_back() -> None:
    limits = Limits(working_size=128)
    with ServerThread(limits=limits) as server, sending(server.client()) as (remote, found):
        found.told("connected")
        remote.update(size=256)
        found.told("the server refuses size")
        found.wait_for(lambda: remote.size is None)
        with pytest.raises(SettingsError):
            remote.update(strength=7)


def test_settings_that_no_session_accepts_end_the_call() -> None:
    settings, limits = FilterSettings(size=256), Limits(working_size=128)
    with (
        ServerThread(limits=limits) as server,
        sending(server.client(), settings) as (remote, found),
    ):
        found.wait_for(lambda: remote.connection.error, "an error")
        with pytest.raises(ServerError, match="at most 128"):
            remote.submit(av.VideoFrame(64, 64, "yuv420p"), 0.0)


def test_off_gives_the_camera_and_frozen_the_last_result() -> None:
    with ServerThread() as server, sending(server.client(), HALF) as (remote, found):
        found.sees(CAMERA_LUMA / 2)
        remote.update(enabled=False)
        found.sees(CAMERA_LUMA, 0.5)
        assert server.controls().settings["enabled"] is True
        remote.update(enabled=True)
        found.sees(CAMERA_LUMA / 2)
        remote.frozen = True
        remote.update(strength=0.1)
        count = len(found.lumas)
        found.wait_for(lambda: len(found.lumas) > count + 10)
        assert found.lumas[-1] == pytest.approx(CAMERA_LUMA / 2, abs=12)
        remote.frozen = False
        found.sees(CAMERA_LUMA * 0.9)


def test_after_a_restart_of_the_server_the_video_comes_back() -> None:
    with ServerThread() as server, sending(server.client(), HALF) as (remote, found):
        found.sees(CAMERA_LUMA / 2)
        server.__exit__()
        found.told("is lost")
        found.wait_for(lambda: remote.connection.state == "reconnecting")
        with ServerThread(port=server.port) as again:
            found.told("connected again")
            found.sees(CAMERA_LUMA / 2)
            assert again.controls().settings["strength"] == 0.5
            assert remote.connection.sessions == 2


def test_a_silent_network_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_session, "SILENCE_SECONDS", 0.0)
    with ServerThread() as server, sending(server.client()) as (remote, found):
        found.told("nothing was received")
        found.wait_for(lambda: remote.connection.sessions > 1)


def test_a_full_server_is_tried_again() -> None:
    limits = Limits(sessions=1)
    with ServerThread(limits=limits) as server, sending(server.client(), HALF) as (_, first):
        first.sees(CAMERA_LUMA / 2)
        with sending(server.client(), HALF) as (remote, second):
            second.told("the server is full: it takes 1 sessions; try again later; trying again")
            assert remote.state() == "server connecting"
        assert not any("lost" in notice for notice in first.notices)


def test_room_in_a_full_server_is_taken() -> None:
    with ServerThread(limits=Limits(sessions=1)) as server:
        first = sending(server.client())
        first.__enter__()[1].told("connected")
        with sending(server.client(), HALF) as (_, second):
            second.told("the server is full")
            first.__exit__(None, None, None)
            second.sees(CAMERA_LUMA / 2)


def test_a_model_that_is_still_loading_is_waited_for() -> None:
    loaded = Event()

    def load() -> ShadeModel:
        loaded.wait(WAIT)
        return ShadeModel()

    with ServerThread(model=load) as server, sending(server.client(), HALF) as (_, found):
        found.told("the model is loading")
        loaded.set()
        found.sees(CAMERA_LUMA / 2)


def test_a_slow_first_result_does_not_stop_the_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_track, "FIRST_RESULT_SECONDS", 0.05)
    waiting, go = Event(), Event()

    class Slow(Shade):
        def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
            waiting.set()
            go.wait(WAIT)
            return super().__call__(frame)

    def new_slow(model: ShadeModel, settings: FilterSettings) -> Shade:
        return Slow(settings) if server_ready.is_set() else Shade(settings)

    server_ready = Event()
    with ServerThread(make_filter=new_slow) as server:
        server_ready.set()
        with sending(server.client(), HALF) as (_, found):
            assert waiting.wait(WAIT)
            (session,) = server.server.sessions
            while session.statistics().captured < 3:
                assert not go.wait(0.02)  # polls
            go.set()
            found.sees(CAMERA_LUMA / 2)


def test_a_closed_client_leaves_no_session() -> None:
    with ServerThread() as server:
        with sending(server.client()) as (_, found):
            found.told("connected")
        assert server.call(lambda: len(server.server.sessions)) == 0

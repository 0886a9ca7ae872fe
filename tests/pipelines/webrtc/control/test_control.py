"""The control channel: its answers, and that no message of a peer breaks it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipelines.webrtc.conftest import Shade
from turbolens.filter import FilterSettings
from turbolens.pipelines import Stats
from turbolens.pipelines.webrtc import Limits
from turbolens.pipelines.webrtc.control.channel import MAX_BUFFERED, ControlChannel
from turbolens.pipelines.webrtc.control.controls import Controls, schema


class DataChannel:
    """A data channel that keeps the messages sent."""

    def __init__(self) -> None:
        self.bufferedAmount, self.readyState = 0, "open"
        self.sent: list[dict[str, Any]] = []

    def send(self, data: str) -> None:
        self.sent.append(json.loads(data))


class Fixture:
    """A control channel on a virtual clock."""

    def __init__(self, **limits: Any) -> None:
        self.now, self.floods = 0.0, 0
        self.data_channel, self.filter = DataChannel(), Shade()
        self.controls = Controls(
            self.filter, Limits(**limits), statistics=lambda: Stats(fps_out=24.0)
        )
        self.channel = ControlChannel(
            self.data_channel, self.controls, Limits(**limits), clock=lambda: self.now,
            on_flood=self._flood,
        )  # fmt: skip

    def _flood(self) -> None:
        self.floods += 1

    def request(self, op: str, params: Any = None, **more: Any) -> dict[str, Any]:
        message = {"v": 1, "id": 7, "op": op, "params": params or {}, **more}
        return self.receive(json.dumps(message))

    def receive(self, message: str | bytes) -> dict[str, Any]:
        self.channel.receive(message)
        return self.data_channel.sent[-1]


def test_set_changes_the_filter_and_returns_all_settings() -> None:
    fixture = Fixture()
    answer = fixture.request("set", {"strength": 0.25, "prompt": [["neon", 1], ["noir", 2]]})
    assert (answer["v"], answer["id"], answer["ok"]) == (1, 7, True)
    assert answer["result"]["settings"]["prompt"] == [["neon", 1.0], ["noir", 2.0]]
    assert fixture.filter.settings.strength == 0.25
    assert fixture.request("get")["result"] == answer["result"]


def test_the_first_message_is_the_state() -> None:
    fixture = Fixture()
    fixture.channel.opened()
    assert fixture.data_channel.sent[0]["event"] == "state"
    assert fixture.data_channel.sent[0]["data"]["settings"]["strength"] == FilterSettings().strength


def test_reset_forgets_previous_frames_and_if_asked_the_changes() -> None:
    fixture = Fixture()
    fixture.request("set", {"strength": 0.1})
    assert fixture.request("reset")["result"]["settings"]["strength"] == 0.1
    assert fixture.request("reset", {"settings": True})["result"]["settings"]["strength"] == 0.7
    assert fixture.filter.resets == 2


def test_a_setting_out_of_range_changes_nothing_and_is_named() -> None:
    fixture = Fixture()
    answer = fixture.request("set", {"seed": 5, "strength": 1.5})
    assert answer["error"]["code"] == "invalid"
    assert "strength" in answer["error"]["message"]
    assert fixture.filter.settings == FilterSettings()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("", "malformed"),
        ("nonsense", "malformed"),
        ("[]", "malformed"),
        ("null", "malformed"),
        (b"\x00\x01", "malformed"),
        ('{"v": 1, "id": 1}', "malformed"),
        ('{"v": 1, "id": 1, "op": 5}', "malformed"),
        ('{"v": 1, "id": 1, "op": "get", "params": []}', "malformed"),
        ('{"v": 1, "id": 1, "op": "get", "more": 1}', "malformed"),
        ('{"v": 1, "id": 1, "op": "set", "params": {"strength": NaN}}', "malformed"),
        ('{"v": 2, "id": 1, "op": "get"}', "version"),
        ('{"v": 1, "id": 1, "op": "exec"}', "unknown"),
        ('{"v": 1, "id": 1, "op": "get", "params": {"a": 1}}', "invalid"),
        ('{"v": 1, "id": 1, "op": "set", "params": {"model": "/etc"}}', "invalid"),
        ('{"v": 1, "id": 1, "op": "set", "params": {"self": 1}}', "invalid"),
        ('{"v": 1, "id": 1, "op": "set", "params": {"size": 2048}}', "invalid"),
        ('{"v": 1, "id": 1, "op": "subscribe", "params": {"interval_ms": 1}}', "invalid"),
        ("[" * 9000, "malformed"),
        ('{"v": 1' + "0" * 9000 + "}", "malformed"),
        (" " * 17_000, "too_large"),
        ("ä" * 9000, "too_large"),
    ],
)
def test_invalid_messages_are_refused_with_a_code(message: str | bytes, code: str) -> None:
    answer = Fixture().receive(message)
    assert answer["ok"] is False
    assert answer["error"]["code"] == code
    assert answer["error"]["message"]


def test_the_total_length_of_prompts_is_limited() -> None:
    fixture = Fixture(prompt_characters=10)
    assert fixture.request("set", {"prompt": "0123456789"})["ok"]
    refused = fixture.request("set", {"prompt": [["012345", 1], ["67890", 1]]})
    assert "at most 10 characters here, got 11" in refused["error"]["message"]


def test_an_error_has_the_id_of_its_request_if_it_is_valid() -> None:
    fixture = Fixture()
    assert fixture.receive('{"v": 1, "id": "seven", "op": 5}')["id"] == "seven"
    assert fixture.receive('{"v": 1, "id": {"a": 1}, "op": 5}')["id"] is None
    assert fixture.receive("nonsense")["id"] is None


def test_statistics_are_sent_at_the_subscribed_interval() -> None:
    fixture = Fixture()
    assert fixture.request("subscribe", {"interval_ms": 500})["result"]["interval_ms"] == 500
    for _ in range(40):
        fixture.now += 0.125
        fixture.channel.tick()
    events = [each for each in fixture.data_channel.sent if each.get("event") == "statistics"]
    assert len(events) == 10
    assert events[0]["data"] == Stats(fps_out=24.0).as_dict()
    fixture.request("unsubscribe")
    fixture.now += 10
    fixture.channel.tick()
    assert fixture.data_channel.sent[-1]["ok"]


def test_too_many_messages_are_answered_once_and_then_disconnected() -> None:
    fixture = Fixture(messages_per_second=10, message_burst=20, refused_messages=50)
    for _ in range(70):
        fixture.request("ping")
    assert sum(each["ok"] for each in fixture.data_channel.sent) == 20
    refused = [each for each in fixture.data_channel.sent if not each["ok"]]
    assert [each["error"]["code"] for each in refused] == ["too_fast"]
    assert fixture.floods == 1


def test_messages_at_the_allowed_rate_are_all_answered() -> None:
    fixture = Fixture(messages_per_second=10, message_burst=2)
    for _ in range(100):
        fixture.now += 0.1000001
        assert fixture.request("ping")["ok"]


def test_a_peer_that_does_not_read_is_sent_nothing() -> None:
    fixture = Fixture()
    fixture.data_channel.bufferedAmount = MAX_BUFFERED + 1
    fixture.channel.receive('{"v": 1, "id": 1, "op": "ping"}')
    fixture.data_channel.bufferedAmount, fixture.data_channel.readyState = 0, "closed"
    fixture.channel.receive('{"v": 1, "id": 2, "op": "ping"}')
    assert fixture.data_channel.sent == []


def test_only_changes_from_elsewhere_are_sent_as_events() -> None:
    fixture = Fixture()
    fixture.controls.set({"strength": 0.2})
    assert fixture.data_channel.sent[-1]["event"] == "settings"
    assert fixture.data_channel.sent[-1]["data"]["settings"]["strength"] == 0.2
    fixture.request("set", {"strength": 0.3})
    assert len(fixture.data_channel.sent) == 2
    fixture.channel.closed()
    fixture.controls.set({"strength": 0.4})
    assert len(fixture.data_channel.sent) == 2


numbers = st.floats(allow_nan=False, allow_infinity=False)  # JSON has no others
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
names = st.sampled_from(
    [*FilterSettings.model_fields, "self", "params", "__class__", "interval_ms"]
)
operations = st.sampled_from(
    ["get", "set", "reset", "snapshot", "subscribe", "unsubscribe", "ping"]
)


@pytest.mark.slow
@given(message=st.text() | st.binary() | json_values.map(json.dumps))
def test_any_message_gets_exactly_one_answer(message: str | bytes) -> None:
    fixture = Fixture()
    fixture.channel.receive(message)
    (answer,) = fixture.data_channel.sent
    assert answer["ok"] is False


@pytest.mark.slow
@given(op=operations, params=st.dictionaries(names, json_values, max_size=4))
def test_any_parameters_leave_valid_settings(op: str, params: dict[str, Any]) -> None:
    fixture = Fixture()
    fixture.channel.receive(json.dumps({"v": 1, "id": 1, "op": op, "params": params}))
    (answer,) = fixture.data_channel.sent
    assert answer["id"] == 1
    assert FilterSettings(**fixture.filter.settings.model_dump()) == fixture.filter.settings
    if not answer["ok"]:
        assert fixture.filter.settings == FilterSettings()


def test_the_schema_marks_settings_that_need_a_missing_adapter() -> None:
    def needs(*adapters: str) -> dict[str, str]:
        properties = schema(Limits(), adapters)["properties"]
        return {name: one["needs"] for name, one in properties.items() if "needs" in one}

    assert needs() == {
        "lora_weights": "lora", "control_scale": "controlnet", "image_prompt_scale": "ip_adapter",
    }  # fmt: skip
    assert needs("controlnet", "ip_adapter") == {"lora_weights": "lora"}


def test_the_schema_has_the_limits_of_the_server() -> None:
    size = schema(Limits(working_size=768))["properties"]["size"]
    assert 768 in [choice.get("maximum") for choice in size["anyOf"]]
    assert schema(Limits())["properties"]["strength"]["maximum"] == 1.0

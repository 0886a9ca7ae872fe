"""The control channel: what it answers, and that nothing a peer says breaks it."""

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


class Wire:
    """A data channel that keeps what is sent."""

    def __init__(self) -> None:
        self.bufferedAmount, self.readyState = 0, "open"
        self.sent: list[dict[str, Any]] = []

    def send(self, data: str) -> None:
        self.sent.append(json.loads(data))


class Bench:
    """A control channel on a virtual clock."""

    def __init__(self, **limits: Any) -> None:
        self.now, self.floods = 0.0, 0
        self.wire, self.filter = Wire(), Shade()
        self.controls = Controls(
            self.filter, Limits(**limits), statistics=lambda: Stats(fps_out=24.0)
        )
        self.channel = ControlChannel(
            self.wire, self.controls, Limits(**limits), clock=lambda: self.now,
            on_flood=self._flood,
        )  # fmt: skip

    def _flood(self) -> None:
        self.floods += 1

    def ask(self, op: str, params: Any = None, **more: Any) -> dict[str, Any]:
        message = {"v": 1, "id": 7, "op": op, "params": params or {}, **more}
        return self.say(json.dumps(message))

    def say(self, message: str | bytes) -> dict[str, Any]:
        self.channel.receive(message)
        return self.wire.sent[-1]


def test_set_changes_the_filter_and_gives_all_settings() -> None:
    bench = Bench()
    answer = bench.ask("set", {"strength": 0.25, "prompt": [["neon", 1], ["noir", 2]]})
    assert (answer["v"], answer["id"], answer["ok"]) == (1, 7, True)
    assert answer["result"]["settings"]["prompt"] == [["neon", 1.0], ["noir", 2.0]]
    assert bench.filter.settings.strength == 0.25
    assert bench.ask("get")["result"] == answer["result"]


def test_the_state_is_the_first_message() -> None:
    bench = Bench()
    bench.channel.opened()
    assert bench.wire.sent[0]["event"] == "state"
    assert bench.wire.sent[0]["data"]["settings"]["strength"] == FilterSettings().strength


def test_reset_forgets_the_past_and_on_demand_the_changes() -> None:
    bench = Bench()
    bench.ask("set", {"strength": 0.1})
    assert bench.ask("reset")["result"]["settings"]["strength"] == 0.1
    assert bench.ask("reset", {"settings": True})["result"]["settings"]["strength"] == 0.7
    assert bench.filter.resets == 2


def test_a_setting_out_of_range_changes_nothing_and_says_the_range() -> None:
    bench = Bench()
    answer = bench.ask("set", {"seed": 5, "strength": 1.5})
    assert answer["error"]["code"] == "invalid"
    assert "strength" in answer["error"]["message"]
    assert bench.filter.settings == FilterSettings()


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
def test_what_is_wrong_is_refused_with_its_reason(message: str | bytes, code: str) -> None:
    answer = Bench().say(message)
    assert answer["ok"] is False
    assert answer["error"]["code"] == code
    assert answer["error"]["message"]


def test_prompts_have_a_longest_length_all_together() -> None:
    bench = Bench(prompt_characters=10)
    assert bench.ask("set", {"prompt": "0123456789"})["ok"]
    refused = bench.ask("set", {"prompt": [["012345", 1], ["67890", 1]]})
    assert "at most 10 characters here, got 11" in refused["error"]["message"]


def test_a_refusal_names_the_request_where_its_id_can_be_read() -> None:
    bench = Bench()
    assert bench.say('{"v": 1, "id": "seven", "op": 5}')["id"] == "seven"
    assert bench.say('{"v": 1, "id": {"a": 1}, "op": 5}')["id"] is None
    assert bench.say("nonsense")["id"] is None


def test_statistics_come_as_often_as_subscribed() -> None:
    bench = Bench()
    assert bench.ask("subscribe", {"interval_ms": 500})["result"]["interval_ms"] == 500
    for _ in range(40):
        bench.now += 0.125
        bench.channel.tick()
    told = [each for each in bench.wire.sent if each.get("event") == "statistics"]
    assert len(told) == 10
    assert told[0]["data"] == Stats(fps_out=24.0).as_dict()
    bench.ask("unsubscribe")
    bench.now += 10
    bench.channel.tick()
    assert bench.wire.sent[-1]["ok"]


def test_a_flood_is_answered_once_and_then_disconnected() -> None:
    bench = Bench(messages_per_second=10, message_burst=20, refused_messages=50)
    for _ in range(70):
        bench.ask("ping")
    assert sum(each["ok"] for each in bench.wire.sent) == 20
    refused = [each for each in bench.wire.sent if not each["ok"]]
    assert [each["error"]["code"] for each in refused] == ["too_fast"]
    assert bench.floods == 1


def test_messages_at_the_allowed_rate_are_all_answered() -> None:
    bench = Bench(messages_per_second=10, message_burst=2)
    for _ in range(100):
        bench.now += 0.1000001
        assert bench.ask("ping")["ok"]


def test_a_peer_that_does_not_read_is_sent_nothing_more() -> None:
    bench = Bench()
    bench.wire.bufferedAmount = MAX_BUFFERED + 1
    bench.channel.receive('{"v": 1, "id": 1, "op": "ping"}')
    bench.wire.bufferedAmount, bench.wire.readyState = 0, "closed"
    bench.channel.receive('{"v": 1, "id": 2, "op": "ping"}')
    assert bench.wire.sent == []


def test_changes_from_elsewhere_are_told_and_own_ones_are_not() -> None:
    bench = Bench()
    bench.controls.set({"strength": 0.2})
    assert bench.wire.sent[-1]["event"] == "settings"
    assert bench.wire.sent[-1]["data"]["settings"]["strength"] == 0.2
    bench.ask("set", {"strength": 0.3})
    assert len(bench.wire.sent) == 2
    bench.channel.closed()
    bench.controls.set({"strength": 0.4})
    assert len(bench.wire.sent) == 2


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


@given(message=st.text() | st.binary() | json_values.map(json.dumps))
def test_any_message_gets_exactly_one_answer(message: str | bytes) -> None:
    bench = Bench()
    bench.channel.receive(message)
    (answer,) = bench.wire.sent
    assert answer["ok"] is False


@given(op=operations, params=st.dictionaries(names, json_values, max_size=4))
def test_any_parameters_leave_settings_that_are_sound(op: str, params: dict[str, Any]) -> None:
    bench = Bench()
    bench.channel.receive(json.dumps({"v": 1, "id": 1, "op": op, "params": params}))
    (answer,) = bench.wire.sent
    assert answer["id"] == 1
    assert FilterSettings(**bench.filter.settings.model_dump()) == bench.filter.settings
    if not answer["ok"]:
        assert bench.filter.settings == FilterSettings()


def test_the_schema_says_which_settings_need_an_adapter_that_is_not_there() -> None:
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

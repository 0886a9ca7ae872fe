"""The settings: ranges, messages, schema."""

from typing import Any

import pytest

from turbolens.filter import FilterSettings, SettingsError


def test_every_setting_has_a_default_and_a_description() -> None:
    FilterSettings()
    properties = FilterSettings.model_json_schema()["properties"]
    assert set(properties) == set(FilterSettings.model_fields)
    assert all("default" in each and "description" in each for each in properties.values())


def test_the_schema_carries_the_ranges() -> None:
    properties = FilterSettings.model_json_schema()["properties"]
    assert (properties["strength"]["minimum"], properties["strength"]["maximum"]) == (0, 1)
    assert (properties["steps"]["minimum"], properties["steps"]["maximum"]) == (1, 4)
    assert properties["fit"]["enum"] == ["stretch", "contain", "cover"]


def test_the_schema_takes_a_text_or_a_list_for_the_prompt() -> None:
    text, mixture = FilterSettings.model_json_schema()["properties"]["prompt"]["anyOf"]
    assert (text["type"], text["maxLength"]) == ("string", 2000)
    assert (mixture["type"], mixture["maxItems"]) == ("array", 16)


@pytest.mark.parametrize(
    "values",
    [
        {"strength": 1.3}, {"strength": -0.1}, {"strength": float("nan")}, {"strength": "much"},
        {"steps": 0}, {"steps": 5}, {"seed": -1}, {"size": 16}, {"fit": "crop"}, {"mix": 2},
        {"blend_before": 1.0}, {"blend_after": 1.0}, {"prompt": []}, {"prompt": [("ink", -1)]},
        {"prompt": [("ink", 0.0), ("oil", 0.0)]}, {"prompt": 3}, {"scene_cut_sensitivity": 1.5},
        {"lora_weights": {"a": 9}}, {"lora_weights": {"a": "loud"}}, {"control_scale": -1},
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(values))):
        FilterSettings(**values)


def test_a_setting_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(SettingsError, match=r"no setting 'strenght'; did you mean 'strength'\? "):
        FilterSettings(strenght=0.5)


def test_a_message_says_what_must_hold_and_what_was_given() -> None:
    with pytest.raises(SettingsError, match=r"^strength: must be between 0 and 1, got 1\.3 "):
        FilterSettings(strength=1.3)
    with pytest.raises(SettingsError, match=r"^blend_after: must be less than 1, got 1\.0 "):
        FilterSettings(blend_after=1.0)


@pytest.mark.parametrize("prompt", [3, None, [], ["noir", "neon"], {"noir": 1}, [("noir", 1, 2)]])
def test_a_prompt_of_another_kind_is_refused_once(prompt: Any) -> None:
    with pytest.raises(SettingsError) as refusal:
        FilterSettings(prompt=prompt)
    text = f"prompt: must be a text, or a list of (text, weight), got {prompt!r} "
    assert str(refusal.value).startswith(text)


def test_each_setting_is_refused_once() -> None:
    with pytest.raises(SettingsError) as refusal:
        FilterSettings(prompt=[("noir", -1)], mix=2)
    assert (str(refusal.value).count("prompt: "), str(refusal.value).count("mix: ")) == (1, 1)


def test_a_long_value_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as refusal:
        FilterSettings(prompt="neon " * 1000)
    assert len(str(refusal.value)) < 400


def test_replace_checks_the_new_values() -> None:
    settings = FilterSettings(strength=0.4).replace(prompt="ink")
    assert (settings.strength, settings.weighted_prompts) == (0.4, (("ink", 1.0),))
    with pytest.raises(SettingsError):
        settings.replace(strength=2)


def test_a_model_that_needs_more_steps_gets_them_unless_others_were_named() -> None:
    assert FilterSettings().with_steps_of((2, 4)).steps == 2
    assert FilterSettings(strength=0.3).replace(seed=7).with_steps_of((2, 4)).steps == 2
    assert FilterSettings(steps=1).with_steps_of((2, 4)).steps == 1
    assert FilterSettings(steps=1).replace(seed=7).with_steps_of((2, 4)).steps == 1
    assert FilterSettings(steps=3).with_steps_of((1, 4)).steps == 3


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValueError, match="frozen"):
        FilterSettings().strength = 0.3


@pytest.mark.parametrize("prompt", [[("ink", 2.0), ("oil", 1.0)], (("ink", 2.0), ("oil", 1.0))])
def test_prompts_are_mixed_by_weight(prompt: Any) -> None:
    assert FilterSettings(prompt=prompt).weighted_prompts == (("ink", 2.0), ("oil", 1.0))


def test_settings_survive_json() -> None:
    settings = FilterSettings(prompt=[("ink", 2.0), ("oil", 1.0)], strength=0.25, size=384,
                              lora_weights={"a": 0.5})  # fmt: skip
    assert FilterSettings(**settings.model_dump()) == settings
    assert FilterSettings.model_validate_json(settings.model_dump_json()) == settings

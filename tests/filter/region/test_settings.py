"""The settings of the region, and the colours they take."""

import pytest

from turbolens.filter import FilterSettings, SettingsError
from turbolens.filter.settings import rgb_of


def test_by_default_the_whole_frame_is_filtered() -> None:
    settings = FilterSettings()
    assert (settings.region, settings.outside) == ("all", "original")


@pytest.mark.parametrize("given", ["original", "blur", "Black", " #FF8000 "])
def test_what_is_outside_is_kept_in_lower_case(given: str) -> None:
    assert FilterSettings(outside=given).outside == given.strip().lower()


@pytest.mark.parametrize("given", ["", "blurry", "#12345", "ff0000"])
def test_what_is_no_colour_is_refused_with_all_choices(given: str) -> None:
    with pytest.raises(SettingsError, match=r"outside: must be original, blur or a.*#rr"):
        FilterSettings(outside=given)


@pytest.mark.parametrize("changes", [{"region": "face"}, {"feather": 0.3}, {"feather": -0.1}])
def test_other_values_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(changes))):
        FilterSettings(**changes)


def test_a_colour_has_its_value_in_css() -> None:
    assert rgb_of("orange") == rgb_of("#ffa500") == (255, 165, 0)


def test_the_schema_tells_the_choices_to_the_page() -> None:
    schema = FilterSettings.model_json_schema()["properties"]
    assert schema["outside"]["choices"] == ["original", "blur", "colour"]
    assert schema["region"]["enum"] == ["all", "person", "background"]

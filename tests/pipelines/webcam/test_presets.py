"""Presets: saved by a key, kept in the user's file; the looks that keys offer."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipelines.camera.virtual_backend import KeepingBackend
from tests.pipelines.cli.test_cli import Result
from tests.pipelines.webcam.call_parts import SMALL, call_with
from turbolens.filter import FilterSettings, SettingsError
from turbolens.pipelines.model_choice import ModelChoice
from turbolens.pipelines.webcam.presets import free_name, load_preset, presets_file, save_preset
from turbolens.pipelines.webcam.setup import offered_looks

Call = Callable[..., Result]


def test_a_preset_is_saved_by_a_key_and_used_again(
    tmp_path: Path, turbolens: Call, backend: type[KeepingBackend]
) -> None:
    webcam, notices = call_with(tmp_path)
    for key in "n S":
        webcam.press(key)
    assert "--preset noir" in notices[-1]
    assert load_preset("noir") == {"prompt": [["noir", 1.0]]}
    result = turbolens("webcam", *SMALL, "--preset", "noir", "--json", "--no-enabled",
                       "--duration", 0.2)  # fmt: skip
    assert result.code == 0


def test_presets_keep_comments_and_what_others_wrote(tmp_path: Path) -> None:
    file = tmp_path / "presets.toml"
    file.write_text('# mine\n[soft]\nprompt = "pastel"\nstrength = 0.3 # low\n')
    settings = FilterSettings(prompt=(("noir", 2.0), ("neon", 1.0)), strength=0.5, seed=7)
    save_preset("city", settings, file)
    assert file.read_text().startswith('# mine\n[soft]\nprompt = "pastel"\nstrength = 0.3 # low')
    assert FilterSettings(**load_preset("city", file)) == settings
    assert free_name(FilterSettings(prompt="city"), file) == "city-2"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[soft]\nstrength = 7\n", "strength"),
        ("[soft]\ncolour = 1\n", "no setting 'colour'"),
        ("soft = 1\n", "table"),
        ("[soft\n", "not valid TOML"),
        ("[other]\n", "known presets: other"),
    ],
)
def test_a_preset_that_is_wrong_is_explained(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "presets.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=expected):
        load_preset("soft", file)


def test_presets_are_stored_in_the_configuration_folder(tmp_path: Path) -> None:
    if sys.platform == "linux":
        assert presets_file() == tmp_path / "configuration" / "turbolens" / "presets.toml"
    with pytest.raises(SettingsError, match="letters"):
        save_preset("../escape", FilterSettings())


def test_a_model_for_any_prompt_is_offered_the_embedded_looks(tmp_path: Path) -> None:
    assert "noir" in offered_looks(ModelChoice(str(tmp_path)))
    (tmp_path / "looks.json").write_text('{"mine": {}}')
    assert offered_looks(ModelChoice(str(tmp_path))) == ("mine",)

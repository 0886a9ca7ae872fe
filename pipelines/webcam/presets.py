"""Presets: named settings in a TOML file in the user's configuration folder."""

import re
from pathlib import Path
from typing import Any

import tomlkit
from platformdirs import user_config_path
from tomlkit.exceptions import TOMLKitError

from turbolens.filter import FilterSettings, SettingsError
from turbolens.pipelines.video.destination import Destination

FILE_NAME = "presets.toml"
HEADING = "Turbolens presets: use one with --preset NAME, in webcam, video, stream and serve."
NAME = re.compile(r"[\w-]{1,60}")


def presets_file() -> Path:
    """The path of the presets file."""
    return user_config_path("turbolens", appauthor=False) / FILE_NAME


def load_preset(name: str, file: Path | None = None) -> dict[str, Any]:
    """The settings of a preset. Raises `SettingsError` if it does not exist or is not valid."""
    file = file or presets_file()
    document = _read(file)
    if name not in document:
        known = ", ".join(document) or "none yet; press S in a running turbolens webcam to save one"
        raise SettingsError(f"there is no preset {name!r} in {file}; known presets: {known}")
    values = document[name]
    if not isinstance(values, dict):
        raise SettingsError(f"{file}: {name} must be a table of settings, like [{name}]")
    FilterSettings(**values)
    return dict(values)


def save_preset(name: str, settings: FilterSettings, file: Path | None = None) -> Path:
    """Write the settings under this name. Other presets and comments in the file are kept.

    Only settings that differ from the defaults are written, and never `enabled`. Raises
    `SettingsError` if the name has characters other than letters, digits, - and _, or if the file
    is not valid TOML.
    """
    if not NAME.fullmatch(name):
        raise SettingsError(f"a preset's name must be letters, digits, - and _, got {name!r}")
    file = file or presets_file()
    document = _document(file)
    if not document:
        document.add(tomlkit.comment(HEADING))
    document[name] = _changed(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    target = Destination(str(file), overwrite=True)
    Path(target.writing).write_text(tomlkit.dumps(document), encoding="utf-8")
    target.complete()
    return file


def free_name(settings: FilterSettings, file: Path | None = None) -> str:
    """An unused name for these settings: "oil-painting", "oil-painting-2", …"""
    words = "-".join(re.findall(r"\w+", settings.prompt[0][0].lower()))[:40] or "preset"
    taken = _read(file or presets_file())
    number, name = 1, words
    while name in taken:
        number += 1
        name = f"{words}-{number}"
    return name


def _changed(settings: FilterSettings) -> dict[str, Any]:
    values = settings.model_dump(exclude_defaults=True, exclude_none=True, exclude={"enabled"})
    if "prompt" in values:
        values["prompt"] = [[text, weight] for text, weight in values["prompt"]]
    else:
        values["prompt"] = settings.prompt[0][0]
    return values


def _read(file: Path) -> dict[str, Any]:
    return dict(_document(file).unwrap())


def _document(file: Path) -> tomlkit.TOMLDocument:
    if not file.is_file():
        return tomlkit.document()
    try:
        return tomlkit.parse(file.read_text(encoding="utf-8"))
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not valid TOML: {error}") from error

"""An option for every setting, with the range, choices and help text of `FilterSettings`."""

from collections.abc import Set
from typing import Annotated, Any

import typer
from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from turbolens.filter import FilterSettings, SettingsError
from turbolens.pipelines.model_choice import parse_prompt
from turbolens.pipelines.video.encoders.presets import NAMES as ENCODER_PRESETS
from turbolens.pipelines.webcam.presets import load_preset

from .panels import LOOK, panel_of_setting

SHORT = {"prompt": "-p", "strength": "-s"}
PRESET = (
    "Settings saved under this name by the key S of turbolens webcam. Options given as well take "
    "precedence."
)
MAX_SEED = 2**63 - 1  # too long for the help
ELSEWHERE = {"lora_weights"}  # given with the LoRAs themselves, --lora FILE:WEIGHT


def filter_options(own: Set[str]) -> dict[str, tuple[object, Any]]:
    """Default and annotation of an option for each setting, and of --preset.

    own: the command's own arguments; a setting of the same name gets no option.
    """
    preset = typer.Option("--preset", metavar="NAME", rich_help_panel=LOOK, help=PRESET)
    settings = {
        name: (None, _annotation(name, field))
        for name, field in FilterSettings.model_fields.items()
        if name not in own and name not in ELSEWHERE
    }
    return {"preset": (None, Annotated[str | None, preset]), **settings}


def chosen_settings(values: dict[str, Any]) -> dict[str, Any]:
    """Only the settings that were given, so that others can decide the defaults.

    Those of a preset count as given; an option takes precedence. Raises `SettingsError` if there is
    no such preset.
    """
    chosen = {name: value for name, value in values.items() if value not in (None, [], ())}
    name = chosen.pop("preset", None)
    if "prompt" in chosen:
        chosen["prompt"] = tuple(parse_prompt(text) for text in chosen["prompt"])
    return chosen if name is None else {**_preset(name), **chosen}


def _preset(name: str) -> dict[str, Any]:
    try:
        return load_preset(name)
    except SettingsError as error:
        hint = "; for the encoder's speed use --encoder-preset" if name in ENCODER_PRESETS else ""
        raise SettingsError(f"{error}{hint}") from error


def _annotation(name: str, field: FieldInfo) -> Any:
    text, flag = field.description or "", f"--{name.replace('_', '-')}"
    flags = [flag, SHORT[name]] if name in SHORT else [flag]
    kind: Any = field.annotation
    shown: dict[str, Any] = {"rich_help_panel": panel_of_setting(name), "show_default": False}
    if name == "prompt":
        kind, shown["metavar"] = list[str], "TEXT[:WEIGHT]"
        text = f"{text} Repeat it to mix several, with weights as in 'neon:0.3'."
        default = field.default if isinstance(field.default, str) else field.default[0][0]
        shown["help"] = _with_default(text, default)
    elif kind is bool:
        flags, shown["help"] = [f"{flag}/--no-{flag[2:]}"], text
    else:
        shown |= {"help": _with_default(text, field.default), **_range(field)}
    option: Any = typer.Option
    return Annotated[kind | None, option(*flags, **shown)]


def _with_default(text: str, default: object) -> str:
    return text if default is None else f"{text} [default: {default}]"


def _range(field: FieldInfo) -> dict[str, Any]:
    """Bounds that include their end. The others are checked by `FilterSettings`."""
    bounds: dict[str, Any] = {}
    for item in field.metadata:
        if isinstance(item, Ge):
            bounds["min"] = item.ge
        elif isinstance(item, Le) and item.le != MAX_SEED:
            bounds["max"] = item.le
    return {**bounds, "metavar": "N"} if bounds else {}

"""An option for every setting, with the range, choices and help text of `FilterSettings`."""

from collections.abc import Set
from typing import Annotated, Any

import typer
from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from turbolens.filter import FilterSettings
from turbolens.pipelines.model_choice import parse_prompt

PANEL = "The filter"
SHORT = {"prompt": "-p", "strength": "-s"}
ELSEWHERE = {"lora_weights"}  # given with the LoRAs themselves, --lora FILE:WEIGHT


def filter_options(own: Set[str]) -> dict[str, tuple[object, Any]]:
    """Default and annotation of an option for each setting.

    own: the command's own arguments; a setting of the same name gets no option.
    """
    return {
        name: (None, _annotation(name, field))
        for name, field in FilterSettings.model_fields.items()
        if name not in own and name not in ELSEWHERE
    }


def chosen_settings(values: dict[str, Any]) -> dict[str, Any]:
    """Only the settings that were given, so that others can decide the defaults."""
    chosen = {name: value for name, value in values.items() if value not in (None, [], ())}
    if "prompt" in chosen:
        chosen["prompt"] = tuple(parse_prompt(text) for text in chosen["prompt"])
    return chosen


def _annotation(name: str, field: FieldInfo) -> Any:
    text, flag = field.description or "", f"--{name.replace('_', '-')}"
    flags = [flag, SHORT[name]] if name in SHORT else [flag]
    kind: Any = field.annotation
    shown: dict[str, Any] = {"rich_help_panel": PANEL, "show_default": False}
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
        elif isinstance(item, Le):
            bounds["max"] = item.le
    return bounds

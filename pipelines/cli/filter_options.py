"""Command-line options made from `FilterSettings`: their ranges, choices and help live there."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer
from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from turbolens.filter import FilterSettings
from turbolens.pipelines.model_choice import parse_prompt

R = TypeVar("R")

PANEL = "The filter"
SHORT = {"prompt": "-p", "strength": "-s"}
ELSEWHERE = {"lora_weights"}  # given with the LoRAs themselves, --lora FILE:WEIGHT


def with_filter_options(command: Callable[..., R]) -> Callable[..., R]:
    """The command with an option for every setting, gathered in its argument `settings`.

    `settings` is a `dict` that holds only what was given, so that a default is decided elsewhere.
    A setting that the command has as an argument of its own is left to it.
    """
    signature = inspect.signature(command)
    own = [value for name, value in signature.parameters.items() if name != "settings"]
    fields = {name: field for name, field in FilterSettings.model_fields.items()
              if name not in signature.parameters and name not in ELSEWHERE}  # fmt: skip
    made = [_parameter(name, field) for name, field in fields.items()]

    def wrapper(**values: Any) -> R:
        given = {name: values.pop(name) for name in fields}
        return command(**values, settings=chosen_settings(given))

    wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
    wrapper.__annotations__ = {value.name: value.annotation for value in (*own, *made)}
    setattr(wrapper, "__signature__", signature.replace(parameters=[*own, *made]))  # noqa: B010
    return wrapper


def chosen_settings(values: dict[str, Any]) -> dict[str, Any]:
    """What was given on the command line; prompts parsed."""
    chosen = {name: value for name, value in values.items() if value not in (None, [], ())}
    if "prompt" in chosen:
        chosen["prompt"] = tuple(parse_prompt(text) for text in chosen["prompt"])
    return chosen


def parse_size(option: str, text: str) -> tuple[int, int]:
    """ "1280x720" → (1280, 720). Raises `typer.BadParameter`, which names the option."""
    width, _, height = text.lower().replace("×", "x").partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise typer.BadParameter(f"{option} must be as 1280x720, got {text!r}")
    return int(width), int(height)


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    help_text, flag = field.description or "", f"--{name.replace('_', '-')}"
    option: Any
    if name == "prompt":
        kind: Any = list[str]
        help_text += " Repeat it to mix, with weights as in 'neon:0.3'."
        option = typer.Option("--prompt", "-p", metavar="TEXT[:WEIGHT]", help=_with_default(
            help_text, field.default[0][0] if not isinstance(field.default, str) else field.default
        ), rich_help_panel=PANEL)  # fmt: skip
    elif field.annotation is bool:
        kind = bool
        option = typer.Option(
            f"{flag}/--no-{flag[2:]}", help=help_text, rich_help_panel=PANEL, show_default=False
        )
    else:
        kind = field.annotation
        names = [flag, SHORT[name]] if name in SHORT else [flag]
        option = typer.Option(
            *names, help=_with_default(help_text, field.default), rich_help_panel=PANEL,
            show_default=False, **_range(field),
        )  # fmt: skip
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _with_default(text: str, default: object) -> str:
    return text if default is None else f"{text} [default: {default}]"


def _range(field: FieldInfo) -> dict[str, Any]:
    """Bounds that include their end; the others are left to `FilterSettings`."""
    bounds: dict[str, Any] = {}
    for item in field.metadata:
        if isinstance(item, Ge):
            bounds["min"] = item.ge
        elif isinstance(item, Le):
            bounds["max"] = item.le
        elif not isinstance(item, Gt | Lt):
            continue
    return bounds

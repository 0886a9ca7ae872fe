"""The element's properties, made from `FilterSettings`, which has their ranges and help texts."""

from typing import Any, Literal, NamedTuple, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from turbolens.filter import FilterSettings
from turbolens.pipelines.model_choice import parse_prompt

Kind = Literal["text", "whole", "number", "switch"]
SEPARATOR = "|"
LISTS = {"prompt": "text", "lora_weights": "name"}
"""Settings that are lists of pairs, written "text:weight | text:weight", and the pair's key."""


class Property(NamedTuple):
    """One property as GObject needs it. Bounds are inclusive, `None` for texts and switches."""

    kind: Kind
    default: Any
    lowest: Any = None
    highest: Any = None
    help: str = ""


def properties() -> dict[str, Property]:
    """A property for every setting, by name."""
    return {name: _property(name, field) for name, field in FilterSettings.model_fields.items()}


def to_setting(name: str, value: Any) -> Any:
    """The setting for a property's value. "noir:2 | neon" is a mixture of prompts."""
    if name == "prompt":
        return tuple(parse_prompt(part.strip()) for part in value.split(SEPARATOR))
    if name == "lora_weights":
        return dict(parse_prompt(part.strip()) for part in value.split(SEPARATOR) if part.strip())
    field = FilterSettings.model_fields[name]
    return None if _is_optional(field) and value == _none_value(field) else value


def from_setting(name: str, value: Any) -> Any:
    """The property's value for a setting, the inverse of `to_setting`."""
    if name == "prompt":
        return f" {SEPARATOR} ".join(_prompt(text, weight) for text, weight in value)
    if name == "lora_weights":
        return f" {SEPARATOR} ".join(f"{lora}:{weight:g}" for lora, weight in value.items())
    return _none_value(FilterSettings.model_fields[name]) if value is None else value


def _prompt(text: str, weight: float) -> str:
    return text if weight == 1.0 and parse_prompt(text) == (text, 1.0) else f"{text}:{weight:g}"


def _property(name: str, field: FieldInfo) -> Property:
    default, text = from_setting(name, field.default), field.description or ""
    if name in LISTS:
        pair = f"{LISTS[name]}:weight"
        return Property("text", default, help=f"{text} Here as {pair} {SEPARATOR} {pair}")
    if get_origin(field.annotation) is Literal:
        return Property("text", default, help=f"{text} ({', '.join(get_args(field.annotation))})")
    if field.annotation is str:
        return Property("text", default, help=text)
    if field.annotation is bool:
        return Property("switch", default, help=text)
    return _number(field, default)


def _number(field: FieldInfo, default: Any) -> Property:
    """A property that is a number. If the setting may be `None`, a number below the range is."""
    lowest, highest = _bounds(field)
    text = field.description or ""
    if _is_optional(field):
        lowest, text = _none_value(field), f"{text} {_none_value(field)} is none."
    if float in (field.annotation, *get_args(field.annotation)):
        return Property("number", float(default), float(lowest), float(highest), text)
    return Property("whole", default, lowest, highest, text)


def _is_optional(field: FieldInfo) -> bool:
    """True if the setting may be `None`, which a property that is a number cannot be."""
    return type(None) in get_args(field.annotation)


def _none_value(field: FieldInfo) -> int:
    """The number that stands for `None`: one outside the setting's range."""
    return 0 if _bounds(field)[0] > 0 else -1


def _bounds(field: FieldInfo) -> tuple[float, float]:
    """The ends of the range. `FilterSettings` itself refuses an excluded end."""
    lowest: Any = 0
    highest: Any = 2**63 - 1
    for item in field.metadata:
        if isinstance(item, Ge | Gt):
            lowest = item.ge if isinstance(item, Ge) else item.gt
        elif isinstance(item, Le | Lt):
            highest = item.le if isinstance(item, Le) else item.lt
    return lowest, highest

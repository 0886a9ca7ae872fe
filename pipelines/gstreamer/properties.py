"""The element's properties, made from `FilterSettings`: their ranges and help live there."""

from typing import Any, Literal, NamedTuple, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from turbolens.filter import FilterSettings
from turbolens.pipelines.model_choice import parse_prompt

Kind = Literal["text", "whole", "number", "switch"]
SEPARATOR = "|"


class Property(NamedTuple):
    """One property as GObject wants it. Bounds are inclusive; for texts and switches None."""

    kind: Kind
    default: Any
    lowest: Any = None
    highest: Any = None
    help: str = ""


def properties() -> dict[str, Property]:
    """Every setting by its name."""
    return {name: _property(name, field) for name, field in FilterSettings.model_fields.items()}


def to_setting(name: str, value: Any) -> Any:
    """A property's value as the setting of that name. "noir:2 | neon" is a mixture of prompts."""
    if name == "prompt":
        return tuple(parse_prompt(part.strip()) for part in value.split(SEPARATOR))
    if name == "lora_weights":
        return dict(parse_prompt(part.strip()) for part in value.split(SEPARATOR) if part.strip())
    field = FilterSettings.model_fields[name]
    return None if _optional(field) and value == _nothing(field) else value


def from_setting(name: str, value: Any) -> Any:
    """The other way: `to_setting(name, from_setting(name, value))` is the value."""
    if name == "prompt":
        return f" {SEPARATOR} ".join(_prompt(text, weight) for text, weight in value)
    if name == "lora_weights":
        return f" {SEPARATOR} ".join(f"{lora}:{weight:g}" for lora, weight in value.items())
    return _nothing(FilterSettings.model_fields[name]) if value is None else value


def _prompt(text: str, weight: float) -> str:
    return text if weight == 1.0 and parse_prompt(text) == (text, 1.0) else f"{text}:{weight:g}"


def _property(name: str, field: FieldInfo) -> Property:
    default, text = from_setting(name, field.default), field.description or ""
    if name == "prompt":
        return Property("text", default, help=f"{text} Here as text:weight {SEPARATOR} text:weight")
    if name == "lora_weights":
        return Property("text", default, help=f"{text} Here as name:weight {SEPARATOR} name:weight")
    if get_origin(field.annotation) is Literal:
        return Property("text", default, help=f"{text} ({', '.join(get_args(field.annotation))})")
    if field.annotation is bool:
        return Property("switch", default, help=text)
    lowest, highest = _bounds(field)
    if _optional(field):
        lowest, text = _nothing(field), f"{text} {_nothing(field)} is none."
    if field.annotation is float or float in get_args(field.annotation):
        return Property("number", float(default), float(lowest), float(highest), text)
    return Property("whole", default, lowest, highest, text)


def _optional(field: FieldInfo) -> bool:
    """Whether the setting may be none, which a property that is a number cannot be."""
    return type(None) in get_args(field.annotation)


def _nothing(field: FieldInfo) -> int:
    """The number that stands for none: one that is no value of the setting."""
    return 0 if _bounds(field)[0] > 0 else -1


def _bounds(field: FieldInfo) -> tuple[float, float]:
    """The ends of the range; an open end is left to `FilterSettings` to refuse."""
    lowest: Any = 0
    highest: Any = 2**63 - 1
    for item in field.metadata:
        if isinstance(item, Ge | Gt):
            lowest = item.ge if isinstance(item, Ge) else item.gt
        elif isinstance(item, Le | Lt):
            highest = item.le if isinstance(item, Le) else item.lt
    return lowest, highest

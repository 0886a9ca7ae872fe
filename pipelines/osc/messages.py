"""OSC addresses and values → settings: `/turbolens/strength 0.4`, `/turbolens/look "comic"`."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, get_args

from turbolens.filter import FilterSettings, SettingsError

PREFIX = "/turbolens/"
LOOK, RESET = "look", "reset"
ERROR, NOTICE = f"{PREFIX}error", f"{PREFIX}notice"
NONE = ("none", "auto")  # texts for a setting that may be none
PAIRS = ("prompt", "lora_weights")  # settings that take name and weight alternately


def name_of(address: str) -> str:
    """The setting, or "reset", that an address is for. Raises `SettingsError`."""
    name = address.removeprefix(PREFIX) if address.startswith(PREFIX) else ""
    if name == LOOK:
        return "prompt"
    if name == RESET or name in FilterSettings.model_fields:
        return name
    known = [LOOK, RESET, *FilterSettings.model_fields]
    near = get_close_matches(address.rpartition("/")[2], known, 1)
    hint = f"an address is {PREFIX} and {LOOK}, {RESET} or a setting, such as {PREFIX}strength"
    if near:
        hint = f"did you mean {PREFIX}{near[0]}?"
    raise SettingsError(f"there is no address {address!r}; {hint}")


def value_of(name: str, values: Sequence[Any]) -> Any:
    """The value of a setting for the values of a message. Raises `SettingsError`."""
    if name in PAIRS:
        pairs = _pairs(name, values)
        return dict(pairs) if name == "lora_weights" else pairs
    if len(values) != 1:
        raise SettingsError(f"{name}: one value is required, got {len(values)}")
    (value,) = values
    is_optional = type(None) in get_args(FilterSettings.model_fields[name].annotation)
    if is_optional and isinstance(value, str) and value.lower() in NONE:
        return None
    return value


def values_of(name: str, value: Any) -> list[Any]:
    """The values of a message for a setting, the inverse of `value_of`."""
    if name == "lora_weights":
        return [each for pair in value.items() for each in pair]
    if name == "prompt":
        return [each for pair in value for each in pair]
    if value is None:
        return [NONE[0]]
    return [str(value) if isinstance(value, int) and abs(value) >= 2**31 else value]


def _pairs(name: str, values: Sequence[Any]) -> list[tuple[str, float]]:
    """ "comic" → one pair of weight 1; "neon", 0.3, "noir", 0.7 → two pairs."""
    if len(values) == 1:
        values = [*values, 1.0]
    texts, weights = values[::2], values[1::2]
    right = len(texts) == len(weights) and all(isinstance(text, str) for text in texts)
    if not right or not all(isinstance(weight, int | float) for weight in weights):
        raise SettingsError(
            f"{name}: a text, or texts and weights alternately, are required, got {list(values)!r}"
        )
    return list(zip(texts, weights, strict=True))

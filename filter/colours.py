"""Colours by name or as #rrggbb."""

import re

NAMES = {
    "black": "#000000", "white": "#ffffff", "grey": "#808080", "gray": "#808080",
    "silver": "#c0c0c0", "red": "#ff0000", "green": "#008000", "lime": "#00ff00",
    "blue": "#0000ff", "navy": "#000080", "teal": "#008080", "cyan": "#00ffff",
    "magenta": "#ff00ff", "purple": "#800080", "yellow": "#ffff00", "orange": "#ffa500",
    "pink": "#ffc0cb", "brown": "#a52a2a", "beige": "#f5f5dc",
}  # fmt: skip
"""The names, and their values in CSS."""

_HEX = re.compile(r"#[0-9a-f]{6}")


def colour_code(text: str) -> str:
    """ "Black" → "#000000". Raises `ValueError` for what is no colour."""
    code = NAMES.get(text.strip().lower(), text.strip().lower())
    if not _HEX.fullmatch(code):
        raise ValueError(f"a colour must be #rrggbb or one of {', '.join(NAMES)}")
    return code


def rgb_of(text: str) -> tuple[int, int, int]:
    """Red, green and blue, 0…255 each. Raises `ValueError`."""
    code = colour_code(text)
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)

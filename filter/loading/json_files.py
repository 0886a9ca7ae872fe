"""Reads JSON files of a model folder."""

import json
from pathlib import Path
from typing import Any

from turbolens.filter.errors import ModelError


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises `ModelError` if it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} must be JSON, and cannot be read: {error}") from error

"""Which licences the user has accepted: asked once, kept in the user's configuration folder."""

import json
from datetime import datetime, timezone
from pathlib import Path

from platformdirs import user_config_path

from turbolens.filter.errors import LicenceError

from .catalogue import KnownModel, Licence

FILE_NAME = "licences.json"


def acceptances_file() -> Path:
    """Where the acceptances lie."""
    return user_config_path("turbolens", appauthor=False) / FILE_NAME


def is_accepted(model: KnownModel, file: Path | None = None) -> bool:
    """Whether the model's licence needs no acceptance, or has it. Another licence asks again."""
    if not model.licence.must_accept:
        return True
    kept = _read(file or acceptances_file()).get(model.name)
    return isinstance(kept, dict) and kept.get("licence") == model.licence.name


def accept(model: KnownModel, file: Path | None = None) -> None:
    """Keep it that the user has accepted the licence of this model. Raises `LicenceError`."""
    file = file or acceptances_file()
    known = _read(file)
    known[model.name] = {
        "licence": model.licence.name,
        "url": model.licence.url,
        "accepted": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    writing = file.with_name(f".{file.name}.writing")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        writing.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
        writing.replace(file)
    except OSError as error:
        raise LicenceError(f"the acceptance cannot be kept in {file}: {error}") from error


def licence_notice(model: KnownModel) -> str:
    """The licence in three lines, to be shown before a download."""
    licence: Licence = model.licence
    return (
        f"{model.name} is under the {licence.name}.\n{licence.summary}\nThe whole text: "
        f"{licence.url}"
    )


def _read(file: Path) -> dict[str, object]:
    """What is kept. A file that cannot be understood accepts nothing."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}

"""The licences that the user has accepted, stored in the user's configuration folder."""

import json
from datetime import datetime, timezone
from pathlib import Path

from platformdirs import user_config_path

from turbolens.filter.errors import LicenceError

from .catalogue import KnownModel, Licence

FILE_NAME = "licences.json"


def acceptances_file() -> Path:
    """The path of the stored acceptances."""
    return user_config_path("turbolens", appauthor=False) / FILE_NAME


def is_accepted(model: KnownModel, file: Path | None = None) -> bool:
    """True if the licence needs no acceptance or was accepted. A changed licence is asked again."""
    if not model.licence.must_accept:
        return True
    stored = _read(file or acceptances_file()).get(model.name)
    return isinstance(stored, dict) and stored.get("licence") == model.licence.name


def accept(model: KnownModel, file: Path | None = None) -> None:
    """Store that the user accepted the licence. Raises `LicenceError` if it cannot be written."""
    file = file or acceptances_file()
    accepted = _read(file)
    accepted[model.name] = {
        "licence": model.licence.name,
        "url": model.licence.url,
        "accepted": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    temporary = file.with_name(f".{file.name}.writing")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(accepted, indent=2) + "\n", encoding="utf-8")
        temporary.replace(file)
    except OSError as error:
        raise LicenceError(f"the acceptance cannot be stored in {file}: {error}") from error


def licence_notice(model: KnownModel) -> str:
    """The notice to show before a download, in three lines."""
    licence: Licence = model.licence
    return (
        f"{model.name} is under the {licence.name}.\n{licence.summary}\nThe whole text: "
        f"{licence.url}"
    )


def _read(file: Path) -> dict[str, object]:
    """The stored acceptances; none if the file cannot be parsed."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}

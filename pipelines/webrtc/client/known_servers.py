"""`KnownServers`: the keys of servers that were used before, like `known_hosts` of SSH."""

from pathlib import Path

from platformdirs import user_config_path

from turbolens.filter.errors import MediaError

FILE_NAME = "known_servers"


class KnownServers:
    """A file of lines "HOST:PORT FINGERPRINT" in the user's configuration folder."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file or user_config_path("turbolens", appauthor=False) / FILE_NAME

    def fingerprint(self, server: str) -> str | None:
        """The remembered fingerprint of a server, given as HOST:PORT; `None` if it is unknown."""
        return dict(self._lines()).get(server)

    def remember(self, server: str, fingerprint: str) -> None:
        """Add a line. Raises `MediaError` if the file cannot be written."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a", encoding="utf-8") as lines:
                lines.write(f"{server} {fingerprint}\n")
        except OSError as error:
            raise MediaError(
                f"cannot remember the server's key in {self.file}: {error.strerror}"
            ) from error

    def _lines(self) -> list[tuple[str, str]]:
        try:
            text = self.file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise MediaError(f"cannot read the keys of servers in {self.file}: {error}") from error
        words = (line.split() for line in text.splitlines() if not line.startswith("#"))
        return [(found[0], found[1]) for found in words if len(found) == 2]

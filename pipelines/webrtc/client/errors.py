"""`ServerError`: why a server could not be used, and whether another attempt may succeed."""

from turbolens.filter.errors import PeerError


class ServerError(PeerError):
    """A server cannot be reached, refused a request, or ended a session.

    permanent: True if another attempt would fail in the same way. retry_seconds: the pause that the
    server asked for, `None` if it asked for none.
    """

    def __init__(
        self, message: str, *, permanent: bool = False, retry_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.permanent, self.retry_seconds = permanent, retry_seconds

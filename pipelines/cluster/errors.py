"""Errors of a cluster as a whole; those of one file are `MediaError`s."""

from turbolens.filter.errors import TurbolensError

MANY = 300  # characters of an error of Ray, which may hold a whole traceback


class ClusterError(TurbolensError, ConnectionError):
    """A cluster cannot be reached, or none of its nodes can work."""


def on_one_line(error: Exception) -> str:
    """The message of an error on one line, cut short."""
    text = " ".join(str(error).split())
    return text if len(text) < MANY else f"{text[:MANY]} …"

"""Errors of a cluster as a whole; those of one file are `MediaError`s."""

from turbolens.filter.errors import TurbolensError


class ClusterError(TurbolensError, ConnectionError):
    """A cluster cannot be reached, or none of its nodes can work."""

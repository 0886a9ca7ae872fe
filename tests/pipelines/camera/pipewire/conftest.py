"""The session of the test, as a fixture."""

from .desktop import desktop

__all__ = ["desktop"]

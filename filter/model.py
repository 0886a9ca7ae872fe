"""`TurboModel`: the networks and their schedule."""


class TurboModel:
    """To be written."""

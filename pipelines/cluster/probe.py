"""Runs on a node before anything else. It is sent as code, since the node may lack this package."""


def installed_version() -> str | None:
    """The version of Turbolens on this node, `None` if it is not installed."""
    try:
        import turbolens  # noqa: PLC0415 - the point of this function
    except ImportError:
        return None
    return str(turbolens.__version__)

"""Names of modules and errors in log messages."""

import re


def spoken_name(module: object) -> str:
    """The class name in lower-case words: a `MotionEstimator` is a "motion estimator"."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(module).__name__).lower()


def first_line(error: BaseException) -> str:
    """The first line of the message, or the class name if there is no message."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__

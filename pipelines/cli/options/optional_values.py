"""Options that may stand without their value, which Typer cannot express."""

from collections.abc import Sequence

OPTIONAL = {"webcam": {"--control": "0"}}
"""By command: options, and the value of each when it stands alone."""


def with_values(arguments: Sequence[str]) -> list[str]:
    """The arguments of the command line, with the value of every option that stands alone.

    `webcam --control --mirror` → `webcam --control 0 --mirror`.
    """
    known = OPTIONAL.get(arguments[0] if arguments else "", {})
    complete: list[str] = []
    for index, argument in enumerate(arguments):
        complete.append(argument)
        following = arguments[index + 1 : index + 2]
        if argument in known and (not following or following[0].startswith("-")):
            complete.append(known[argument])
    return complete

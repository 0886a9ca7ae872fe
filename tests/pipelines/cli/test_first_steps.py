"""The command without a subcommand, and options that stand without a value."""

from typing import Any

import pytest

from turbolens.pipelines.cli.options.optional_values import with_values

from .test_cli import turbolens

__all__ = ["turbolens"]  # a fixture


def test_without_a_command_it_says_how_to_start_a_call(turbolens: Any) -> None:
    code, out, err = turbolens()
    assert (code, err) == (0, "")
    assert "turbolens webcam --control" in out
    assert "turbolens video in.mp4 out.mp4" in out


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["webcam", "--control"], ["webcam", "--control", "0"]),
        (["webcam", "--control", "--mirror"], ["webcam", "--control", "0", "--mirror"]),
        (["webcam", "--control", "8765"], ["webcam", "--control", "8765"]),
        (["webcam", "-p", "noir"], ["webcam", "-p", "noir"]),
        (["video", "--control", "canny"], ["video", "--control", "canny"]),
        ([], []),
    ],
)
def test_an_option_may_stand_without_its_value(given: list[str], expected: list[str]) -> None:
    assert with_values(given) == expected


def test_a_bad_port_is_still_refused(turbolens: Any) -> None:
    code, _, err = turbolens("webcam", "--control", "99999")
    assert code == 2
    assert "--control" in err

"""The help of the commands, and the hint at it."""

import re
import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest

from turbolens.pipelines.cli import app as cli

from .test_cli import one_line, turbolens

__all__ = ["turbolens"]  # the fixture that calls the command

PANELS = ["Look", "Model", "Coherence", "Output", "Expert"]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("command", ["video", "stream", "serve", "webcam"])
def test_options_stand_in_groups(
    turbolens: Any, monkeypatch: pytest.MonkeyPatch, command: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, _ = turbolens(command, "--help")
    assert code == 0
    found = re.findall(r"^╭─ (\w+) ─", out, re.MULTILINE)
    expected = [panel for panel in PANELS if panel in found]
    assert [panel for panel in found if panel in PANELS] == expected
    assert {"Look", "Model", "Coherence", "Expert"} <= set(found)
    assert max(map(len, out.splitlines())) <= width
    assert "[default:" in out


@pytest.mark.parametrize("command", ["video", "stream", "webcam", "serve"])
def test_names_of_options_are_whole_on_80_columns(
    turbolens: Any, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = turbolens(command, "--help").out
    assert re.findall(r"^│ --[\w-]+…", out, re.MULTILINE) == []


def test_examples_stand_one_a_line(turbolens: Any) -> None:
    out = turbolens("video", "--help").out
    assert re.search(r'^ turbolens video in.mp4 out.mp4 -p "oil painting" *$', out, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["video"], "(turbolens video --help)"),
        (["stream"], "(turbolens stream --help)"),
        (["stream", "one"], "(turbolens stream --help)"),
        (["models", "pull"], "(turbolens models pull --help)"),
        (["models", "remove"], "(turbolens models remove --help)"),
        (["webcam", "--nonsense"], "(turbolens webcam --help)"),
        (["webcam", "--crop", "4"], "(turbolens webcam --help)"),
        (["video", "a.mp4", "b.mp4", "--batch", "none"], "(turbolens video --help)"),
        (["vidio"], "(turbolens --help)"),
    ],
)
def test_a_usage_error_names_the_help_of_its_command(
    turbolens: Any, arguments: list[str], hint: str
) -> None:
    code, out, err = turbolens(*arguments)
    assert (code, out) == (2, "")
    assert one_line(err).endswith(hint)


def test_a_choice_that_is_none_is_named_with_all_choices(turbolens: Any) -> None:
    _, _, err = turbolens("video", "a.mp4", "b.mp4", "--region", "people")
    assert "'--region': 'people' is not one of 'all', 'person', 'background'" in one_line(err)


def test_without_a_command_the_help_is_shown(turbolens: Any) -> None:
    code, out, err = turbolens()
    assert (code, err) == (0, "")
    assert "Commands" in out
    assert len(out.splitlines()) > 10


def test_the_list_of_commands_has_the_first_paragraph_of_each_help() -> None:
    """The list is made without the commands' modules, so it has texts of its own."""
    for command in cli.app.registered_commands:
        name = str(command.name)
        if name in ("serve", "bench", "webcam", "train"):  # shorter in the list
            continue
        path = "video.command" if name == "video" else name
        module = import_module(f"turbolens.pipelines.cli.{path}")
        group = getattr(module, "app", None)
        function = group.registered_callback.callback if group else getattr(module, name)
        assert command.help == " ".join(function.__doc__.split("\n\n")[0].split())


def test_the_help_imports_none_of_the_large_packages() -> None:
    """They take from 0.1 to 3 seconds, and `turbolens --help` takes 0.3."""
    program = (
        "import sys; from turbolens.pipelines.cli import app; app.app(['--help'], "
        "standalone_mode=False); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    large = {"av", "diffusers", "huggingface_hub", "numpy", "openvino", "pydantic", "torch"}
    assert large & set(done.stderr.split()) == set()
    assert "Commands" in done.stdout

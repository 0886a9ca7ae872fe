"""Exit codes of `tests/real/run` and `.ci/run`, with stand-ins for the programs that they start.

What did not run has not passed; only packages that were not downloaded in time are no failure.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="needs bash and timeout"
)

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DONE = "up after 20 s: Linux\\nTURBOLENS-DONE"
SYSTEM = {
    "uname": 'case "$1" in -s) echo Linux ;; *) echo x86_64 ;; esac',
    "id": "echo 0",
    "apt-get": "",
    "dpkg-deb": "",
    "chromium": "",
}


def program(path: Path, lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)


def run(folder: Path, **stand_ins: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of `tests/real/run` with these programs beside it."""
    place = folder / "tests" / "real"
    for name, lines in {"get-packages": "", "make-kernel": "", "boot": "", **stand_ins}.items():
        program(place / name, lines)
    for name, lines in SYSTEM.items():
        if not (folder / "bin" / name).exists():
            program(folder / "bin" / name, lines)
    shutil.copy(HERE / "run", place / "run")
    return started([str(place / "run"), str(folder / "scratch")], folder)


def started(
    command: list[str], folder: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    path = f"{folder / 'bin'}:/usr/bin:/bin"
    environment = {"PATH": path, "PYTHON": sys.executable, "TURBOLENS_REAL_PACKAGES_SECONDS": "1"}
    environment |= variables or {}
    return subprocess.run(  # noqa: S603
        ["/bin/bash", *command], capture_output=True, text=True, env=environment, check=False
    )


def test_jobs_that_all_passed_are_a_success(tmp_path: Path) -> None:
    done = run(tmp_path, boot=f"printf '{DONE} 0\\n'")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("tests/real: passed\n")


@pytest.mark.parametrize(
    ("console", "line"),
    [
        (f"{DONE} 1", "FAILED"),
        ("up after 20 s: Linux\\nsteady: good", "did not finish"),
        ("TURBOLENS-UP", "NOT RUN: the machine did not start"),
        ("", "NOT RUN: the machine did not start"),
    ],
)
def test_a_machine_that_fails_or_does_not_finish_is_a_failure(
    tmp_path: Path, console: str, line: str
) -> None:
    done = run(tmp_path, boot=f"printf '{console}\\n'")
    assert done.returncode == 1
    assert line in done.stdout


def test_packages_that_are_not_there_in_time_have_an_exit_code_of_their_own(tmp_path: Path) -> None:
    done = run(tmp_path, **{"get-packages": "exec tail -f /dev/null"})
    assert done.returncode == 75
    assert "NOT RUN, the packages were not downloaded in 1 s" in done.stdout


@pytest.mark.parametrize("broken", ["get-packages", "make-kernel"])
def test_packages_that_are_not_to_be_had_are_a_failure(tmp_path: Path, broken: str) -> None:
    done = run(tmp_path, **{broken: "exit 100"})
    assert done.returncode == 1
    assert "FAILED" in done.stdout


def test_a_system_that_it_cannot_run_on_is_no_success(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "uname", "echo Darwin")
    done = run(tmp_path)
    assert done.returncode == 77
    assert "NOT RUN, needs Linux" in done.stdout


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 1), (75, 0), (77, 77)])
def test_ci_passes_only_what_ran_or_what_packages_came_too_late_for(
    tmp_path: Path, code: int, expected: int
) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    program(tmp_path / "tests" / "real" / "run", f"exit {code}")
    for name, lines in {"id": "echo 1000", "make": "", "npm": ""}.items():
        program(tmp_path / "bin" / name, lines)
    done = started([str(tmp_path / ".ci" / "run")], tmp_path)
    assert done.returncode == expected
    assert ("NOT RUN" in done.stdout) == (code == 75)

"""Idle OpenMP threads sleep in every accelerated command, also where PyTorch is imported early."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
sys.argv = ["turbolens", "bench", "--frames", "2", *sys.argv[1:]]
import turbolens.pipelines.cli.options.model as options
made = options.model_choice
def report(values):
    choice = made(values)
    print("torch" in sys.modules, os.environ.get("OMP_WAIT_POLICY"))
    raise SystemExit
import turbolens.pipelines.cli.options.shared as shared
shared._GROUPS["choice"] = shared._GROUPS["choice"]._replace(gather=report)
from turbolens.pipelines.cli.app import app
app()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("acceleration", "given", "expected"),
    [("auto", None, "PASSIVE"), ("none", None, "None"), ("int8", "ACTIVE", "ACTIVE")],
)
def test_the_policy_is_set_before_pytorch_is_imported(
    acceleration: str, given: str | None, expected: str
) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    if given is not None:
        environment["OMP_WAIT_POLICY"] = given
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", PROGRAM, "--acceleration", acceleration],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["False", expected], done.stderr

"""For all tests: plain PyTorch unless a test says otherwise, and tests that need a GPU."""

import os
from collections.abc import Iterator

import pytest

HOW = "TURBOLENS_CUDA=1 python -m pytest -m cuda"


def pytest_configure(config: pytest.Config) -> None:
    """Plain PyTorch unless a test says otherwise: the same bits, and nothing to wait for."""
    os.environ.setdefault("TURBOLENS_ACCELERATION", "none")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked `cuda` need a card. With TURBOLENS_CUDA=1 a missing card is a failure."""
    if item.get_closest_marker("cuda") is None:
        return
    import torch  # noqa: PLC0415 - most tests do not need it, and it takes seconds

    if torch.cuda.is_available():
        return
    if os.environ.get("TURBOLENS_CUDA") == "1":
        pytest.fail("TURBOLENS_CUDA=1 asks for a CUDA device, and there is none", pytrace=False)
    pytest.skip("needs a CUDA device")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """End with a line that says how many device tests were not run, and how to run them."""
    yield
    skipped = [each for each in terminalreporter.getreports("skipped") if "cuda" in each.keywords]
    if skipped:
        line = f"NOT RUN: {len(skipped)} tests of a CUDA device. On a machine with one: {HOW}"
        terminalreporter.write_line(line, yellow=True)

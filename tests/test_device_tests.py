"""Tests that need a GPU: where there is none, the suite says that they were not run."""

from pathlib import Path

import pytest
import torch

pytest_plugins = ["pytester"]


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Two device tests and one other, on a machine without a card."""
    monkeypatch.delenv("TURBOLENS_CUDA", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text("utf-8"))
    pytester.makeini("[pytest]\nmarkers = cuda: needs a CUDA device\n")
    pytester.makepyfile(
        "import pytest\n"
        "@pytest.mark.cuda\n@pytest.mark.parametrize('number', [1, 2])\n"
        "def test_device(number): pass\n"
        "def test_other(): pass\n"
    )
    return pytester


def test_without_a_card_they_are_counted_as_not_run(suite: pytest.Pytester) -> None:
    result = suite.runpytest_inprocess()
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines(["NOT RUN: 2 tests*TURBOLENS_CUDA=1*", "*passed*"])


def test_a_missing_card_fails_where_one_is_asked_for(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURBOLENS_CUDA", "1")
    result = suite.runpytest_inprocess()
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(["*there is none*"])


def test_with_a_card_they_run(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    result = suite.runpytest_inprocess()
    result.assert_outcomes(passed=3)
    result.stdout.no_fnmatch_line("*NOT RUN*")

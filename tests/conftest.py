"""For all tests."""

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Plain PyTorch unless a test says otherwise: the same bits, and nothing to wait for."""
    os.environ.setdefault("TURBOLENS_ACCELERATION", "none")

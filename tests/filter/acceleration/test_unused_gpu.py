"""Advice about a GPU that PyTorch cannot use."""

import logging
from pathlib import Path

import pytest
import torch

from turbolens.filter import TurboModel
from turbolens.filter.acceleration.unused_gpu import unused_gpu_advice

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="the card is in use")


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    trace = tmp_path / "version"
    trace.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module\n")
    return trace


def test_an_unusable_gpu_gives_advice(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.version.cuda", None)
    assert "built without CUDA: install" in (unused_gpu_advice([driver]) or "")
    monkeypatch.setattr("torch.version.cuda", "13.0")
    assert "update NVIDIA's driver" in (unused_gpu_advice([driver]) or "")


def test_without_a_driver_there_is_no_advice(tmp_path: Path) -> None:
    assert unused_gpu_advice([tmp_path / "none"]) is None


def test_loading_warns_unless_the_cpu_was_requested(
    driver: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("turbolens.filter.acceleration.unused_gpu._DRIVER_FILES", (driver,))
    with caplog.at_level(logging.WARNING):
        TurboModel.load("embedded", device="cpu")
        assert "NVIDIA" not in caplog.text
        TurboModel.load("embedded")
    assert "the model runs on the CPU: an NVIDIA card is here" in caplog.text

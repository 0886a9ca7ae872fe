"""The element while a virtual environment is active, which hides GStreamer's own Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from turbolens.pipelines import gstreamer

from .test_gstreamer import needs_gstreamer

PIPELINE = (
    "videotestsrc num-buffers=1 ! video/x-raw,width=64,height=64 ! turbolens size=64 ! fakesink"
)


@pytest.fixture
def active(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As after `source .venv/bin/activate`, with a new registry of plugins."""
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    monkeypatch.setenv("PATH", f"{sys.prefix}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("GST_REGISTRY", str(tmp_path / "registry"))
    monkeypatch.delenv("GST_PLUGIN_PATH", raising=False)


def typed(line: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603
        ["bash", "-c", line], capture_output=True, text=True, timeout=200, check=False,  # noqa: S607
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("active")
@needs_gstreamer
def test_what_the_advice_says_to_type_plays_the_element() -> None:
    first, *others = gstreamer.advice()
    assert "while a virtual environment is active" in first
    prefix = first.partition("before each command: ")[2].partition(" gst-launch-1.0")[0]
    forget = [line.partition(": ")[2] for line in others]
    assert [line.partition(" ")[0] for line in forget] == ["rm"]  # a failed attempt is remembered
    played = typed(
        f"{gstreamer.export_line()}; {'; '.join(forget)}; {prefix} gst-launch-1.0 -q {PIPELINE}"
    )
    assert played.returncode == 0, played.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("active")
@needs_gstreamer
def test_the_line_in_the_documentation_plays_the_element() -> None:
    page = Path(__file__).parents[3].joinpath("docs/embedding.md").read_text("utf-8")
    [line] = [each for each in page.splitlines() if each.startswith("PATH=")]
    line = line.replace("videotestsrc", "videotestsrc num-buffers=2")
    played = typed(f"{gstreamer.export_line()}; {line.replace('autovideosink', 'fakesink')}")
    assert played.returncode == 0, played.stderr

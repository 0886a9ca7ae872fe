"""The control page opens in the browser that is installed."""

import stat
import sys
import webbrowser
from pathlib import Path
from time import sleep

import pytest

from tests.pipelines.live.live_parts import WAIT
from turbolens.pipelines.webcam import browser

ADDRESS = "http://127.0.0.1:8765/"


@pytest.fixture
def visited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A browser that writes down the address which it is to open, on a machine with a display."""
    file, program = tmp_path / "visited", tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$@" > {file}.new; mv {file}.new {file}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(webbrowser, "_tryorder", None)
    monkeypatch.setattr(webbrowser, "_browsers", {})
    monkeypatch.setenv("BROWSER", str(program))
    monkeypatch.setenv("DISPLAY", ":99")
    return file


def test_the_page_is_opened_in_the_browser(visited: Path) -> None:
    notices = list[str]()
    browser.open_page(ADDRESS, notices.append)
    for _ in range(round(WAIT / 0.05)):
        if visited.exists():
            break
        sleep(0.05)
    assert visited.read_text().strip() == ADDRESS
    assert not notices


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux' displays")
def test_without_a_display_nothing_is_opened(
    visited: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in browser.DISPLAYS:
        monkeypatch.delenv(name, raising=False)
    assert not browser.has_display()
    browser.open_page(ADDRESS, pytest.fail)
    assert not visited.exists()


def test_without_a_browser_a_notice_gives_the_address(
    visited: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER", "no-such-browser")
    monkeypatch.setenv("PATH", "")
    notices = list[str]()
    browser.open_page(ADDRESS, notices.append)
    for _ in range(round(WAIT / 0.05)):
        if notices:
            break
        sleep(0.05)
    assert notices == [f"no browser could be opened; open {ADDRESS} yourself"]

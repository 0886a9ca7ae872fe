"""Opens the control page in the user's browser."""

import os
import sys
import webbrowser
from threading import Thread

from turbolens.pipelines.base import Notify

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")  # variables that name a display on Linux


def has_display() -> bool:
    """True if a window can be shown: on Linux not over SSH or in a container."""
    if not sys.platform.startswith("linux"):
        return True
    return any(os.environ.get(name) for name in DISPLAYS)


def open_page(url: str, notify: Notify) -> None:
    """Open the page, on a thread of its own: a browser may take seconds to start.

    Without a display nothing is opened, not even a browser in the terminal, which belongs to the
    keys. If there is no browser, a notice says so.
    """
    if has_display():
        Thread(target=_open, args=(url, notify), name="open browser", daemon=True).start()


def _open(url: str, notify: Notify) -> None:
    try:
        opened = webbrowser.open(url)
    except (webbrowser.Error, OSError):
        opened = False
    if not opened:
        notify(f"no browser could be opened; open {url} yourself")

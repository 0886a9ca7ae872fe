"""The GStreamer element `turbolens`: where its plugin lies, and how GStreamer is told.

The element itself is `python/gstturbolens.py`. GStreamer's loader of Python plugins imports it from
there, in the Python that GStreamer was built with; nothing else imports it.
"""

import shutil
import subprocess
from pathlib import Path

ELEMENT = "turbolens"
LOADER_PACKAGES = "gstreamer1.0-tools gstreamer1.0-python3-plugin-loader python3-gst-1.0"


def plugin_path() -> Path:
    """The folder for GST_PLUGIN_PATH: GStreamer looks for Python plugins in `python/` below it."""
    return Path(__file__).resolve().parent


def export_line() -> str:
    """What to type before gst-launch-1.0, so that it finds the element."""
    return f'export GST_PLUGIN_PATH="{plugin_path()}${{GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}}"'


def advice() -> list[str]:
    """What keeps GStreamer from the element, with the command that mends it; empty if nothing."""
    if shutil.which("gst-inspect-1.0") is None:
        return []
    if not _inspects("python"):
        return [f"GStreamer runs no Python plugins yet: sudo apt install {LOADER_PACKAGES}"]
    if not _inspects(ELEMENT):
        return [f"for `turbolens` in GStreamer: {export_line()}"]
    return []


def _inspects(name: str) -> bool:
    """Whether GStreamer knows an element or plugin of this name."""
    command = ["gst-inspect-1.0", "--exists", name]
    if name == "python":
        command.remove("--exists")  # which looks for elements only
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0

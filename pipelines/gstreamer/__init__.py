"""The GStreamer element `turbolens`, and how GStreamer finds its plugin.

Start with `element.py`. Only GStreamer imports it, through the plugin `python/gstturbolens.py`, in
the Python that GStreamer was built with. Imports the filter,
`model_choice.py` and `statistics.py`.
"""

import shutil
import subprocess
from pathlib import Path

ELEMENT = "turbolens"
LOADER_PACKAGES = "gstreamer1.0-tools gstreamer1.0-python3-plugin-loader python3-gst-1.0"


def plugin_path() -> Path:
    """The folder for GST_PLUGIN_PATH, with the Python plugin in its subfolder `python`."""
    return Path(__file__).resolve().parent


def export_line() -> str:
    """The shell command that makes gst-launch-1.0 find the element."""
    return f'export GST_PLUGIN_PATH="{plugin_path()}${{GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}}"'


def advice() -> list[str]:
    """Why GStreamer cannot use the element, and the command that fixes it; empty if it can."""
    if shutil.which("gst-inspect-1.0") is None:
        return []
    if not _inspects("python"):
        return [f"GStreamer has no loader for Python plugins: sudo apt install {LOADER_PACKAGES}"]
    if not _inspects(ELEMENT):
        return [f"to use turbolens in GStreamer: {export_line()}"]
    return []


def _inspects(name: str) -> bool:
    """True if GStreamer knows an element of this name, or the plugin "python"."""
    command = ["gst-inspect-1.0", "--exists", name]
    if name == "python":
        command.remove("--exists")  # that option is for elements only
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0

"""The GStreamer element `turbolens`, and how GStreamer finds its plugin.

Start with `element.py`. Only GStreamer imports it, through the plugin `python/gstturbolens.py`, in
the Python that GStreamer was built with. Imports the filter,
`model_choice.py` and `statistics.py`.
"""

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

ELEMENT = "turbolens"
LOADER_PACKAGES = "gstreamer1.0-tools gstreamer1.0-python3-plugin-loader python3-gst-1.0"


def plugin_path() -> Path:
    """The folder for GST_PLUGIN_PATH, with the Python plugin in its subfolder `python`."""
    return Path(__file__).resolve().parent


def export_line() -> str:
    """The shell command that makes gst-launch-1.0 find the element."""
    return f'export GST_PLUGIN_PATH="{plugin_path()}${{GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}}"'


def advice() -> list[str]:
    """Why GStreamer cannot use the element, and what to type; empty if it can."""
    program = shutil.which("gst-inspect-1.0")
    if program is None or _inspects(ELEMENT):
        return []
    folder = str(Path(program).parent)  # has the Python that GStreamer was built with
    with TemporaryDirectory() as clean:  # the user's registry may list plugins that failed
        if _inspects("python", GST_REGISTRY=f"{clean}/as-it-is"):
            return [f"to use turbolens in GStreamer: {export_line()}", *_forget_failures()]
        if _inspects("python", GST_REGISTRY=f"{clean}/own-python", PATH=_path_with(folder)):
            return [_environment_advice(folder), *_forget_failures()]
    return [f"GStreamer has no loader for Python plugins: sudo apt install {LOADER_PACKAGES}"]


def command_prefix(folder: str) -> str:
    """What stands before a GStreamer command while a virtual environment is active."""
    return f'PATH="{folder}:$PATH"'


def _environment_advice(folder: str) -> str:
    return (
        "GStreamer's own Python does not start while a virtual environment is active; type "
        f"{export_line()} once, and then {command_prefix(folder)} before each command: "
        f"{command_prefix(folder)} gst-launch-1.0 …"
    )


def _forget_failures() -> list[str]:
    """GStreamer does not try a plugin again that has failed: its registry must be removed."""
    if _inspects("python"):
        return []
    registry = os.environ.get("GST_REGISTRY", "~/.cache/gstreamer-1.0/registry.*.bin")
    return [f"GStreamer remembers that its Python failed: rm -f {registry}"]


def _path_with(folder: str) -> str:
    return os.pathsep.join([folder, os.environ.get("PATH", "")])


def _inspects(name: str, **environment: str) -> bool:
    """True if GStreamer knows an element of this name, or the plugin "python"."""
    command = ["gst-inspect-1.0", "--exists", name]
    if name == "python":
        command.remove("--exists")  # that option is for elements only
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, timeout=60, check=False,
            env={**os.environ, **environment},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0

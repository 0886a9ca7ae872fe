"""Whether PipeWire runs for this user, so that programs can list its cameras."""

import os
import socket
import sys
from contextlib import closing
from pathlib import Path

from . import library

START = "start it: systemctl --user start pipewire wireplumber"
INSTALL = "install it: sudo apt install pipewire wireplumber (Fedora, Arch: the same names)"


def socket_path() -> Path | None:
    """Where the daemon of this user listens. `None` if there is no folder for it."""
    name = os.environ.get("PIPEWIRE_REMOTE") or "pipewire-0"
    if os.path.isabs(name):
        return Path(name)
    for variable in ("PIPEWIRE_RUNTIME_DIR", "XDG_RUNTIME_DIR", "USERPROFILE"):
        folder = os.environ.get(variable)
        if folder:
            return Path(folder) / name
    return None


def is_running() -> bool:
    """True if the daemon of this user answers."""
    path = socket_path()
    if sys.platform != "linux" or path is None:
        return False
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def why_unavailable() -> str | None:
    """Why there can be no PipeWire camera here, and what to do. `None` if there can be one."""
    if sys.platform != "linux":
        return "PipeWire is a part of Linux desktops; leave out --virtual-camera pipewire"
    try:
        library.load()
    except OSError:
        return f"the library {library.NAME} is not installed; {INSTALL}"
    if is_running():
        return None
    path = socket_path()
    if path is None:
        return (
            "PipeWire runs once per desktop session, and XDG_RUNTIME_DIR, which names the session's"
            " folder, is not set; type this in a terminal of the desktop"
        )
    return f"PipeWire is not running ({path} does not answer); {START}; or {INSTALL}"

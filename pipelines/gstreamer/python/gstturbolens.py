"""The plugin that GStreamer finds: it makes Turbolens importable and hands over the element.

GStreamer imports this file in its own Python, usually the system's, while Turbolens is installed
in an environment: that environment is found by this file's place, or by VIRTUAL_ENV.
"""

import os
import site
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def environments() -> Iterator[Path]:
    """Folders that may hold Turbolens and what it needs, the likeliest first."""
    checkout = (HERE / "../../..").resolve()  # …/pipelines/gstreamer/python
    packages = checkout.parent  # or, installed, …/site-packages/turbolens/pipelines/…
    if packages.parent.name in (f"python{VERSION}", "Lib"):
        yield packages
    for root in (os.environ.get("VIRTUAL_ENV"), checkout / ".venv"):
        if root:
            yield Path(root) / "lib" / f"python{VERSION}" / "site-packages"


def found_turbolens() -> bool:
    """Make Turbolens importable. Whether it is."""
    for folder in environments():
        if find_spec("turbolens") is None and folder.is_dir():
            site.addsitedir(str(folder))
    return find_spec("turbolens") is not None


if found_turbolens():
    from turbolens.pipelines.gstreamer import element

    __gstelementfactory__ = element.FACTORY
else:
    sys.stderr.write(
        f"turbolens: GStreamer runs Python {VERSION}, and no Turbolens for it is installed at "
        f"{HERE.parent}; install it in an environment of Python {VERSION}, activate that, "
        "and remove ~/.cache/gstreamer-1.0/registry.*\n"
    )

"""The plugin that GStreamer loads. It makes Turbolens importable and registers the element.

GStreamer imports this file in its own Python, usually the system's, while Turbolens is installed
in a virtual environment. The environment is found from this file's path, or by VIRTUAL_ENV.
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
    """Folders that may contain Turbolens and its dependencies, the most likely first."""
    checkout = (HERE / "../../..").resolve()  # …/pipelines/gstreamer/python
    packages = checkout.parent  # or, installed, …/site-packages/turbolens/pipelines/…
    if packages.parent.name in (f"python{VERSION}", "Lib"):
        yield packages
    for root in (os.environ.get("VIRTUAL_ENV"), checkout / ".venv"):
        if root:
            yield Path(root) / "lib" / f"python{VERSION}" / "site-packages"


def import_turbolens() -> bool:
    """Make Turbolens importable. True if it is."""
    for folder in environments():
        if not is_importable() and folder.is_dir():
            site.addsitedir(str(folder))
    return is_importable()


def is_importable() -> bool:
    """True if Turbolens is found, and what it needs: a PYTHONPATH may have the code alone."""
    return all(find_spec(name) is not None for name in ("turbolens", "pydantic", "torch"))


if import_turbolens():
    from turbolens.pipelines.gstreamer import element

    __gstelementfactory__ = element.FACTORY
else:
    sys.stderr.write(
        f"turbolens: GStreamer runs Python {VERSION}, and no Turbolens for it is installed at "
        f"{HERE.parent}; install it in an environment of Python {VERSION}, type "
        "export VIRTUAL_ENV=FOLDER for that environment without activating it, "
        "and remove ~/.cache/gstreamer-1.0/registry.*\n"
    )

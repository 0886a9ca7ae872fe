"""The option --osc, the same in `webcam`, `stream` and `serve`."""

from typing import Annotated

import typer

from turbolens.pipelines.cli.usage import usage_errors
from turbolens.pipelines.osc.server import OscAddress, parse_osc_address

OscOption = Annotated[str | None, typer.Option(
    "--osc", metavar="[HOST:]PORT", rich_help_panel="Control",
    help="Take settings by OSC at this UDP port, on 127.0.0.1 unless HOST is given. Needs "
    "turbolens[osc].")]  # fmt: skip


def osc_address(text: str | None) -> OscAddress | None:
    """Where to listen for OSC; `None` for nowhere. A bad address is a usage error."""
    if text is None:
        return None
    with usage_errors():
        return parse_osc_address(text)

"""The options of `turbolens webcam` for a server that filters, gathered into `ClientOptions`."""

import re
from collections.abc import Set
from dataclasses import replace
from typing import Annotated, Any

import typer

from turbolens.pipelines.cli.usage import usage_errors
from turbolens.pipelines.model_choice import ModelChoice
from turbolens.pipelines.webrtc.client.options import ClientOptions, parse_server
from turbolens.pipelines.webrtc.peer.options import Codec

from .serve import stun_server, turn_server

PANEL = "Filter on another machine"
FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")

_OPTIONS: dict[str, tuple[object, Any]] = {
    "server": (None, Annotated[str | None, typer.Option(
        metavar="URL", rich_help_panel=PANEL,
        help="Filter on another machine, by turbolens serve: https://HOST:8443, or the link that "
        "it printed.")]),
    "token": (None, Annotated[str | None, typer.Option(
        envvar="TURBOLENS_TOKEN", rich_help_panel=PANEL, help="The server's access token.")]),
    "fingerprint": (None, Annotated[str | None, typer.Option(
        metavar="SHA256:…", rich_help_panel=PANEL,
        help="Fingerprint of the server's key, which turbolens serve prints [default: the "
        "remembered one].")]),
    "stun": (None, Annotated[list[str] | None, typer.Option(
        metavar="HOST[:PORT]", rich_help_panel=PANEL,
        help="A STUN server, besides those of the server.")]),
    "turn": (None, Annotated[list[str] | None, typer.Option(
        metavar="USER:PASSWORD@HOST[:PORT]", rich_help_panel=PANEL,
        help="A TURN server, for networks that block the direct path.")]),
    "relay_only": (False, Annotated[bool, typer.Option(
        "--relay-only", rich_help_panel=PANEL, help="Send media through the TURN server only.")]),
    "codec": ("auto", Annotated[Codec, typer.Option(
        rich_help_panel=PANEL, help="Preferred video codec, to the server and back.")]),
}  # fmt: skip


def client_options(_: Set[str]) -> dict[str, tuple[object, Any]]:
    """Default and annotation of each option."""
    return _OPTIONS


def client_choice(values: dict[str, Any]) -> ClientOptions | None:
    """The server that was chosen by these values of the options; `None` to filter here."""
    if values["server"] is None:
        given = [name for name in ("fingerprint", "stun", "turn", "relay_only") if values[name]]
        if given:
            raise typer.BadParameter(f"--{given[0].replace('_', '-')} needs --server URL")
        return None
    with usage_errors():
        server, token = parse_server(values["server"])
    return ClientOptions(
        server, values["token"] or token, _fingerprint(values["fingerprint"]),
        ice_servers=(*map(stun_server, values["stun"] or ()),
                     *map(turn_server, values["turn"] or ())),
        relay_only=values["relay_only"], codec=values["codec"],
    )  # fmt: skip


def check_no_model(choice: ModelChoice) -> None:
    """Raise `typer.BadParameter` if a model was chosen here, although a server filters.

    The acceleration is no such choice: it may be set in the environment for other commands.
    """
    if replace(choice, look=None, acceleration="auto") != ModelChoice():
        raise typer.BadParameter(
            "with --server the model is that of turbolens serve: give --model, --device, --lora "
            "and the like to that command"
        )


def _fingerprint(text: str | None) -> str | None:
    if text is not None and not FINGERPRINT.fullmatch(text):
        raise typer.BadParameter(
            f"--fingerprint must be SHA256: and 43 characters, as turbolens serve prints it, got "
            f"{text!r}"
        )
    return text

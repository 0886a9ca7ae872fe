"""Command-line options for LoRAs, ControlNets and IP-Adapters, and what is made from them."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

from turbolens.pipelines.model_choice import AdapterChoices, ControlName

R = TypeVar("R")

PANEL = "Adapters"


_OPTIONS: dict[str, Any] = {
    "lora": Annotated[list[str] | None, typer.Option(
        "--lora", metavar="FILE_OR_HUB_ID[:WEIGHT]", rich_help_panel=PANEL,
        help="A LoRA, with its weight if that is not 1. Repeat it for several.")],
    "controlnet": Annotated[str | None, typer.Option(
        "--controlnet", metavar="FOLDER_OR_HUB_ID", rich_help_panel=PANEL,
        help="A ControlNet, which holds the shapes.")],
    "ip_adapter": Annotated[str | None, typer.Option(
        "--ip-adapter", metavar="FILE_OR_HUB_ID", rich_help_panel=PANEL,
        help="An IP-Adapter, with its folder image_encoder beside it.")],
    "image_prompt": Annotated[str | None, typer.Option(
        "--image-prompt", metavar="FILE", rich_help_panel=PANEL,
        help="A picture as a prompt, beside the text.")],
}  # fmt: skip


def with_adapter_options(command: Callable[..., R]) -> Callable[..., R]:
    """The command with options for adapters, gathered in its argument `adapters`.

    A command that has another --control has --control-picture only.
    """
    signature = inspect.signature(command)
    own = [value for name, value in signature.parameters.items() if name != "adapters"]
    flags = ["--control-picture"] + ["--control"] * ("control" not in signature.parameters)
    seen = typer.Option(*flags, rich_help_panel=PANEL, help="What it sees: edges of each frame.")
    options = {**_OPTIONS, "control_picture": Annotated[ControlName | None, seen]}
    made = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
            for name, kind in options.items()]  # fmt: skip

    def wrapper(**values: Any) -> R:
        given = {name: values.pop(name) for name in options}
        given["lora"] = tuple(given["lora"] or ())
        given["control"] = given.pop("control_picture")
        return command(**values, adapters=AdapterChoices(**given))

    wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
    wrapper.__annotations__ = {value.name: value.annotation for value in (*own, *made)}
    setattr(wrapper, "__signature__", signature.replace(parameters=[*own, *made]))  # noqa: B010
    return wrapper

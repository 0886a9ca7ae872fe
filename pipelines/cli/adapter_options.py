"""Command-line options for LoRAs, ControlNets and IP-Adapters, and what is made from them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import typer

R = TypeVar("R")

PANEL = "Adapters"
ControlName = Literal["canny"]


@dataclass(frozen=True)
class AdapterChoices:
    """What is loaded beside a model, and the pictures that go with it."""

    lora: tuple[str, ...] = ()
    controlnet: str | None = None
    control: ControlName | None = None
    ip_adapter: str | None = None
    image_prompt: str | None = None

    def check(self, *, control_beside: bool = False) -> None:
        """Raise a usage error for options that need one another.

        control_beside: whether control pictures come from elsewhere.
        """
        has_control = self.control is not None or control_beside
        if has_control != (self.controlnet is not None):
            raise typer.BadParameter(
                "--controlnet FOLDER and what it sees, as --control-picture canny, need each other"
            )
        if (self.ip_adapter is None) != (self.image_prompt is None):
            raise typer.BadParameter("--ip-adapter FILE and --image-prompt FILE need each other")

    @property
    def kinds(self) -> tuple[str, ...]:
        """Which kinds are loaded, as the schema of the settings names them."""
        given = {"lora": self.lora, "controlnet": self.controlnet, "ip_adapter": self.ip_adapter}
        return tuple(kind for kind, source in given.items() if source)

    @property
    def for_model(self) -> dict[str, Any]:
        """What `TurboModel.load` takes."""
        return {"loras": self.lora, "controlnet": self.controlnet, "ip_adapter": self.ip_adapter}

    def for_filter(self) -> dict[str, Any]:
        """What `FrameFilter` takes. Raises `MediaError` for a picture that cannot be read."""
        from turbolens.pipelines.adapter_pictures import first_picture  # noqa: PLC0415 - after parsing

        picture = None if self.image_prompt is None else first_picture(self.image_prompt)
        return {"control": self.control, "image_prompt": picture}


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

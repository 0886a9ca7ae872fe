"""Command-line options that choose a model: which, where and how it runs, and what is beside it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import typer

from turbolens.filter.settings import Acceleration, Dtype, VaeChoice

from .adapter_options import AdapterChoices, with_adapter_options

R = TypeVar("R")

PANEL = "The model"


@dataclass(frozen=True)
class ModelChoice:
    """Which model, on which device, in which format, by which way, with which adapters.

    look: one of the model's own, in place of a prompt.
    """

    model: str = "embedded"
    look: str | None = None
    device: str = "auto"
    dtype: Dtype = "auto"
    vae: VaeChoice = "auto"
    acceleration: Acceleration = "auto"
    adapters: AdapterChoices = field(default_factory=AdapterChoices)

    def with_look(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The settings that were given, the look among them."""
        return settings if self.look is None else {**settings, "prompt": self.look}


OPTIONS: dict[str, inspect.Parameter] = {
    name: inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )
    for name, default, annotation in (
        ("model", "embedded", Annotated[str, typer.Option(
            "--model", "-m", rich_help_panel=PANEL,
            help="A name of `turbolens models`, a folder, .safetensors or hub id.")]),
        ("look", None, Annotated[str | None, typer.Option(
            rich_help_panel=PANEL,
            help="A look of the model by its name (turbolens models), in place of --prompt.")]),
        ("device", "auto", Annotated[str, typer.Option(
            help="auto, cpu, cuda, mps, …", rich_help_panel=PANEL)]),
        ("dtype", "auto", Annotated[Dtype, typer.Option(
            help="Number format.", rich_help_panel=PANEL)]),
        ("vae", "auto", Annotated[VaeChoice, typer.Option(
            help="Autoencoder; auto: the tiny one for the known models, else the model's own.",
            rich_help_panel=PANEL)]),
        ("acceleration", "auto", Annotated[Acceleration, typer.Option(
            envvar="TURBOLENS_ACCELERATION", rich_help_panel=PANEL,
            help="auto: what is fastest here and gives the same; none: plain PyTorch, the same "
            "bits on every run.")]),
    )
}  # fmt: skip


def with_model_options(command: Callable[..., R]) -> Callable[..., R]:
    """The command with these options and those for adapters, gathered in its argument `choice`."""
    signature = inspect.signature(command)
    own = [value for name, value in signature.parameters.items() if name != "choice"]
    adapters = inspect.Parameter(
        "adapters", inspect.Parameter.KEYWORD_ONLY, annotation=AdapterChoices
    )

    def wrapper(*, adapters: AdapterChoices, **values: Any) -> R:
        given = {name: values.pop(name) for name in OPTIONS}
        return command(**values, choice=ModelChoice(**given, adapters=adapters))

    every = [*own, *OPTIONS.values(), adapters]
    wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
    wrapper.__annotations__ = {value.name: value.annotation for value in every}
    setattr(wrapper, "__signature__", signature.replace(parameters=every))  # noqa: B010
    return with_adapter_options(wrapper)

"""Options that choose a model and its adapters, gathered into a `ModelChoice`."""

from collections.abc import Set
from typing import Annotated, Any

import typer

from turbolens.filter.settings import Acceleration, Dtype, VaeChoice
from turbolens.pipelines.model_choice import (
    AdapterChoices,
    ControlName,
    ModelChoice,
    let_idle_threads_sleep,
)

from .panels import EXPERT, LOOK, MODEL

_MODEL: dict[str, tuple[object, Any]] = {
    "model": ("embedded", Annotated[str, typer.Option(
        "--model", "-m", rich_help_panel=MODEL,
        help="A model's name (see turbolens models), a folder, a .safetensors file or a hub id.")]),
    "look": (None, Annotated[str | None, typer.Option(
        rich_help_panel=LOOK,
        help="One of the model's own looks (see turbolens models), instead of --prompt.")]),
    "device": ("auto", Annotated[str, typer.Option(
        help="Where the model runs: auto, cpu, cuda, mps, …", rich_help_panel=MODEL)]),
    "dtype": ("auto", Annotated[Dtype, typer.Option(
        help="Number format of the networks.", rich_help_panel=EXPERT)]),
    "vae": ("auto", Annotated[VaeChoice, typer.Option(
        help="Autoencoder. auto: the tiny one for known models, else the model's own.",
        rich_help_panel=EXPERT)]),
    "acceleration": ("auto", Annotated[Acceleration, typer.Option(
        envvar="TURBOLENS_ACCELERATION", rich_help_panel=EXPERT,
        help="How the networks run. auto: the fastest way on this machine whose images agree. "
        "none: plain PyTorch, bit-identical on every run.")]),
}  # fmt: skip

_ADAPTERS: dict[str, Any] = {
    "lora": Annotated[list[str] | None, typer.Option(
        "--lora", metavar="FILE|ID[:WEIGHT]", rich_help_panel=MODEL,
        help="A LoRA: a file or hub id, with a weight if it is not 1; or a look of your own, from "
        "turbolens train look. Repeat it for several.")],
    "controlnet": Annotated[str | None, typer.Option(
        "--controlnet", metavar="FOLDER|ID", rich_help_panel=MODEL,
        help="A ControlNet, a folder or hub id: it keeps shapes as in the control image.")],
    "ip_adapter": Annotated[str | None, typer.Option(
        "--ip-adapter", metavar="FILE|ID", rich_help_panel=MODEL,
        help="An IP-Adapter: a file with its folder image_encoder next to it, or a hub id.")],
    "image_prompt": Annotated[str | None, typer.Option(
        "--image-prompt", metavar="FILE", rich_help_panel=MODEL,
        help="An image as a prompt, in addition to the text.")],
}  # fmt: skip


def model_options(own: Set[str]) -> dict[str, tuple[object, Any]]:
    """Default and annotation of each option.

    own: the command's own arguments. If one is called `control`, the flag --control belongs to it,
    and only --control-picture is left for the ControlNet.
    """
    flags = ["--control-picture"] if "control" in own else ["--control-picture", "--control"]
    text = "The ControlNet's control image: the edges of each frame."
    option = typer.Option(*flags, rich_help_panel=MODEL, help=text)
    adapters = {**_ADAPTERS, "control_picture": Annotated[ControlName | None, option]}
    return _MODEL | {name: (None, annotation) for name, annotation in adapters.items()}


def model_choice(values: dict[str, Any]) -> ModelChoice:
    """The choice made by these values of the options.

    With acceleration, idle threads sleep: set here, since some commands import PyTorch first.
    """
    if values["acceleration"] != "none":
        let_idle_threads_sleep()
    adapters = AdapterChoices(
        lora=tuple(values["lora"] or ()), control=values["control_picture"],
        **{name: values[name] for name in ("controlnet", "ip_adapter", "image_prompt")},
    )  # fmt: skip
    return ModelChoice(**{name: values[name] for name in _MODEL}, adapters=adapters)

"""Options that choose a model and its adapters, gathered into a `ModelChoice`."""

from collections.abc import Set
from typing import Annotated, Any

import typer

from turbolens.filter.choices import Acceleration, Dtype, VaeChoice
from turbolens.pipelines.model_choice import AdapterChoices, ControlName, ModelChoice

MODEL_PANEL, ADAPTER_PANEL = "The model", "Adapters"

_MODEL: dict[str, tuple[object, Any]] = {
    "model": ("embedded", Annotated[str, typer.Option(
        "--model", "-m", rich_help_panel=MODEL_PANEL,
        help="A name of `turbolens models`, a folder, .safetensors or hub id.")]),
    "look": (None, Annotated[str | None, typer.Option(
        rich_help_panel=MODEL_PANEL,
        help="A look of the model by its name (turbolens models), in place of --prompt.")]),
    "device": ("auto", Annotated[str, typer.Option(
        help="auto, cpu, cuda, mps, …", rich_help_panel=MODEL_PANEL)]),
    "dtype": ("auto", Annotated[Dtype, typer.Option(
        help="Number format.", rich_help_panel=MODEL_PANEL)]),
    "vae": ("auto", Annotated[VaeChoice, typer.Option(
        help="Autoencoder; auto: the tiny one for the known models, else the model's own.",
        rich_help_panel=MODEL_PANEL)]),
    "acceleration": ("auto", Annotated[Acceleration, typer.Option(
        envvar="TURBOLENS_ACCELERATION", rich_help_panel=MODEL_PANEL,
        help="auto: what is fastest here and gives the same; none: plain PyTorch, the same "
        "bits on every run.")]),
}  # fmt: skip

_ADAPTERS: dict[str, Any] = {
    "lora": Annotated[list[str] | None, typer.Option(
        "--lora", metavar="FILE_OR_HUB_ID[:WEIGHT]", rich_help_panel=ADAPTER_PANEL,
        help="A LoRA, with its weight if that is not 1. Repeat it for several.")],
    "controlnet": Annotated[str | None, typer.Option(
        "--controlnet", metavar="FOLDER_OR_HUB_ID", rich_help_panel=ADAPTER_PANEL,
        help="A ControlNet, which holds the shapes.")],
    "ip_adapter": Annotated[str | None, typer.Option(
        "--ip-adapter", metavar="FILE_OR_HUB_ID", rich_help_panel=ADAPTER_PANEL,
        help="An IP-Adapter, with its folder image_encoder beside it.")],
    "image_prompt": Annotated[str | None, typer.Option(
        "--image-prompt", metavar="FILE", rich_help_panel=ADAPTER_PANEL,
        help="A picture as a prompt, beside the text.")],
}  # fmt: skip


def model_options(own: Set[str]) -> dict[str, tuple[object, Any]]:
    """Default and annotation of each option.

    own: the command's own arguments. If one is called `control`, the flag --control belongs to it,
    and only --control-picture is left for the ControlNet.
    """
    flags = ["--control-picture"] if "control" in own else ["--control-picture", "--control"]
    text = "What it sees: edges of each frame."
    option = typer.Option(*flags, rich_help_panel=ADAPTER_PANEL, help=text)
    adapters = {**_ADAPTERS, "control_picture": Annotated[ControlName | None, option]}
    return _MODEL | {name: (None, annotation) for name, annotation in adapters.items()}


def model_choice(values: dict[str, Any]) -> ModelChoice:
    """The choice made by these values of the options."""
    adapters = AdapterChoices(
        lora=tuple(values["lora"] or ()), control=values["control_picture"],
        **{name: values[name] for name in ("controlnet", "ip_adapter", "image_prompt")},
    )  # fmt: skip
    return ModelChoice(**{name: values[name] for name in _MODEL}, adapters=adapters)

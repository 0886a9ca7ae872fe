"""The frame filter that a command's options ask for."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from turbolens.filter import FilterSettings

from .cli.model_options import ModelChoice

if TYPE_CHECKING:
    from turbolens.filter import FrameFilter, TurboModel


def load_filter(
    choice: ModelChoice,
    settings: FilterSettings,
    *,
    control: Callable[[Any], Any] | None = None,
    live: bool = False,
    quick: bool = False,
) -> "FrameFilter":
    """The frame filter with that model loaded. Raises as `TurboModel.load` does.

    Where the settings name no steps, the model's fewest are taken. control: gives the picture that
    a ControlNet sees, in place of the chosen one. live, quick: as for `load_model`.
    """
    given = choice.adapters.for_filter()  # first: a missing picture is found at once
    loaded = load_model(choice, live=live, quick=quick)
    if control is not None:
        given["control"] = control
    from turbolens.filter import FrameFilter  # noqa: PLC0415 - torch: after parsing

    return FrameFilter(loaded, settings.with_steps_of(loaded.steps), **given)


def load_model(
    choice: ModelChoice, *, live: bool = False, quick: bool = False, spare_processor: bool = False
) -> "TurboModel":
    """The model, accelerated as chosen. Raises as `TurboModel.load` does.

    live: it runs at once, and faster when what makes it fast is ready; and its threads shall not
    spin while they wait: they would take the processor from the camera, the codecs and the call. On
    two busy cores a frame took 250 ms without that, and seconds with it. quick: what takes minutes
    to prepare is left out, unless it was chosen by name. spare_processor: it leaves one alone, for
    a program that has more to do than filter; who set OMP_NUM_THREADS decides.
    """
    if live:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for library in ("DIFFUSERS", "TRANSFORMERS"):  # their advice is for programmers
        os.environ.setdefault(f"{library}_VERBOSITY", "error")
    from turbolens.filter import TurboModel  # noqa: PLC0415 - torch: after parsing

    if spare_processor and "OMP_NUM_THREADS" not in os.environ:
        import torch  # noqa: PLC0415 - after parsing

        torch.set_num_threads(max(1, torch.get_num_threads() - 1))
    loaded = TurboModel.load(
        choice.model, device=choice.device, dtype=choice.dtype, vae=choice.vae,
        **choice.adapters.for_model,
    )  # fmt: skip
    if choice.look is not None and choice.look not in loaded.looks:
        known = ", ".join(loaded.looks) or "none; use --prompt"
        raise typer.BadParameter(f"{choice.model} has no look {choice.look!r}; its looks: {known}")
    return loaded.accelerate(choice.acceleration, wait=not live, quick=quick)

"""The groups of options in the help of a command, and the texts in them."""

import inspect
from collections.abc import Sequence
from copy import copy
from typing import Annotated, Any, get_args

from rich.markup import escape

LOOK, REGION, MODEL, COHERENCE = "Look", "Region", "Model", "Coherence"
INPUT, OUTPUT, CLUSTER, EXPERT = "Input", "Output", "Cluster", "Expert"
EXAMPLES = "Examples:\n"
_FIRST, _LAST = (LOOK, REGION, MODEL, COHERENCE, INPUT), (OUTPUT, CLUSTER, EXPERT)

_COHERENCE_SETTINGS = (
    "steadiness", "motion_sensitivity", "scene_cut_sensitivity",
)  # fmt: skip
_REGION_SETTINGS = ("region", "feather", "outside")
_MODEL_SETTINGS = ("steps", "size", "lora_weights", "control_scale", "image_prompt_scale")
_EXPERT_SETTINGS = (
    "timesteps", "side", "shape", "fit", "blend_before", "blend_after", "noise", "feedback",
    "cross_frame", "reuse_unchanged",
)  # fmt: skip


def panel_of_setting(name: str) -> str:
    """The group of the option for a setting of `FilterSettings`."""
    groups = {
        REGION: _REGION_SETTINGS, COHERENCE: _COHERENCE_SETTINGS, MODEL: _MODEL_SETTINGS,
        EXPERT: _EXPERT_SETTINGS,
    }  # fmt: skip
    return next((panel for panel, names in groups.items() if name in names), LOOK)


def help_text(docstring: str) -> str:
    """The text of a command's help: paragraphs without line breaks, and examples one a line."""
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    joined = [each if each.startswith(EXAMPLES) else each.replace("\n", " ") for each in paragraphs]
    return escape("\n\n".join(joined))


def in_panels(parameters: Sequence[inspect.Parameter]) -> list[inspect.Parameter]:
    """The parameters of a command in the order of the help, with brackets in their texts escaped.

    Arguments come first, then look, region, model, coherence, input, the command's own groups,
    output and expert. Typer shows groups in the order of their first option, and parses the texts
    as markup of rich, which would leave out "[default: …]".
    """
    shown = [each.replace(annotation=_escaped(each.annotation)) for each in parameters]
    return sorted(shown, key=_rank)  # stable: within a group the order stays


def _rank(parameter: inspect.Parameter) -> int:
    if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
        return -1
    panel = _panel(parameter.annotation)
    if panel in _FIRST:
        return _FIRST.index(panel)
    return len(_FIRST) + (1 + _LAST.index(panel) if panel in _LAST else 0)


def _panel(annotation: Any) -> str | None:
    found = get_args(annotation)
    return getattr(found[-1], "rich_help_panel", None) if found else None


def _escaped(annotation: Any) -> Any:
    if not hasattr(annotation, "__metadata__"):
        return annotation
    kind, option = annotation.__origin__, copy(annotation.__metadata__[0])
    if getattr(option, "help", None):
        option.help = escape(option.help)
    return Annotated[kind, option]

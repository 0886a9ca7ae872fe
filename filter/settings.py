"""`FilterSettings`: every live setting of a frame filter, with its range, unit and default."""

import re
from difflib import get_close_matches
from reprlib import Repr
from typing import Annotated, Any, Literal, NamedTuple, get_args

from annotated_types import Ge, Le
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from .errors import SettingsError

DEFAULT_PROMPT, DEFAULT_STRENGTH = "ink and wash", 0.7
"""The look of a new filter: one that everybody sees to be restyled, with a face that stays."""

# Choices at loading, by name.
Acceleration = Literal["auto", "none", "openvino", "int8", "compile", "cuda-graphs", "fp8"]
VaeChoice = Literal["auto", "tiny", "full"]
Dtype = Literal["auto", "float32", "float16", "bfloat16"]
ACCELERATIONS: tuple[str, ...] = get_args(Acceleration)

# Choices of a running filter.
Side = Literal["longer", "shorter"]
Shape = Literal["frame", "square"]
Fit = Literal["stretch", "contain", "cover"]
Timesteps = Literal["direct", "diffusers"]
CrossFrame = Literal["off", "mid", "up", "all"]
NoiseKind = Literal["fixed", "advected"]
Region = Literal["all", "person", "background"]


class WeightedPrompt(NamedTuple):
    """A prompt and its weight in a mixture of prompts. Weights are normalised to sum 1."""

    text: str
    weight: float = 1.0


def _as_prompts(value: object) -> object:
    """A string becomes a mixture of one prompt. Raises `ValueError` for what is no mixture."""
    if isinstance(value, str):
        return ((value, 1.0),)
    if isinstance(value, list | tuple) and value and all(map(_is_pair, value)):
        return value
    raise ValueError("must be a text, or a list of (text, weight)")


def _is_pair(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2


def _some_weight(prompts: tuple[tuple[str, float], ...]) -> tuple[tuple[str, float], ...]:
    """The prompts. Raises `ValueError` if all weights are 0."""
    if not any(weight > 0 for _, weight in prompts):
        raise ValueError("at least one weight must be above 0")
    return prompts


Weight = Annotated[float, Field(ge=0.0, le=100.0, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=2000)]
_PromptsInput = Text | Annotated[list[tuple[Text, Weight]], Field(min_length=1, max_length=16)]
Prompts = Annotated[
    tuple[tuple[Text, Weight], ...],
    Field(min_length=1, max_length=16),
    AfterValidator(_some_weight),
    BeforeValidator(_as_prompts, json_schema_input_type=_PromptsInput),
]

COLOURS = {
    "black": "#000000", "white": "#ffffff", "grey": "#808080", "gray": "#808080",
    "silver": "#c0c0c0", "red": "#ff0000", "green": "#008000", "lime": "#00ff00",
    "blue": "#0000ff", "navy": "#000080", "teal": "#008080", "cyan": "#00ffff",
    "magenta": "#ff00ff", "purple": "#800080", "yellow": "#ffff00", "orange": "#ffa500",
    "pink": "#ffc0cb", "brown": "#a52a2a", "beige": "#f5f5dc",
}  # fmt: skip
"""Names of colours, with their values in CSS."""

_HEX_COLOUR = re.compile(r"#[0-9a-f]{6}")


def colour_code(text: str) -> str:
    """ "Black" → "#000000". Raises `ValueError` for what is no colour."""
    code = COLOURS.get(text.strip().lower(), text.strip().lower())
    if not _HEX_COLOUR.fullmatch(code):
        raise ValueError(f"a colour must be #rrggbb or one of {', '.join(COLOURS)}")
    return code


def rgb_of(text: str) -> tuple[int, int, int]:
    """Red, green and blue, 0…255 each. Raises `ValueError`."""
    code = colour_code(text)
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


OUTSIDE = ("original", "blur")
"""What is shown outside the region, besides a colour."""


def _outside(value: str) -> str:
    """ "Original", "blur" or a colour in lower case. Raises `ValueError`."""
    text = value.strip().lower()
    if text in OUTSIDE or text in COLOURS:
        return text
    try:
        return colour_code(text)
    except ValueError as error:
        raise ValueError(f"must be original, blur or a colour; {error}") from error


Outside = Annotated[str, AfterValidator(_outside), Field(max_length=32)]

LoraWeight = Annotated[float, Field(ge=-8.0, le=8.0, allow_inf_nan=False)]
LoraWeights = Annotated[dict[Text, LoraWeight], Field(max_length=64)]


_OUT_OF_RANGE = {"greater_than_equal", "less_than_equal"}
_SHOULD = re.compile(r"^\w+ should ")  # "Input should be …" of pydantic
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 60


class FilterSettings(BaseModel):
    """Every live setting of a `FrameFilter`. Immutable: `replace` returns a changed copy.

    Each field has its range, default and description in the JSON schema, of which the settings
    page is made.

    Raises `SettingsError` (a `ValueError`) for a name that does not exist or a value out of range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    prompt: Prompts = Field(
        default=((DEFAULT_PROMPT, 1.0),),
        description="The style: a text, or a list of (text, weight) mixed in embedding space. "
        "Words may have weights: (word:1.2).",
    )
    strength: float = Field(
        default=DEFAULT_STRENGTH, ge=0.0, le=1.0, allow_inf_nan=False,
        description="How much the result may differ from the input: 0 is the input, 1 the most.",
    )  # fmt: skip
    steps: int = Field(
        default=1, ge=1, le=4,
        description="Denoising steps per frame: 1 is fastest, 3 to 4 most detailed.",
    )  # fmt: skip
    timesteps: Timesteps = Field(
        default="direct",
        description="direct: the first timestep is proportional to strength. diffusers: the "
        "timesteps are those of diffusers' pipelines.",
    )
    seed: int = Field(
        default=0, ge=0, le=2**63 - 1,
        description="Seed of the noise, which is the same for all frames.",
    )  # fmt: skip
    size: int | None = Field(
        default=None, ge=64, le=4096,
        description="Side of the working image in pixels; auto: the size that the model was "
        "trained for.",
    )  # fmt: skip
    side: Side = Field(
        default="longer", description="The side of the working image that `size` sets."
    )
    shape: Shape = Field(
        default="frame",
        description="frame: the working image has the shape of the frame. square: it is square.",
    )
    fit: Fit = Field(
        default="stretch",
        description="How a frame is fitted to the working image: stretch, contain (with a border) "
        "or cover (cropped). The output has the shape of the frame again.",
    )
    mix: float = Field(
        default=1.0, ge=0.0, le=1.0, allow_inf_nan=False,
        description="Share of the result in the output: 0 is the input, 1 the result alone.",
    )  # fmt: skip
    detail: float = Field(
        default=0.5, ge=0.0, le=1.0, allow_inf_nan=False,
        description="How much of the frame's own fine detail the result gets where the style keeps "
        "it: 0 is a plain enlargement of the working image, 1 the sharpest.",
    )  # fmt: skip
    texture: float = Field(
        default=1.0, ge=0.0, le=1.0, allow_inf_nan=False,
        description="How much of the style's material is laid over the result: brush strokes, "
        "paper, hatching, dots or tiles, for models whose styles have one.",
    )  # fmt: skip
    steadiness: float = Field(
        default=0.5, ge=0.0, le=1.0, allow_inf_nan=False,
        description="How steady the result is over time: 0 not at all, 1 as steady as possible.",
    )  # fmt: skip
    transition: float = Field(
        default=0.0, ge=0.0, le=60.0, allow_inf_nan=False,
        description="Seconds that the change to a new prompt takes; 0: complete with the next "
        "frame.",
    )  # fmt: skip
    blend_before: float | None = Field(
        default=None, ge=0.0, lt=1.0, allow_inf_nan=False,
        description="Weight of the last frame in the latents before denoising, where nothing "
        "moves; auto: 0 to 0.8, derived from steadiness.",
    )  # fmt: skip
    blend_after: float | None = Field(
        default=None, ge=0.0, lt=1.0, allow_inf_nan=False,
        description="Weight of the last result in the result, along the motion of the input; "
        "auto: 0 to 0.98, derived from steadiness.",
    )  # fmt: skip
    noise: NoiseKind = Field(
        default="fixed",
        description="fixed: the noise stays in place. advected: it moves with the input.",
    )
    feedback: float = Field(
        default=0.0, ge=0.0, lt=1.0, allow_inf_nan=False,
        description="Weight of the last result in the latents before denoising: steadier, but "
        "files are filtered one frame at a time.",
    )  # fmt: skip
    cross_frame: CrossFrame = Field(
        default="off",
        description="Layers of the UNet whose self-attention also reads the last frame and an "
        "anchor frame: slower, and only for models with self-attention.",
    )
    reuse_unchanged: bool = Field(
        default=True,
        description="Use the last result again for a frame that equals the last one within the "
        "camera's noise.",
    )
    motion_sensitivity: float = Field(
        default=0.5, ge=0.0, le=1.0, allow_inf_nan=False,
        description="How small a change of a pixel stops its blending: 0 no change does, 1 every "
        "change does.",
    )  # fmt: skip
    scene_cut_sensitivity: float = Field(
        default=0.5, ge=0.0, le=1.0, allow_inf_nan=False,
        description="How small a change of the whole image counts as a scene cut: 0 none does.",
    )  # fmt: skip
    lora_weights: LoraWeights = Field(
        default={},
        description="Weights of LoRAs by name, -8 to 8; the others keep the weight that they were "
        "loaded with.",
        json_schema_extra={"needs": "lora"},
    )
    control_scale: float = Field(
        default=1.0, ge=0.0, le=2.0, allow_inf_nan=False,
        description="Weight of the control image, for models with a ControlNet: 0 is off.",
        json_schema_extra={"needs": "controlnet"},
    )  # fmt: skip
    image_prompt_scale: float = Field(
        default=0.6, ge=0.0, le=2.0, allow_inf_nan=False,
        description="Weight of the image prompt beside the text, for models with an IP-Adapter: "
        "0 is off.", json_schema_extra={"needs": "ip_adapter"},
    )  # fmt: skip
    region: Region = Field(
        default="all",
        description="What is filtered: the whole frame, only persons, or only what is behind them. "
        "If persons cannot be told from the background, the whole frame is.",
    )
    feather: float = Field(
        default=0.02, ge=0.0, le=0.2, allow_inf_nan=False,
        description="Width of the region's soft edge, as a share of the frame's height.",
    )  # fmt: skip
    outside: Outside = Field(
        default="original",
        description="What is shown outside the region: original, blur, or a colour by name or as "
        "#rrggbb.",
        json_schema_extra={"choices": [*OUTSIDE, "colour"]},
    )
    enabled: bool = Field(default=True, description="Off: frames pass through unchanged.")

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SettingsError(_explain(error, values)) from error

    def replace(self, /, **changes: Any) -> "FilterSettings":
        """A copy with these values changed. Raises `SettingsError` as the constructor does."""
        return type(self)(**{**self.model_dump(exclude_unset=True), **changes})

    def with_steps_of(self, steps: tuple[int, int]) -> "FilterSettings":
        """A copy with at least the fewest steps of a model, unless `steps` was set explicitly.

        steps: the fewest and the most, as in `TurboModel.steps`.
        """
        if "steps" in self.model_fields_set or steps[0] <= self.steps:
            return self
        return self.replace(steps=steps[0])

    @property
    def weight_before(self) -> float:
        """`blend_before`, or 0 … 0.8 derived from steadiness."""
        return 0.8 * self.steadiness if self.blend_before is None else self.blend_before

    @property
    def weight_after(self) -> float:
        """`blend_after`, or derived from steadiness: 0 at 0, 0.95 at 0.5, 0.98 at 1."""
        if self.blend_after is not None:
            return self.blend_after
        return 0.98 * (1.0 - (1.0 - self.steadiness) ** 5)

    @property
    def weighted_prompts(self) -> tuple[WeightedPrompt, ...]:
        """The prompts with their weights as given."""
        return tuple(WeightedPrompt(text, weight) for text, weight in self.prompt)


def _explain(error: ValidationError, values: dict[str, Any]) -> str:
    """The first thing that is wrong with each setting."""
    first = {item["loc"][:1]: item for item in reversed(error.errors())}
    return "; ".join(_explain_one(item, values) for item in reversed(first.values()))


def _explain_one(item: ErrorDetails, values: dict[str, Any]) -> str:
    name = str(item["loc"][0]) if item["loc"] else "settings"
    field = FilterSettings.model_fields.get(name)
    if field is None and name in values:
        known = list(FilterSettings.model_fields)
        near = get_close_matches(name, known, 1)
        nearest = f"did you mean {near[0]!r}? " if near else ""
        return f"there is no setting {name!r}; {nearest}the settings are {', '.join(known)}"
    message = _range_of(field) if item["type"] in _OUT_OF_RANGE and field else ""
    message = message or _SHOULD.sub("must ", item["msg"].removeprefix("Value error, "))
    hint = f" ({field.description})" if field and field.description else ""
    return f"{name}: {message}, got {_SHORT.repr(item['input'])}{hint}"


def _range_of(field: FieldInfo) -> str:
    """ "must be between 0 and 1"; empty unless both ends are known and belong to the range."""
    low = [each.ge for each in field.metadata if isinstance(each, Ge)]
    high = [each.le for each in field.metadata if isinstance(each, Le)]
    return f"must be between {_plain(low[0])} and {_plain(high[0])}" if low and high else ""


def _plain(number: Any) -> str:
    """1.0 → "1"; whole numbers in full."""
    return str(number) if isinstance(number, int) else f"{number:g}"

"""Which model to load, with which adapters, and the frame filter made from that choice.

The choice is plain data, so the command, the webcam, the server, the benchmarks and the GStreamer
element all share it. torch is imported only when a model is loaded.
"""

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from turbolens.filter import FilterSettings, ModelNotFoundError, SettingsError
from turbolens.filter.diffusion.vocabulary import Vocabulary, readings
from turbolens.filter.loading.locating import locate
from turbolens.filter.loading.looks import load_looks, load_vocabulary
from turbolens.filter.loading.needed_files import INDEX
from turbolens.filter.settings import Acceleration, Dtype, VaeChoice

if TYPE_CHECKING:
    from turbolens.filter import FrameFilter, TurboModel
    from turbolens.filter.loading.own_looks import OwnLook

ControlName = Literal["canny"]


@dataclass(frozen=True)
class AdapterChoices:
    """The adapters to load with a model, and the images they are given.

    lora: files or hub ids, each with an optional ":WEIGHT". control: how the ControlNet's image is
    made from each frame. image_prompt: the image file for the IP-Adapter.
    """

    lora: tuple[str, ...] = ()
    controlnet: str | None = None
    control: ControlName | None = None
    ip_adapter: str | None = None
    image_prompt: str | None = None

    def check(self, *, has_control_video: bool = False) -> None:
        """Raise `SettingsError` if an option is given without the one that it needs.

        has_control_video: True if a separate video gives the control images.
        """
        has_control = self.control is not None or has_control_video
        if has_control != (self.controlnet is not None):
            raise SettingsError(
                "--controlnet FOLDER and what it sees, as --control-picture canny, need each other"
            )
        if (self.ip_adapter is None) != (self.image_prompt is None):
            raise SettingsError("--ip-adapter FILE and --image-prompt FILE need each other")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of adapter that are loaded, by the names in the settings' schema."""
        given = {"lora": self.lora, "controlnet": self.controlnet, "ip_adapter": self.ip_adapter}
        return tuple(kind for kind, source in given.items() if source)

    @property
    def for_model(self) -> dict[str, Any]:
        """Keyword arguments for `TurboModel.load`."""
        return {"loras": self.lora, "controlnet": self.controlnet, "ip_adapter": self.ip_adapter}

    def for_filter(self) -> dict[str, Any]:
        """Keyword arguments for `FrameFilter`. Raises `MediaError` for an unreadable image."""
        from .adapter_pictures import first_picture  # noqa: PLC0415 - PyAV: after parsing

        image = None if self.image_prompt is None else first_picture(self.image_prompt)
        return {"control": self.control, "image_prompt": image}


@dataclass(frozen=True)
class ModelChoice:
    """Which model to load, on which device, in which number format and with which adapters.

    look: the name of one of the model's own looks, used instead of a prompt.
    """

    model: str = "embedded"
    look: str | None = None
    device: str = "auto"
    dtype: Dtype = "auto"
    vae: VaeChoice = "auto"
    acceleration: Acceleration = "auto"
    adapters: AdapterChoices = field(default_factory=AdapterChoices)

    def with_look(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The given settings, with the chosen look as the prompt."""
        return settings if self.look is None else {**settings, "prompt": self.look}

    def with_dtypes(self, dtypes: Mapping[str, str]) -> "ModelChoice":
        """The same with the dtype of its device in place of "auto", if that is known.

        dtypes: by device, for example {"cpu": "bfloat16"}. On a CPU, "auto" is the faster one in a
        measurement, so that a program may choose differently each time.
        """
        if self.dtype != "auto" or not dtypes:
            return self
        from turbolens.filter.device import resolve_device  # noqa: PLC0415 - torch: after parsing

        found = dtypes.get(str(resolve_device(self.device)), "").removeprefix("torch.")
        return replace(self, dtype=cast("Dtype", found)) if found in get_args(Dtype) else self


def parse_prompt(text: str) -> tuple[str, float]:
    """ "oil painting:0.7" → ("oil painting", 0.7); without a number the weight is 1."""
    words, colon, weight = text.rpartition(":")
    if colon and words.strip():
        try:
            return words.strip(), float(weight)
        except ValueError:
            pass  # the colon belongs to the text
    return text, 1.0


def vocabulary_of(choice: ModelChoice) -> Vocabulary | None:
    """The vocabulary of the chosen model, read without loading it; `None` if it takes any prompt.

    Raises `ModelNotFoundError`, `UnsupportedModelError` and `ModelError`, and `SettingsError` for
    an own look with a name that the model has.
    """
    vocabulary = load_vocabulary(locate(choice.model))
    looks = _own_looks(choice)
    if looks:
        from turbolens.filter.loading.own_looks import with_own_looks  # noqa: PLC0415 - OpenCV

        vocabulary = with_own_looks(vocabulary, looks)
    loras = len(choice.adapters.lora) - len(looks)
    if vocabulary is not None and (loras or choice.adapters.ip_adapter):
        return replace(vocabulary, is_open=True)
    return vocabulary


def looks_of(choice: ModelChoice) -> tuple[str, ...]:
    """The names of the looks of the chosen model, and of own looks; empty if it lists none.

    Raises as `vocabulary_of`.
    """
    return (*load_looks(locate(choice.model)), *(look.name for look in _own_looks(choice)))


def _own_looks(choice: ModelChoice) -> "list[OwnLook]":
    """The own looks among the files given as LoRAs."""
    if not choice.adapters.lora:
        return []
    from turbolens.filter.adapters.look_files import split_looks  # noqa: PLC0415 - torch
    from turbolens.filter.adapters.lora import as_sources  # noqa: PLC0415 - torch

    return split_looks(as_sources(choice.adapters.lora))[0]


def checked_model(choice: ModelChoice) -> Path:
    """The folder or file of the chosen model, which is checked as far as can be without loading it.

    So that a call does not begin with seconds of a slate. Raises `ModelNotFoundError` and
    `SettingsError`.
    """
    found = locate(choice.model)
    if found.is_dir() and not (found / INDEX).is_file():
        raise ModelNotFoundError(
            f"a model folder in diffusers' layout must have {INDEX}, not in {found}; turbolens "
            "models lists what is here"
        )
    require_look(choice.look, choice.model, looks_of(choice))
    return found


def require_look(look: str | None, model: str, looks: Sequence[str]) -> None:
    """Raise `SettingsError` if a look was chosen and is none of this model's."""
    if look is not None and look not in looks:
        known = ", ".join(looks) or "none; use --prompt"
        raise SettingsError(f"{model} has no look {look!r}; its looks: {known}")


def require_looks(choice: ModelChoice, settings: FilterSettings) -> None:
    """Raise `SettingsError` if --look or a prompt names no look of a model with a list of them.

    For files. In a call such a prompt is replaced by the default look instead, with a notice.
    """
    if choice.look is not None:
        require_look(choice.look, choice.model, looks_of(choice))
    vocabulary = vocabulary_of(choice)
    for reading in readings(vocabulary, settings.weighted_prompts):
        reading.require_look(() if vocabulary is None else vocabulary.looks)


def prompt_notices(choice: ModelChoice, settings: FilterSettings) -> list[str]:
    """What a user should know of how the model reads the prompts, one line each."""
    found = readings(vocabulary_of(choice), settings.weighted_prompts)
    return [reading.message for reading in found if reading.message]


def load_filter(
    choice: ModelChoice,
    settings: FilterSettings,
    *,
    control: Callable[[Any], Any] | None = None,
    mask: Callable[[Any], Any] | None = None,
    live: bool = False,
    quick: bool = False,
    frames: int | None = None,
) -> "FrameFilter":
    """Load the model and return a frame filter for it. Raises the errors of `load_model`.

    If the settings leave the number of steps open, the model's smallest number is used. control:
    returns the ControlNet's image for a frame, instead of `choice.adapters.control`. mask: returns
    the mask of persons for a frame, instead of the network. live, quick, frames: see `load_model`.
    """
    given = choice.adapters.for_filter()  # first, so that a missing image is found at once
    loaded = load_model(choice, live=live, quick=quick, frames=frames)
    if control is not None:
        given["control"] = control
    from turbolens.filter import FrameFilter  # noqa: PLC0415 - torch: after parsing

    return FrameFilter(loaded, settings.with_steps_of(loaded.steps), mask=mask, **given)


def let_idle_threads_sleep() -> None:
    """Let idle OpenMP threads sleep instead of spin, unless OMP_WAIT_POLICY is set.

    Call it before PyTorch is imported, which reads the policy then. Spinning takes the processor
    from OpenVINO's threads (on two cores a network in INT8 took up to twice as long) and from the
    camera, the codecs and the call (a frame took seconds in place of 250 ms). Only plain PyTorch is
    faster with it.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def load_model(
    choice: ModelChoice,
    *,
    live: bool = False,
    quick: bool = False,
    frames: int | None = None,
    spare_processor: bool = False,
) -> "TurboModel":
    """Load and accelerate the model.

    live: return without waiting for the acceleration, which takes over when it is ready. quick:
    skip accelerations that take minutes to prepare, unless one was chosen by name.
    frames: how many will be filtered, as far as known, see `TurboModel.accelerate`.
    spare_processor: leave one core free for the rest of the program, unless OMP_NUM_THREADS is set.

    Raises the errors of `TurboModel.load`, and `SettingsError` for a look that the model lacks.
    """
    if live or choice.acceleration != "none":
        let_idle_threads_sleep()
    for library in ("DIFFUSERS", "TRANSFORMERS"):  # their advice is for programmers
        os.environ.setdefault(f"{library}_VERBOSITY", "error")
    with _without_garbage_collection():
        from turbolens.filter import TurboModel  # noqa: PLC0415 - torch: after parsing

    if spare_processor and "OMP_NUM_THREADS" not in os.environ:
        import torch  # noqa: PLC0415 - after parsing

        torch.set_num_threads(max(1, torch.get_num_threads() - 1))
    loaded = TurboModel.load(
        choice.model, device=choice.device, dtype=choice.dtype, vae=choice.vae,
        **choice.adapters.for_model,
    )  # fmt: skip
    require_look(choice.look, choice.model, loaded.looks)
    return loaded.accelerate(choice.acceleration, wait=not live, quick=quick, frames=frames)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """For imports: torch, diffusers and transformers make a million objects that stay for good.

    Collections in between took a fifth of the time of the imports. Afterwards these objects are
    exempt from collection, so that later ones do not stop a live filter for long.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()

"""`Stream`: what a filter remembers from frame to frame."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import TypeAlias

import av
import numpy as np
import torch
from numpy.typing import NDArray

from .acceleration.parallel_conversion import ParallelConversion, conversion_threads
from .adapters.control_pictures import ControlPictures
from .coherence.change import Change
from .coherence.cross_frame import CrossFrameMemory, install_cross_frame_attention
from .coherence.noise import AdvectedNoise
from .coherence.reprojection import Reprojection
from .coherence.temporal_blend import Coherence
from .coherence.transition import PromptTransition
from .coherence.unchanged import RepeatDetector
from .model import TurboModel
from .settings import FilterSettings, WeightedPrompt

Array: TypeAlias = NDArray[np.uint8]
OnStage: TypeAlias = Callable[[str], None]

NOMINAL_RATE = 30  # frames a second of arrays, which carry no time
_SETTLED = 3.0  # e-foldings: what is held follows a glide until 5 % of its lag are left
_NOT_THE_LOOK = {"transition", "mix", "fit", "side", "size", "shape", "enabled"}


class Stream:
    """The state of one stream, and the model it goes through. Used under its `lock`."""

    def __init__(
        self,
        model: TurboModel,
        on_stage: OnStage | None = None,
        control: ControlPictures | None = None,
    ) -> None:
        self.model = model
        self.control = control or ControlPictures()
        self.image_embeds: torch.Tensor | None = None
        self.lock = Lock()
        self.must_reset = False
        self.reprojection = Reprojection(model.move)
        self._on_stage = on_stage
        self.convert = ParallelConversion(conversion_threads(model.device.type))
        self.noise = AdvectedNoise()
        self.coherence = Coherence(model.hold)
        self.repeats = RepeatDetector()
        self.transition = PromptTransition()
        self.memory = CrossFrameMemory()
        self.styled: torch.Tensor | None = None
        self.reused = 0
        self._frames = self._settling = 0
        self._settings: FilterSettings | None = None

    def reset(self) -> None:
        """The next frame is the first of a stream."""
        self.noise.reset()
        self.coherence.reset()
        self.repeats.reset()
        self.transition.reset()
        self.memory.reset()
        self.reprojection.reset()
        self.must_reset = False
        self.styled, self._frames, self._settling = None, 0, 0

    def begin(self, settings: FilterSettings, image_embeds: torch.Tensor | None) -> None:
        """Put the past in order for frames with these settings and this picture as prompt.

        A new look is shown at once: the results so far have another, and nothing repeats them.
        """
        if self.must_reset or passes(settings):
            self.reset()
        last, self._settings = self._settings, settings
        shown, self.image_embeds = self.image_embeds, image_embeds
        if last is None or (last == settings and shown is image_embeds):
            return
        ignored = _NOT_THE_LOOK | ({"prompt"} if settings.transition > 0 else set())
        same = last.model_dump(exclude=ignored) == settings.model_dump(exclude=ignored)
        if not same or shown is not image_embeds:
            self.coherence.forget_results()
            self.memory.renew_anchor()
        self.repeats.renew()

    def prompts(
        self, frame: Array | av.VideoFrame, settings: FilterSettings
    ) -> tuple[WeightedPrompt, ...]:
        """The prompts of this frame, which a transition may still be mixing.

        Until what is held has followed it, no frame counts as a repeat, or a still picture would
        stay short of the new look.
        """
        self._frames += 1
        time = self._frames / NOMINAL_RATE
        if isinstance(frame, av.VideoFrame) and frame.pts is not None and frame.time_base:
            time = float(frame.pts * frame.time_base)
        prompts = self.transition(settings.weighted_prompts, settings.transition, time)
        if self.transition.gliding:
            self._settling = math.ceil(_SETTLED / (1.0 - settings.weight_after))
        if self._settling > 0:
            self._settling -= 1
            self.repeats.renew()
        return prompts

    def cross_frame(self, settings: FilterSettings) -> AbstractContextManager[None]:
        """Within it, the network reads the frames before, if that is asked for."""
        if settings.cross_frame == "off":
            self.memory.reset()
            return nullcontext()
        with self.model.lock:
            install_cross_frame_attention(self.model.unet, settings.cross_frame)
        self.memory.layers = settings.cross_frame
        return self.memory.active()

    def noise_for(
        self, settings: FilterSettings, latents: torch.Tensor, draws: int, change: Change | None
    ) -> tuple[torch.Tensor, ...]:
        """The noise of this frame, (1, C, h, w) for every draw."""
        shape, flow, cut = tuple(latents.shape[1:]), None, None
        if settings.noise == "fixed" or change is None:
            self.noise.reset()
        else:
            flow = change.motion.at(*shape[-2:])
            cut = None if change.same_scene is None else change.same_scene == 0
        return self.noise(settings.seed, shape, draws, latents.device, flow=flow, cut=cut)

    def ended(self, stage: str) -> None:
        """Tell whoever measures that a stage has ended, or on a GPU, been asked for."""
        if self._on_stage is not None:
            self._on_stage(stage)


def passes(settings: FilterSettings) -> bool:
    """Whether frames pass untouched."""
    return not settings.enabled or settings.strength == 0.0 or settings.mix == 0.0

"""Frames on their way through the networks at once: several of a stream, or of several streams."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import av
import numpy as np
import torch
from numpy.typing import NDArray

from .adapters.control_pictures import control_image
from .adapters.lora import Weights
from .coherence.change import Change, InputView
from .diffusion.conditions import Conditions
from .diffusion.prompts import PromptEmbeds
from .diffusion.schedule import Step
from .frames.conversion import FrameConverter, Geometry, pictures_from_image
from .frames.luma import luma_of
from .model import TurboModel
from .settings import FilterSettings, WeightedPrompt
from .stream import Stream

FrameT = TypeVar("FrameT", av.VideoFrame, NDArray[np.uint8])


@dataclass(eq=False)
class Job(Generic[FrameT]):
    """One frame on its way. Without a geometry it passes untouched."""

    stream: Stream
    frame: FrameT
    settings: FilterSettings
    geometry: Geometry | None = None
    picture: torch.Tensor | None = None
    view: InputView | None = None
    prompts: tuple[WeightedPrompt, ...] = ()
    control: torch.Tensor | None = None
    repeated: bool = False
    change: Change | None = None
    latents: torch.Tensor | None = None
    noise: tuple[torch.Tensor, ...] = ()
    styled: torch.Tensor | None = None

    @property
    def is_network(self) -> bool:
        """Whether the network must see it."""
        return self.geometry is not None and not self.repeated

    @property
    def size(self) -> tuple[int, int]:
        """Of the working picture."""
        if self.geometry is None:
            return 0, 0
        return self.geometry.width, self.geometry.height

    def pass_key(self) -> tuple[Hashable, ...]:
        """Jobs of one key go through the UNet together; with a memory, those of one stream."""
        return (
            self.steps(),
            None if self.settings.cross_frame == "off" else self.stream,
            self.lora_weights(),
            None if self.shown_control is None else self.settings.control_scale,
            None if self.image_embeds is None else self.settings.image_prompt_scale,
        )

    def lora_weights(self) -> Weights:
        """Of all LoRAs of the model."""
        return self.stream.model.adapters.loras.weights(self.settings.lora_weights)

    @property
    def shown_control(self) -> torch.Tensor | None:
        """The control picture, where it is heeded."""
        return self.control if self.settings.control_scale > 0 else None

    @property
    def image_embeds(self) -> torch.Tensor | None:
        """The picture as prompt, where it is heeded."""
        return self.stream.image_embeds if self.settings.image_prompt_scale > 0 else None

    def steps(self) -> tuple[Step, ...]:
        """The denoising steps that strength asks for."""
        schedule = self.stream.model.schedule
        diffusers = self.settings.timesteps == "diffusers"
        grid = schedule.diffusers_steps if diffusers else schedule.direct_steps
        return grid(self.settings.strength, self.settings.steps)


def filtered(jobs: list[Job[FrameT]]) -> list[FrameT]:
    """The results, in order; every stream gives what it would give one by one."""
    try:
        return [frame for turn in _turns(jobs) for frame in _run(turn)]
    except BaseException:
        for job in jobs:
            job.stream.repeats.renew()  # nothing may pass for a repeat of what was never shown
        raise


def _turns(jobs: list[Job[FrameT]]) -> Iterator[list[Job[FrameT]]]:
    """Runs of jobs that can go at once: of one stream, only frames of one size, or one frame where
    its result is needed for the next."""
    turn: list[Job[FrameT]] = []
    sizes: dict[Stream, Geometry | None] = {}
    for job in jobs:
        again = job.stream in sizes
        if again and (job.settings.feedback > 0 or sizes[job.stream] != job.geometry):
            yield turn
            turn, sizes = [], {}
        turn.append(job)
        sizes[job.stream] = job.geometry
    if turn:
        yield turn


def _run(jobs: list[Job[FrameT]]) -> list[FrameT]:
    shown = [job for job in jobs if job.geometry is not None]
    for job, picture in zip(shown, jobs[0].stream.convert(_to_picture, shown), strict=True):
        _look_at(job, picture)
    _ended(jobs, "to_image")
    for size in dict.fromkeys(job.size for job in jobs if job.is_network):
        _run_network([job for job in jobs if job.is_network and job.size == size])
    for job in shown:
        _finish(job)
    styled = jobs[0].stream.convert(_to_frame, jobs)
    _ended(jobs, "to_frame")
    return styled


def _to_picture(converter: FrameConverter, job: Job[FrameT]) -> torch.Tensor:
    return converter.to_image(job.frame, _geometry(job))


def _geometry(job: Job[FrameT]) -> Geometry:
    if job.geometry is None:
        raise RuntimeError("a frame that passes untouched has no geometry")
    return job.geometry


def _look_at(job: Job[FrameT], picture: torch.Tensor) -> None:
    """See whether the frame shows anything new."""
    settings, stream = job.settings, job.stream
    job.picture = picture
    job.prompts = stream.prompts(job.frame, settings)
    job.control = stream.control.beside(job.frame, _geometry(job))
    if job.control is not None and stream.control.changed:
        stream.repeats.renew()
    luma = luma_of(job.picture)
    if settings.reuse_unchanged:
        job.repeated = stream.repeats(luma)
    if not job.repeated:
        job.view = InputView(luma, stream.model.device, stream.model.coherence.see)
        if job.control is None:
            job.control = stream.control.drawn(job.picture)


def _run_network(jobs: list[Job[FrameT]]) -> None:
    """Jobs of one size and model, all through the networks at once."""
    model = jobs[0].stream.model
    pictures = [job.picture for job in jobs if job.picture is not None]
    with model.lock:
        latents = model.encode_pictures(pictures)
        _ended(jobs, "encode")
        for job, one in zip(jobs, torch.split(latents, 1), strict=True):
            _blend_before(job, one)
        _ended(jobs, "before")
        clean = _denoised(model, jobs)
        _ended(jobs, "denoise")
        image = model.decode(clean)
        _ended(jobs, "decode")
        blended = [
            job.stream.coherence.after(one, job.change, job.settings)
            for job, one in zip(jobs, torch.split(image, 1), strict=True)
        ]
        for job, picture in zip(jobs, pictures_from_image(_joined(blended)), strict=True):
            job.styled = picture
        _ended(jobs, "after")


def _blend_before(job: Job[FrameT], latents: torch.Tensor) -> None:
    stream, settings, model = job.stream, job.settings, job.stream.model
    held = settings.weight_before > 0 or settings.weight_after > 0
    view = job.view if held or settings.feedback > 0 or settings.noise == "advected" else None

    def encode(image: torch.Tensor) -> torch.Tensor:
        return model.encode(image.to(model.vae_dtype))

    job.latents, job.change = stream.coherence.before(
        view, latents, settings, encode if settings.feedback > 0 else None
    )
    job.noise = stream.noise_for(settings, latents, len(job.steps()), job.change)


def _denoised(model: TurboModel, jobs: list[Job[FrameT]]) -> torch.Tensor:
    """Clean latents → noisy → clean (B, C, h, w), one pass for all jobs that can share it."""
    clean: dict[int, torch.Tensor] = {}
    for key in dict.fromkeys(job.pass_key() for job in jobs):
        alike = [index for index, job in enumerate(jobs) if job.pass_key() == key]
        results = _pass(model, [jobs[index] for index in alike])
        clean |= dict(zip(alike, torch.split(results, 1), strict=True))
    return _joined([clean[index] for index in range(len(jobs))])


def _pass(model: TurboModel, jobs: list[Job[FrameT]]) -> torch.Tensor:
    model.adapters.loras.use(jobs[0].lora_weights())
    with jobs[0].stream.cross_frame(jobs[0].settings):
        return model.denoise(
            _joined([job.latents for job in jobs if job.latents is not None]),
            steps=jobs[0].steps(),
            noise=[_joined(list(draw)) for draw in zip(*(job.noise for job in jobs), strict=True)],
            embeds=_conditions(model, jobs),
        )


def _conditions(model: TurboModel, jobs: list[Job[FrameT]]) -> PromptEmbeds:
    """What the UNet is told: text, and what else the jobs of this pass have."""
    text, settings = _embeds(model, jobs), jobs[0].settings
    control = [job.shown_control for job in jobs if job.shown_control is not None]
    images = [job.image_embeds for job in jobs if job.image_embeds is not None]
    if not control and not images:
        return text
    return Conditions(
        text.prompt_embeds,
        text.pooled_prompt_embeds,
        image_embeds=_joined(images) if images else None,
        image_scale=settings.image_prompt_scale,
        control_image=control_image(control, model.device, model.dtype) if control else None,
        control_scale=settings.control_scale,
    )


def _embeds(model: TurboModel, jobs: list[Job[FrameT]]) -> PromptEmbeds:
    every = [model.prompts(job.prompts) for job in jobs]
    if all(embeds is every[0] for embeds in every):
        return every[0]
    pooled = [e.pooled_prompt_embeds for e in every if e.pooled_prompt_embeds is not None]
    return PromptEmbeds(
        torch.cat([embeds.prompt_embeds for embeds in every]), torch.cat(pooled) if pooled else None
    )


def _finish(job: Job[FrameT]) -> None:
    """Let the stream remember the result, which is that before where a frame repeats one."""
    stream = job.stream
    if job.repeated:
        stream.reused += 1
        job.styled = stream.styled
    else:
        stream.styled = job.styled
        if job.picture is not None:
            stream.reprojection.follow(_geometry(job), job.picture, job.styled, job.view)


def _to_frame(converter: FrameConverter, job: Job[FrameT]) -> FrameT:
    """The result as a frame like the one that came."""
    if job.geometry is None:
        return job.frame
    if job.styled is None:
        raise RuntimeError("a frame repeats one that was never filtered; call reset")
    return converter.to_frame(job.styled, job.frame, job.geometry, job.settings.mix)


def _ended(jobs: Sequence[Job[FrameT]], stage: str) -> None:
    for stream in dict.fromkeys(job.stream for job in jobs if job.is_network):
        stream.ended(stage)


def _joined(tensors: list[torch.Tensor]) -> torch.Tensor:
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors)

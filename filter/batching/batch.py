"""Filters several frames at once, of one stream or of several that share a model.

A frame goes through these stages. Each makes an immutable value for the next one:
`Request` → `Converted` (or `Unchanged`, `Outside`) → `Encoded` → `Finished` → frame.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import av
import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter.beside import Beside, spread
from turbolens.filter.coherence.change import InputView
from turbolens.filter.denoising import Encoded, UNetPass, denoised, joined
from turbolens.filter.frames.conversion import FrameConverter, Geometry, rgb_from_image
from turbolens.filter.frames.detail import FrameDetail
from turbolens.filter.frames.luma import frame_luma
from turbolens.filter.model import TurboModel
from turbolens.filter.region.coverage import Coverage
from turbolens.filter.region.tracking import FoundMask
from turbolens.filter.settings import FilterSettings, WeightedPrompt
from turbolens.filter.stream import Array, Stream
from turbolens.filter.surface.layer import Plan
from turbolens.filter.surface.shift import TextureStep

FrameT = TypeVar("FrameT", av.VideoFrame, NDArray[np.uint8])
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, eq=False)
class Request(Generic[FrameT]):
    """A frame to filter, with the settings and the geometry for it."""

    stream: Stream
    frame: FrameT
    settings: FilterSettings
    geometry: Geometry


@dataclass(frozen=True, eq=False)
class Unchanged(Generic[FrameT]):
    """A frame that equals the last one within noise, so that the last result is used again.

    detail: the detail that the result gets, if any. found: the frame's mask, if it may be
    another one.
    """

    request: Request[FrameT]
    detail: Beside[FrameDetail] | None
    found: FoundMask | None


@dataclass(frozen=True, eq=False)
class Outside(Generic[FrameT]):
    """A frame without any pixel in the region that is filtered."""

    request: Request[FrameT]


@dataclass(frozen=True, eq=False)
class Converted(Generic[FrameT]):
    """A new frame as a tensor.

    rgb: uint8 (H, W, 3) on the CPU. detail: the detail that the result gets, if any.
    prompts: of this frame. control: the input of the ControlNet, if there is one. found: the mask
    of the region, if there is one.
    """

    request: Request[FrameT]
    rgb: torch.Tensor
    detail: Beside[FrameDetail] | None
    view: InputView
    prompts: tuple[WeightedPrompt, ...]
    control: torch.Tensor | None
    found: FoundMask | None


class Styled(NamedTuple):
    """The result of a frame, RGB uint8 (H, W, 3).

    coverage: of its region, if any. plan: the surface that it gets, if any.
    """

    rgb: torch.Tensor
    coverage: Coverage | None
    plan: Plan | None


@dataclass(frozen=True, eq=False)
class Finished(Generic[FrameT]):
    """The result of a frame, RGB uint8 (H, W, 3) on the CPU.

    detail: the detail that it gets, if any. coverage: where it is shown, if not everywhere.
    """

    request: Request[FrameT]
    rgb: torch.Tensor
    detail: Beside[FrameDetail] | None
    coverage: Coverage | None


Input: TypeAlias = Converted[FrameT] | Unchanged[FrameT] | Outside[FrameT]
_End: TypeAlias = Finished[FrameT] | Outside[FrameT]


def filter_requests(requests: Sequence[Request[FrameT]]) -> list[FrameT]:
    """The results in order. Every stream gives what it would give one frame at a time."""
    try:
        return [frame for turn in _turns(requests) for frame in _filter_turn(turn)]
    except BaseException:
        for request in requests:
            request.stream.unchanged.invalidate()  # the next frame must not reuse a missing result
        raise


def follow_requests(stream: Stream, requests: Sequence[Request[FrameT]]) -> list[TextureStep]:
    """How each frame of one stream moves textures. None of them is filtered."""
    steps: list[TextureStep] = []
    for turn in _turns(requests):
        inputs = prepared(turn)
        encoded = iter(_encoded_together(_new(inputs)))
        for each in inputs:
            if not isinstance(each, Converted):
                steps.append(TextureStep(stream.texture_step.shift, False))
                continue
            _plans([each], [next(encoded)])
            steps.append(stream.texture_step)
    return steps


def _turns(requests: Sequence[Request[FrameT]]) -> Iterator[list[Request[FrameT]]]:
    """Split the requests into lists that can be filtered at once.

    Frames of one stream must have the same geometry. With feedback a frame needs the result of the
    one before, so it is filtered alone.
    """
    turn: list[Request[FrameT]] = []
    geometries: dict[Stream, Geometry] = {}
    for request in requests:
        last = geometries.get(request.stream)
        if last is not None and (request.settings.feedback > 0 or last != request.geometry):
            yield turn
            turn, geometries = [], {}
        turn.append(request)
        geometries[request.stream] = request.geometry
    if turn:
        yield turn


def _filter_turn(requests: list[Request[FrameT]]) -> list[FrameT]:
    inputs = prepared(requests)
    return finished(inputs, styled(inputs))


def prepared(requests: Sequence[Request[FrameT]]) -> list[Input[FrameT]]:
    """Convert the frames, and compare each with the last one of its stream."""
    images = requests[0].stream.convert(_to_rgb, requests)
    inputs = [_compared(*each) for each in zip(requests, images, strict=True)]
    _stage_ended(inputs, "to_image")
    return inputs


def finished(
    inputs: Sequence[Input[FrameT]], results: Mapping[Converted[FrameT], Styled]
) -> list[FrameT]:
    """Lay the surfaces over the results, and convert them to frames like those requested."""

    def finish(each: Input[FrameT]) -> _End[FrameT]:
        return _remembered(each, results[each]) if isinstance(each, Converted) else _repeated(each)

    streams = [each.request.stream for each in inputs]
    ends = _by_stream(finish, streams, inputs)
    _stage_ended(inputs, "texture")
    frames = streams[0].convert_back(_to_frame, ends)
    _stage_ended(inputs, "to_frame")
    return frames


def _to_rgb(converter: FrameConverter, request: Request[FrameT]) -> torch.Tensor:
    return converter.to_rgb(request.frame, request.geometry)


def _compared(request: Request[FrameT], rgb: torch.Tensor) -> Input[FrameT]:
    """Compare the frame with the last one of its stream, and find the region to filter."""
    settings, stream = request.settings, request.stream
    prompts = stream.prompts(request.frame, settings)
    control = stream.control.from_function(request.frame, request.geometry)
    if control is not None and stream.control.changed:
        stream.unchanged.invalidate()
    detail = stream.detail_of(request.frame, request.geometry, settings)
    luma = frame_luma(rgb)
    if settings.reuse_unchanged and stream.unchanged(luma):
        own = stream.region.has_own_masks and settings.region != "all"
        return Unchanged(request, detail, _found(request, rgb) if own else None)
    found = None if settings.region == "all" else _found(request, rgb)
    if found is not None and stream.region.is_needless(found, settings):
        stream.unchanged.invalidate()  # there is no result of this frame to use again
        if detail is not None:
            detail.wait()  # it reads the frame
        return Outside(request)
    if control is None:
        control = stream.control.from_edges(rgb)
    return Converted(request, rgb, detail, stream.input_view(luma), prompts, control, found)


def _found(request: Request[FrameT], rgb: torch.Tensor) -> FoundMask:
    return request.stream.region.find(request.frame, request.geometry, rgb.numpy())


def styled(
    inputs: Sequence[Input[FrameT]], on_motion: Callable[[], None] | None = None
) -> dict[Converted[FrameT], Styled]:
    """The result of each new frame. Frames of one size are one batch.

    on_motion: called when the motion of all frames of a batch is known, before the UNet runs.
    """
    by_size: dict[tuple[int, int], list[Converted[FrameT]]] = {}
    for each in inputs:
        if isinstance(each, Unchanged):
            each.request.stream.reused += 1
    for each in _new(inputs):
        geometry = each.request.geometry
        by_size.setdefault((geometry.width, geometry.height), []).append(each)
    results: dict[Converted[FrameT], Styled] = {}
    for batch in by_size.values():
        results.update(zip(batch, _run_networks(batch, on_motion), strict=True))
    return results


def _new(inputs: Iterable[Input[FrameT]]) -> list[Converted[FrameT]]:
    return [each for each in inputs if isinstance(each, Converted)]


def _run_networks(
    inputs: Sequence[Converted[FrameT]], on_motion: Callable[[], None] | None
) -> list[Styled]:
    model = inputs[0].request.stream.model
    with model.lock:
        if len({each.request.stream for each in inputs}) > 1:
            # For one stream it does not pay: networks wait for a thread that the search displaced.
            for each in inputs:
                each.request.stream.begin_motion(each.view, each.request.settings)
        encoded = _encoded_together(inputs)
        plans = _plans(inputs, encoded) if model.device.type == "cpu" else None
        coverages = [_coverage(*each) for each in zip(inputs, encoded, strict=True)]
        if on_motion is not None:
            on_motion()
        _stage_ended(inputs, "before")
        clean = denoised(model, encoded)
        _stage_ended(inputs, "denoise")
        image = model.decode(clean)
        _stage_ended(inputs, "decode")
        images = _results(model, encoded, torch.split(image, 1))
        _stage_ended(inputs, "after")
    plans = _plans(inputs, encoded) if plans is None else plans  # here it waits for no device
    return [Styled(*each) for each in zip(images, coverages, plans, strict=True)]


def _encoded_together(inputs: Sequence[Converted[FrameT]]) -> list[Encoded]:
    """Encode frames of one size with one model, and blend each with the past of its stream."""
    if not inputs:
        return []
    model = inputs[0].request.stream.model
    with model.lock:
        latents = model.encode_rgb([each.rgb for each in inputs])
        _stage_ended(inputs, "encode")
        return [_encoded(*each) for each in zip(inputs, torch.split(latents, 1), strict=True)]


def _plans(inputs: Sequence[Converted[FrameT]], encoded: Sequence[Encoded]) -> list[Plan | None]:
    """The surface of each frame; on a CPU, begun on other threads."""
    return [
        each.stream.plan_surface(
            of.rgb, of.view, each.change, each.prompts, each.settings, _pts_of(of.request.frame)
        )
        for of, each in zip(inputs, encoded, strict=True)
    ]


def _pts_of(frame: Array | av.VideoFrame) -> int | None:
    return frame.pts if isinstance(frame, av.VideoFrame) else None


def _coverage(converted: Converted[FrameT], encoded: Encoded) -> Coverage | None:
    """Where the result is shown, held over time; `None`: everywhere."""
    if converted.found is None:
        return None
    return encoded.stream.region.held(converted.found, encoded.change, encoded.settings)


def _encoded(converted: Converted[FrameT], latents: torch.Tensor) -> Encoded:
    """Blend the latents (1, C, h, w) with the last ones, and draw the noise."""
    settings, stream = converted.request.settings, converted.request.stream
    blended, change = stream.blend_before(converted.view, latents, settings)
    unet_pass = UNetPass.of(stream, settings, has_control=converted.control is not None)
    noise = stream.noise_for(settings, latents, len(unet_pass.steps), change)
    return Encoded(
        stream, settings, blended, noise, change, converted.prompts, converted.control, unet_pass
    )


def _results(
    model: TurboModel, encoded: Sequence[Encoded], images: Sequence[torch.Tensor]
) -> list[torch.Tensor]:
    """The decoded images, blended with the last ones, as RGB."""

    def blended(each: Encoded, image: torch.Tensor) -> torch.Tensor:
        return each.stream.coherence.after(image, each.change, each.settings)

    if model.device.type != "cpu":
        return rgb_from_image(joined(list(map(blended, encoded, images))))
    return _by_stream(
        lambda each, image: rgb_from_image(blended(each, image))[0],
        [each.stream for each in encoded], encoded, images,
    )  # fmt: skip


def _by_stream(
    function: Callable[..., ResultT], streams: Sequence[Stream], *arguments: Sequence[Any]
) -> list[ResultT]:
    """`function` of each frame's arguments. Streams run beside each other, a stream in order."""
    of_stream: dict[Stream, list[int]] = {}
    for index, stream in enumerate(streams):
        of_stream.setdefault(stream, []).append(index)
    results: dict[int, ResultT] = {}

    def run(indices: list[int]) -> None:
        for index in indices:
            results[index] = function(*(each[index] for each in arguments))

    if len(of_stream) == 1:
        run(list(range(len(streams))))
    else:
        spread(run, of_stream.values())
    return [results[index] for index in range(len(streams))]


def _remembered(converted: Converted[FrameT], styled: Styled) -> Finished[FrameT]:
    """Lay the surface of the look over the result, and let the stream remember it."""
    request = converted.request
    rgb = request.stream.with_surface(styled.rgb, styled.plan)
    request.stream.remember(request.geometry, converted.rgb, rgb, converted.view)
    request.stream.region.last = styled.coverage
    return Finished(request, rgb, converted.detail, styled.coverage)


def _repeated(each: Unchanged[FrameT] | Outside[FrameT]) -> _End[FrameT]:
    """The last result once more, by the frame's own mask if it has one."""
    if isinstance(each, Outside):
        return each
    request, region = each.request, each.request.stream.region
    if each.found is not None:
        region.last = region.held(each.found, None, request.settings)
    return Finished(request, request.stream.reuse(), each.detail, region.last)


def _to_frame(converter: FrameConverter, finished: _End[FrameT]) -> FrameT:
    """The result as a frame like the one requested."""
    request, settings = finished.request, finished.request.settings
    composer = request.stream.composer
    if isinstance(finished, Outside):
        return composer.outside_only(request.frame, settings.outside)
    result = converter.to_frame(
        finished.rgb, request.frame, request.geometry, settings.mix,
        detail=settings.detail,
        frame_detail=None if finished.detail is None else finished.detail.result(),
    )  # fmt: skip
    if finished.coverage is None:
        return result
    return composer.compose(result, request.frame, finished.coverage, settings.outside)


def _stage_ended(inputs: Iterable[Input[FrameT]], stage: str) -> None:
    for stream in dict.fromkeys(each.request.stream for each in _new(inputs)):
        stream.stage_ended(stage)

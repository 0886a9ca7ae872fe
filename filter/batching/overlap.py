"""Consecutive frames of one stream that overlap in time."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import av
import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter.beside import Beside, processors
from turbolens.filter.coherence.change import InputView
from turbolens.filter.model import TurboModel
from turbolens.filter.settings import FilterSettings
from turbolens.filter.stream import Stream

from .batch import Converted, Input, Request, Styled, finished, prepared, styled

FrameT = TypeVar("FrameT", av.VideoFrame, NDArray[np.uint8])


@dataclass(eq=False)
class Turn(Generic[FrameT]):
    """A frame that waits to be filtered.

    requests: its request; empty if the frame passes through. image_embeds: the image prompt.
    inputs: what it is converted to, once that has begun.
    """

    frame: FrameT
    settings: FilterSettings
    requests: list[Request[FrameT]]
    image_embeds: torch.Tensor | None
    inputs: Beside[list[Input[FrameT]]] | None = field(default=None, init=False)

    def allows_ahead(self, following: "Turn[FrameT]") -> bool:
        """True if the frame that follows may be prepared and filtered before this one is finished.

        Feedback and masks depend on what was finished last, and new settings start anew.
        """
        return (
            bool(self.requests)
            and self.settings == following.settings
            and self.image_embeds is following.image_embeds
            and [each.geometry for each in self.requests]
            == [each.geometry for each in following.requests]
            and self.settings.region == "all"
            and self.settings.feedback == 0.0
        )

    def prepare_after(self, before: "Turn[FrameT]") -> None:
        """Begin to convert it on another thread, after the frame before."""
        self.inputs = Beside(_prepared_after, before.inputs, self.requests)

    def view(self) -> InputView | None:
        """What coherence needs of it, once it is converted; `None` if it shows nothing new."""
        inputs = [] if self.inputs is None else self.inputs.result()
        return next((each.view for each in inputs if isinstance(each, Converted)), None)


class _Turns(Generic[FrameT]):
    """The turns of frames, and `None` after the last one.

    error: why there are no more, if it was an error. It is kept, so that the frames before it can
    be finished first.
    """

    def __init__(self, take: Callable[[FrameT], Turn[FrameT]], frames: Iterable[FrameT]) -> None:
        self._take: Callable[[FrameT], Turn[FrameT]] = take
        self._frames: Iterable[FrameT] = frames
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[Turn[FrameT] | None]:
        try:
            for frame in self._frames:
                yield self._take(frame)
        except Exception as error:  # noqa: BLE001 - raised when the frames before are finished
            self.error = error
        yield None


def overlapped(
    stream: Stream, take: Callable[[FrameT], Turn[FrameT]], frames: Iterable[FrameT]
) -> Iterator[FrameT]:
    """The results of the frames of a stream, see `FrameFilter.frames`. take: makes their turns."""
    turns = _Turns(take, frames)
    turn: Turn[FrameT] | None = None
    ahead: Turn[FrameT] | None = None
    unfinished: Beside[FrameT] | None = None
    failed = True
    try:
        for following in turns:
            if turn is not None:
                ahead = _prepare_ahead(stream, turn, following)
                last, unfinished = unfinished, None
                try:
                    unfinished = _filtered(stream, turn, ahead)
                finally:  # if this frame fails, the one before has a result
                    if last is not None:
                        yield last.result()
                if ahead is None:
                    last, unfinished = unfinished, None
                    yield last.result()
            if ahead is None:
                _prepare_alone(stream, following)
            turn, ahead = following, None
        if turns.error is not None:
            raise turns.error
        failed = False
    finally:
        if failed:
            _give_up(stream, turn, ahead)


def may_overlap(model: TurboModel) -> bool:
    """True if there are threads beside those of the networks: on a CPU with several processors."""
    return model.device.type == "cpu" and processors() > 1


def _prepare_ahead(
    stream: Stream, turn: Turn[FrameT], following: Turn[FrameT] | None
) -> Turn[FrameT] | None:
    """Begin to convert the frame that follows, if it may overlap. Returns it then."""
    at_liberty = not stream.is_observed and not stream.must_reset
    if following is None or not (at_liberty and may_overlap(stream.model)):
        return None
    if not turn.allows_ahead(following):
        return None
    following.prepare_after(turn)
    return following


def _prepare_alone(stream: Stream, turn: Turn[FrameT] | None) -> None:
    """Convert a frame when no other one is in work, before a later one is taken."""
    if turn is None:
        return
    with stream.lock, torch.inference_mode():
        stream.begin(turn.settings, turn.image_embeds)
        turn.inputs = Beside(_prepared_after, None, turn.requests)
        turn.inputs.wait()


def _prepared_after(
    before: Beside[Any] | None, requests: list[Request[FrameT]]
) -> list[Input[FrameT]]:
    if before is not None:
        before.wait()
    return prepared(requests) if requests else []


def _filtered(stream: Stream, turn: Turn[FrameT], ahead: Turn[FrameT] | None) -> Beside[FrameT]:
    """Run the networks on a frame that is converted. The result is finished on another thread."""

    def begin_motion() -> None:
        if ahead is not None:
            stream.begin_next_motion(ahead.view, ahead.settings)

    with stream.lock, torch.inference_mode():
        inputs = [] if turn.inputs is None else turn.inputs.result()
        results = styled(inputs, begin_motion)
        result = Beside(_finished_after, stream.finishing, inputs, results, turn.frame)
        stream.finishing = result
        return result


def _finished_after(
    before: Beside[Any] | None,
    inputs: list[Input[FrameT]],
    results: Mapping[Converted[FrameT], Styled],
    frame: FrameT,
) -> FrameT:
    if before is not None:
        before.wait()
    return finished(inputs, results)[0] if inputs else frame


def _give_up(stream: Stream, *turns: Turn[FrameT] | None) -> None:
    """Leave the stream as after a frame that failed, with nothing in work."""
    with stream.lock:
        for turn in turns:
            if turn is not None and turn.inputs is not None:
                turn.inputs.wait()
        stream.settle()
        stream.unchanged.invalidate()

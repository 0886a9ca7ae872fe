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
    work: _Work[FrameT] = _Work(stream)
    try:
        for following in turns:
            yield from work.advance(following)
        if turns.error is not None:
            raise turns.error
    except BaseException:  # also where the caller takes no more results
        work.give_up()
        raise


class _Work(Generic[FrameT]):
    """The frames in work: one on which the networks run next, those before and after it."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._turn: Turn[FrameT] | None = None
        self._ahead: Turn[FrameT] | None = None
        self._unfinished: Beside[FrameT] | None = None

    def advance(self, following: Turn[FrameT] | None) -> Iterator[FrameT]:
        """Run the networks on the last frame, and prepare the one that follows.

        following: `None` after the end. Gives the results that are due, in order.
        """
        if self._turn is not None:
            self._ahead = _prepare_ahead(self._stream, self._turn, following)
            yield from self._run_networks(self._turn)
        if self._ahead is None:
            _prepare_alone(self._stream, following)
        self._turn, self._ahead = following, None

    def _run_networks(self, turn: Turn[FrameT]) -> Iterator[FrameT]:
        """Gives the result before this one, and this one unless it is finished beside the next."""
        last, self._unfinished = self._unfinished, None
        try:
            result = _filtered(self._stream, turn, self._ahead)
        except Exception:
            if last is not None:
                yield last.result()  # the error of this frame comes after it
            raise
        if last is not None:
            yield last.result()
        if self._ahead is None:
            yield result.result()
        else:
            self._unfinished = result

    def give_up(self) -> None:
        """Leave the stream as after a frame that failed, with nothing in work."""
        with self._stream.lock:
            for turn in (self._turn, self._ahead):
                if turn is not None and turn.inputs is not None:
                    turn.inputs.wait()
            self._stream.settle()
            self._stream.unchanged.invalidate()


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

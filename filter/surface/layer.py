"""`SurfaceLayer`: lays the surfaces of the current looks over the results of one stream."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from turbolens.filter.beside import Beside
from turbolens.filter.diffusion.lru_cache import LruCache
from turbolens.filter.diffusion.vocabulary import Vocabulary
from turbolens.filter.settings import WeightedPrompt

from .bars import Inside
from .canvas import Canvas, Surface
from .drift import Drift, Drifted
from .ground import Asked, Ground
from .hold import Hold
from .looks import SURFACES
from .planes import cv2, faded, luma_of, resized
from .seen import Seen
from .shift import TextureShift, TextureStep
from .simplify import from_levels

MIN_SIDE = 32  # pixels
MAX_PROMPTS = 32  # whose readings are kept
MAX_SURFACES = 2  # of a mixture of looks: those with the largest weights
FULL_AT = 0.8  # strength at which a surface is complete
FACES = 0.5
"""Share of a picture without its surface that shows where the frame has the hue of skin, so that
faces stay readable; for surfaces of pictures, which do not draw faces themselves."""
STILL = TextureShift(0.0, 0.0)
_LEAST = 0.01  # a share below this cannot be seen


@dataclass(frozen=True, eq=False)
class Plan:
    """The surfaces of one frame.

    shares: of the surfaces, at most 1 together. ground: the frame. has_frame: False if the frame is
    not known, but only the result.
    """

    shares: Mapping[str, float]
    ground: Ground
    has_frame: bool = True


class SurfaceLayer:
    """vocabulary: of the model, with the surfaces of its looks. own: further surfaces, by name. Not
    thread-safe."""

    def __init__(
        self, vocabulary: Vocabulary | None, own: Mapping[str, Surface] | None = None
    ) -> None:
        self._vocabulary = vocabulary
        self._surfaces = {**SURFACES, **(own or {})}
        self._drift = Drift()
        self._drifted: Beside[Drifted] | None = None
        self._names = LruCache[tuple[str, ...]](MAX_PROMPTS)
        self._figures: dict[str, float] = {}
        self._hold = Hold()
        self._asked: tuple[Asked, ...] = ()
        self._shift: TextureShift | None = None

    @property
    def shift(self) -> TextureShift | None:
        """How far textures have moved as a whole after the last planned frame, since the last scene
        cut; `None` if nothing has moved. Waits for that frame. Raises what following it has raised.
        """
        moved = None if self._drifted is None else self._drifted.result().moved
        return None if moved is None else moved.whole

    @property
    def step(self) -> TextureStep:
        """How the last planned frame has moved textures; a frame without any begins a scene."""
        if self._drifted is None:
            return TextureStep(STILL, True)
        moved, is_new = self._drifted.result()
        return TextureStep(STILL if moved is None else moved.whole, is_new)

    def place(self, shift: TextureShift) -> None:
        """Continue from the next frame on as if textures had moved so far as a whole.

        A frame without a past, as after a scene cut, begins anew all the same.
        """
        self._shift = shift

    def reset(self) -> None:
        """Forget the past."""
        self._forget_motion()
        self._figures.clear()
        self._hold.reset()

    def __call__(
        self,
        rgb: torch.Tensor,
        prompts: Sequence[WeightedPrompt],
        strength: float,
        amount: float,
        seen: Callable[[], Seen] | None = None,
    ) -> torch.Tensor:
        """The result with its surfaces: `plan` and `lay` at once.

        rgb: the result, uint8 (H, W, 3) on the CPU. seen: by default the result itself is what
        lines are found in, and no faces are.
        """
        shape = rgb.shape[0], rgb.shape[1]
        plan = self.plan(seen or partial(_seen_in, rgb.numpy()), shape, prompts, strength, amount)
        if plan is not None and seen is None:
            plan = replace(plan, has_frame=False)
        return self.lay(rgb, plan)

    def plan(
        self,
        seen: Callable[[], Seen],
        shape: tuple[int, int],
        prompts: Sequence[WeightedPrompt],
        strength: float,
        amount: float,
        *,
        ahead: bool = False,
    ) -> Plan | None:
        """What the next frame gets; `None` if it gets no surface.

        seen: gives the frame, if it is needed, on any thread. shape: its height and width. prompts:
        of this frame. strength: of the filter, 0…1, with which a surface grows as the look does.
        amount: the setting `texture`. ahead: True to begin with what depends on the frame alone, on
        another thread. Call `lay` for each plan in order; there may be several plans before.
        """
        shares = self.grown_shares(prompts, strength, amount)
        if not shares:
            self._forget_motion()
            return None
        if min(shape) < MIN_SIDE:
            return None
        frame = Beside(seen)
        shift, self._shift = self._shift, None
        self._drifted = Beside(_followed, self._drift, self._drifted, frame, shift)
        ground = Ground(frame, self._drifted.result, shape)
        if ahead:
            ground.begin(self._asked)
        return Plan(shares, ground)

    def lay(self, rgb: torch.Tensor, plan: Plan | None) -> torch.Tensor:
        """The result of a frame, uint8 (H, W, 3) on the CPU, with the surfaces that were planned.

        Raises whatever a surface raises, on this or on the other thread.
        """
        if plan is None or plan.ground.drifted().is_new:
            self._figures.clear()
            self._hold.reset()
        if plan is None:
            return rgb
        try:
            return torch.from_numpy(self._laid(rgb.numpy(), plan))
        finally:
            plan.ground.finished = True

    def _laid(self, rgb: np.ndarray, plan: Plan) -> np.ndarray:
        picture = from_levels(rgb)
        luma, shares = luma_of(picture), plan.shares
        canvas = Canvas(picture, figures=self._figures, ground=plan.ground)
        laid = [(self._surfaces[name](canvas), share) for name, share in shares.items()]
        rest = 1 - sum(shares.values())
        (total, share), *others = laid if rest < _LEAST else [*laid, (picture, rest)]
        for surface, part in others:
            total, share = cv2.addWeighted(total, share, surface, part, 0.0), 1.0
        kept = FACES * sum(part for name, part in shares.items() if name not in SURFACES)
        if plan.has_frame and kept > 0:
            if share != 1:
                total, share = total * np.float32(share), 1.0
            total = _with_faces(total, picture, canvas.ahead(Ground.faces) * np.float32(kept))
        if share != 1:
            total = total * np.float32(share)
        if plan.has_frame:
            _keep_bars(total, plan.ground.seen.rgb, canvas.ahead(Ground.inside))
        total = self._hold(total, luma, canvas.ahead(Ground.moved_cells), shares)
        self._asked = tuple(canvas.asked)
        levels: np.ndarray = cv2.multiply(total, 255, dtype=cv2.CV_8U)  # rounded, in 0…255
        return levels

    def _forget_motion(self) -> None:
        self._drift, self._drifted, self._shift = Drift(), None, None

    def grown_shares(
        self, prompts: Sequence[WeightedPrompt], strength: float, amount: float
    ) -> dict[str, float]:
        """The share of each surface, as for `plan`; none if none can be seen."""
        grown = amount * min(1.0, strength / FULL_AT) ** 1.5
        shares = {name: grown * share for name, share in self.shares(prompts).items()}
        return {} if max(shares.values(), default=0.0) < _LEAST else shares

    def shares(self, prompts: Sequence[WeightedPrompt]) -> dict[str, float]:
        """The share of each surface in a mixture of prompts. The sum is at most 1."""
        weights = [max(0.0, weight) for _, weight in prompts]
        total = sum(weights) or 1.0
        shares: dict[str, float] = {}
        for (text, _), weight in zip(prompts, weights, strict=True):
            names = self._names.get(text, partial(self._read, text))
            for name in filter(None, names):
                shares[name] = shares.get(name, 0.0) + weight / (len(names) * total)
        largest = sorted(shares, key=shares.__getitem__, reverse=True)[:MAX_SURFACES]
        return {name: shares[name] for name in largest}

    def _read(self, text: str) -> tuple[str, ...]:
        """The surface of each look that a prompt names; empty for a look that has none."""
        if self._vocabulary is None:
            return ()
        reading = self._vocabulary.read(text)
        looks = reading.looks or tuple(filter(None, [reading.replacement]))
        return tuple(self._vocabulary.surfaces.get(look, "") for look in looks)


def _followed(
    drift: Drift,
    before: Beside[Drifted] | None,
    seen: Beside[Seen],
    shift: TextureShift | None,
) -> Drifted:
    """How far textures have moved, after the frame before has been followed.

    shift: how far they had moved until then, if that is known better.
    """
    if before is not None:
        before.wait()
    if shift is not None:
        drift.place(shift)
    return drift(seen.result())


def _seen_in(rgb: np.ndarray) -> Seen:
    """A result as if it were its frame."""
    return Seen(rgb, luma_of(from_levels(rgb)))


def _keep_bars(laid: np.ndarray, rgb: np.ndarray, inside: Inside) -> None:
    """Black bars stay as they are in the frame: they are no part of what is painted."""
    for axis, part in enumerate(inside):
        for bar in (slice(0, part.start), slice(part.stop, laid.shape[axis])):
            here = (bar,) if axis == 0 else (slice(None), bar)
            laid[here] = from_levels(rgb[here])


def _with_faces(laid: np.ndarray, picture: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """What is laid over a picture, with a share of the picture itself; `shares`: of any size.

    Changes `laid`, within the rectangle around the shares that can be seen.
    """
    left, top, width, height = cv2.boundingRect((shares > 1 / 64).astype(np.uint8))
    if width == 0:
        return laid
    (rows, columns), (high, wide) = shares.shape, laid.shape[:2]
    beside = np.s_[top * high // rows : (top + height) * high // rows,
                   left * wide // columns : (left + width) * wide // columns]  # fmt: skip
    part = laid[beside]
    within = resized(shares[top : top + height, left : left + width], *part.shape[:2])
    laid[beside] = faded(part, picture[beside], within)
    return laid

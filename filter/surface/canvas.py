"""`Canvas`: one picture, with everything that a surface is made from."""

from collections.abc import Callable, Hashable
from typing import TypeVar

import numpy as np

from .drift import Drifted, Moved
from .forms import Forms
from .ground import REFERENCE, SHARES, Asked, Ground, Same, Turns, tones_of
from .memo import Memo, once
from .planes import Plane, blur, cv2, luma_of, reduced, sample, smoothstep
from .seen import Seen
from .simplify import Levels, evened, from_levels, to_levels

T = TypeVar("T")

_FOLLOWS = 0.08  # share of a new picture in the figures
_MIDDLE = 0.6  # the tone that the median gets, as far as this changes the picture little enough
_SPAN, _MOST_GAIN = 0.72, 1.45  # of the tones of a lively picture, and the most that is gained
_NOTHING = 0.06, 0.2  # spans of a wall or a covered camera, of which nothing is stretched
_EVENED = 4.0  # units, of the areas that become even
_GAMMAS = 0.55, 1.3
_LINE_EDGE = 0.05  # contrast that makes a full line; a soft picture is drawn as if it had it


class Canvas:
    """picture: RGB (H, W, 3) in 0…1. moved: how far textures have moved, x and y (H, W) in pixels,
    or `None`. figures: of the pictures before, smoothed over time. unit: pixels of the picture per
    pixel of a picture of 512 pixels. step: by which strokes are reduced when they are computed.
    seen: the frame that the picture was made from; by default the picture itself. ground: what is
    known of that frame, in place of `moved` and `seen`.

    What depends on the frame and its motion alone is computed by `ground`, and read-only. asked:
    what of it was needed, in order, so that it can be computed ahead for the next frame.
    """

    def __init__(
        self,
        picture: Plane,
        moved: tuple[Plane, Plane] | None = None,
        figures: dict[str, float] | None = None,
        seen: Seen | None = None,
        ground: Ground | None = None,
    ) -> None:
        self.picture, self.memo = picture, Memo()
        seen = seen or Seen(to_levels(picture), luma_of(picture))
        drifted = Drifted(None if moved is None else Moved(*moved), is_new=False)
        self.ground = ground or Ground(seen, lambda: drifted)
        self.shape, self.unit, self.step = self.ground.shape, self.ground.unit, self.ground.step
        self.asked: dict[Asked, None] = {}
        self._figures = {} if figures is None else figures

    def ahead(self, function: Callable[..., T], *args: Hashable) -> T:
        """`function(ground, *args)`, computed beside the networks if the last picture asked for it.

        function: a method of `Ground`, or of a module or frozen dataclass, which must depend on
        nothing else. Its result is shared: arrays are read-only.
        """
        self.asked[function, args] = None
        return self.ground.of(function, *args)

    @property
    def luma(self) -> Plane:
        """Of what the camera sees, (H, W): forms and lines are found in it."""
        return self.ground.seen.luma

    @property
    def small_luma(self) -> Plane:
        """`luma` at the size that strokes are computed at."""
        return self.ahead(Ground.small_luma)

    @property
    @once
    def tone(self) -> Plane:
        """The picture's luma, stretched to a black, a white, and middle tones."""
        luma = luma_of(self.picture)
        return self._stretched("tone", luma, tones_of(luma[self.ahead(Ground.inside)]))

    @property
    @once
    def seen_tone(self) -> Plane:
        """The same of `luma`."""
        return self._stretched("seen", self.luma, self.ahead(Ground.tones))

    @property
    @once
    def lively(self) -> Levels:
        """The picture, RGB uint8 (H, W, 3), with more contrast if what is seen has little."""
        low, middle, high = self.steady("lively", np.array(self.ahead(Ground.tones), np.float32))
        span = high - low
        gain = float(np.clip(_SPAN / max(span, 1e-3), 1, _MOST_GAIN))
        gain = 1 + (gain - 1) * float(smoothstep(span, *_NOTHING))
        levels = to_levels(self.picture)
        if gain == 1:
            return levels
        to = middle + (np.float32(_MIDDLE) - middle) * np.float32(gain - 1)
        table = (np.arange(256, dtype=np.float32) - 255 * middle) * gain + 255 * to
        stretched: Levels = cv2.LUT(levels, np.clip(np.rint(table), 0, 255).astype(np.uint8))
        return stretched

    def _stretched(self, name: str, luma: Plane, tones: tuple[float, ...]) -> Plane:
        low, middle, high = (
            self._smoothed(f"{name} {share}", value)
            for share, value in zip(SHARES, tones, strict=True)
        )
        span = max(high - low, 0.25)
        stretched = np.clip((luma - np.float32(low)) * np.float32(1 / span), 0, 1)
        gamma = np.log(_MIDDLE) / np.log(np.clip((middle - low) / span, 0.05, 0.95))
        return cv2.pow(stretched, float(np.clip(gamma, *_GAMMAS)))  # type: ignore[no-any-return]

    def _smoothed(self, name: str, value: float) -> float:
        """A figure of the picture that changes slowly, because every pixel depends on it."""
        last = self._figures.get(name, value)
        self._figures[name] = last + _FOLLOWS * (value - last)
        return self._figures[name]

    def steady(self, name: str, values: Plane) -> Plane:
        """Figures of the picture, of any shape, smoothed over time."""
        smooth = [self._smoothed(f"{name} {i}", float(each)) for i, each in enumerate(values.flat)]
        return np.array(smooth, np.float32).reshape(values.shape)

    @property
    def skin(self) -> Plane:
        """How much the frame has the hue of skin, of whatever lightness, 0…1, of about a third of
        the size."""
        return self.ahead(Ground.skin)

    @property
    def full_skin(self) -> Plane:
        """`skin` at the full size."""
        return self.ahead(Ground.full_skin)

    @property
    def frame(self) -> Levels:
        """What the camera sees, RGB uint8 (H, W, 3)."""
        return self.ground.seen.rgb

    @property
    @once
    def heat(self) -> Plane:
        """How warm something may be, 0…1, (H, W) of about a third of the size: the tone, and more
        for skin."""
        skin = self.skin
        size = skin.shape[1], skin.shape[0]
        tone = cv2.resize(self.seen_tone, size, interpolation=cv2.INTER_AREA)
        heat = blur(tone * np.float32(0.5) + skin * np.float32(0.5), 1.0)
        low, high = (
            self._smoothed(f"heat {share}", float(np.quantile(heat[::2, ::2], share)))
            for share in (0.02, 0.99)
        )
        return (heat - np.float32(low)) * np.float32(0.95 / max(high - low, 0.3))

    @property
    def places(self) -> tuple[Plane, Plane]:
        """x and y of the texture at each pixel."""
        return self.ahead(Ground.places)

    @property
    def reduced_places(self) -> tuple[Plane, Plane]:
        """`places` at the size that strokes are computed at, in its pixels."""
        return self.ahead(Ground.reduced_places)

    @property
    @once
    def even(self) -> Levels:
        """`lively` in even areas with firm edges, at the size that strokes are computed at."""
        radius = max(1.5, _EVENED * max(self.shape) / REFERENCE / self.step)
        return evened(reduced(self.lively, self.step), radius)

    @property
    @once
    def small(self) -> Plane:
        """`lively` at the size that strokes are computed at."""
        return from_levels(reduced(self.lively, self.step))

    @property
    def all_forms(self) -> Forms:
        """`forms` without an angle of rest."""
        return self.forms()

    def forms(self, rest: float | Plane | None = None, turns: Turns | None = None) -> Forms:
        """The direction of the forms; `rest`: the angle where there are none, which may turn over
        the picture. With a plane of angles nothing is computed ahead."""
        if isinstance(rest, np.ndarray):
            return Forms(self.small_luma, rest)
        return self.ahead(Ground.forms, rest, turns)

    @property
    def line_forms(self) -> Forms:
        """The directions of small forms, for lines."""
        return self.ahead(Ground.line_forms)

    def moved_plane(self, plane: Plane) -> Plane:
        """A plane of the picture's size that tiles, moved with the picture.

        Computed ahead if it is the same object for each picture.
        """
        return self.ahead(Ground.moved_plane, Same(plane))

    def texture(self, scale: float, label: str) -> Plane:
        """Noise that moves with the picture, smooth over `scale` units."""
        return self.ahead(Ground.texture, scale, label)

    def reduced_texture(self, scale: float, label: str) -> Plane:
        """The same at the size that strokes are computed at."""
        return self.ahead(Ground.reduced_texture, scale, label)

    def run(self, plane: Plane, distance: float) -> Plane:
        """A plane or picture with edges that run, as wet paint does, by about `distance` units.

        plane: of the picture's size, or of the reduced size.
        """
        return sample(plane, *self.ahead(Ground.running, *plane.shape[:2], distance))

    def paper(self, grain: float = 1.0) -> Plane:
        """The unevenness of paper, mean 0 and deviation about 0.8."""
        return self.ahead(Ground.paper, grain)

    def contours(self, width: float, low: float = 0.3, high: float = 0.7, along: int = 3) -> Plane:
        """Dark lines along the forms, 0…1, that do not break; see `Ground.ridges`.

        width: of a line, in units. low, high: shares of the strongest lines' contrast, from which a
        line begins and is full. along: doublings of a line's length.
        """
        ridges, strongest = self.ahead(Ground.ridges, width, along)
        strongest = self._smoothed(f"contours {width}", strongest)
        full = max(strongest, _LINE_EDGE / 2.5)
        return smoothstep(ridges, low * full, high * full)


Surface = Callable[[Canvas], Plane]
"""Gives a picture its surface: RGB (H, W, 3) in 0…1."""

"""`TestScene`: synthetic frames with exact optical flow and occlusion."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from .canvas import Floats
from .layers import OPAQUE, Layer, Matrix, patch_of
from .shots import ShotPainter

SHOT_SECONDS = 3.0
FLASH_SECONDS, FLASH_GAIN = 1.1, 1.7  # time of the flash within each shot, and its gain
EXPOSURE_SECONDS, EXPOSURE_GAIN = 1.9, 0.75  # from this time to the end of the shot


class Rendering(NamedTuple):
    """A frame before exposure: RGB (3, H, W) in 0…1, and the topmost opaque layer (H, W)."""

    rgb: Floats
    owner: NDArray[np.uint8]


class SceneFrame:
    """A frame of a test scene. Its picture, flow and visibility are computed on first use."""

    def __init__(self, scene: "TestScene", index: int) -> None:
        self.scene = scene
        self.index = index
        self.cut = scene.is_cut(index)

    @cached_property
    def picture(self) -> NDArray[np.uint8]:
        """RGB (H, W, 3) uint8, with the exposure and the sensor noise of this frame."""
        return self.scene.expose(self.scene.render(self.index).rgb, self.index)

    @property
    def frame(self) -> av.VideoFrame:
        """The picture as an rgb24 frame with `pts` = index and `time_base` = 1/rate."""
        frame = av.VideoFrame.from_ndarray(self.picture, format="rgb24")
        frame.pts, frame.time_base = self.index, 1 / self.scene.rate
        return frame

    @cached_property
    def flow(self) -> NDArray[np.float32]:
        """(H, W, 2) in pixels: this pixel was at (x + flow[0], y + flow[1]) in the last frame.

        If it was hidden there (see `visible`), that is where it would have been. Zero at cuts.
        """
        return self.scene.flow(self.index)

    @cached_property
    def person(self) -> NDArray[np.float32]:
        """(H, W) in 0…1: how much of each pixel the figure covers, less what is in front of it."""
        return self.scene.person(self.index)

    @cached_property
    def visible(self) -> NDArray[np.bool_]:
        """(H, W): true where the pixel was visible in the last frame. All false at cuts."""
        return self.scene.visible(self.index, self.flow)


class TestScene(Sequence[SceneFrame]):
    """A synthetic scene of any size and rate. The same arguments give the same frames.

    width and height in pixels, rate in frames per second. frames: the length, `None` for an endless
    scene. noise: standard deviation of the sensor noise in levels (0…255). cuts: a new shot every
    3 seconds. shake: camera shake, 1 for a hand-held camera, 0 for a tripod. lighting: a flash and
    a step of exposure in each shot, see `gain`. Raises `ValueError` for an impossible size or rate.
    """

    __test__ = False  # pytest would take it for a test

    def __init__(  # noqa: PLR0913 - each is a property of the camera, given by name
        self,
        width: int = 640,
        height: int = 360,
        *,
        rate: int | Fraction = 30,
        frames: int | None = None,
        seed: int = 0,
        noise: float = 0.0,
        cuts: bool = True,
        shake: float = 1.0,
        lighting: bool = False,
    ) -> None:
        if width < 1 or height < 1 or rate <= 0:
            raise ValueError(f"size and rate must be positive, got {width}×{height} at {rate}")
        self.width, self.height = self._size = width, height
        self.rate, self.frames, self.seed = Fraction(rate), frames, seed
        self.noise, self.cuts, self.shake, self.lighting = noise, cuts, shake, lighting
        self.shot_frames = max(2, round(SHOT_SECONDS * self.rate))
        self._shots: OrderedDict[int, list[Layer]] = OrderedDict()
        self._last: tuple[int, Rendering] | None = None

    def __len__(self) -> int:
        if self.frames is None:
            raise TypeError("an endless scene has no length; give it `frames`")
        return self.frames

    def __getitem__(self, index: int) -> SceneFrame:  # type: ignore[override]
        if self.frames is not None and index < 0:
            index += self.frames
        if index < 0 or (self.frames is not None and index >= self.frames):
            raise IndexError(f"the scene has {self.frames} frames, got index {index}")
        return SceneFrame(self, index)

    def __iter__(self) -> Iterator[SceneFrame]:
        index = 0
        while self.frames is None or index < self.frames:
            yield self[index]
            index += 1

    def is_cut(self, index: int) -> bool:
        """True if a new shot begins with this frame. False for the first frame."""
        return self.cuts and index > 0 and index % self.shot_frames == 0

    def gain(self, index: int) -> float:
        """The exposure of this frame: 1, or another factor with `lighting`."""
        if not self.lighting:
            return 1.0
        within = index % self.shot_frames
        flash = round(FLASH_SECONDS * self.rate) == within
        step = within >= EXPOSURE_SECONDS * self.rate
        return FLASH_GAIN if flash else EXPOSURE_GAIN if step else 1.0

    def render(self, index: int) -> Rendering:
        """The frame composed of its layers. The last one is cached: its successor needs it."""
        if self._last is None or self._last[0] != index:
            self._last = index, self._rendered(index)
        return self._last[1]

    def expose(self, rgb: Floats, index: int) -> NDArray[np.uint8]:
        """RGB (3, H, W) in 0…1 → uint8 (H, W, 3), with this frame's exposure and noise."""
        levels = rgb * np.float32(255 * self.gain(index))
        if self.noise > 0:
            generator = np.random.default_rng((self.seed, index, 1))
            levels += generator.standard_normal(rgb.shape, np.float32) * np.float32(self.noise)
        levels += np.float32(0.5)
        picture = np.clip(levels, 0, 255, out=levels).astype(np.uint8)
        return np.ascontiguousarray(picture.transpose(1, 2, 0))

    def flow(self, index: int) -> NDArray[np.float32]:
        """See `SceneFrame.flow`."""
        flow = np.zeros((self.height, self.width, 2), np.float32)
        if index == 0 or self.is_cut(index):
            return flow
        owner = self.render(index).owner
        for number, layer in enumerate(self._layers(index)):
            rows, columns = np.nonzero(owner == number)
            now, before = self._matrix(layer, index), self._matrix(layer, index - 1)
            linear = before[:, :2] @ np.linalg.inv(now[:, :2])
            offset = before[:, 2] - linear @ now[:, 2]
            displacement = np.stack([columns, rows], -1) @ (linear - np.eye(2)).T + offset
            flow[rows, columns] = displacement
        return flow

    def person(self, index: int) -> NDArray[np.float32]:
        """See `SceneFrame.person`."""
        mask = np.zeros((self.height, self.width), np.float32)
        for layer in self._layers(index):
            patch = patch_of(layer.texture, self._matrix(layer, index), self._size)
            if patch is not None:
                area, alpha = mask[patch.rows, patch.columns], patch.pixels[3]
                area *= 1 - alpha
                area += alpha * layer.is_person
        return mask.clip(0.0, 1.0)

    def visible(self, index: int, flow: NDArray[np.float32]) -> NDArray[np.bool_]:
        """See `SceneFrame.visible`: the same layer was on top there in the last frame."""
        if index == 0 or self.is_cut(index):
            return np.zeros((self.height, self.width), bool)
        owner, before = self.render(index).owner, self._rendered(index - 1).owner
        x = np.rint(np.arange(self.width)[None, :] + flow[..., 0]).astype(int)
        y = np.rint(np.arange(self.height)[:, None] + flow[..., 1]).astype(int)
        inside = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)
        same = before[y.clip(0, self.height - 1), x.clip(0, self.width - 1)] == owner
        return np.asarray(inside & same, np.bool_)

    def _rendered(self, index: int) -> Rendering:
        rgb = np.zeros((3, self.height, self.width), np.float32)
        owner = np.zeros((self.height, self.width), np.uint8)
        for number, layer in enumerate(self._layers(index)):
            patch = patch_of(layer.texture, self._matrix(layer, index), self._size)
            if patch is None:
                continue
            alpha = patch.pixels[3]
            area = rgb[:, patch.rows, patch.columns]
            area *= 1 - alpha
            area += patch.pixels[:3]
            owner[patch.rows, patch.columns][alpha > OPAQUE] = number
        return Rendering(rgb, owner)

    def _matrix(self, layer: Layer, index: int) -> Matrix:
        seconds = float(index / self.rate)
        matrix = layer.matrix(seconds, self._camera(seconds))
        matrix[:, 2] += self.width // 2, self.height // 2
        return matrix

    def _camera(self, seconds: float) -> tuple[float, float]:
        """Offset of the camera in frame heights: a slow pan and a shake, the same at any rate."""
        pan = 0.06 * np.sin(seconds * 0.5 + self.seed)
        shake = 0.006 * self.shake
        x = pan + shake * (np.sin(seconds * 7.3) + 0.6 * np.sin(seconds * 13.1 + 1))
        y = shake * (np.sin(seconds * 8.9 + 2) + 0.6 * np.sin(seconds * 15.7))
        return float(x), float(y)

    def _layers(self, index: int) -> list[Layer]:
        shot = index // self.shot_frames if self.cuts else 0
        if shot not in self._shots:
            painter = ShotPainter(self.width, self.height, number=shot, seed=self.seed)
            self._shots[shot] = painter.layers()
            if len(self._shots) > 2:  # a 4K shot takes 0.5 GB
                self._shots.popitem(last=False)
        return self._shots[shot]

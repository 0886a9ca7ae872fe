"""`Thumbnails`: a small picture of the built-in scene in every look of a model."""

from asyncio import Lock, to_thread
from functools import cache

import av

from turbolens.filter import FilterSettings, NoSuchSessionError
from turbolens.pipelines.scene.frames import TestScene
from turbolens.pipelines.video.images import encode_image
from turbolens.pipelines.webrtc.media.batching import FrameBatcher

from .model_slot import ModelSlot

WIDTH, HEIGHT = 256, 192
SCENE_SIZE, SCENE_FRAME = (800, 500), 8
CROP = slice(96, 456), slice(240, 720)  # rows and columns with the figure and a tree: 4 to 3
STRENGTH = 0.9


class Thumbnails:
    """Made when they are asked for, one at a time between the frames of the sessions, and kept."""

    def __init__(self) -> None:
        self._made: dict[int, bytes] = {}
        self._making = Lock()

    async def get(self, number: int, slot: ModelSlot, batcher: FrameBatcher) -> bytes:
        """The JPEG of a look by its place in the model's list.

        Raises `NoSuchSessionError` for a place that is not on it, `UnavailableError` while there is
        no model.
        """
        slot.require()
        looks = slot.looks
        if number >= len(looks):
            raise NoSuchSessionError(f"the model has {len(looks)} looks, numbered from 0")
        async with self._making:
            if number not in self._made:
                settings = FilterSettings(prompt=looks[number], strength=STRENGTH, size=WIDTH)
                frame_filter = slot.new_filter(settings.with_steps_of(slot.steps))
                scene = await to_thread(_scene)
                styled = await batcher.submit(frame_filter, scene)
                self._made[number] = encode_image(styled, ".jpg")
            return self._made[number]


@cache
def _scene() -> av.VideoFrame:
    """Where the figure waves; drawn once, which takes a second."""
    picture = TestScene(*SCENE_SIZE)[SCENE_FRAME].picture[CROP].copy()
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    return frame.reformat(WIDTH, HEIGHT, "yuvj420p", interpolation="AREA")

"""`Thumbnails`: a small image of the built-in scene in each look of a model."""

from asyncio import Lock, to_thread
from functools import cache

import av

from turbolens.filter import FilterSettings, NoSuchSessionError
from turbolens.pipelines.scene.frames import TestScene
from turbolens.pipelines.video.images.files import encode_image
from turbolens.pipelines.webrtc.media.batching import FrameBatcher

from .model_slot import ModelSlot

WIDTH, HEIGHT = 256, 192
SCENE_SIZE, SCENE_FRAME = (800, 500), 8
CROP = slice(96, 456), slice(240, 720)  # rows and columns of the figure and a tree, 4:3
STRENGTH = 0.9


class Thumbnails:
    """Creates thumbnails on request, one at a time between the sessions' frames; keeps them."""

    def __init__(self) -> None:
        self._jpegs: dict[int, bytes] = {}
        self._lock = Lock()

    async def get(self, number: int, slot: ModelSlot, batcher: FrameBatcher) -> bytes:
        """The JPEG of a look, by its index in the model's list.

        Raises `NoSuchSessionError` if there is no such look, `UnavailableError` while the model
        loads.
        """
        slot.require()
        looks = slot.looks
        if number >= len(looks):
            raise NoSuchSessionError(f"the model has {len(looks)} looks, numbered from 0")
        async with self._lock:
            if number not in self._jpegs:
                settings = FilterSettings(prompt=looks[number], strength=STRENGTH, size=WIDTH)
                frame_filter = slot.new_filter(settings.with_steps_of(slot.steps))
                scene = await to_thread(_scene)
                styled = await batcher.submit(frame_filter, scene)
                self._jpegs[number] = encode_image(styled, ".jpg")
            return self._jpegs[number]


@cache
def _scene() -> av.VideoFrame:
    """The part of the scene with the waving figure; cached because drawing takes a second."""
    image = TestScene(*SCENE_SIZE)[SCENE_FRAME].picture[CROP].copy()
    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    return frame.reformat(WIDTH, HEIGHT, "yuvj420p", interpolation="AREA")

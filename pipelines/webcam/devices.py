"""Opens the camera and the virtual camera of a call by their names."""

from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

from turbolens.pipelines.base import Source, ignore, rate_of
from turbolens.pipelines.camera.camera import Camera
from turbolens.pipelines.camera.framing import FramedSource, cropped_size
from turbolens.pipelines.camera.pipewire.sink import PipeWireCamera
from turbolens.pipelines.camera.virtual_camera import VirtualCamera
from turbolens.pipelines.scene.camera import FileCamera, SceneCamera
from turbolens.pipelines.video.media import MediaOptions, is_scene, open_reader

from .options import WebcamOptions

NONE, PIPEWIRE = "none", "pipewire"  # words in place of the name of a virtual camera
SCENE_SIZE = 640, 360  # painting a larger test scene takes long

VirtualCameraSink: TypeAlias = VirtualCamera | PipeWireCamera


def open_source(options: WebcamOptions) -> Source:
    """The camera, the test scene, or a file that plays as a camera. Raises `MediaError`."""
    source = _open_camera(options)
    if options.mirror or options.aspect is not None:
        return FramedSource(source, mirror=options.mirror, aspect=options.aspect)
    return source


def _open_camera(options: WebcamOptions) -> Source:
    name = options.camera
    if name is not None and is_scene(name):
        return SceneCamera(*(options.size or SCENE_SIZE), rate=options.rate)
    if name is not None and Path(name).is_file():
        return FileCamera(lambda: open_reader(name, MediaOptions(), ignore))
    width, height = options.size or (1280, 720)
    return Camera(
        name, width=width, height=height, rate=options.rate, pixel_format=options.pixel_format
    )


def open_virtual_camera(options: WebcamOptions, source: Source) -> VirtualCameraSink | None:
    """The virtual camera, with the size and rate of this source. `None` if none was chosen.

    Raises `MediaError`.
    """
    if options.virtual_camera == NONE:
        return None
    width, height = _frame_size(source, options)
    rate = rate_of(source) or Fraction(30)
    if options.virtual_camera == PIPEWIRE:
        return PipeWireCamera(width=width, height=height, rate=rate)
    return VirtualCamera(options.virtual_camera, width=width, height=height, rate=rate)


def _frame_size(source: Source, options: WebcamOptions) -> tuple[int | None, int | None]:
    """Width and height of the frames, `None` if unknown: then the first frame decides."""
    inner = getattr(source, "source", source)
    width, height = getattr(inner, "width", None), getattr(inner, "height", None)
    if width is None or height is None or options.aspect is None:
        return width, height
    return cropped_size(width, height, options.aspect)

"""Pictures with masks of the persons in them, and pictures without persons."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter.errors import MediaError, SettingsError
from turbolens.filter.region.network import SIDE
from turbolens.filter.training.data import is_held_out, pictures_in

from .teacher import TfliteSegmenter

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Labelled:
    """Pictures of one size, stretched to squares.

    people: (N, 256, 256, 4), RGB and the mask. is_exact: (N,), true where the mask came with the
    picture. backgrounds: (M, 256, 256, 3), RGB, without persons.
    """

    people: Pixels
    is_exact: NDArray[np.bool_]
    backgrounds: Pixels


def read_labelled(
    people: Path, backgrounds: Path, labels: Path, teacher: Path | None, *, held_out: bool = False
) -> Labelled:
    """Read all pictures, and make the masks that are missing in `labels`.

    The mask of a picture with transparency is its own. held_out: read the pictures that are not
    trained on, one in twelve. Raises `SettingsError` if masks are missing and there is no teacher.
    """
    network = None if teacher is None else TfliteSegmenter(teacher)
    with_people, without = (
        [path for path in _pictures(folder) if is_held_out(path) == held_out]
        for folder in (people, backgrounds)
    )
    read = [read_rgb(path) for path in with_people]
    masks = [
        _labelled(path, rgb, labels / _label_name(path, people), network)
        for path, rgb in zip(with_people, read, strict=True)
    ]
    return Labelled(
        np.stack(masks), np.array([rgb.shape[2] == 4 for rgb in read]),
        np.stack([read_rgb(path)[..., :3] for path in without]),
    )  # fmt: skip


def read_rgb(path: Path) -> Pixels:
    """RGB (256, 256, 3), or with transparency (256, 256, 4). Raises `MediaError`."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint8:
        raise MediaError(f"{path} must be a picture of 8 bits that can be decoded")
    to_rgb = {2: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
    channels = 2 if pixels.ndim == 2 else pixels.shape[2]
    return reduced(np.asarray(cv2.cvtColor(pixels, to_rgb[channels]), np.uint8))


def reduced(pixels: Pixels) -> Pixels:
    """Pixels of any size stretched to (256, 256, channels)."""
    return np.asarray(cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def mask_by(network: TfliteSegmenter, rgb: Pixels) -> NDArray[np.float32]:
    """The mask (256, 256) in 0…1 of RGB (256, 256, 3): the mean of the picture and its mirror."""
    image = torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None].float() / 255
    masks = network(image) + network(image.flip(-1)).flip(-1)
    mean: NDArray[np.float32] = (masks[0, 0] / 2).numpy()
    return mean


def _pictures(folder: Path) -> Sequence[Path]:
    found = pictures_in(folder) if folder.is_dir() else []
    if len(found) < 2:
        raise SettingsError(f"a folder with pictures is needed, found {len(found)} in {folder}")
    return found


def _label_name(path: Path, folder: Path) -> str:
    return "-".join(path.relative_to(folder).with_suffix(".png").parts)


def _labelled(path: Path, rgb: Pixels, label: Path, network: TfliteSegmenter | None) -> Pixels:
    """The picture with its mask: its own, the one in the file `label`, or a new one."""
    if rgb.shape[2] == 4:
        return rgb
    if not label.is_file():
        if network is None:
            raise SettingsError(
                f"--teacher is needed to label {path}; it is selfie_segmentation.tflite of the npm "
                "package @mediapipe/selfie_segmentation"
            )
        label.parent.mkdir(parents=True, exist_ok=True)
        _write(label, (mask_by(network, rgb) * 255).round().astype(np.uint8))
    mask: Any = cv2.imread(str(label), cv2.IMREAD_GRAYSCALE)
    return np.dstack([rgb, mask])


def _write(path: Path, mask: Pixels) -> None:
    unfinished = path.with_name(f".{path.name}.tmp.png")
    cv2.imwrite(str(unfinished), mask)
    unfinished.replace(path)

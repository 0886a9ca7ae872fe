"""Training pictures: finding, splitting into training and held-out, and rendering their looks."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from turbolens.filter.networks import Autoencoder

from .references.rendered import LOOKS, photograph

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
HELD_OUT_SHARE = 12  # one picture in 12 is never trained on
RENDERED = ["photograph", *LOOKS]
"""The planes of a rendered picture, in order."""


def pictures_in(folder: Path) -> list[Path]:
    """The pictures below a folder, in an order that depends only on their names."""
    found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES]
    return sorted(found, key=lambda path: _digest(path.relative_to(folder)))


def is_held_out(path: Path) -> bool:
    """True if a picture is never trained on, only used for evaluation."""
    return int(_digest(Path(path.name)), 16) % HELD_OUT_SHARE == 0


def _digest(path: Path) -> str:
    return hashlib.sha256(path.as_posix().encode()).hexdigest()


def read_square(path: Path, size: int) -> Tensor:
    """(3, size, size) uint8: the middle of the picture, its shorter side scaled to `size`."""
    with av.open(str(path)) as container:
        return middle_square(next(container.decode(video=0)), size)


def middle_square(frame: av.VideoFrame, size: int) -> Tensor:
    """(3, size, size) uint8: the middle of the frame, its shorter side scaled to `size`."""
    scale = size / min(frame.width, frame.height)
    width, height = round(frame.width * scale), round(frame.height * scale)
    pixels = frame.reformat(width, height, "rgb24", interpolation="AREA").to_ndarray()
    left, top = (width - size) // 2, max(0, (height - size) // 3)
    return torch.from_numpy(pixels[top : top + size, left : left + size]).permute(2, 0, 1).clone()


def frames_of_clips(folder: Path, size: int, each: int = 1) -> list[Tensor]:
    """`each` frames of every clip in a folder, evenly from its first 50, as `middle_square`."""
    frames = []
    for path in sorted(folder.iterdir()):
        with av.open(str(path)) as container:
            first = list(islice(container.decode(video=0), 50))
        spread = np.linspace(0, len(first) - 1, each).round().astype(int)
        frames += [middle_square(first[index], size) for index in spread]
    return frames


@dataclass(frozen=True)
class Renders:
    """All looks of all pictures: `planes` is (N, looks + 1, 3, size, size) uint8 on disk."""

    planes: NDArray[np.uint8]

    def draw(
        self, generator: torch.Generator, batch: int, size: int, rendered: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Random crops (B, 3, size, size) of −1…1: the photographs, and for each tensor of look
        indices (B,) in `rendered` those looks of the same crops."""
        crops = _crops(self.planes, generator, batch, size, rendered)
        flips = torch.randint(2, (batch,), generator=generator).bool()
        crops[:, flips] = crops[:, flips].flip(-1)
        scaled = crops.float().div_(127.5).sub_(1.0)
        return scaled[0], list(scaled[1:])


@dataclass(frozen=True)
class LatentRenders:
    """The latents of `Renders`: `planes` is (N, looks + 1, channels, h, w) float16."""

    planes: NDArray[np.float16]

    def draw(
        self, generator: torch.Generator, batch: int, size: int, rendered: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Random crops (B, channels, size, size), as `Renders.draw`."""
        crops = _crops(self.planes, generator, batch, size, rendered).float()
        return crops[0], list(crops[1:])


def _crops(
    planes: NDArray[Any], generator: torch.Generator, batch: int, size: int, looks: Sequence[Tensor]
) -> Tensor:
    """(1 + looks, B, channels, size, size): plane 0 and the requested planes of random crops."""
    span = planes.shape[-1] - size + 1
    crops = []
    for row in range(batch):
        which, top, left = (_integer(generator, below) for below in (len(planes), span, span))
        asked = [0, *(int(each[row]) for each in looks)]
        crop = planes[which, asked, :, top : top + size, left : left + size]
        crops.append(torch.from_numpy(np.ascontiguousarray(crop)))
    return torch.stack(crops, 1)


def _integer(generator: torch.Generator, below: int) -> int:
    return int(torch.randint(below, (1,), generator=generator))


def render(pictures: Sequence[Path], out: Path, size: int) -> Iterator[int]:
    """Render every look of every picture into `out`, yielding the number done; resumes."""
    shape = (len(pictures), len(RENDERED), 3, size, size)
    path, progress = out / "renders.npy", out / "renders.json"
    names = [picture.name for picture in pictures]
    done = _rendered(progress, names)
    mode = "r+" if done and path.exists() else "w+"
    planes = np.lib.format.open_memmap(path, mode=mode, dtype=np.uint8, shape=shape)
    for index in range(done, len(pictures)):
        image = read_square(pictures[index], size)[None].float() / 255
        for plane, look in enumerate([photograph, *LOOKS.values()]):
            planes[index, plane] = (look(image)[0].clamp(0, 1) * 255).round().byte().numpy()
        planes.flush()
        temporary = progress.with_suffix(".tmp")
        temporary.write_text(json.dumps({"names": names, "done": index + 1}))
        temporary.replace(progress)
        yield index + 1


def _rendered(progress: Path, names: list[str]) -> int:
    if not progress.exists():
        return 0
    state = json.loads(progress.read_text())
    return int(state["done"]) if state["names"] == names else 0


def open_renders(out: Path) -> Renders:
    """The finished renders in `out`."""
    return Renders(np.lib.format.open_memmap(out / "renders.npy", mode="r"))


@torch.inference_mode()
def encode_renders(vae: Autoencoder, renders: Renders) -> Iterator[NDArray[np.float16]]:
    """Each picture's planes as latents (looks + 1, channels, h, w) float16."""
    for planes in renders.planes:
        images = torch.from_numpy(np.array(planes)).to(vae.device).float().div(127.5).sub(1.0)
        yield vae.encode(images).latents.half().cpu().numpy()


@torch.inference_mode()
def channel_importance(vae: Autoencoder, latents: LatentRenders, step: float = 0.1) -> Tensor:
    """(channels,) root mean square change of the image per change of one latent channel."""
    planes = latents.planes[:8]
    some = torch.from_numpy(np.array(planes[:, 0])).float().to(vae.device)
    before = vae.decode(some).sample
    changes = []
    for channel in range(some.shape[1]):
        moved = some.clone()
        moved[:, channel] += step
        changes.append((vae.decode(moved).sample - before).pow(2).mean().sqrt() / step)
    return torch.stack(changes)

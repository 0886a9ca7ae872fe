"""Pictures with captions: what the student is distilled on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor

from turbolens.filter.errors import MediaError, SettingsError

from .data import is_held_out, pictures_in, read_square

FEWEST_PICTURES = 8
MOST_LOOKS = 64  # more names than this are captions of single pictures, not looks
MARGIN = 8 / 7  # of the size that pictures are kept in, so that crops may move


def captions_of(picture: Path) -> tuple[str, ...]:
    """The captions of a picture: the lines of the .txt file of its name, else its folder's name.

    `rain.txt` beside `rain.jpg` goes first; `oil_painting/rain.jpg` is an "oil painting". Raises
    `MediaError` for a .txt file that is not UTF-8.
    """
    beside = picture.with_suffix(".txt")
    if beside.is_file():
        try:
            lines = [line.strip() for line in beside.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise MediaError(f"{beside} must hold captions in UTF-8: {error}") from error
        if any(lines):
            return tuple(line for line in lines if line)
    return (folder_caption(picture),)


def folder_caption(picture: Path) -> str:
    """The name of the folder that a picture lies in, as words."""
    return " ".join(picture.resolve().parent.name.replace("_", " ").replace("-", " ").split())


@dataclass(frozen=True)
class CaptionedPictures:
    """Pictures (N, 3, side, side) uint8 and the captions of each; crops are `size` pixels."""

    planes: NDArray[np.uint8]
    captions: Sequence[tuple[str, ...]]
    size: int

    def draw(self, generator: torch.Generator, batch: int) -> tuple[Tensor, list[str]]:
        """Random crops, half of them mirrored, (B, 3, size, size) in −1…1, and a caption each."""
        crops, captions = [], []
        for _ in range(batch):
            which = _below(generator, len(self.planes))
            crops.append(self._crop(generator, which))
            own = self.captions[which]
            captions.append(own[_below(generator, len(own))])
        return _as_images(crops), captions

    def draw_like(self, generator: torch.Generator, captions: Sequence[str]) -> Tensor:
        """Random crops of pictures that have these captions, (B, 3, size, size) in −1…1.

        Where no picture has a caption, of any.
        """
        crops = []
        for caption in captions:
            having = [which for which, own in enumerate(self.captions) if caption in own]
            having = having or list(range(len(self.planes)))
            crops.append(self._crop(generator, having[_below(generator, len(having))]))
        return _as_images(crops)

    def _crop(self, generator: torch.Generator, which: int) -> NDArray[np.uint8]:
        span = self.planes.shape[-1] - self.size + 1
        top, left, mirrored = (_below(generator, most) for most in (span, span, 2))
        crop = self.planes[which, :, top : top + self.size, left : left + self.size]
        return np.ascontiguousarray(crop[..., ::-1] if mirrored else crop)

    def images(self, generator: torch.Generator, batch: int) -> Tensor:
        """As `draw`, the pictures alone."""
        return self.draw(generator, batch)[0]


def _as_images(crops: Sequence[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(crops)).float().div_(127.5).sub_(1.0)


def _below(generator: torch.Generator, most: int) -> int:
    return int(torch.randint(most, (1,), generator=generator))


def read_pictures(pictures: Sequence[Path], out: Path, size: int) -> Iterator[int]:
    """Read every picture into `out` once, yielding how many are done; done again where they differ.

    So that training reads no JPEG: at 512 pixels, decoding a batch would take as long as a step.
    """
    side = round(size * MARGIN)
    path, names = out / "pictures.npy", out / "pictures.txt"
    wanted = "\n".join([str(side), *(str(picture.resolve()) for picture in pictures)])
    if path.exists() and names.exists() and names.read_text(encoding="utf-8") == wanted:
        return
    names.unlink(missing_ok=True)
    shape = (len(pictures), 3, side, side)
    planes = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    for index, picture in enumerate(pictures):
        planes[index] = read_square(picture, side).numpy()
        yield index + 1
    planes.flush()
    names.write_text(wanted, encoding="utf-8")  # last: it says that the others are whole


def open_pictures(pictures: Sequence[Path], out: Path, size: int) -> CaptionedPictures:
    """What `read_pictures` has left in `out`, with captions as they are now."""
    planes = np.lib.format.open_memmap(out / "pictures.npy", mode="r")
    return CaptionedPictures(planes, [captions_of(picture) for picture in pictures], size)


def read_captioned(
    progress: Progress, pictures: list[Path], out: Path, side: int
) -> CaptionedPictures:
    task = progress.add_task("reading the pictures", total=len(pictures))
    for done in read_pictures(pictures, out, side):
        progress.update(task, completed=done)
    progress.update(task, completed=len(pictures))
    return open_pictures(pictures, out, side)


def training_pictures(data: Path) -> list[Path]:
    """Those of a folder that are trained on. Raises `SettingsError` where they are too few."""
    found = pictures_in(data) if data.is_dir() else []
    learnt = [path for path in found if not is_held_out(path)]
    if len(learnt) < FEWEST_PICTURES:
        raise SettingsError(
            f"--data must hold at least {FEWEST_PICTURES} pictures (JPEG, PNG, WebP) to train on, "
            f"found {len(learnt)} in {data}"
        )
    return learnt


def look_names(pictures: list[Path]) -> list[str]:
    """The folders' names, where they are what the captions are."""
    names = {
        folder_caption(path) for path in pictures if captions_of(path) == (folder_caption(path),)
    }
    return sorted(names) if len(names) <= MOST_LOOKS else []

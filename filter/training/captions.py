"""Pictures with captions, the training data of distillation and of a teacher."""

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

MIN_PICTURES = 8
MAX_LOOKS = 64  # more names than this are captions of single pictures, not looks
MARGIN = 8 / 7  # stored size over crop size, so that crops vary


def captions_of(picture: Path) -> tuple[str, ...]:
    """The captions of a picture: the lines of the .txt file of its name, or else its folder's name.

    For example the lines of `rain.txt` for `rain.jpg`; without it, "oil painting" for
    `oil_painting/rain.jpg`. Raises `MediaError` for a .txt file that is not UTF-8.
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
    """The name of the picture's folder, with spaces for underscores and hyphens."""
    return " ".join(picture.resolve().parent.name.replace("_", " ").replace("-", " ").split())


@dataclass(frozen=True)
class CaptionedPictures:
    """Pictures (N, 3, side, side) uint8 with the captions of each; crops are `size` pixels."""

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
        """Random crops of pictures with these captions, (B, 3, size, size) in −1…1.

        For a caption that no picture has, any picture is used.
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
        """The same as `draw`, without captions."""
        return self.draw(generator, batch)[0]


def _as_images(crops: Sequence[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(crops)).float().div_(127.5).sub_(1.0)


def _below(generator: torch.Generator, most: int) -> int:
    return int(torch.randint(most, (1,), generator=generator))


def read_pictures(pictures: Sequence[Path], out: Path, size: int) -> Iterator[int]:
    """Decode all pictures into one file in `out`, yielding the number done; reused if unchanged.

    Decoding a batch of 512-pixel JPEGs in each step would take as long as the step.
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
    names.write_text(wanted, encoding="utf-8")  # last: it marks the pictures as complete


def open_pictures(pictures: Sequence[Path], out: Path, size: int) -> CaptionedPictures:
    """Open the result of `read_pictures` in `out`, with the current captions."""
    planes = np.lib.format.open_memmap(out / "pictures.npy", mode="r")
    return CaptionedPictures(planes, [captions_of(picture) for picture in pictures], size)


def read_captioned(
    progress: Progress, pictures: list[Path], out: Path, side: int
) -> CaptionedPictures:
    """Run `read_pictures` with a progress bar, and open the result."""
    task = progress.add_task("reading the pictures", total=len(pictures))
    for done in read_pictures(pictures, out, side):
        progress.update(task, completed=done)
    progress.update(task, completed=len(pictures))
    return open_pictures(pictures, out, side)


def training_pictures(data: Path) -> list[Path]:
    """The pictures of a folder that are not held out. Raises `SettingsError` if too few."""
    found = pictures_in(data) if data.is_dir() else []
    pictures = [path for path in found if not is_held_out(path)]
    if len(pictures) < MIN_PICTURES:
        raise SettingsError(
            f"--data must hold at least {MIN_PICTURES} pictures (JPEG, PNG, WebP) to train on, "
            f"found {len(pictures)} in {data}"
        )
    return pictures


def look_names(pictures: list[Path]) -> list[str]:
    """The names of the folders that serve as captions; none if there are more than `MAX_LOOKS`."""
    names = {
        folder_caption(path) for path in pictures if captions_of(path) == (folder_caption(path),)
    }
    return sorted(names) if len(names) <= MAX_LOOKS else []

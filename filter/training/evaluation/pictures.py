"""What a model is measured on: held-out photographs, real works, frames of clips, and pans."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from turbolens.filter.training.data import frames_of_clips, is_held_out, pictures_in, read_square
from turbolens.filter.training.materials import MATERIALS
from turbolens.filter.training.references.rendered import LOOKS, Look
from turbolens.filter.training.references.works import held_out_works, training_works

from .filtered import SIZE
from .motion import FRAMES, STEP

RENDERERS: dict[str, Look] = {**LOOKS, **MATERIALS}
_WIDE = SIZE + STEP * (FRAMES - 1)  # the width that a pan needs


@dataclass(frozen=True)
class Collections:
    """Folders. photographs, art: with `is_held_out` and `works.WORKS` as their split; clips."""

    photographs: Path
    art: Path
    clips: Path | None = None

    def held_out(self, count: int) -> list[Tensor]:
        """Photographs that training never uses, (3, SIZE, SIZE) in 0…1."""
        return [_square(path, SIZE) for path in self._photographs(held_out=True)[:count]]

    def wide(self, count: int) -> list[Tensor]:
        """The same, (3, SIZE, wider), for pans: the middle rows of a larger square."""
        top = (_WIDE - SIZE) // 2
        paths = self._photographs(held_out=True)[:count]
        return [_square(path, _WIDE)[:, top : top + SIZE] for path in paths]

    def clip_frames(self, each: int) -> list[Tensor]:
        """Frames of all clips, (3, SIZE, SIZE) in 0…1; of photographs if there are no clips."""
        if self.clips is None:
            return self.held_out(each * 8)
        return [frame.float() / 255 for frame in frames_of_clips(self.clips, SIZE, each)]

    def works(self, look: str, count: int) -> tuple[list[Tensor], bool]:
        """What a look is compared with, and whether these are real works.

        Without a held-out work in `art`: renderings of other held-out photographs; none if the look
        has no renderer either.
        """
        paths = held_out_works(look, self.art)
        if paths:
            return [_square(path, SIZE) for path in paths[:count]], True
        if look not in RENDERERS:
            return [], False
        others = self._photographs(held_out=True)[-count:]
        return _rendered(look, others), False

    def examples(self, looks: Sequence[str], count: int) -> dict[str, list[Tensor]]:
        """Images of each look to train a classifier on: real works and renderings, none held out.

        The photographs themselves are the class "photograph".
        """
        paths = self._photographs(held_out=False)[:count]
        found = {"photograph": [_square(path, SIZE) for path in paths]}
        for look in looks:
            works = [crop for path in training_works(look, self.art) for crop in _crops(path)]
            found[look] = works + (_rendered(look, paths) if look in RENDERERS else [])
        return {look: images for look, images in found.items() if images}

    def _photographs(self, *, held_out: bool) -> list[Path]:
        found = [p for p in pictures_in(self.photographs) if is_held_out(p) == held_out]
        if not found:
            raise ValueError(f"--data must hold photographs, none found below {self.photographs}")
        return found


def _rendered(look: str, paths: Sequence[Path]) -> list[Tensor]:
    return [RENDERERS[look](_square(path, SIZE)[None])[0].clamp(0, 1) for path in paths]


def _square(path: Path, size: int) -> Tensor:
    return read_square(path, size).float() / 255


def _crops(path: Path) -> list[Tensor]:
    """A work whole, and its four corners at one and a half times the size."""
    large = _square(path, SIZE * 3 // 2)
    half = SIZE // 2
    corners = [large[:, y : y + SIZE, x : x + SIZE] for y in (0, half) for x in (0, half)]
    return [_square(path, SIZE), *corners]

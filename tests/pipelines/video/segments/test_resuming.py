"""An interrupted run goes on after its last finished segment."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.pipelines.conftest import invert
from turbolens.filter import MediaError
from turbolens.pipelines.video.segments.parts import Parts
from turbolens.pipelines.video.writer import Encoding

from .films import (
    CUTS,
    FAILURE,
    FRAMES,
    SEAMS,
    content_of,
    make_film,
    parts_of,
    pictures_of,
    psnr,
    run,
)


class Counting:
    """Inverts frames and counts them. fails_at: the frame at which it fails."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.frames, self._fails_at = 0, fails_at

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        if self.frames == self._fails_at:
            raise MediaError("out of ideas")
        self.frames += 1
        return invert(frame)


def interrupted(film: Path, target: Path, **properties: Any) -> str:
    """Run until frame `FAILURE`, in the last of four segments. Returns the error."""
    with pytest.raises(MediaError) as caught:
        run(film, target, Counting(FAILURE), **properties)
    assert not target.exists()
    assert parts_of(target) == ["00000.packets", "00001.packets", "00002.packets", "lock",
                                "manifest.json"]  # fmt: skip
    return str(caught.value)


def test_a_run_goes_on_after_the_last_finished_segment(film: Path, tmp_path: Path) -> None:
    run(film, tmp_path / "whole.mkv", invert)
    error = interrupted(film, tmp_path / "out.mkv")
    assert error.startswith(f"out of ideas; {SEAMS[-1]} frames ")
    assert "are kept in" in error
    rest = Counting()
    report = run(film, tmp_path / "out.mkv", rest)
    assert report.frames == FRAMES
    assert rest.frames == FRAMES - report.resumed
    assert report.resumed == SEAMS[-1]
    assert report.notices[0].startswith(f"going on after {report.resumed} frames, finished in ")
    assert content_of(tmp_path / "out.mkv") == content_of(tmp_path / "whole.mkv")
    assert parts_of(tmp_path / "out.mkv") == []


def test_a_part_of_an_input_goes_on_too(film: Path, tmp_path: Path) -> None:
    part: dict[str, Any] = {"start": Fraction(1, 2), "duration": Fraction(7)}
    run(film, tmp_path / "whole.mkv", invert, **part)
    with pytest.raises(MediaError, match="are kept in"):
        run(film, tmp_path / "out.mkv", Counting(300), **part)
    assert run(film, tmp_path / "out.mkv", invert, **part).resumed > 0
    assert content_of(tmp_path / "out.mkv") == content_of(tmp_path / "whole.mkv")


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("film.avi", "mpeg4"),
        ("film.ts", "libx264"),
        ("film.mp4", "libx264"),
        ("film.mp4", "libx265"),
    ],
)
def test_inputs_of_other_containers_go_on_as_well(tmp_path: Path, name: str, codec: str) -> None:
    film = make_film(tmp_path / name, codec=codec)
    run(film, tmp_path / "whole.mkv", invert)
    interrupted(film, tmp_path / "out.mkv")
    assert run(film, tmp_path / "out.mkv", invert).resumed == SEAMS[-1]
    assert content_of(tmp_path / "out.mkv") == content_of(tmp_path / "whole.mkv")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"identity": {"prompt": "neon"}}, "prompt"),
        ({"encoding": Encoding(codec="ffv1", format_name="matroska")}, "format name"),
        ({"start": Fraction(1, 25)}, "start"),
    ],
)
def test_other_settings_begin_anew_and_say_so(
    film: Path, tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    interrupted(film, tmp_path / "out.mkv", identity={"prompt": "comic"})
    again = Counting()
    report = run(film, tmp_path / "out.mkv", again, **{"identity": {"prompt": "comic"}, **changes})
    assert (report.resumed, again.frames) == (0, report.frames)
    assert report.notices[0].endswith(f".parts was made with another {named}: beginning anew")


def test_an_input_that_has_changed_begins_anew(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv")
    interrupted(film, tmp_path / "out.mkv")
    content = bytearray(film.read_bytes())
    content[-1] ^= 1
    film.write_bytes(content)
    report = run(film, tmp_path / "out.mkv", invert)
    assert report.resumed == 0
    assert "made with another input" in report.notices[0]


def test_a_run_can_be_told_to_begin_anew(film: Path, tmp_path: Path) -> None:
    interrupted(film, tmp_path / "out.mkv")
    assert run(film, tmp_path / "out.mkv", invert, resume=False).resumed == 0


@pytest.mark.parametrize("damage", ["changed", "cut", "missing", "manifest"])
def test_a_damaged_segment_is_made_again(film: Path, tmp_path: Path, damage: str) -> None:
    run(film, tmp_path / "whole.mkv", invert)
    interrupted(film, tmp_path / "out.mkv")
    path = tmp_path / "out.mkv.parts" / "00001.packets"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    if damage == "missing":
        path.unlink()
    elif damage == "manifest":
        path.with_name("manifest.json").write_bytes(b'{"version": 1, "segments": [')
    else:
        path.write_bytes(content[: 1000 if damage == "cut" else None])
    report = run(film, tmp_path / "out.mkv", invert)
    assert report.resumed == (0 if damage == "manifest" else CUTS[0])
    assert content_of(tmp_path / "out.mkv") == content_of(tmp_path / "whole.mkv")


def test_two_runs_do_not_write_the_same_output(film: Path, tmp_path: Path) -> None:
    parts = Parts(tmp_path / "out.mkv", {}, notify=lambda _: None)
    with pytest.raises(MediaError, match="another turbolens is making it"):
        run(film, tmp_path / "out.mkv", invert)
    parts.close()
    assert run(film, tmp_path / "out.mkv", invert).frames == FRAMES


class Fading:
    """Blends each result with the one before, as a filter with a memory does."""

    def __init__(self) -> None:
        self._past: Any = None
        self.frames = 0

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        self.frames += 1
        pixels = frame.to_ndarray(format="rgb24").astype(float)
        self._past = pixels if self._past is None else 0.9 * self._past + 0.1 * pixels
        return av.VideoFrame.from_ndarray(self._past.round().astype(np.uint8), format="rgb24")


def test_a_run_up_hides_the_seam(film: Path, tmp_path: Path) -> None:
    run(film, tmp_path / "whole.mkv", Fading())
    expected = pictures_of(tmp_path / "whole.mkv")

    def worst(name: str, run_up: int) -> tuple[float, int]:
        class Failing(Fading):
            def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
                if self.frames == FAILURE:
                    raise MediaError("out of ideas")
                return super().__call__(frame)

        target, rest = tmp_path / name, Fading()
        with pytest.raises(MediaError, match="are kept in"):
            run(film, target, Failing(), run_up=run_up)
        report = run(film, target, rest, run_up=run_up)
        pairs = zip(expected, pictures_of(target), strict=True)
        return min(psnr(*pair) for pair in pairs), rest.frames - (FRAMES - report.resumed)

    assert worst("without.mkv", 0)[0] < 40
    quality, frames = worst("with.mkv", 40)
    assert quality >= 40
    assert frames == 41  # the batch that ends at the seam may be one frame of the next segment

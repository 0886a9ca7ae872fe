"""`turbolens video --region` with the network in the package, from a file to a file."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from turbolens.filter.region.finder import PersonFinder
from turbolens.pipelines.cli import app as cli
from turbolens.pipelines.scene.frames import TestScene

Array = NDArray[np.uint8]
FIRST, FRAMES = 40, 4
MARGIN = 9  # pixels at both sides of the figure's edge that are not looked at


def scene() -> Iterator[tuple[Array, NDArray[np.float32]]]:
    """Pictures of the test scene with the exact masks of its figure."""
    whole = TestScene(320, 180, seed=7)
    for index in range(FIRST, FIRST + FRAMES):
        yield whole[index].picture, whole[index].person


@pytest.fixture
def filtered(tmp_path: Path) -> Callable[..., list[Array]]:
    """Runs `turbolens video` over the scene with these options; the frames of the result."""
    clip, target = tmp_path / "clip.mkv", tmp_path / "result.mkv"
    with av.open(str(clip), "w") as output:
        stream = output.add_stream("ffv1", rate=25, width=320, height=180)
        stream.codec_context.pix_fmt = "yuv420p"
        for number, (picture, _) in enumerate(scene()):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())

    def run(*options: str) -> list[Array]:
        arguments = [
            "video", clip, target, "--overwrite", "--codec", "ffv1", "--size", "128", "--prompt",
            "pop art", "--strength", "0.9", "--texture", "0", *options,
        ]  # fmt: skip
        cli.app([str(each) for each in arguments], standalone_mode=False)
        return decoded(target)

    return run


def decoded(path: Path) -> list[Array]:
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [np.asarray(each.to_ndarray(format="rgb24"), np.uint8) for each in frames]


def inside(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask without its edge."""
    block = np.ones((2 * MARGIN + 1, 2 * MARGIN + 1), np.uint8)
    return cv2.erode(mask.astype(np.uint8), block).astype(bool)


@pytest.mark.slow
def test_only_the_background_is_restyled(
    filtered: Callable[..., list[Array]], tmp_path: Path
) -> None:
    whole, part = filtered(), filtered("--region", "background")
    masks, given = [person for _, person in scene()], decoded(tmp_path / "clip.mkv")
    for picture, person, styled, composed in zip(given, masks, whole, part, strict=True):
        room, figure = inside(person < 0.5), inside(person > 0.5)
        kept = np.abs(composed.astype(int) - picture).max(-1)
        assert (kept[figure] <= 4).mean() > 0.97
        assert (np.abs(composed.astype(int) - styled).max(-1)[room] <= 4).mean() > 0.99
        assert kept[room].mean() > 20


@pytest.mark.slow
def test_nothing_of_the_room_is_seen_around_a_person(filtered: Callable[..., list[Array]]) -> None:
    frames = filtered("--region", "person", "--outside", "#00ff00")
    for (_, person), composed in zip(scene(), frames, strict=True):
        green = np.abs(composed.astype(int) - (0, 255, 0)).max(-1) <= 4
        assert green[inside(person < 0.5)].mean() > 0.99
        assert green[inside(person > 0.5)].mean() < 0.03


@pytest.mark.slow
def test_where_the_network_is_unsure_the_whole_frame_is_restyled(
    filtered: Callable[..., list[Array]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = filtered()
    find = PersonFinder.__call__
    calls: list[int] = []

    def doubtful(self: PersonFinder, rgb: Array) -> NDArray[np.float32]:
        calls.append(1)
        mask = find(self, rgb)
        return mask * np.float32(0.7) if len(calls) == 2 else mask

    monkeypatch.setattr(PersonFinder, "__call__", doubtful)
    part = filtered("--region", "background")
    assert [np.array_equal(*each) for each in zip(whole, part, strict=True)] == [
        False, True, False, False
    ]  # fmt: skip

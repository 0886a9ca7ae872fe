"""A video that is made in segments equals the one that is made in one piece."""

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tests.pipelines.conftest import MakeClip, invert, packets_of, times_of
from turbolens.pipelines.video.writer import Encoding

from .films import (
    FRAMES,
    SAME,
    SEAMS,
    key_frames_of,
    make_film,
    parts_of,
    pictures_of,
    psnr,
    run,
    streams_of,
)


def assert_equal(one_piece: Path, segmented: Path, *, decibels: float = SAME) -> None:
    assert times_of(segmented) == times_of(one_piece)
    assert streams_of(segmented) == streams_of(one_piece)
    for kind in ("audio", "subtitle"):
        assert packets_of(segmented, kind) == packets_of(one_piece, kind)
    pairs = zip(pictures_of(one_piece), pictures_of(segmented), strict=True)
    assert min(psnr(*pair) for pair in pairs) >= decibels


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "codec", "crf"),
    [
        ("out.mp4", "h264", 8), ("out.mkv", "h264", 8), ("out.ts", "h264", 8),
        ("out.flv", "h264", 8), ("out.nut", "h264", 8), ("out.mp4", "hevc", 8),
        ("out.ts", "hevc", 8), ("out.mp4", "av1", 1), ("out.webm", "vp9", 1),
        ("out.mov", "prores", None), ("out.mkv", "ffv1", None),
    ],
)  # fmt: skip
def test_every_codec_and_container_holds_the_same(
    film: Path, tmp_path: Path, name: str, codec: Any, crf: int | None
) -> None:
    one, target = tmp_path / f"one-{name}", tmp_path / name
    encoding = Encoding(codec=codec, crf=crf)
    run(film, one, invert, whole=True, encoding=encoding)
    report = run(film, target, invert, encoding=encoding)
    assert (report.frames, report.resumed) == (FRAMES, 0)
    assert_equal(one, target, decibels=SAME if crf is None else 40)
    assert {0, *SEAMS} <= set(key_frames_of(target))
    assert parts_of(target) == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")
@pytest.mark.parametrize(
    ("name", "codec"), [("o.mp4", "h264"), ("o.ts", "h264"), ("o.mp4", "hevc")]
)
def test_ffmpeg_plays_the_joined_file_without_a_warning(
    film: Path, tmp_path: Path, name: str, codec: Any
) -> None:
    run(film, tmp_path / name, invert, encoding=Encoding(codec=codec))
    command = ["ffmpeg", "-v", "warning", "-i", str(tmp_path / name), "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stderr == ""


def test_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    pts = [index * 8 + (index % 7) + (300 if index > 240 else 0) for index in range(FRAMES)]
    film = make_film(tmp_path / "film.mkv", pts=pts)
    run(film, tmp_path / "out.mkv", invert)
    assert times_of(tmp_path / "out.mkv") == times_of(film)


def test_start_and_duration_are_those_of_one_piece(film: Path, tmp_path: Path) -> None:
    part: dict[str, Any] = {"start": Fraction(1), "duration": Fraction(13, 2)}
    run(film, tmp_path / "one.mkv", invert, whole=True, **part)
    run(film, tmp_path / "out.mkv", invert, **part)
    assert_equal(tmp_path / "one.mkv", tmp_path / "out.mkv")


def test_the_alpha_channel_of_vp9_is_kept(clip: MakeClip, tmp_path: Path) -> None:
    source = clip("a.mkv", pts=range(200), codec="ffv1", pixel_format="yuva420p")
    run(source, tmp_path / "one.webm", invert, whole=True, encoding=Encoding())
    run(source, tmp_path / "out.webm", invert, encoding=Encoding())

    def alpha(path: Path) -> list[bytes]:
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        with av.open(str(path)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
            return [
                bytes(frame.planes[3]) for packet in packets for frame in decoder.decode(packet)
            ]

    assert alpha(tmp_path / "out.webm") == alpha(tmp_path / "one.webm")
    assert len(alpha(tmp_path / "out.webm")) == 200


def test_a_rotated_film_with_cover_and_chapters_has_the_same_header(
    clip: MakeClip, tmp_path: Path
) -> None:
    chapters = [{"id": 1, "start": 0, "end": 3000, "time_base": Fraction(1, 1000),
                 "metadata": {"title": "one"}}]  # fmt: skip
    source = clip(
        "a.mp4", pts=range(200), rotation=90, chapters=chapters, metadata={"title": "film"}
    )
    for name, whole in (("one.mp4", True), ("out.mp4", False)):
        run(source, tmp_path / name, invert, whole=whole, encoding=Encoding())
    with av.open(str(tmp_path / "one.mp4")) as one, av.open(str(tmp_path / "out.mp4")) as out:
        assert out.metadata == one.metadata
        assert out.chapters() == one.chapters()
        assert out.streams.video[0].metadata == one.streams.video[0].metadata
        assert (out.streams.video[0].width, out.streams.video[0].height) == (48, 64)


def test_a_short_film_has_no_folder_of_segments(clip: MakeClip, tmp_path: Path) -> None:
    seen: set[str] = set()

    def looking(frame: av.VideoFrame) -> av.VideoFrame:
        seen.update(path.name for path in tmp_path.iterdir() if path.is_dir())
        return frame

    run(clip(pts=range(149)), tmp_path / "out.mkv", looking)  # below three segments
    assert seen == set()
    run(clip("b.mp4", pts=range(150)), tmp_path / "b-out.mkv", looking)
    assert seen == {"b-out.mkv.parts"}


def test_what_shows_both_pictures_stays_in_one_piece(film: Path, tmp_path: Path) -> None:
    seen: set[str] = set()

    def looking(frame: av.VideoFrame) -> av.VideoFrame:
        seen.update(path.name for path in tmp_path.iterdir() if path.is_dir())
        return frame

    run(film, tmp_path / "a.mkv", looking, compare=True)
    run(film, tmp_path / "b.mkv", looking, sheet=2)
    run(film, tmp_path / "c.mkv", looking, run_up=None)
    assert seen == set()

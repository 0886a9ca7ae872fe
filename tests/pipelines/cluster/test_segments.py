"""Segments that are cut, packed, encoded apart and joined again, without Ray."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.conftest import write_clip
from tests.pipelines.video.segments.films import (
    FRAMES,
    SEAMS,
    content_of,
    key_frames_of,
    make_film,
    parts_of,
    pictures_of,
    psnr,
    run,
)
from turbolens.filter import MediaError
from turbolens.pipelines.cluster.worker import SegmentWorker

from .filters import Fading, Inverting, Make, planned, run_tasks, store_all


@pytest.fixture(scope="module")
def expected(film: Path) -> list[Any]:
    """The contents of the film's output from one machine, in segments."""
    target = film.with_name("expected.mkv")
    run(film, target, Inverting())
    return content_of(target)


def test_the_result_equals_that_of_one_machine(
    film: Path, expected: list[Any], tmp_path: Path
) -> None:
    report = run_tasks(film, tmp_path / "out.mkv", Make(run_up=10))
    assert report.frames == FRAMES
    assert content_of(tmp_path / "out.mkv") == expected
    assert {0, *SEAMS} <= set(key_frames_of(tmp_path / "out.mkv"))
    assert parts_of(tmp_path / "out.mkv") == []


@pytest.mark.parametrize(
    ("name", "codec"),
    [("film.mp4", "libx264"), ("film.mp4", "libx265"), ("film.ts", "libx264"), ("f.avi", "mpeg4")],
)
def test_other_containers_and_codecs(tmp_path: Path, name: str, codec: str) -> None:
    film = make_film(tmp_path / name, codec=codec)
    run(film, tmp_path / "whole.mkv", Inverting(), whole=name == "f.avi")
    run_tasks(film, tmp_path / "out.mkv", Make(run_up=10))
    assert content_of(tmp_path / "out.mkv") == content_of(tmp_path / "whole.mkv")


def ffmpeg(*arguments: object) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)  # noqa: S603, S607


def _interlaced(film: Path, path: Path) -> Path:
    ffmpeg("-i", film, "-vf", "setfield=tff", "-flags", "+ildct+ilme", "-c:v", "mpeg2video",
           "-q:v", 2, "-c:a", "copy", path.with_suffix(".ts"))  # fmt: skip
    return path.with_suffix(".ts")


def _with_an_edit_list(film: Path, path: Path) -> Path:
    """An MP4 that hides its first frames, up to a frame that is no key frame."""
    whole = path.with_name("whole.mp4")
    ffmpeg("-i", film, "-map", "0:v", "-map", "0:a", "-c:v", "libx264", "-g", 24, whole)
    ffmpeg("-ss", 0.3, "-i", whole, "-c", "copy", path.with_suffix(".mp4"))
    return path.with_suffix(".mp4")


def _rotated(film: Path, path: Path) -> Path:
    return write_clip(path.with_suffix(".mp4"), pts=range(200), rotation=90)


def _palette(film: Path, path: Path) -> Path:
    return write_clip(path.with_suffix(".mov"), pts=range(200), codec="qtrle", pixel_format="rgb24")


@pytest.mark.slow
@pytest.mark.parametrize("make", [_interlaced, _with_an_edit_list, _rotated, _palette])
def test_files_that_need_more_than_decoding(
    film: Path, tmp_path: Path, make: Callable[[Path, Path], Path]
) -> None:
    source = make(film, tmp_path / "in")
    run(source, tmp_path / "whole.mkv", Inverting())
    run_tasks(source, tmp_path / "out.mkv", Make(run_up=10))
    assert content_of(tmp_path / "out.mkv") == content_of(tmp_path / "whole.mkv")


def test_a_part_of_a_file(film: Path, tmp_path: Path) -> None:
    part: dict[str, Any] = {"start": Fraction(1, 2), "duration": Fraction(7)}
    run(film, tmp_path / "whole.mkv", Inverting(), **part)
    run_tasks(film, tmp_path / "out.mkv", Make(run_up=10), **part)
    assert content_of(tmp_path / "out.mkv") == content_of(tmp_path / "whole.mkv")


def test_segments_may_be_finished_in_any_order(
    film: Path, expected: list[Any], tmp_path: Path
) -> None:
    run_tasks(film, tmp_path / "out.mkv", Make(run_up=10), shuffled=True)
    assert content_of(tmp_path / "out.mkv") == expected


def test_a_run_goes_on_with_the_segments_that_are_missing(
    film: Path, expected: list[Any], tmp_path: Path
) -> None:
    target, worker = tmp_path / "out.mkv", SegmentWorker(Make(run_up=10))
    file, tasks, _ = planned(film, target, Make(run_up=10))
    store_all(file, worker, [tasks[0], tasks[1], tasks[3]])  # the first frame, segments 1 and 3
    file.close()
    assert parts_of(target) == ["00000.packets", "00002.packets", "lock", "manifest.json"]
    again, rest, _ = planned(film, target, Make(run_up=10))
    assert [task.planned.index for task in rest if task.planned] == [1, 3]
    assert again.resumed == SEAMS[0] + SEAMS[2] - SEAMS[1]
    store_all(again, worker, rest)
    again.finish()
    assert content_of(target) == expected


def test_one_machine_goes_on_where_a_cluster_has_stopped(
    film: Path, expected: list[Any], tmp_path: Path
) -> None:
    target = tmp_path / "out.mkv"
    file, tasks, _ = planned(film, target, Make(run_up=10))
    store_all(file, SegmentWorker(Make()), [tasks[0], tasks[1], tasks[3]])
    file.close()
    report = run(film, target, Inverting())
    assert report.resumed == SEAMS[0]
    assert content_of(target) == expected


def test_a_parcel_survives_the_way_to_another_process(film: Path, tmp_path: Path) -> None:
    file, tasks, _ = planned(film, tmp_path / "out.mkv", Make(run_up=10))
    parcel = pickle.loads(pickle.dumps(tasks[2].parcel))  # noqa: S301 - our own
    assert parcel == tasks[2].parcel
    assert len(parcel.packets) < film.stat().st_size / 2  # only what the segment needs
    file.close()


def test_a_run_up_hides_the_seams(film: Path, tmp_path: Path) -> None:
    run(film, tmp_path / "whole.mkv", Fading(), whole=True)
    expected = pictures_of(tmp_path / "whole.mkv")

    def worst(name: str, run_up: int) -> float:
        run_tasks(film, tmp_path / name, Make(Fading(), run_up))
        pairs = zip(expected, pictures_of(tmp_path / name), strict=True)
        return min(psnr(*pair) for pair in pairs)

    assert worst("without.mkv", 1) < 40
    assert worst("with.mkv", 40) >= 40


def test_a_still_scene_gets_a_longer_run_up(tmp_path: Path) -> None:
    """The frames of the usual run-up repeat one another, so that they do not count."""
    shown = [*range(60), *[60] * 90, *range(61, 311)]
    film = make_film(tmp_path / "still.mkv", shown=shown)
    run(film, tmp_path / "whole.mkv", Fading(), whole=True)
    run_tasks(film, tmp_path / "out.mkv", Make(Fading(), 40))
    pairs = zip(pictures_of(tmp_path / "whole.mkv"), pictures_of(tmp_path / "out.mkv"), strict=True)
    assert min(psnr(*pair) for pair in pairs) >= 40


def test_a_short_file_is_one_segment(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", audio=["aac"])
    file, tasks, _ = planned(clip, tmp_path / "out.mkv", Make())
    assert len(tasks) == 1
    file.close()
    run(clip, tmp_path / "whole.mkv", Inverting(), whole=True)
    run_tasks(clip, tmp_path / "out.mkv", Make())
    assert content_of(tmp_path / "out.mkv") == content_of(tmp_path / "whole.mkv")


def test_what_is_no_video_file_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"makes video files; filter test-scene without --cluster"):
        planned(Path("test-scene"), tmp_path / "out.mkv", Make(), duration=Fraction(1))


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tests.pipelines.cluster.filters import Make, run_tasks
from turbolens.filter import MediaError
film, target, size = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
try:
    run_tasks(film, target, Make(run_up=10))
except MediaError as error:
    sys.exit(str(error))
"""


def with_a_full_disk(film: Path, target: Path, size: int) -> str:
    """Run the tasks with files of at most so many bytes. Returns the error."""
    command = [sys.executable, "-c", FULL_DISK, film, target, size]
    done = subprocess.run(  # noqa: S603
        list(map(str, command)), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    return done.stderr.strip()


@pytest.mark.slow
def test_a_full_disk_of_the_driver_keeps_what_is_finished(
    film: Path, expected: list[Any], tmp_path: Path
) -> None:
    target = tmp_path / "out.mkv"
    size = film.with_name("expected.mkv").stat().st_size // 2  # of a segment, not of the output
    assert with_a_full_disk(film, target, size).startswith(f"cannot write {target}: ")
    assert parts_of(target) == [*(f"0000{each}.packets" for each in range(4)), "lock",
                                "manifest.json"]  # fmt: skip
    assert not target.exists()
    file, tasks, _ = planned(film, target, Make(run_up=10))
    assert (tasks, file.resumed) == ([], FRAMES)
    file.finish()
    file.close()
    assert content_of(target) == expected


@pytest.mark.slow
def test_a_disk_of_the_driver_that_is_full_at_once_leaves_no_output(
    film: Path, expected: list[Any], tmp_path: Path
) -> None:
    target = tmp_path / "out.mkv"
    assert with_a_full_disk(film, target, 1000).startswith(f"cannot write {target}.parts: ")
    assert not target.exists()
    run_tasks(film, target, Make(run_up=10))
    assert content_of(target) == expected

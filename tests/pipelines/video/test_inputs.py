"""Inputs as recorders, phones and broadcasters write them, checked with `ffprobe`."""

import json
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.pipelines.conftest import MakeClip, times_of
from turbolens.filter.errors import MediaError
from turbolens.pipelines.video.job import VideoOptions, filter_video
from turbolens.pipelines.video.writer import Encoding

from .made_files import ffmpeg, packed_bitstream, with_clean_aperture, with_element

pytestmark = pytest.mark.skipif(
    shutil.which("ffmpeg") is None and "CI" not in os.environ, reason="needs the program ffmpeg"
)

SOURCE = "testsrc2=s=160x120:r=25:d=2"
PIXEL_CROP_BOTTOM = b"\x54\xaa\x81\x10"  # 16 lines
VIDEO_OF_A_TRACK = [b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\xae", b"\xe0"]


def same(frame: av.VideoFrame) -> av.VideoFrame:
    return frame


def make(folder: Path, name: str, *encoding: str, source: str = SOURCE) -> Path:
    ffmpeg(folder, "-f", "lavfi", "-i", source, *encoding, name)
    return folder / name


def ffprobe(path: Path, *options: str) -> Any:
    command = ["ffprobe", "-v", "error", "-of", "json", *options, f"file:{path}"]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)  # noqa: S603


def streams_of(path: Path) -> list[Any]:
    found: list[Any] = ffprobe(path, "-show_streams")["streams"]
    return found


def best_effort_times(path: Path) -> list[Fraction]:
    """By ffprobe, where it knows; it leaves out what FFmpeg flushes at the end."""
    frames = ffprobe(path, "-select_streams", "v", "-show_entries",
                     "frame=best_effort_timestamp_time")["frames"]  # fmt: skip
    return [Fraction(frame["best_effort_timestamp_time"]) for frame in frames
            if "best_effort_timestamp_time" in frame]  # fmt: skip


def size_of(path: Path) -> tuple[int, int]:
    video = streams_of(path)[0]
    return video["width"], video["height"]


def rgb_frames(path: Path) -> Any:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("in.avi", "rawvideo"), ("zmbv.avi", "zmbv"), ("png.mov", "png"), ("in.nut", "rawvideo")],
)
def test_video_with_a_palette_keeps_its_colours(tmp_path: Path, name: str, encoding: str) -> None:
    source = make(tmp_path, name, "-pix_fmt", "pal8", "-c:v", encoding, source=f"{SOURCE[:-1]}1")
    report = filter_video(str(source), str(tmp_path / "out.mp4"), same)
    before, after = rgb_frames(source).astype(int), rgb_frames(tmp_path / "out.mp4").astype(int)
    assert report.frames == len(after) == 25
    assert report.notices == ()
    assert np.abs(before - after).mean() < 20


def test_an_opaque_gif_gives_no_notice_of_transparency(tmp_path: Path) -> None:
    source = make(tmp_path, "in.gif", source="testsrc2=s=64x48:r=10:d=1")
    report = filter_video(str(source), str(tmp_path / "out.mp4"), same)
    assert (report.frames, report.notices) == (10, ())


@pytest.mark.parametrize("codec", ["libx265", "libx264", "ffv1"])
def test_ten_bits_become_eight_where_the_encoder_has_no_ten(tmp_path: Path, codec: str) -> None:
    source = make(tmp_path, "in.mkv", "-pix_fmt", "yuv420p10le", "-c:v", codec)
    report = filter_video(str(source), str(tmp_path / "out.webm"), same)
    assert report.frames == 50
    encoder = av.Codec("libvpx-vp9", "w").video_formats or []
    deep = any(known.name == "yuv420p10le" for known in encoder)
    assert streams_of(tmp_path / "out.webm")[0]["pix_fmt"] == ("yuv420p10le" if deep else "yuv420p")


@pytest.mark.parametrize("arguments", [(), ("-aspect", "16:9")])
def test_what_matroska_crops_is_no_part_of_the_picture(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    source = make(tmp_path, "in.mkv", "-c:v", "libx264", "-bf", "0", *arguments)
    source.write_bytes(with_element(source.read_bytes(), VIDEO_OF_A_TRACK, PIXEL_CROP_BOTTOM))
    report = filter_video(str(source), str(tmp_path / "out.mp4"), same)
    before, after = rgb_frames(source).astype(int), rgb_frames(tmp_path / "out.mp4").astype(int)
    assert size_of(tmp_path / "out.mp4") == (160, 104)
    assert np.abs(before[:, :104] - after).mean() < 6
    assert "cropped to 160×104" in report.notices[0]


def test_what_mp4_crops_is_no_part_of_the_picture(tmp_path: Path) -> None:
    source = make(tmp_path, "in.mp4", "-c:v", "libx264")
    cropped = with_clean_aperture(source.read_bytes(), width=140, height=100)
    source.write_bytes(cropped)
    filter_video(str(source), str(tmp_path / "out.mp4"), same)
    before, after = rgb_frames(source).astype(int), rgb_frames(tmp_path / "out.mp4").astype(int)
    assert size_of(tmp_path / "out.mp4") == (140, 100)
    assert np.abs(before[:, 10:110, 10:150] - after).mean() < 6


def captioned(folder: Path) -> Path:
    """H.264 with one closed caption in each picture (SEI of ATSC A/53)."""
    stream = make(folder, "a.h264", "-c:v", "libx264", "-bf", "0", "-x264-params", "aud=1")
    body = b"\xb5\0\x31GA94\3\x41\xff\xfc\xc1\xe1\xff"
    result = b""
    for index, unit in enumerate(stream.read_bytes().split(b"\0\0\1")):
        if index and unit[0] & 31 in (1, 5):
            result += b"\0\0\0\1\6\4" + bytes([len(body)]) + body + b"\x80"
        result += (b"\0\0\0\1" if index else b"") + unit.rstrip(b"\0")
    (folder / "b.h264").write_bytes(result)
    ffmpeg(folder, "-r", "25", "-i", "b.h264", "-c", "copy", "in.mp4")
    return folder / "in.mp4"


def captions_of(path: Path) -> int:
    frames = ffprobe(path, "-show_entries", "frame_side_data=side_data_type")["frames"]
    kinds = [data["side_data_type"] for frame in frames for data in frame.get("side_data_list", [])]
    return sum("Closed Captions" in kind for kind in kinds)


@pytest.mark.parametrize(("codec", "kept"), [("h264", 50), ("hevc", 50), ("vp9", 0)])
def test_closed_captions_are_kept_or_said_to_be_lost(tmp_path: Path, codec: Any, kept: int) -> None:
    options = VideoOptions(encoding=Encoding(codec=codec))
    report = filter_video(str(captioned(tmp_path)), str(tmp_path / "out.mkv"), same, options)
    assert captions_of(tmp_path / "out.mkv") == kept
    assert any("closed captions are left out" in text for text in report.notices) == (not kept)


@pytest.mark.parametrize("encoding", [("libx264", "-bf", "3"), ("mpeg4", "-bf", "2"), ("mjpeg",)])
@pytest.mark.parametrize("joined", [False, True])
def test_frames_of_avi_have_the_best_effort_times_of_ffmpeg(
    tmp_path: Path, encoding: tuple[str, ...], joined: bool
) -> None:
    source = make(tmp_path, "in.avi", "-c:v", *encoding)
    if joined:
        source.write_bytes(source.read_bytes() * 2)
    filter_video(str(source), str(tmp_path / "out.mkv"), same)
    before, after = best_effort_times(source), best_effort_times(tmp_path / "out.mkv")
    assert len(after) == (100 if joined else 50)
    assert all(abs(a - b) <= Fraction(1, 1000) for a, b in zip(before, after, strict=False))


def test_a_packed_bitstream_of_avi_has_the_best_effort_times_of_ffmpeg(tmp_path: Path) -> None:
    source = packed_bitstream(
        make(tmp_path, "in.avi", "-c:v", "mpeg4", "-bf", "2"), tmp_path / "packed.avi"
    )
    filter_video(str(source), str(tmp_path / "out.mkv"), same)
    before, after = best_effort_times(source), best_effort_times(tmp_path / "out.mkv")
    assert len(after) == 50
    assert all(abs(a - b) <= Fraction(1, 1000) for a, b in zip(before, after, strict=False))


def with_cover(folder: Path, name: str) -> Path:
    ffmpeg(folder, "-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", "c.jpg")
    make(folder, "a.mp4", "-c:v", "libx264")
    if name.endswith(".mkv"):
        ffmpeg(folder, "-i", "a.mp4", "-attach", "c.jpg", "-metadata:s:t", "mimetype=image/jpeg",
               "-c", "copy", name)  # fmt: skip
    else:
        ffmpeg(folder, "-i", "a.mp4", "-i", "c.jpg", "-map", "1", "-map", "0", "-c", "copy",
               "-disposition:v:0", "attached_pic", name)  # fmt: skip
    return folder / name


@pytest.mark.parametrize("source", ["in.mp4", "in.mkv"])
@pytest.mark.parametrize("target", ["out.mp4", "out.mkv"])
def test_cover_art_stays_an_attached_picture(tmp_path: Path, source: str, target: str) -> None:
    path = with_cover(tmp_path, source)
    report = filter_video(str(path), str(tmp_path / target), same)
    covers = [each["disposition"]["attached_pic"] for each in streams_of(tmp_path / target)]
    assert (report.frames, sorted(covers), report.notices) == (50, [0, 1], ())
    with av.open(str(tmp_path / target)) as container:
        cover = next(stream for stream in container.streams if stream.disposition & 1024)
        packet = next(each for each in container.demux() if each.stream is cover)
    assert bytes(packet) == (tmp_path / "c.jpg").read_bytes()


@pytest.mark.parametrize("name", ["webm", "mov"])
def test_cover_art_that_the_container_cannot_hold_is_a_notice(tmp_path: Path, name: str) -> None:
    source = with_cover(tmp_path, "in.mp4")
    report = filter_video(str(source), str(tmp_path / f"out.{name}"), same)
    assert f"cover art) is left out: {name} cannot hold it" in report.notices[0]


def test_an_audio_stream_without_a_decoder_is_left_out(tmp_path: Path) -> None:
    ffmpeg(tmp_path, "-f", "lavfi", "-i", SOURCE, "-f", "lavfi", "-i", "sine=440:d=2",
           "-map", "0", "-map", "1", "-map", "1", "-c:v", "libx264", "-c:a:0", "aac",
           "-c:a:1", "pcm_s16le", "in.mov")  # fmt: skip
    source = tmp_path / "in.mov"
    source.write_bytes(source.read_bytes().replace(b"sowt", b"apac"))
    report = filter_video(str(source), str(tmp_path / "out.mp4"), same)
    assert report.frames == 50
    assert [each["codec_name"] for each in streams_of(tmp_path / "out.mp4")] == ["h264", "aac"]
    assert any(text.startswith("stream 2 (audio unknown) is left out") for text in report.notices)


def test_a_name_with_a_colon_is_a_file(clip: MakeClip, tmp_path: Path) -> None:
    clip("2026-01-01T12:30:00.mp4")
    names = [str(tmp_path / "2026-01-01T12:30:00.mp4"), str(tmp_path / "2026-01-01T12:30:01.mp4")]
    filter_video(names[0], names[1], same)
    assert times_of(Path(f"file:{names[1]}")) == times_of(Path(f"file:{names[0]}"))


def test_a_relative_name_with_a_colon_is_a_file(
    clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip("12:30.mp4")
    monkeypatch.chdir(tmp_path)
    report = filter_video("12:30.mp4", "12:31.mp4", same)
    assert report.frames == 12
    assert (tmp_path / "12:31.mp4").exists()


def test_an_image_with_a_colon_in_its_name_is_filtered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "./12:30.png", "-frames:v", "1")
    monkeypatch.chdir(tmp_path)
    assert filter_video("12:30.png", "12:31.png", same).frames == 1


def test_an_mp4_with_its_index_at_the_end_is_refused_from_a_pipe(tmp_path: Path) -> None:
    source = make(tmp_path, "in.mp4", "-c:v", "libx264", "-crf", "5")
    body = ("import sys; from turbolens.filter import MediaError\n"
            "from turbolens.pipelines.video.job import filter_video\n"
            "try: filter_video('-', sys.argv[1], lambda frame: frame)\n"
            "except MediaError as error: sys.exit(str(error))")  # fmt: skip
    with subprocess.Popen(["cat", str(source)], stdout=subprocess.PIPE) as cat:  # noqa: S603, S607
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", body, str(tmp_path / "out.mp4")],
            stdin=cat.stdout, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "index is at the end" in done.stderr
    assert "+faststart" in done.stderr
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (VideoOptions(start=Fraction(100)), r"no frame after 100 s .*the input lasts 0.48 s"),
        (VideoOptions(start=Fraction(1, 10), duration=Fraction(1, 1000)),
         r"no frame between 0.1 and 0.101 s .*a frame lasts 0.04 s"),
    ],
)  # fmt: skip
def test_a_span_without_a_frame_is_said_in_times(
    clip: MakeClip, tmp_path: Path, options: VideoOptions, message: str
) -> None:
    with pytest.raises(MediaError, match=message):
        filter_video(str(clip()), str(tmp_path / "out.mp4"), same, options)


def test_the_av1_encoder_writes_nothing_to_the_terminal(
    clip: MakeClip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = VideoOptions(encoding=Encoding(codec="av1"))
    filter_video(str(clip()), str(tmp_path / "out.mkv"), same, options)
    assert capfd.readouterr() == ("", "")

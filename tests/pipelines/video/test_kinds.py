"""Every kind of video file keeps its frames, their exact times and its other streams."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.pipelines.conftest import MakeClip, invert, packets_of, times_of
from turbolens.pipelines.streams.endpoints import input_endpoint, output_endpoint
from turbolens.pipelines.streams.filter_stream import filter_stream
from turbolens.pipelines.video.encoders.choice import (
    CODECS,
    EncoderChoice,
    has_encoder,
    pixel_format,
)
from turbolens.pipelines.video.job import VideoOptions, filter_video
from turbolens.pipelines.video.media import MediaOptions, open_reader
from turbolens.pipelines.video.writer import Encoding

from .multiview import write_multiview

VFR = (0, 100, 130, 400, 405, 900)
MILLISECONDS = Fraction(1, 1000)
HEVC_10: dict[str, Any] = {
    "codec": "libx265",
    "pixel_format": "yuv420p10le",
    "options": {"x265-params": "log-level=none"},
}
CHAPTER = {"id": 1, "start": 0, "end": 200, "time_base": MILLISECONDS, "metadata": {"title": "one"}}


@pytest.mark.parametrize("name", [name for each in CODECS.values() for name in each.hardware])
def test_hardware_encoders_get_a_pixel_format_that_they_accept(name: str) -> None:
    """Compared with FFmpeg's own list, if this build has the encoder."""
    frame = av.VideoFrame(64, 64, "yuv420p")
    codec: Any = name.partition("_")[0]
    chosen = pixel_format(EncoderChoice(codec, name, {}), frame)
    assert chosen == ("nv12" if name.endswith("_qsv") else "yuv420p")
    if has_encoder(name) and (formats := av.Codec(name, "w").video_formats):
        assert chosen in [each.name for each in formats]


def test_an_unknown_encoder_is_not_available() -> None:
    assert has_encoder("libx264")
    assert not has_encoder("no_such_encoder")


def video_stream(path: Path) -> Any:
    return av.open(str(path)).streams.video[0]


def frames_of(path: Path) -> list[av.VideoFrame]:
    reader = open_reader(str(path), MediaOptions(), print)
    return [item for item in reader if isinstance(item, av.VideoFrame)]


def first_frame(path: Path) -> Any:
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("constant.mp4", {}),
        ("variable.mp4", {"pts": VFR, "time_base": MILLISECONDS}),
        ("variable.mkv", {"pts": VFR, "time_base": MILLISECONDS}),
        ("ntsc.mp4", {"pts": [i * 1001 for i in range(8)], "time_base": Fraction(1, 30000)}),
        ("starts-late.mp4", {"pts": [50, 51, 52, 53]}),
        ("starts-late.ts", {"pts": [50, 51, 52, 53]}),
        ("full-colour.mp4", {"pixel_format": "yuv444p"}),
        ("odd.mp4", {"pixel_format": "yuv444p", "size": (65, 47)}),
        ("ten-bit.mkv", HEVC_10),
        ("interlaced.mp4", {"options": {"x264-params": "tff=1"}}),
        ("rotated.mp4", {"rotation": 90}),
        ("transparent.webm", {"codec": "libvpx-vp9", "pixel_format": "yuva420p"}),
        ("without-b-frames.mp4", {"options": {"bf": "0"}}),
    ],
)
def test_every_frame_keeps_its_exact_time(
    clip: MakeClip, tmp_path: Path, name: str, properties: dict[str, Any]
) -> None:
    source, target = clip(name, **properties), tmp_path / f"out-{name}"
    report = filter_video(str(source), str(target), invert)
    assert times_of(target) == times_of(source)
    assert report.frames == len(times_of(source))
    assert report.damaged == 0


def test_a_frame_lasts_until_the_next(clip: MakeClip) -> None:
    source = clip("a.mkv", pts=VFR, time_base=MILLISECONDS)
    frames = frames_of(source)
    assert [frame.duration for frame in frames[:-1]] == [100, 30, 270, 5, 495]


def test_a_rotated_video_comes_out_upright(clip: MakeClip, tmp_path: Path) -> None:
    source, target = clip(rotation=90, size=(64, 48)), tmp_path / "out.mp4"
    filter_video(str(source), str(target), lambda frame: frame)
    before, after = first_frame(source), first_frame(target)
    assert (after.width, after.height, after.rotation) == (48, 64, 0)
    # PyAV's matrix rotates anticlockwise; so must the pixels.
    expected = np.rot90(before.to_ndarray(format="rgb24"), 1).astype(int)
    assert abs(after.to_ndarray(format="rgb24").astype(int) - expected).mean() < 4


def test_rotation_inverts_the_pixel_aspect_ratio(clip: MakeClip, tmp_path: Path) -> None:
    source = clip(rotation=90, tags={"sample_aspect_ratio": Fraction(4, 3)})
    filter_video(str(source), str(tmp_path / "out.mp4"), invert)
    assert video_stream(tmp_path / "out.mp4").sample_aspect_ratio == Fraction(3, 4)


def test_interlaced_frames_come_out_progressive(clip: MakeClip, tmp_path: Path) -> None:
    source = clip(options={"x264-params": "tff=1"})
    assert first_frame(source).interlaced_frame
    filter_video(str(source), str(tmp_path / "out.mp4"), invert)
    assert not first_frame(tmp_path / "out.mp4").interlaced_frame


@pytest.mark.slow
def test_high_dynamic_range_is_mapped_to_standard(clip: MakeClip, tmp_path: Path) -> None:
    tags = {"color_trc": 16, "color_primaries": 9, "colorspace": 9}
    source = clip("hdr.mkv", **HEVC_10, tags=tags, pts=range(3))
    report = filter_video(str(source), str(tmp_path / "out.mp4"), invert)
    frame = first_frame(tmp_path / "out.mp4")
    assert (frame.color_trc, frame.color_primaries, frame.colorspace) == (1, 1, 1)
    assert "tone-mapped" in report.notices[0]


def test_pixel_aspect_ratio_and_colour_tags_are_kept(clip: MakeClip, tmp_path: Path) -> None:
    tags = {"sample_aspect_ratio": Fraction(4, 3), "colorspace": 6, "color_range": 1,
            "color_primaries": 6, "color_trc": 6}  # fmt: skip
    filter_video(str(clip(tags=tags)), str(tmp_path / "out.mp4"), invert)
    assert video_stream(tmp_path / "out.mp4").sample_aspect_ratio == Fraction(4, 3)
    frame = first_frame(tmp_path / "out.mp4")
    assert (frame.colorspace, frame.color_range, frame.color_trc) == (6, 1, 6)


def test_ten_bits_are_kept_if_the_codec_has_them(clip: MakeClip, tmp_path: Path) -> None:
    options = VideoOptions(encoding=Encoding(codec="hevc"))
    filter_video(str(clip(**HEVC_10)), str(tmp_path / "out.mp4"), invert, options)
    assert first_frame(tmp_path / "out.mp4").format.name == "yuv420p10le"


def test_transparency_is_kept_in_webm(clip: MakeClip, tmp_path: Path) -> None:
    source = clip("a.webm", codec="libvpx-vp9", pixel_format="yuva420p")
    filter_video(str(source), str(tmp_path / "out.webm"), invert)
    assert {frame.format.name for frame in frames_of(tmp_path / "out.webm")} == {"yuva420p"}


def test_lost_transparency_is_a_notice(clip: MakeClip, tmp_path: Path) -> None:
    source = clip("a.webm", codec="libvpx-vp9", pixel_format="yuva420p")
    report = filter_video(str(source), str(tmp_path / "out.mp4"), invert)
    assert "transparency is left out" in report.notices[0]


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9", "prores", "ffv1"])
def test_every_codec_writes_all_frames(clip: MakeClip, tmp_path: Path, codec: Any) -> None:
    target = tmp_path / "out.mov" if codec == "prores" else tmp_path / "out.mkv"
    options = VideoOptions(encoding=Encoding(codec=codec))
    filter_video(str(clip("a.mkv", pts=range(5))), str(target), invert, options)
    assert len(times_of(target)) == 5


def test_audio_and_subtitles_are_copied_byte_for_byte(clip: MakeClip, tmp_path: Path) -> None:
    source = clip(
        "many.mkv", audio=["aac", "libopus"], subtitles=[(100, 200, "Hello")],
        chapters=[CHAPTER], metadata={"title": "A title"},
    )  # fmt: skip
    target = tmp_path / "out.mkv"
    report = filter_video(str(source), str(target), invert)
    for kind in ("audio", "subtitle"):
        assert packets_of(source, kind) == packets_of(target, kind) != []
    with av.open(str(target)) as container:
        assert container.metadata["title"] == "A title"
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["one"]
    assert report.notices == ()


def test_audio_is_copied_into_another_container(clip: MakeClip, tmp_path: Path) -> None:
    source = clip("a.mp4", audio=["aac"])
    filter_video(str(source), str(tmp_path / "out.mov"), invert)
    before, after = packets_of(source, "audio"), packets_of(tmp_path / "out.mov", "audio")
    assert before == after != []


def test_streams_that_the_container_cannot_hold_are_converted_with_a_notice(
    clip: MakeClip, tmp_path: Path
) -> None:
    source = clip("a.mkv", audio=["aac"], subtitles=[(100, 200, "Hello")])
    report = filter_video(str(source), str(tmp_path / "out.webm"), invert)
    with av.open(str(tmp_path / "out.webm")) as container:
        names = [stream.codec_context.name for stream in container.streams]
    assert names == ["vp9", "opus", "webvtt"]
    assert [text.split()[4:7] for text in report.notices] == [["is", "converted", "to"]] * 2


def test_converted_audio_has_the_same_length(clip: MakeClip, tmp_path: Path) -> None:
    source = clip("a.mkv", audio=["aac"])
    filter_video(str(source), str(tmp_path / "out.webm"), invert)

    def samples(path: Path) -> int:
        with av.open(str(path)) as container:
            return sum(frame.samples for frame in container.decode(audio=0))

    assert abs(samples(source) - samples(tmp_path / "out.webm")) < 2048


NARROW = """
import sys
from turbolens.pipelines.video.job import VideoOptions, filter_video
from turbolens.pipelines.video.writer import Encoding
from tests.pipelines.conftest import invert
filter_video(sys.argv[1], sys.argv[2], invert, VideoOptions(encoding=Encoding(codec="hevc")))
"""


@pytest.mark.slow
def test_narrow_hevc_does_not_damage_memory(clip: MakeClip, tmp_path: Path) -> None:
    """With glibc's check of the heap, where there is one; without it the program often crashes."""
    checked = {"LD_PRELOAD": "libc_malloc_debug.so.0", "MALLOC_CHECK_": "3"}
    source, target = clip(size=(48, 16), pts=range(8)), tmp_path / "out.mkv"
    command = [sys.executable, "-c", NARROW, str(source), str(target)]
    subprocess.run(command, env={**os.environ, **checked}, check=True, timeout=60)  # noqa: S603
    assert times_of(target) == times_of(source)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "ts"])
def test_the_first_view_of_a_multiview_video_is_filtered(tmp_path: Path, suffix: str) -> None:
    """FFmpeg gives each frame the number of its view, in side data that PyAV does not know."""
    source, target = write_multiview(tmp_path / f"in.{suffix}"), tmp_path / "out.mkv"
    with av.open(str(source)) as container, pytest.raises(ValueError, match="29 is not a valid"):
        next(container.decode(video=0)).side_data.keys()
    report = filter_video(str(source), str(target), invert)
    assert report.frames == 50
    assert not report.notices
    times = times_of(target)
    assert [float(time - times[0]) for time in times] == pytest.approx(
        [index / 25 for index in range(50)], abs=0.002
    )


@pytest.mark.slow
def test_the_first_view_of_a_multiview_video_is_streamed(tmp_path: Path) -> None:
    source, target = write_multiview(tmp_path / "in.mp4"), tmp_path / "out.mkv"
    filter_stream(input_endpoint(str(source)), output_endpoint(str(target)), invert)
    assert times_of(target)

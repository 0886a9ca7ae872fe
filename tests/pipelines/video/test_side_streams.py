"""A stream beside the video never ends the job: it is copied, converted, or left out in words."""

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.pipelines.conftest import MakeClip, packets_of, times_of
from turbolens.filter import MediaError
from turbolens.pipelines.video.job import VideoOptions, filter_video
from turbolens.pipelines.video.report import VideoReport
from turbolens.pipelines.video.writer import Encoding

from .ffmpeg import (
    H264,
    STYLED,
    SUBTITLES,
    TONE,
    VIDEO,
    changed_packets,
    codecs_of,
    ffmpeg,
    ffprobe,
    subtitle_cues,
    subtitle_starts,
)

FAST = VideoOptions(encoding=Encoding(preset="8"))  # VP9's `cpu-used`


def same(frame: av.VideoFrame) -> av.VideoFrame:
    return frame


def filtered(source: Path, target: Path, options: VideoOptions | None = None) -> VideoReport:
    return filter_video(str(source), str(target), same, options)


def notice_of(report: VideoReport, *words: str) -> bool:
    """True if exactly one notice has all these words."""
    return sum(all(word in notice for word in words) for notice in report.notices) == 1


@pytest.mark.parametrize("suffix", ["mp4", "webm", "mkv"])
def test_attached_fonts_are_left_out_where_they_cannot_be_held(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "s.ass").write_text(STYLED)
    (tmp_path / "f.ttf").write_bytes(bytes(range(256)) * 10)
    source = ffmpeg(
        tmp_path / "in.mkv", *VIDEO, *TONE, "-i", "s.ass", *H264, "-c:a", "aac", "-c:s", "ass",
        "-attach", "f.ttf", "-metadata:s:t", "mimetype=application/x-truetype-font",
    )  # fmt: skip
    target = tmp_path / f"out.{suffix}"
    report = filtered(source, target, FAST if suffix == "webm" else None)
    kept = suffix == "mkv"
    assert report.frames == 50
    assert (codecs_of(target)[-1] == "attachment") == kept
    assert notice_of(report, "(attachment", "left out", suffix) != kept
    assert len(packets_of(target, "subtitle")) >= 3
    first, _, third = subtitle_starts(source)
    second = first + 0.6 if suffix == "mp4" else first  # they are shown together until then
    assert subtitle_starts(target) == pytest.approx([first, second, third], abs=0.002)


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16le"])
def test_pcm_audio_without_a_channel_layout_is_converted(tmp_path: Path, codec: str) -> None:
    source = ffmpeg(tmp_path / "in.avi", *VIDEO, *TONE, "-ac", "2", "-c:v", "mjpeg", "-c:a", codec)
    report = filtered(source, tmp_path / "out.mp4")
    assert report.frames == 50
    assert codecs_of(tmp_path / "out.mp4") == ["h264", "aac"]
    assert notice_of(report, "stream 1", codec, "converted to aac")


def test_a_layout_that_the_encoder_lacks_keeps_its_channels(tmp_path: Path) -> None:
    source = ffmpeg(tmp_path / "in.mkv", *VIDEO, *TONE, "-af",
                    "aformat=channel_layouts=5.1(side)", *H264, "-c:a", "ac3")  # fmt: skip
    report = filtered(source, tmp_path / "out.webm", FAST)
    assert ffprobe(tmp_path / "out.webm", "a", "stream=codec_name,channels") == ["opus|6"]
    assert notice_of(report, "ac3", "converted to libopus")


def without_audio(source: Path, target: Path) -> Path:
    """MPEG-TS whose table lists an audio stream that has no packets."""
    content = source.read_bytes()
    packets = [content[at : at + 188] for at in range(0, len(content), 188)]
    target.write_bytes(b"".join(
        each for each in packets if (each[1] & 31) << 8 | each[2] != 0x101
    ))  # fmt: skip
    return target


@pytest.mark.parametrize("suffix", ["mp4", "ts", "mkv"])
def test_audio_that_never_comes_is_left_out(tmp_path: Path, suffix: str) -> None:
    whole = ffmpeg(tmp_path / "whole.ts", *VIDEO, *TONE, *H264, "-c:a", "aac")
    source, target = without_audio(whole, tmp_path / "in.ts"), tmp_path / f"out.{suffix}"
    report = filtered(source, target)
    assert report.frames == len(times_of(target)) == 50
    assert codecs_of(target) == ["h264"]
    assert notice_of(report, "stream 1 (audio aac)", "left out")


def test_audio_that_begins_late_is_found(tmp_path: Path) -> None:
    source = ffmpeg(
        tmp_path / "in.ts", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=15", "-itsoffset", "12",
        *TONE, "-map", "0", "-map", "1", *H264, "-c:a", "aac",
    )  # fmt: skip
    with av.open(str(source)) as container:
        assert container.streams.audio[0].rate == 0
    assert filtered(source, tmp_path / "out.mp4").frames == 150
    before, after = packets_of(source, "audio"), packets_of(tmp_path / "out.mp4", "audio")
    times = [float(time) for _, time, _ in after]
    assert len(after) == len(before) > 90
    assert max(b - a for a, b in itertools.pairwise(times)) < 0.03


KINDS = {
    "a.wmv": ("-c:v", "wmv2", "-c:a", "wmav2"),
    "a.mxf": ("-c:v", "mpeg2video", "-c:a", "pcm_s24le"),
    "a.mov": ("-c:v", "prores_ks", "-pix_fmt", "yuv422p10le", "-c:a", "pcm_s16be",
              "-timecode", "01:00:00:00"),
    "a.flv": ("-c:v", "flv", "-ar", "22050", "-c:a", "nellymoser"),
    "truehd.mkv": (*H264, "-ac", "2", "-c:a", "truehd", "-strict", "-2"),
    "dts.mkv": (*H264, "-c:a", "dca", "-strict", "-2"),
    "adpcm.avi": (*H264, "-c:a", "adpcm_ms"),
    "mulaw.mov": (*H264, "-ar", "8000", "-c:a", "pcm_mulaw"),
    "flac.mkv": (*H264, "-ar", "192000", "-c:a", "flac"),
    "vorbis.mkv": (*H264, "-ac", "2", "-c:a", "vorbis", "-strict", "-2"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "ts", "flv"])
@pytest.mark.parametrize("name", KINDS)
def test_audio_of_any_codec_comes_out_readable(tmp_path: Path, name: str, suffix: str) -> None:
    source, target = ffmpeg(tmp_path / name, *VIDEO, *TONE, *KINDS[name]), tmp_path / f"o.{suffix}"
    report = filtered(source, target)
    assert report.frames == len(ffprobe(target, "v:0", "frame=pts")) >= 49
    [duration] = ffprobe(ffmpeg(tmp_path / "o.wav", "-i", str(target)), "a", "stream=duration")
    assert float(duration) == pytest.approx(2, abs=0.2)
    entries = "stream=codec_name"  # a set, because streams of MPEG-TS are listed twice
    copied = set(ffprobe(source, "a", entries)) == set(ffprobe(target, "a", entries))
    assert copied != notice_of(report, "(audio", "is converted to")


def test_24_bit_pcm_does_not_become_noise_in_mp4(tmp_path: Path) -> None:
    source = ffmpeg(tmp_path / "a.mov", *VIDEO, *TONE, *H264, "-c:a", "pcm_s24le")
    report = filtered(source, tmp_path / "out.mp4")
    assert notice_of(report, "pcm_s24le", "converted to aac")
    assert filtered(source, tmp_path / "out.mov").notices == ()


def test_mpeg_ts_gets_only_what_players_read(tmp_path: Path) -> None:
    (tmp_path / "s.srt").write_text(SUBTITLES)
    source = ffmpeg(tmp_path / "in.mkv", *VIDEO, *TONE, "-i", "s.srt", *H264, "-c:a", "flac")
    report = filtered(source, tmp_path / "out.ts")
    assert codecs_of(tmp_path / "out.ts") == ["h264", "aac"]
    assert notice_of(report, "stream 1 (audio flac)", "converted to aac")
    assert notice_of(report, "stream 2 (subtitle", "left out")


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.ts", "vp9"), ("a.ts", "av1"), ("a.ts", "ffv1"), ("a.webm", "h264"), ("a.mp4", "prores")],
)
def test_a_codec_that_the_container_lacks_is_refused_before_any_work(
    clip: MakeClip, tmp_path: Path, name: str, codec: str
) -> None:
    options = VideoOptions(encoding=Encoding(codec=codec))  # type: ignore[arg-type]
    with pytest.raises(MediaError, match=f"cannot hold {codec}"):
        filtered(clip(), tmp_path / name, options)
    assert not (tmp_path / name).exists()


def test_overlapping_subtitles_begin_on_time_in_mp4(tmp_path: Path) -> None:
    (tmp_path / "s.srt").write_text(SUBTITLES)
    source = ffmpeg(tmp_path / "in.mkv", *VIDEO, "-i", "s.srt", *H264, "-c:s", "srt")
    filtered(source, tmp_path / "out.mp4")
    assert subtitle_starts(tmp_path / "out.mp4") == [0.2, 0.5, 1.6]


@pytest.mark.parametrize(
    ("subtitles", "shown"),
    [
        (
            ["0.200 1.000 one", "0.200 0.800 two, at once", "1.200 1.900 three"],
            ["0,200 --> 0,800 one/two, at once", "0,800 --> 1,000 one", "1,200 --> 1,900 three"],
        ),
        (
            ["0.200 1.000 one", "0.200 1.000 two", "0.600 0.900 three"],
            ["0,200 --> 0,600 one/two", "0,600 --> 0,900 three"],
        ),
        (["0.200 0.800 one", "0.200 0.800 two"], ["0,200 --> 0,800 one/two"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("codec", ["srt", "ass"])
def test_subtitles_that_begin_together_are_shown_together_in_mp4(
    tmp_path: Path, subtitles: list[str], shown: list[str], codec: str
) -> None:
    cues = []
    for number, (start, end, text) in enumerate((line.split(maxsplit=2) for line in subtitles), 1):
        cues.append(f"{number}\n00:00:0{start} --> 00:00:0{end}\n{text}\n".replace(".", ","))
    (tmp_path / "s.srt").write_text("\n".join(cues))
    source = ffmpeg(tmp_path / "in.mkv", *VIDEO, "-i", "s.srt", *H264, "-c:s", codec)
    filtered(source, tmp_path / "out.mp4")
    assert subtitle_cues(tmp_path / "out.mp4") == shown


@pytest.mark.parametrize("suffix", ["mov", "mp4", "mkv"])
def test_a_time_code_that_is_kept_gives_no_line(tmp_path: Path, suffix: str) -> None:
    source = ffmpeg(tmp_path / "in.mov", *VIDEO, *H264, "-timecode", "01:00:00:00")
    report = filtered(source, tmp_path / f"out.{suffix}")
    assert not report.notices
    with av.open(str(tmp_path / f"out.{suffix}")) as container:
        tags = {**container.metadata, **container.streams.video[0].metadata}
    assert {key.lower(): value for key, value in tags.items()}["timecode"] == "01:00:00:00"


def test_a_time_code_that_the_container_refuses_is_left_out(tmp_path: Path) -> None:
    """WMV counts milliseconds, and MOV has no time code at 1000 frames per second."""
    source = ffmpeg(
        tmp_path / "in.wmv", *VIDEO, "-frames:v", "1", "-c:v", "wmv2", "-timecode", "10:00:00:00"
    )
    report = filtered(source, tmp_path / "out.mov")
    assert len(times_of(tmp_path / "out.mov")) == report.frames == 1
    assert notice_of(report, "the time code is left out", "1000")


def test_damaged_packets_of_converted_audio_are_counted(tmp_path: Path) -> None:
    whole = ffmpeg(tmp_path / "whole.mkv", *VIDEO, *TONE, *H264, "-c:a", "flac")
    with av.open(str(whole)) as container:
        packets = [bytes(each) for each in container.demux(audio=0) if each.size]
    content = whole.read_bytes()
    for packet in packets[3:6]:
        content = content.replace(packet, b"\0" * len(packet))
    (tmp_path / "in.mkv").write_bytes(content)
    report = filtered(tmp_path / "in.mkv", tmp_path / "out.webm", FAST)
    assert notice_of(report, "stream 1 (audio flac)", "3 packets")
    [samples] = ffprobe(
        ffmpeg(tmp_path / "o.wav", "-i", str(tmp_path / "out.webm")), "a", "stream=duration"
    )
    assert float(samples) == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("damaged", [slice(5, 8), slice(-3, None)], ids=["middle", "end"])
def test_damaged_packets_that_a_muxer_refuses_are_left_out(tmp_path: Path, damaged: slice) -> None:
    whole = ffmpeg(tmp_path / "whole.mkv", *VIDEO, *TONE, *H264, "-c:a", "eac3")
    with av.open(str(whole)) as container:
        packets = [bytes(each) for each in container.demux(audio=0) if each.size]
    content = whole.read_bytes()
    for packet in packets[damaged]:
        content = content.replace(packet, b"\xff" * len(packet))
    (tmp_path / "in.mkv").write_bytes(content)
    report = filtered(tmp_path / "in.mkv", tmp_path / "out.mp4")
    assert len(times_of(tmp_path / "out.mp4")) == report.frames == 50
    assert len(packets_of(tmp_path / "out.mp4", "audio")) == len(packets) - 3
    assert notice_of(report, "stream 1 (audio eac3): 3 packets could not be written")


def test_the_filtered_stream_keeps_its_marks(tmp_path: Path) -> None:
    source = ffmpeg(
        tmp_path / "in.mkv", *VIDEO, *VIDEO, *TONE, "-map", "0", "-map", "1", "-map", "2", *H264,
        "-disposition:v:0", "0", "-disposition:v:1", "default+original",
    )  # fmt: skip
    filtered(source, tmp_path / "out.mkv")
    entries = "stream_disposition=default,original"
    marks = ffprobe(tmp_path / "out.mkv", "v", entries)
    assert marks == ffprobe(source, "v", entries) == ["0|0", "1|1"]


def test_a_gap_in_converted_audio_is_filled_with_silence(tmp_path: Path) -> None:
    beep = "aevalsrc='0.5*sin(6283*t)*between(t,3,3.2)':s=48000:d=5"
    whole = ffmpeg(tmp_path / "whole.mkv", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=5",
                   "-f", "lavfi", "-i", beep, *H264, "-c:a", "aac")  # fmt: skip
    source = changed_packets(
        whole, tmp_path / "in.mkv", lambda packet, _: not 1 <= packet.pts * packet.time_base < 2
    )
    filtered(source, tmp_path / "out.webm", FAST)
    assert beep_start(tmp_path / "out.webm") == pytest.approx(3, abs=0.05)


def beep_start(path: Path) -> float:
    """The time of the first loud sample in seconds."""
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()).max(axis=0) > 0.1)
            if len(loud):
                return float(frame.time or 0) + int(loud[0]) / frame.sample_rate
    raise AssertionError("there is no loud sample")


@pytest.mark.parametrize("suffix", ["mov", "mkv"])
def test_the_time_code_belongs_to_the_first_frame_that_is_kept(tmp_path: Path, suffix: str) -> None:
    source = ffmpeg(tmp_path / f"in.{suffix}", *VIDEO, *H264, "-timecode", "01:00:00:00")
    filtered(source, tmp_path / f"out.{suffix}", VideoOptions(start=Fraction(1)))
    with av.open(str(tmp_path / f"out.{suffix}")) as container:
        tags = {**container.metadata, **container.streams.video[0].metadata}
    assert {key.lower(): value for key, value in tags.items()}["timecode"] == "01:00:01:00"

"""The command line: its output, exit codes and files."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pytest

from tests.pipelines.conftest import started
from tests.pipelines.video.ffmpeg import ffmpeg
from turbolens.filter import FilterSettings
from turbolens.pipelines.cli import app as cli
from turbolens.pipelines.cli.options.filter import ELSEWHERE
from turbolens.pipelines.model_choice import parse_prompt

COMMAND = [sys.executable, "-m", "turbolens"]
UNFILTERED = ["--no-enabled"]  # the whole command, but frames pass unfiltered


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def turbolens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Result]:
    """Runs the command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "_exit", sys.exit)  # how the command ends while a thread runs torch
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call(*arguments: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["turbolens", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for thread in threading.enumerate():
            if thread.name == "load model":
                thread.join()  # else it would disturb the next test
        return Result(int(ended.value.code or 0), *capsys.readouterr())

    return call


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """12 frames of 64×48 at 12 frames per second."""
    return make_clip(tmp_path / "clip.mp4")


def make_clip(path: Path, frames: int = 12, size: tuple[int, int] = (64, 48)) -> Path:
    with av.open(path, "w") as output:
        stream: Any = output.add_stream("libx264", rate=12, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(frames):
            pixels = np.full((size[1], size[0], 3), 20 * (index % 12), np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        output.mux(stream.encode(None))
    return path


def times_of(path: Path) -> list[Fraction]:
    with av.open(path) as container:
        return [(frame.pts or 0) * Fraction(frame.time_base or 1)
                for frame in container.decode(video=0)]  # fmt: skip


def one_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("turbolens: ")
    return lines[0]


def test_help_names_every_setting_with_its_range_and_choices(
    turbolens: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")  # narrower terminals fold the list of choices
    code, out, _ = turbolens("video", "--help")
    assert code == 0
    for name in set(FilterSettings.model_fields) - ELSEWHERE:
        assert f"--{name.replace('_', '-')}" in out
    assert "0.0<=x<=1.0" in out
    assert "stretch|contain|cover" in out


def test_version(turbolens: Any) -> None:
    assert turbolens("--version").out.startswith("turbolens 0.")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--strength", "1.3"], "--strength"),
        (["--strength", "much"], "--strength"),
        (["--fit", "squeeze"], "stretch"),
        (["--steps", "9"], "--steps"),
        (["--blend-after", "1.0"], "blend_after"),
        (["--batch", "none"], "auto or a number"),
        (["--codec", "theora"], "h264"),
        (["--nonsense"], "--nonsense"),
        (["--model", "no-such-model"], "no-such-model"),
    ],
)
def test_a_bad_option_is_one_line_and_code_2(
    turbolens: Any, clip: Path, arguments: list[str], expected: str
) -> None:
    code, out, err = turbolens("video", clip, "out.mp4", *arguments)
    assert (code, out) == (2, "")
    assert expected in one_line(err)
    assert not Path("out.mp4").exists()


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("clip.mp4", "--overwrite"),
        ("no/folder/out.mp4", "no folder"),
        ("out.avi", ".mp4"),
        ("out", ".mp4"),
        ("out.png", "one image only"),
    ],
)
def test_an_invalid_output_is_one_line_and_code_2(
    turbolens: Any, clip: Path, output: str, expected: str
) -> None:
    before = clip.read_bytes()
    code, _, err = turbolens("video", clip, output)
    assert code == 2
    assert expected in one_line(err)
    assert clip.read_bytes() == before


def test_the_input_is_not_replaced_even_with_overwrite(turbolens: Any, clip: Path) -> None:
    code, _, err = turbolens("video", clip, clip, "--overwrite")
    assert code == 2
    assert "same file" in one_line(err)


def test_a_missing_input_is_one_line_and_code_1(turbolens: Any) -> None:
    code, _, err = turbolens("video", "nothing.mp4", "out.mp4")
    assert code == 1
    assert "no such file" in one_line(err)


def test_several_inputs_need_a_folder(turbolens: Any, clip: Path) -> None:
    code, _, err = turbolens("video", clip, clip, "out.mp4")
    assert code == 2
    assert "--output-dir" in one_line(err)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("empty.mp4", b"", "cannot read empty.mp4"),
        ("text.mp4", b"this is no video at all" * 99, "not a media file"),
    ],
)
def test_a_file_without_video_is_one_line_and_code_1(
    turbolens: Any, name: str, content: bytes, expected: str
) -> None:
    Path(name).write_bytes(content)
    code, _, err = turbolens("video", name, "out.mp4")
    assert code == 1
    assert expected in one_line(err)
    assert os.listdir() == [name]


def test_a_folder_without_pictures_is_one_line_and_code_1(turbolens: Any) -> None:
    Path("empty").mkdir()
    code, _, err = turbolens("video", "empty", "out.mp4")
    assert code == 1
    advice = f"for its videos name {Path('empty/*')}, and --output-dir"
    assert "empty holds no images" in one_line(err)
    assert advice in err


def test_an_unknown_look_names_the_known_ones(turbolens: Any, clip: Path) -> None:
    code, _, err = turbolens("video", clip, "out.mp4", "--look", "cave painting")
    assert code == 2
    assert "embedded has no look 'cave painting'; its looks: oil painting" in one_line(err)


def test_a_video_is_filtered_with_every_time_kept(turbolens: Any, clip: Path) -> None:
    code, out, err = turbolens("video", clip, "out.mp4", "--size", 64, "-p", "pencil sketch")
    assert (code, out) == (0, "")
    assert "12 frames" in err
    assert "none dropped" in err
    assert times_of(Path("out.mp4")) == times_of(clip)


def test_several_prompts_are_accepted(turbolens: Any, clip: Path) -> None:
    arguments = ["-p", "neon:0.3", "-p", "ink and wash:0.7", "--size", "64"]
    assert turbolens("video", clip, "out.mp4", *arguments).code == 0


TINY = ["-f", "lavfi", "-i", "testsrc2=s=2x2:d=1", "-c:v", "mpeg4"]
INTERLACED = ["-vf", "tinterlace=4", "-flags", "+ildct+ilme"]
HDR = ["-c:v", "ffv1", "-color_trc", "smpte2084", "-color_primaries", "bt2020"]


@pytest.mark.parametrize("kind", [[], INTERLACED, HDR], ids=["plain", "interlaced", "hdr"])
def test_a_tiny_frame_is_refused_before_it_is_prepared(turbolens: Any, kind: list[str]) -> None:
    ffmpeg(Path("tiny.mkv"), *TINY, *kind)
    code, out, err = turbolens("video", "tiny.mkv", "out.mkv")
    assert code == 1
    assert "at least 16×16 pixels, got 2×2" in one_line(err)
    assert "mapped" not in out
    assert os.listdir() == ["tiny.mkv"]


def test_json_lines_report_progress_and_the_result(turbolens: Any, clip: Path) -> None:
    code, out, err = turbolens("video", clip, "out.mp4", "--json", *UNFILTERED)
    events = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert {event["event"] for event in events[:-1]} <= {"progress", "notice"}
    done = events[-1]
    assert (done["event"], done["frames"], done["dropped"]) == ("done", 12, 0)
    assert done["destination"] == "out.mp4"


def test_compare_and_preview(turbolens: Any, clip: Path) -> None:
    assert turbolens("video", clip, "o.mp4", "--compare", "--preview", 3, *UNFILTERED).code == 0
    with av.open("o.mp4") as container:
        assert container.streams.video[0].width == 128
    with av.open("o.png") as container:
        sheet = next(container.decode(video=0))
    assert (sheet.width, sheet.height) == (3 * 64 + 2 * 4, 2 * 48 + 4)


@pytest.mark.slow
def test_a_part_of_the_test_scene(turbolens: Any) -> None:
    assert turbolens("video", "test-scene", "s.mp4", "--duration", 0.1, *UNFILTERED).code == 0
    assert times_of(Path("s.mp4")) == [Fraction(n, 30) for n in range(3)]


def test_the_default_output_is_in_the_folder_of_the_input(turbolens: Any, clip: Path) -> None:
    assert turbolens("video", clip, *UNFILTERED).code == 0
    assert clip.with_name("clip.turbolens.mp4").is_file()


def test_a_bad_input_does_not_stop_the_others(turbolens: Any, clip: Path) -> None:
    Path("bad.mp4").write_bytes(b"no video" * 99)
    code, _, err = turbolens("video", "bad.mp4", clip, "--output-dir", "styled", *UNFILTERED)
    assert code == 1
    assert "bad.mp4" in err
    assert os.listdir("styled") == ["clip.mp4"]


def test_a_missing_encoder_is_named(turbolens: Any, clip: Path) -> None:
    if any("nvenc" in name for name in os.environ.get("TURBOLENS_ENCODERS", "").split()):
        pytest.skip("this machine has the encoder")
    code, _, err = turbolens("video", clip, "o.mp4", "--codec", "h264_videotoolbox", *UNFILTERED)
    if sys.platform != "darwin":
        assert code == 1
        assert "h264_videotoolbox" in one_line(err)
        assert os.listdir() == ["clip.mp4"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")
def test_it_runs_between_two_ffmpeg_processes(clip: Path, tmp_path: Path) -> None:
    line = (
        f"ffmpeg -v error -i {clip} -c copy -f nut - | {sys.executable} -m turbolens video - - "
        f"--no-enabled 2>words.txt | ffmpeg -v error -i - -c copy out.mkv"
    )
    subprocess.run(["bash", "-c", line], cwd=tmp_path, check=True, timeout=120)  # noqa: S603, S607
    with av.open(tmp_path / "out.mkv") as container:
        assert sum(1 for _ in container.decode(video=0)) == 12
    assert "12 frames" in (tmp_path / "words.txt").read_text()


def _interrupted(folder: Path, *options: str) -> int:
    """Filter a long clip, and press Ctrl-C once after some frames. Returns the exit code.

    SIGINT is enabled first, because a shell disables it for commands in the background.
    """
    make_clip(folder / "long.mp4", frames=3000)
    obey = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    start = [sys.executable, "-c", obey + "from turbolens.pipelines.cli import main; main()"]
    command = [*start, "video", "long.mp4", "out.mkv", "--json", "--size", "64", *options]
    with started(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while json.loads(process.stdout.readline()).get("frames", 0) < 5:
            pass
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    return process.returncode


@pytest.mark.slow
def test_ctrl_c_leaves_no_output(tmp_path: Path) -> None:
    assert _interrupted(tmp_path) == 130
    assert os.listdir(tmp_path) == ["long.mp4"]


@pytest.mark.slow
def test_ctrl_c_keeps_a_shorter_file_if_asked(tmp_path: Path) -> None:
    assert _interrupted(tmp_path, "--keep-partial") == 130
    assert sorted(os.listdir(tmp_path)) == ["long.mp4", "out.mkv"]
    kept, whole = times_of(tmp_path / "out.mkv"), times_of(tmp_path / "long.mp4")
    assert 0 < len(kept) < len(whole)
    assert all(abs(a - b) <= Fraction(1, 1000) for a, b in zip(kept, whole, strict=False))


@pytest.mark.slow
def test_ctrl_c_ends_a_stream_with_code_0(tmp_path: Path) -> None:
    make_clip(tmp_path / "clip.mp4", frames=100)
    obey = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    start = [sys.executable, "-c", obey + "from turbolens.pipelines.cli import main; main()"]
    command = [*start, "stream", "clip.mp4", "out.mkv", "--loop", "--json", *UNFILTERED]
    with started(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while json.loads(process.stdout.readline()).get("sent", 0) < 5:
            pass
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(out.splitlines()[-1])["event"] == "done"
    assert len(times_of(tmp_path / "out.mkv")) >= 5


@pytest.mark.parametrize("name", ["webcam", "serve", "bench", "train", "video"])
def test_every_command_has_a_short_option_for_help(turbolens: Any, name: str) -> None:
    code, out, err = turbolens(name, "-h")
    assert (code, err) == (0, "")
    assert f"turbolens {name}" in out


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_read_once(turbolens: Any, tmp_path: Path) -> None:
    clip, pipe = make_clip(tmp_path / "clip.mkv"), tmp_path / "pipe.mkv"
    os.mkfifo(pipe)
    with started(["sh", "-c", f"cat {clip} > {pipe}"]):
        code, _, err = turbolens("video", pipe, "out.mkv", *UNFILTERED)
    assert code == 0, err
    assert len(times_of(Path("out.mkv"))) == 12


def test_models_are_listed_with_size_and_licence(turbolens: Any) -> None:
    code, out, _ = turbolens("models")
    assert code == 0
    for words in ("embedded", "sd-turbo", "sdxl-turbo", "licence", "MB"):
        assert words in out
    assert {model["name"] for model in json.loads(turbolens("models", "--json").out)} >= {
        "embedded"
    }


def test_the_doctor_lists_codecs_and_advice(turbolens: Any) -> None:
    code, out, _ = turbolens("doctor", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["codecs"]["h264"].startswith("libx264")
    assert found["advice"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("oil painting", ("oil painting", 1.0)),
        ("oil painting:0.7", ("oil painting", 0.7)),
        ("ratio 16:nine", ("ratio 16:nine", 1.0)),
        (":5", (":5", 1.0)),
    ],
)
def test_a_prompt_can_have_a_weight(text: str, expected: tuple[str, float]) -> None:
    assert parse_prompt(text) == expected


def test_repeated_frames_are_counted(turbolens: Any, tmp_path: Path) -> None:
    with av.open(tmp_path / "still.mkv", "w") as output:
        stream: Any = output.add_stream("ffv1", rate=10, width=64, height=48, pix_fmt="bgr0")
        for shade in (40, 40, 40, 200, 200):
            pixels = np.full((48, 64, 3), shade, np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        output.mux(stream.encode(None))
    said = turbolens("video", "still.mkv", "out.mkv", "--size", "64").err
    assert "5 frames, 3 of them repeats" in said


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["srt://host:1", "out.ts"], "ffmpeg -i"),
        (["clip.mp4", "srt://host:1"], "-f mpegts"),
        (["clip.mp4", "clip.mp4"], "--overwrite"),
        (["nothing.mp4", "out.ts"], "no such file"),
    ],
)
def test_an_invalid_stream_is_one_line_and_code_1(
    turbolens: Any, clip: Path, arguments: list[str], expected: str
) -> None:
    code, out, err = turbolens("stream", *arguments)
    assert (code, out) == (1, "")
    assert expected in one_line(err)


@pytest.mark.slow
def test_a_file_is_streamed_into_another_and_ends_with_it(turbolens: Any, clip: Path) -> None:
    code, out, _ = turbolens("stream", clip, "out.mkv", "--json", *UNFILTERED)
    done = json.loads(out.splitlines()[-1])
    assert (code, done["event"], done["captured"]) == (0, "done", 12)
    assert 0 < len(times_of(Path("out.mkv"))) <= 12

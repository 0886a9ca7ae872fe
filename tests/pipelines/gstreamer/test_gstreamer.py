"""The element in Debian's GStreamer: formats, times, changes, late frames and errors."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.filter.adapters.adapter_fixtures import lora_tensors, save_lora
from turbolens.filter import FilterSettings, TurboModel
from turbolens.pipelines import gstreamer
from turbolens.pipelines.gstreamer.buffers import (
    FORMATS,
    PACKED_422,
    Layout,
    frame_from,
    write_into,
)
from turbolens.pipelines.gstreamer.properties import from_setting, properties, to_setting

PYTHON = "/usr/bin/python3"  # for which Debian packages GStreamer's bindings
LAUNCH = shutil.which("gst-launch-1.0")
PLUGIN = Path(gstreamer.plugin_path(), "python", "gstturbolens.py")
SECOND = 1_000_000_000
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def _missing() -> str:
    """Why the element cannot be tested here; empty in CI, where nothing may be missing."""
    if "CI" in os.environ:
        return ""
    if LAUNCH is None or not Path(PYTHON).exists():
        return "needs gst-launch-1.0 and its Python"
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = [PYTHON, "-c", f"import gi, sys; assert sys.version.startswith('{own}.')"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)  # noqa: S603
    return f"needs GStreamer with Python {own}" if done.returncode else ""


INTERPRETER_FAULT = "in find_spec\nValueError: too many values to unpack"
"""Once in a while Python 3.11.2, Debian's, fails so inside importlib, at a loop over pairs."""

needs_gstreamer = pytest.mark.skipif(bool(_missing()), reason=_missing() or "all is here")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a program in an empty folder, with the path of the plugin and a new plugin registry."""
    environment = {
        **os.environ,
        "GST_PLUGIN_PATH": str(gstreamer.plugin_path()),
        "GST_REGISTRY": str(tmp_path / "registry"),
        "VIRTUAL_ENV": sys.prefix,
        "OMP_NUM_THREADS": "1",
    }

    def once(command: Sequence[str], changes: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(  # noqa: S603
            command, cwd=tmp_path, env={**environment, **changes}, timeout=200,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def call(*command: str, **changes: str) -> "subprocess.CompletedProcess[str]":
        done = once(command, changes)
        return once(command, changes) if INTERPRETER_FAULT in done.stderr else done

    return call


def checks(run: Run, *arguments: str) -> Any:
    program = Path(__file__).with_name("gstreamer_checks.py")
    done = run(PYTHON, str(program), *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@needs_gstreamer
def test_the_documented_line_filters_every_frame(run: Run, tmp_path: Path) -> None:
    line = (
        "gst-launch-1.0 -q videotestsrc num-buffers=5 ! video/x-raw,width=320,height=180 "
        '! videoconvert ! {} ! videoconvert ! y4menc ! filesink location={}'
    )  # fmt: skip
    for element, name in (("turbolens prompt=neon size=64", "a.y4m"), ("identity", "b.y4m")):
        done = run(*line.format(element, name).split())
        assert done.returncode == 0, done.stderr
    after, before = (frames_of(tmp_path / name) for name in ("a.y4m", "b.y4m"))
    assert after.shape == before.shape == (5, 180, 320, 3)
    assert np.abs(after - before).mean() > 20


def frames_of(path: Path) -> Any:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames).astype(int)


@needs_gstreamer
@pytest.mark.slow
def test_every_raw_format_keeps_its_colours(run: Run) -> None:
    distances = checks(run, "formats", *FORMATS)
    assert sorted(distances) == sorted(FORMATS)
    assert max(distances.values()) < 4, distances


@pytest.mark.slow
@needs_gstreamer
def test_times_are_kept_settings_change_and_late_frames_are_dropped(run: Run) -> None:
    seen = checks(run, "playing")
    times = [number * SECOND // 10 for number in range(30)]
    dropped = set(times) - set(seen["times"])
    assert seen["times"] == [time for time in times if time not in dropped]
    late = set(times[10:15])  # the tenth reports half a second of delay; two are on their way
    assert late - set(times[10:12]) <= dropped <= late
    assert all(colour != [0, 0, 255] for colour in seen["colours"][:5])
    assert all(colour == [0, 0, 255] for colour in seen["colours"][8:])
    assert (seen["prompt"], seen["fit"]) == ("neon:2 | noir", "stretch")
    assert "squeeze" in seen["warning"]
    assert "names no look of this model (unknown words: zombie, lego)" in seen["reading"]
    assert seen["latency"] > 0


@pytest.mark.slow
@needs_gstreamer
def test_a_lora_and_its_weight_are_properties(run: Run, tmp_path: Path) -> None:
    unet = TurboModel.load("embedded", device="cpu").unet
    tensors = {name: 20 * each for name, each in lora_tensors({"unet": unet}, 1).items()}
    lora = save_lora(tmp_path / "loud.safetensors", tensors)

    def shown(*properties: str) -> Any:
        path = tmp_path / "shown.y4m"
        source = "videotestsrc num-buffers=1 ! video/x-raw,width=64,height=64 ! videoconvert"
        sink = f"videoconvert ! y4menc ! filesink location={path}"
        element = ["!", "turbolens", "size=64", *properties, "!"]
        done = run("gst-launch-1.0", "-q", *source.split(), *element, *sink.split())
        assert done.returncode == 0, done.stderr
        return frames_of(path)

    plain, loud = shown(), shown(f"loras={lora}:1")
    assert np.abs(loud - plain).mean() > 5
    assert np.abs(shown(f"loras={lora}", "lora-weights=loud:0") - plain).max() <= 1


@pytest.mark.slow
@needs_gstreamer
@pytest.mark.parametrize(
    "wrong",
    ["model=no-such-model", "fit=squeeze", "loras=nowhere", "ip-adapter=nowhere", "vae=tall"],
)
def test_an_invalid_property_is_one_line_of_error(run: Run, wrong: str) -> None:
    done = run("gst-launch-1.0", "-q", "videotestsrc", "!", "turbolens", wrong, "!", "fakesink")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    [error] = [line for line in done.stderr.splitlines() if line.startswith("ERROR: from")]
    assert wrong.partition("=")[0].removesuffix("s") in error.lower()


@needs_gstreamer
def test_a_python_without_turbolens_is_an_error_that_names_it(run: Run, tmp_path: Path) -> None:
    alone = tmp_path / "python" / PLUGIN.name
    alone.parent.mkdir()
    shutil.copy(PLUGIN, alone)
    done = run("gst-inspect-1.0", "turbolens", GST_PLUGIN_PATH=str(tmp_path), VIRTUAL_ENV="")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "turbolens: GStreamer runs Python 3." in done.stderr


@pytest.mark.slow
@needs_gstreamer
def test_the_advice_makes_gstreamer_find_the_element(
    monkeypatch: pytest.MonkeyPatch, run: Run, tmp_path: Path
) -> None:
    monkeypatch.setenv("GST_REGISTRY", str(tmp_path / "other"))
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    monkeypatch.delenv("GST_PLUGIN_PATH", raising=False)
    [advice] = gstreamer.advice()
    line = gstreamer.export_line()
    assert line in advice
    inspect = f"unset GST_PLUGIN_PATH; {line}; gst-inspect-1.0 turbolens"
    done = run("bash", "-c", inspect)
    assert "GstTurbolens" in done.stdout, done.stderr
    monkeypatch.setenv("GST_PLUGIN_PATH", str(gstreamer.plugin_path()))
    assert gstreamer.advice() == []


def test_without_gstreamer_there_is_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert gstreamer.advice() == []


def test_every_setting_is_a_property_with_its_default() -> None:
    known, defaults = properties(), FilterSettings()
    assert list(known) == list(FilterSettings.model_fields)
    for name, described in known.items():
        assert to_setting(name, described.default) == getattr(defaults, name)
        if described.kind in ("number", "whole"):
            assert described.lowest <= described.default <= described.highest
            kind = float if described.kind == "number" else int
            assert isinstance(described.default, kind)


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("neon", (("neon", 1.0),)),
        ("noir:2 | neon", (("noir", 2.0), ("neon", 1.0))),
        ("a ratio of 16:9:1", (("a ratio of 16:9", 1.0),)),
    ],
)
def test_prompts_as_text(text: str, prompts: tuple[tuple[str, float], ...]) -> None:
    assert to_setting("prompt", text) == prompts
    assert to_setting("prompt", from_setting("prompt", prompts)) == prompts


@pytest.mark.parametrize("name", FORMATS)
def test_a_frame_with_odd_sides_and_padded_rows_is_copied_exactly(name: str) -> None:
    width, height, padding, total = 17, 11, 13, 5
    offsets: list[int] = []
    strides: list[int] = []
    for plane in av.VideoFrame(width, height, FORMATS[name][0]).planes:
        samples = (plane.width + 1) // 2 if name in PACKED_422 else plane.width
        stride = samples * FORMATS[name][1][len(strides)] + padding
        offsets.append(total)
        strides.append(stride)
        total += stride * plane.height
    layout = Layout(name, width, height, offsets, strides, colorspace=1, color_range=1)
    given = np.random.default_rng(0).integers(0, 255, total, np.uint8)
    frame = frame_from(given.tobytes(), layout)
    taken = bytearray(total)
    write_into(taken, layout, frame)
    assert (int(frame.colorspace), int(frame.color_range)) == (1, 1)
    same = np.frombuffer(taken, np.uint8) == given
    rows = sum(plane.height for plane in frame.planes)
    assert same.sum() >= total - 5 - rows * padding
    assert not any(taken[:5])


def test_a_buffer_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="needs more than 10"):
        frame_from(bytes(10), Layout("RGB", 8, 8, [0], [24]))


@pytest.mark.slow
@needs_gstreamer
def test_the_command_in_the_documentation_works(run: Run) -> None:
    page = Path(__file__).parents[3].joinpath("docs/embedding.md").read_text("utf-8")
    [line] = [line for line in page.splitlines() if line.startswith("gst-launch-1.0")]
    line = line.replace("videotestsrc", "videotestsrc num-buffers=2")
    done = run("bash", "-c", line.replace("autovideosink", "fakesink"))
    assert done.returncode == 0, done.stderr

"""A look of one's own: its material, the search for how it lies, and the command."""

import json
import os
import signal
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from turbolens.filter import FrameFilter, MediaError, SettingsError, TurboModel
from turbolens.filter.surface.media.exemplar import Exemplar, Handling
from turbolens.filter.surface.planes import Plane, cv2, noise
from turbolens.filter.training.command import app
from turbolens.filter.training.own_look.fit import Fit
from turbolens.filter.training.own_look.material import learnt
from turbolens.filter.training.own_look.pictures import MAX_PICTURES, paths_of, read_work
from turbolens.filter.training.own_look.samples import SampleSheet, same_edges
from turbolens.filter.training.own_look.statistics import Statistics

from .picture_files import write_png


def picture(seed: int, size: int = 96) -> NDArray[np.uint8]:
    """Red stripes on yellow, (size, size, 3)."""
    across = (np.arange(size) + seed) // (3 + seed % 3) % 2
    pixels = np.full((size, size, 3), (240, 210, 40), np.uint8)
    pixels[:, across == 1] = (180, 20, 30)
    return pixels


@pytest.fixture
def striped(tmp_path: Path) -> Path:
    folder = tmp_path / "striped"
    folder.mkdir()
    for seed in range(6):
        write_png(folder / f"{seed}.png", picture(seed))
    return folder


@pytest.fixture(scope="module")
def material() -> Exemplar:
    return learnt([strokes(seed) for seed in range(3)])


def strokes(seed: int) -> Plane:
    """A picture (120, 150, 3) of strokes from left to right, blue in the dark, yellow in the light,
    with dark shapes on it."""
    bristles = cv2.GaussianBlur(noise((120, 150), 0, f"strokes {seed}"), (0, 0), 6, sigmaY=0.8)
    tone = np.clip(0.5 + 0.25 * noise((120, 150), 20, f"tone {seed}"), 0, 1)
    light = tone + 0.12 * bristles / bristles.std()
    picture = np.stack([light, 0.9 * light, 0.7 * (1 - light) + 0.2], -1)
    return np.clip(picture, 0, 1).astype(np.float32)  # type: ignore[no-any-return]


def test_a_tile_continues_at_its_edges(material: Exemplar) -> None:
    tile = material.tiles[1].astype(int).mean(-1)
    inside = np.abs(np.diff(tile, axis=1)).mean()
    across = np.abs(tile[:, 0] - tile[:, -1]).mean()
    assert tile.std() > 5
    assert across < 2 * inside


@pytest.mark.parametrize("degrees", [0, 60])
def test_strokes_are_turned_to_run_from_left_to_right(degrees: int) -> None:
    turn = cv2.getRotationMatrix2D((75, 60), degrees, 1.0)
    turned = [
        cv2.warpAffine(strokes(seed), turn, (150, 120), borderMode=cv2.BORDER_REFLECT)
        for seed in range(3)
    ]
    tile = learnt(turned).tiles[1].astype(np.float32).mean(-1)
    assert np.abs(np.diff(tile, axis=0)).mean() > 1.5 * np.abs(np.diff(tile, axis=1)).mean()


def test_the_colours_are_those_of_the_pictures(material: Exemplar) -> None:
    dark, light = material.match.ramp[2], material.match.ramp[6]
    assert dark[2] > dark[0]
    assert light[0] > light[2]
    assert len(material.match.palette) == len(material.match.weights)


def test_statistics_are_those_of_the_same_material_in_other_pictures() -> None:
    known = Statistics([strokes(0), strokes(1)])
    other, plain = strokes(2), cv2.GaussianBlur(strokes(2), (0, 0), 3)
    assert known.distance([strokes(0), strokes(1)]) == pytest.approx(0, abs=1e-6)
    assert known.distance([other]) < 0.5 * known.distance([plain])


def fit_of(material: Exemplar, folder: Path, steps: int) -> Fit:
    smooth = [cv2.GaussianBlur(strokes(seed), (0, 0), 3) for seed in (3, 4)]
    none = [np.full_like(each, 0.5) for each in smooth]
    statistics = Statistics([strokes(seed) for seed in (0, 1)])
    material = replace(material, handling=Handling(texture=0.0))
    return Fit("fit", folder, material, {"none": none, "smooth": smooth}, statistics, steps, 0)


def test_a_fit_takes_the_best_text_and_comes_nearer(material: Exemplar, tmp_path: Path) -> None:
    fit = fit_of(material, tmp_path, 20)
    assert list(fit.run()) == list(range(1, 21))
    losses = [each["loss"] for each in fit.history]
    assert fit.text == "smooth"
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[1]
    assert fit.best.handling != fit.material.handling


def test_a_fit_that_was_stopped_ends_like_one_that_was_not(
    material: Exemplar, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    straight = fit_of(material, whole, 8)
    list(straight.run())
    for _ in zip(range(3), fit_of(material, parts, 8).run(), strict=False):
        pass
    resumed = fit_of(material, parts, 8)
    assert next(iter(resumed.run())) > 3
    list(resumed.run())
    assert (resumed.text, resumed.handling) == (straight.text, straight.handling)
    assert resumed.history == straight.history


@pytest.mark.slow
def test_the_command_writes_a_look_that_changes_nothing_else(striped: Path, tmp_path: Path) -> None:
    file = tmp_path / "stripes.safetensors"
    app(["look", "--name", "stripes", "--pictures", str(striped), "--out", str(file),
         "--steps", "7", "--device", "cpu"], standalone_mode=False)  # fmt: skip
    assert file.stat().st_size < 1_000_000
    frame = picture(3, 64)
    plain, learnt_too = (
        TurboModel.load("embedded", device="cpu", loras=loras) for loras in ([], [file])
    )
    for prompt in ("noir", "oil painting", "zombie", ""):
        before, after = (
            FrameFilter(model, prompt=prompt, size=64)(frame) for model in (plain, learnt_too)
        )
        np.testing.assert_array_equal(before, after)
    texture = {
        amount: FrameFilter(learnt_too, prompt="stripes", size=64, texture=amount)(frame)
        for amount in (0.0, 1.0)
    }
    assert np.abs(texture[1.0].astype(int) - texture[0.0]).mean() > 3


def test_no_picture_of_a_look_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="1 to 50 pictures"):
        paths_of(tmp_path / "none", "--pictures", MAX_PICTURES, Console(file=StringIO()))


def test_one_picture_is_enough_and_fifty_are_used(tmp_path: Path) -> None:
    for seed in range(51):
        write_png(tmp_path / f"{seed:02}.png", picture(0, 16))
        if seed == 0:
            (one,) = paths_of(tmp_path, "--pictures", MAX_PICTURES, Console(file=StringIO()))
            assert learnt([read_work(one)]).tiles.any()
    told = StringIO()
    assert len(paths_of(tmp_path, "--pictures", MAX_PICTURES, Console(file=told))) == 50
    assert "the first 50 of 51 pictures are used" in told.getvalue()


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(MediaError, match=r"broken\.png cannot be read as a picture"):
        read_work(tmp_path / "broken.png")


def test_edges_of_the_same_picture_in_other_colours_are_the_same() -> None:
    one = (strokes(0) * 255).astype(np.uint8)
    assert same_edges(one, np.ascontiguousarray(255 - one[..., ::-1])) > 0.8
    assert same_edges(one, np.ascontiguousarray(one[::-1])) < 0.5


@pytest.mark.parametrize(
    ("name", "message"),
    [("noir", "has the look 'noir'"), ("Stained-Glass", "has the look"),
     ("silkscreen pop art", "as a phrase of 'pop art'"), ("photo", "is a photograph"),
     ("a/b", "words without"), ("..", "words of at most"), ("", "words of at most"),
     (" vincent", "words of at most"), ("(vincent", "words without"), ("a\nb", "words without"),
     ("x" * 61, "words of at most")],
)  # fmt: skip
def test_a_name_that_exists_or_is_none_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=message):
        app(["look", "--name", name, "--pictures", "missing"], standalone_mode=False)
    assert not list(tmp_path.iterdir())


def test_a_file_of_another_look_is_not_replaced(
    striped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.safetensors").write_bytes(b"precious")
    with pytest.raises(SettingsError, match=r"mine\.safetensors exists already"):
        app(["look", "--name", "mine", "--pictures", str(striped)], standalone_mode=False)
    assert Path("mine.safetensors").read_bytes() == b"precious"


@pytest.mark.slow
def test_an_interrupted_run_goes_on_and_renews_its_samples(
    striped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("turbolens.filter.training.own_look.command.SHEET_EVERY", 1)
    command = ["look", "--name", "two stripes", "--pictures", str(striped), "--steps", "9",
               "--device", "cpu"]  # fmt: skip
    samples, written = tmp_path / "two-stripes-run" / "samples.png", list[int]()
    write = SampleSheet.write

    def write_then_stop(sheet: SampleSheet, material: Exemplar) -> None:
        write(sheet, material)
        written.append(samples.stat().st_size)
        if len(written) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(SampleSheet, "write", write_then_stop)
    assert app(command, standalone_mode=False) == 130  # what Typer makes of a KeyboardInterrupt
    state = json.loads((tmp_path / "two-stripes-run" / "two-stripes.json").read_text())
    assert state["step"] == 3
    assert not Path("two-stripes.safetensors").exists()
    app(command, standalone_mode=False)
    assert len(written) == 8  # one for each step that was left, and the last one
    assert Path("two-stripes.safetensors").stat().st_size > 0

"""The split of works, the table, and the command on a tiny collection."""

from pathlib import Path

import numpy as np
from rich.console import Console

from tests.filter.training.picture_files import write_png
from turbolens.filter.training.data import is_held_out
from turbolens.filter.training.evaluation.figures import LookFigures, ModelFigures, summary
from turbolens.filter.training.references.works import WORKS, held_out_works, training_works


def test_no_work_both_trains_and_judges_a_look() -> None:
    for works in WORKS.values():
        assert works.held_out
        assert not set(works.held_out) & set(works.training)
    every = {name for works in WORKS.values() for name in works.training}
    assert not every & {name for works in WORKS.values() for name in works.held_out}


def test_works_are_found_by_name_in_any_folder(tmp_path: Path) -> None:
    grey = np.full((8, 8, 3), 128, np.uint8)
    (tmp_path / "masters").mkdir()
    for name in (
        "vg_houses",
        "vg_self",
        "unknown",
        *(f"gfx_Pepper-and-Carrot_{i}" for i in range(40)),
    ):
        write_png(tmp_path / "masters" / f"{name}.png", grey)
    assert [path.stem for path in held_out_works("van gogh", tmp_path)] == ["vg_houses"]
    assert [path.stem for path in training_works("van gogh", tmp_path)] == ["vg_self"]
    found = held_out_works("comic", tmp_path)
    assert 0 < len(found) < 40
    assert all(is_held_out(path) for path in found)
    assert held_out_works("no look", tmp_path) == []


def test_the_table_names_the_worst_look_of_each_model() -> None:
    figures = ModelFigures("new", 7.5, blurred=[1, 0, 0])
    figures.looks["noir"] = LookFigures(real=True, style=[0.4], grid=[1.0], named=[1, 1])
    figures.looks["neon"] = LookFigures(real=True, style=[0.6], grid=[1.3], named=[0, 1])
    console = Console(width=200)
    with console.capture() as capture:
        console.print(summary([figures]))
    text = capture.get()
    assert "0.50, worst 0.60 (neon)" in text
    assert "1.15, worst 1.30 (neon)" in text
    assert "75% of 4" in text
    assert "33%" in text
    assert "7.5" in text

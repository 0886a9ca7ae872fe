"""`turbolens video` with a folder of files of every kind, whole and damaged."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.video.odd_folder import BAD, GOOD, make_folder, problems

from .test_cli import turbolens

__all__ = ["turbolens"]  # a fixture

KINDS = len(GOOD) + len(BAD) + 1


@pytest.mark.slow
@pytest.mark.parametrize("cluster", [[], ["--cluster", "local", "--cluster-cores", "1"]])
def test_a_folder_of_odd_files_is_filtered_or_reported(
    turbolens: Any, tmp_path: Path, cluster: list[str]
) -> None:
    folder, outputs = tmp_path / "in", tmp_path / "out"
    make_folder(folder, KINDS)
    options = ["--output-dir", outputs, "--size", "64", "--acceleration", "none", "--json"]
    code, out, err = turbolens("video", *sorted(folder.iterdir()), *options, *cluster)
    assert code == 1
    summary = json.loads(out.splitlines()[-1])
    assert problems(folder, outputs, summary, on_cluster=bool(cluster)) == []
    assert all(line.startswith("turbolens: ") for line in err.splitlines())

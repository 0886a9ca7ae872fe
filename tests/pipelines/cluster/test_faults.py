"""Jobs on a real Ray cluster of three nodes, and what can happen to them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import turbolens
from tests.pipelines.conftest import write_clip
from tests.pipelines.video.segments.films import FRAMES, content_of, parts_of
from turbolens.pipelines.cluster.errors import ClusterError
from turbolens.pipelines.cluster.nodes import identity_refusal, version_refusal
from turbolens.pipelines.cluster.planner_thread import AHEAD
from turbolens.pipelines.cluster.progress import ClusterProgress

from .conftest import NODE, Run, Steps
from .filters import FailingOnce, KillingOnce, Make, Waiting, run_tasks

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]

WORKERS = 3
SEGMENTS = 13  # of the film
WEIGHTS = "TURBOLENS_TEST_WEIGHTS"
"""See `Make.variable`."""


@pytest.fixture(scope="module")
def expected(film: Path) -> list[Any]:
    """The contents of the film's output from this process."""
    target = film.with_name("expected.mkv")
    run_tasks(film, target, Make(run_up=10), seconds=0.5)
    return content_of(target)


def test_a_film_on_three_nodes(
    cluster: Any, film: Path, expected: list[Any], tmp_path: Path
) -> None:
    target, bad, out = tmp_path / "out.mkv", tmp_path / "bad.mp4", tmp_path / "bad.mkv"
    bad.write_bytes(b"no video" * 99)
    run = Run().on(cluster.address, {bad: out, film: target}, Make(run_up=10))
    assert content_of(target) == expected
    assert parts_of(target) == []
    assert run.reports[str(film)].frames == FRAMES
    assert "cannot read" in run.failures[str(bad)]
    waiting = [each.cut_segments - each.segments for each in run.progress]
    assert 1 < max(waiting) <= WORKERS + AHEAD + 1  # the last one waits to be put in line
    assert 1 < max(each.working for each in run.progress) <= WORKERS
    assert 1 < len(run.progress[-1].nodes) <= WORKERS  # one may start when all is done
    assert run.progress[-1].files == 2


def test_a_worker_that_is_killed(
    cluster: Any, film: Path, expected: list[Any], tmp_path: Path
) -> None:
    make = Make(KillingOnce(tmp_path / "spared", 200), run_up=10)
    run = Run().on(cluster.address, {film: tmp_path / "out.mkv"}, make)
    assert content_of(tmp_path / "out.mkv") == expected
    assert run.summary is not None
    assert (run.summary.retries, run.summary.lost_workers, run.summary.lost_nodes) == (1, 1, 0)
    assert len(run.notices) == 1
    assert run.notices[0].endswith("has ended: its segment is made again")


def test_a_segment_for_which_a_device_has_not_enough_memory_is_tried_again(
    cluster: Any, film: Path, expected: list[Any], tmp_path: Path
) -> None:
    make = Make(FailingOnce(tmp_path / "spared", 200), run_up=10)
    run = Run().on(cluster.address, {film: tmp_path / "out.mkv"}, make)
    assert content_of(tmp_path / "out.mkv") == expected
    assert run.summary is not None
    assert (run.summary.retries, run.summary.lost_workers) == (1, 0)
    (notice,) = run.notices
    assert notice.endswith("(not enough device memory): tried again")


def test_a_segment_that_kills_every_worker_ends_its_file_only(
    cluster: Any, film: Path, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "clip.mkv")
    jobs = {film: tmp_path / "out.mkv", clip: tmp_path / "clip-out.mkv"}
    run = Run().on(cluster.address, jobs, Make(KillingOnce(tmp_path / "_", 7800, always=True), 10))
    assert "has ended 3 workers" in run.failures[str(film)]
    assert run.summary is not None
    assert run.summary.lost_workers == 3
    assert run.reports[str(clip)].frames == 12
    assert not (tmp_path / "out.mkv").exists()


def test_a_node_is_lost_and_another_one_comes(
    cluster: Any, film: Path, expected: list[Any], tmp_path: Path
) -> None:
    doomed, go = cluster.add_node(**NODE, node_name="doomed"), tmp_path / "go"
    late: list[Any] = []
    run, target, steps = Run(), tmp_path / "out.mkv", Steps()

    def change(progress: ClusterProgress) -> None:
        """Once all four nodes are at work, replace one. The work ends when all are again."""
        is_lost = any("is lost" in text for text in run.notices)
        if progress.working > WORKERS and not late:
            cluster.remove_node(doomed, allow_graceful=False)
            late.append(cluster.add_node(**NODE, node_name="late"))
        elif progress.working > WORKERS and is_lost:
            go.touch()
        steps.must("all four nodes are at work", bool(late))
        steps.must("the loss of a node is noticed", is_lost)
        steps.must("the node that has come gets a segment", go.exists())

    try:
        run.on(cluster.address, {film: target}, Make(Waiting(go, 2000), 10), change)
    finally:
        for each in late or [doomed]:
            cluster.remove_node(each)
    assert content_of(target) == expected
    assert run.summary is not None
    assert run.summary.lost_nodes == 1
    assert "node doomed is lost; its segments are made elsewhere" in run.notices
    assert "late" in run.progress[-1].nodes


def test_a_driver_that_is_killed_goes_on(
    cluster: Any, film: Path, expected: list[Any], tmp_path: Path
) -> None:
    target = tmp_path / "out.mkv"
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from tests.pipelines.cluster.conftest import Run\n"
        "from tests.pipelines.cluster.filters import Make\n"
        "Run().on(sys.argv[1], {Path(sys.argv[2]): Path(sys.argv[3])}, Make(run_up=10),\n"
        "    lambda progress: progress.segments >= 3 and os.kill(os.getpid(), signal.SIGKILL))"
    )
    arguments = [sys.executable, "-c", code, cluster.address, film, target]
    assert subprocess.run(arguments, check=False).returncode == -9  # noqa: S603
    assert not target.exists()
    manifest = json.loads(Path(f"{target}.parts", "manifest.json").read_bytes())
    finished = len(manifest["segments"]) + len(manifest["ahead"])
    run = Run().on(cluster.address, {film: target}, Make(run_up=10))
    report = run.reports[str(film)]
    assert (report.frames, report.resumed > 50) == (FRAMES, True)
    assert run.summary is not None
    assert run.summary.segments + finished == SEGMENTS
    assert content_of(target) == expected


def test_all_workers_have_the_dtype_of_the_first(
    cluster: Any, film: Path, expected: list[Any], tmp_path: Path
) -> None:
    go, dtypes = tmp_path / "go", tmp_path / "dtypes"
    dtypes.mkdir()

    def wait(progress: ClusterProgress) -> None:
        """Let the work end when all workers have a segment."""
        if progress.working == WORKERS:
            go.touch()

    make = Make(Waiting(go, 2000), 10, dtypes=dtypes)
    run = Run().on(cluster.address, {film: tmp_path / "out.mkv"}, make, wait)
    found = [path.read_text() for path in dtypes.iterdir()]
    assert (len(found), len(set(found))) == (WORKERS, 1)
    assert run.notices == []
    assert content_of(tmp_path / "out.mkv") == expected


def install_another_version(folder: Path) -> None:
    """Make programs with this PYTHONPATH find it, although Ray puts the driver's folder first."""
    (folder / "turbolens").mkdir()
    (folder / "turbolens" / "__init__.py").write_text("__version__ = '0.0.1'")
    (folder / "sitecustomize.py").write_text(
        "import importlib.machinery, pathlib, sys\n"
        "class Finder:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        folders = [str(pathlib.Path(__file__).parent)]\n"
        "        if name == 'turbolens':\n"
        "            return importlib.machinery.PathFinder.find_spec(name, folders)\n"
        "sys.meta_path.insert(0, Finder)\n"
    )


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"PYTHONPATH": "{folder}"}, "it has Turbolens 0.0.1 and this machine "),
        ({WEIGHTS: "others"}, "it has another model's files"),
        ({WEIGHTS: "missing"}, "`turbolens models pull sd-turbo` downloads it"),
    ],
)
def test_a_node_that_differs_is_refused_by_name_and_the_others_go_on(
    cluster: Any, film: Path, expected: list[Any], tmp_path: Path,
    environment: dict[str, str], reason: str,
) -> None:  # fmt: skip
    install_another_version(tmp_path)
    variables = {name: text.format(folder=tmp_path) for name, text in environment.items()}
    other, go = cluster.add_node(**NODE, node_name="other", env_vars=variables), tmp_path / "go"
    run, target = Run(), tmp_path / "out.mkv"

    def wait(_: ClusterProgress) -> None:
        """Let the work end when the node is refused."""
        if run.notices:
            go.touch()

    try:
        run.on(cluster.address, {film: target}, Make(Waiting(go, 2000), 10, WEIGHTS), wait)
    finally:
        cluster.remove_node(other)
    (notice,) = run.notices
    assert notice.startswith(f"node other is left out: {reason}")
    assert content_of(target) == expected
    assert "other" not in run.progress[-1].nodes


def test_a_worker_that_hangs_while_it_loads_is_left_out(
    cluster: Any, film: Path, expected: list[Any], tmp_path: Path
) -> None:
    hung = cluster.add_node(**NODE, node_name="hung", env_vars={WEIGHTS: "hanging"})
    run, target, go, steps = Run(), tmp_path / "out.mkv", tmp_path / "go", Steps()

    def wait(_: ClusterProgress) -> None:
        """Let the work end when the node is left out."""
        if run.notices:
            go.touch()
        steps.must("a worker that hangs is left out", go.exists())

    make = Make(Waiting(go, 2000), 10, WEIGHTS)
    try:
        run.on(cluster.address, {film: target}, make, wait, load_seconds=20)
    finally:
        cluster.remove_node(hung)
    assert run.notices == ["node hung is left out: its worker has not loaded the model in 20 s"]
    assert content_of(target) == expected


def test_a_node_with_another_version_or_none_is_refused() -> None:
    wanted = turbolens.__version__
    assert version_refusal(wanted) == ""
    assert version_refusal("0.0.1") == (
        f"it has Turbolens 0.0.1 and this machine {wanted}; install the same version"
    )
    assert version_refusal(None).startswith("Turbolens is not installed: pip install")


def test_a_node_with_other_weights_is_refused_by_name() -> None:
    wanted = {"model's files": "a", "device": "cuda", "prompt": "neon"}
    assert identity_refusal({**wanted, "device": "cpu"}, wanted) == ""
    assert identity_refusal({**wanted, "model's files": "b"}, wanted) == (
        "it has another model's files"
    )


def test_a_cluster_without_a_node_that_can_work_ends_the_job(
    cluster: Any, film: Path, tmp_path: Path
) -> None:
    make = Make(variable="TURBOLENS_TEST_EVERYWHERE", missing_by_default=True)
    with pytest.raises(ClusterError, match=r"no node of the cluster can work: .* models pull"):
        Run().on(cluster.address, {film: tmp_path / "out.mkv"}, make)

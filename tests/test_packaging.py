"""The package as users get it: names, data, and which half may import which."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

import turbolens
import turbolens.filter
import turbolens.pipelines

ROOT = Path(__file__).resolve().parent.parent
HALVES = ("filter", "pipelines")
SERVING = ("aiortc", "aiohttp", "pyvirtualcam")

# The files of the filter that may use files, threads or the clock, as CONTRIBUTING.md says.
IMPURE_ROOMS = ("loading", "training")
IMPURE_FILES = {
    "acceleration/comparison.py", "acceleration/compiled.py", "acceleration/dtype.py",
    "acceleration/openvino/int8.py", "acceleration/memory.py", "acceleration/openvino/probe.py",
    "acceleration/openvino/runtime.py", "acceleration/parallel_conversion.py",
    "acceleration/preparation.py", "acceleration/openvino/processor.py",
    "acceleration/shape_runner.py", "acceleration/thread_priority.py",
    "acceleration/trial_records.py", "acceleration/unused_gpu.py",
    "adapters/files.py", "adapters/image_prompt.py", "adapters/lora_files.py",
    "adapters/peft_files.py",
    "region/weights.py",
    "beside.py", "surface/memo.py",
}  # fmt: skip
IMPURE_MODULES = ("asyncio", "concurrent", "ctypes", "datetime", "multiprocessing", "platformdirs",
                  "shutil", "subprocess", "tempfile", "time")  # fmt: skip
LOCKS = {"Lock", "RLock"}
FILE_ACCESS = {
    "exists", "glob", "is_dir", "is_file", "iterdir", "load_file", "mkdir", "open", "read_bytes",
    "read_text", "rglob", "safe_open", "save_file", "stat", "unlink", "write_bytes", "write_text",
}  # fmt: skip


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (ROOT / folder).rglob("*.py")


def imported_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


def names_from_turbolens(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of everything that a program imports from this package."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("turbolens"):
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if "turbolens" in alias.name)


def uses_files_threads_or_clock(path: Path) -> bool:
    """True if the module imports or names something of the kind; locks are allowed."""
    return any(map(_is_impure, ast.walk(ast.parse(path.read_text()))))


def _is_impure(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=aliases):
            return any(alias.name.split(".")[0] in IMPURE_MODULES for alias in aliases)
        case ast.ImportFrom(module="threading", names=aliases):
            return not {alias.name for alias in aliases} <= LOCKS
        case ast.ImportFrom(module=str(module)):
            return module.split(".")[0] in IMPURE_MODULES
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name in FILE_ACCESS
    return False


def module_names() -> list[str]:
    names = ["turbolens"]
    for half in (turbolens.filter, turbolens.pipelines):
        names.append(half.__name__)
        names += [found.name for found in pkgutil.walk_packages(half.__path__, half.__name__ + ".")]
    return names


@pytest.mark.parametrize("name", module_names())
def test_every_module_imports_under_its_full_name(name: str) -> None:
    if name.endswith("gstreamer.element"):
        pytest.importorskip("gi", reason="imported by the Python that GStreamer uses")
    assert importlib.import_module(name).__doc__


@pytest.mark.parametrize("half", [turbolens.filter, turbolens.pipelines])
def test_public_names_are_sorted_and_exist(half: object) -> None:
    names = getattr(half, "__all__", [])
    assert names == sorted(names)
    assert all(getattr(half, name) is not None for name in names)


def test_examples_import_public_names_only() -> None:
    public = ("turbolens.filter", "turbolens.pipelines", "turbolens.pipelines.webrtc")
    allowed = {(name, each) for name in public for each in importlib.import_module(name).__all__}
    used = [
        (path.name, *found) for path in sources("examples") for found in names_from_turbolens(path)
    ]
    assert len(used) > 10
    assert [each for each in used if each[1:] not in allowed] == []


@pytest.mark.parametrize("package", ["turbolens", "turbolens.filter", "turbolens.pipelines"])
def test_packaged_data_can_be_read(package: str) -> None:
    assert resources.files(package).joinpath("py.typed").is_file()


def test_the_gstreamer_plugin_is_packaged() -> None:
    folder = resources.files("turbolens.pipelines.gstreamer")
    assert folder.joinpath("python", "gstturbolens.py").is_file()


@pytest.mark.slow
def test_the_filter_knows_nothing_of_pipelines() -> None:
    forbidden = ("turbolens.pipelines", *SERVING)
    found = [(path.name, name) for path in sources("filter") for name in imported_names(path)
             if name.startswith(forbidden)]  # fmt: skip
    assert found == []


@pytest.mark.slow
def test_nobody_imports_a_half_by_its_folder_name() -> None:
    folders = ("filter", "pipelines", "turbolens", "tests", "examples")
    found = [(path.name, name) for path in sources(*folders) for name in imported_names(path)
             if name.split(".")[0] in HALVES]  # fmt: skip
    assert found == []


def test_the_filter_uses_files_threads_and_the_clock_only_where_it_says_so() -> None:
    paths = [path.relative_to(ROOT / "filter") for path in sources("filter")]
    found = {str(path) for path in paths if path.parts[0] not in IMPURE_ROOMS
             and uses_files_threads_or_clock(ROOT / "filter" / path)}  # fmt: skip
    assert found <= IMPURE_FILES


def test_the_filter_has_at_most_ten_files_of_its_own() -> None:
    assert len(list((ROOT / "filter").glob("*.py"))) <= 10


@pytest.mark.slow
def test_training_is_imported_by_no_module_of_the_filter_or_the_pipelines() -> None:
    found = [path.name for path in sources(*HALVES) if "training" not in path.parts
             for name in imported_names(path) if name.startswith("turbolens.filter.training")
             and path.name != "app.py"]  # fmt: skip
    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("module", ["turbolens", "turbolens.filter", "turbolens.pipelines.cli"])
def test_importing_loads_no_torch(module: str) -> None:
    program = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0  # noqa: S603


def test_the_version_is_the_installed_one() -> None:
    assert (
        importlib.import_module("importlib.metadata").version("turbolens") == turbolens.__version__
    )

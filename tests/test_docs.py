"""The documentation: tables made from the code, and paths and links that exist."""

import re
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from turbolens.filter import FilterSettings

ROOT = Path(__file__).resolve().parent.parent
FILES = re.compile(r"`((?:filter|pipelines|tests)/[\w/]+\.py)`")


@pytest.fixture
def hooks() -> Any:
    pytest.importorskip("mkdocs", reason="needs the extra [docs]")
    return import_module("docs.hooks")


def test_every_setting_is_in_the_table(hooks: Any) -> None:
    rows = hooks.settings_table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(FilterSettings.model_fields)
    assert all(row.count(" | ") == 3 for row in rows)


def test_a_range_and_a_default_are_in_the_table(hooks: Any) -> None:
    description = FilterSettings.model_fields["strength"].description
    assert f"| `strength` | 0 to 1 | `0.7` | {description} |" in hooks.settings_table()


def test_a_setting_that_may_be_left_open_is_called_auto_everywhere(hooks: Any) -> None:
    """As on the page: its switch is named Auto."""
    rows = [row for row in hooks.settings_table().splitlines() if "| auto |" in row]
    assert [row.split("`")[1] for row in rows] == ["size", "blend_before", "blend_after"]
    assert all("or auto |" in row and "; auto: " in row for row in rows)


def test_every_public_name_is_in_the_reference(hooks: Any) -> None:
    page = (ROOT / "docs/api.md").read_text("utf-8")
    for package in ("filter", "pipelines", "pipelines.webrtc"):
        assert f"<!-- names: turbolens.{package} -->" in page
        names = import_module(f"turbolens.{package}").__all__
        blocks = hooks.reference(f"turbolens.{package}").split("\n\n")
        assert sorted(blocks) == [f"::: turbolens.{package}.{name}" for name in names]


def test_what_a_page_loads_from_another_host_is_found(hooks: Any, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        '<script src="https://example.org/a.js"></script><link rel="stylesheet" href="own.css">'
        '<a href="https://example.org">a link is no load</a><img src="//example.org/b.png">'
    )
    (tmp_path / "own.css").write_text('@import "https://example.org/font.css";')
    assert sorted(hooks.remote_loads(tmp_path)) == [
        "own.css",
        "page.html: //example.org/b.png",
        "page.html: https://example.org/a.js",
    ]


def test_files_that_the_pages_name_exist() -> None:
    pages = [path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")]
    named = {path for page in pages for path in re.findall(FILES, page)}
    assert len(named) > 20
    assert {path for path in named if not (ROOT / path).is_file()} == set()


@pytest.mark.parametrize("half", ["filter", "pipelines"])
def test_the_tables_of_rooms_are_in_the_order_of_imports(half: str) -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    table = page.split(f"## `{half}/`")[1].split("##")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    rows = [re.findall(r"`([\w.]+?)(?:/|\.py)`", cell) for cell in cells]
    layer_of = {room: layer for layer, names in enumerate(_layers(half)) for room in names}
    assert sorted(room for row in rows for room in row) == sorted(layer_of)
    layers = [sorted(layer_of[room] for room in row) for row in rows]
    assert all(upper[-1] <= lower[0] for upper, lower in pairwise(layers))


def _layers(half: str) -> list[list[str]]:
    """The rooms of a half, from the top down, as import-linter checks them."""
    project = tomlkit.parse((ROOT / "pyproject.toml").read_text("utf-8")).unwrap()
    contracts = project["tool"]["importlinter"]["contracts"]
    [layers] = [each["layers"] for each in contracts if each["name"] == f"{half} layers"]
    return [re.findall(r"\w+", layer) for layer in layers]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_between_files_of_the_repository_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\((?!\w+:)([^)#]+)", (ROOT / name).read_text("utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_readme_is_short_and_its_python_is_that_of_the_first_page() -> None:
    readme, index = ((ROOT / name).read_text("utf-8") for name in ("README.md", "docs/index.md"))
    assert len(readme.splitlines()) <= 150
    [example] = re.findall(r"```python\n.*?```", readme, re.DOTALL)
    assert example in index

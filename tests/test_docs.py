"""The documentation: tables made from the code, and paths and links that exist."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from turbolens.filter import FilterSettings

ROOT = Path(__file__).resolve().parent.parent


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


def test_files_on_the_architecture_page_exist() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    paths = re.findall(r"`((?:filter|pipelines)/[\w/]+\.py)`", page)
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_between_files_of_the_repository_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\((?!\w+:)([^)#]+)", (ROOT / name).read_text("utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_readme_is_short_and_its_python_is_that_of_the_first_page() -> None:
    readme, index = ((ROOT / name).read_text("utf-8") for name in ("README.md", "docs/index.md"))
    assert len(readme.splitlines()) <= 150
    [example] = re.findall(r"```python\n.*?```", readme, re.DOTALL)
    assert example in index

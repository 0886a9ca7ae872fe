"""Files that describe the project: version, changelog, classifiers, workflow and issue forms."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import turbolens

ROOT = Path(__file__).resolve().parent.parent
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
yaml: Any = import_module("yaml")  # without types


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def test_the_newest_section_of_the_changelog_is_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.findall(r"^## (.+)$", changelog, re.MULTILINE)[0] == turbolens.__version__


def test_the_workflow_tests_the_python_versions_of_the_classifiers() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    named = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', pyproject)
    jobs = load(ROOT / ".github" / "workflows" / "tests.yml")["jobs"]
    assert jobs["tests"]["strategy"]["matrix"]["python"] == named


@pytest.mark.parametrize("path", [path for path in FORMS if path.name != "config.yml"], ids=str)
def test_an_issue_form_has_what_github_wants(path: Path) -> None:
    form = load(path)
    assert set(form) <= {"name", "description", "title", "labels", "body"}
    assert form["name"]
    assert form["description"]
    fields = [each for each in form["body"] if each["type"] != "markdown"]
    assert all(each["type"] in {"input", "textarea", "dropdown", "checkboxes"} for each in fields)
    assert all(each["attributes"]["label"] for each in fields)
    names = [each["id"] for each in fields]
    assert len(names) == len(set(names)) > 0

"""mkdocs hooks: pages made from files elsewhere in the repository, and tables made from the code.

Markers in the pages are replaced when the site is built:

    <!-- settings -->             the table of `FilterSettings`, from its JSON schema
    <!-- names: PACKAGE -->       the reference of each name in the `__all__` of that package
"""

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from turbolens.filter import FilterSettings

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY_PAGES = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "model-card.md": "filter/embedded/README.md",
    "protocol.md": "pipelines/webrtc/PROTOCOL.md",
    "security.md": "SECURITY.md",
}
"""Pages of the site that are files of the repository: page → file."""

_LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
_NAMES = re.compile(r"<!-- names: ([\w.]+) -->")
_REMOTE = re.compile(r"^(?:https?:)?//")
_REMOTE_IN_CSS = re.compile(r"(?:@import|url\()[\s\"']*(?:https?:)?//")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from files of the repository."""
    for page, source in REPOSITORY_PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Replace the markers, and let links to files of the repository lead to their pages."""
    source = REPOSITORY_PAGES.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    markdown = _LINK.sub(lambda link: _site_link(link[1], source) + (link[2] or ""), markdown)
    markdown = _NAMES.sub(lambda marker: reference(marker[1]), markdown)
    return markdown.replace("<!-- settings -->", settings_table())


def on_post_build(config: MkDocsConfig) -> None:
    """Fail if a page of the site loads anything from another host."""
    found = sorted(set(remote_loads(Path(config.site_dir))))
    if found:
        raise PluginError("the site loads files from other hosts: " + ", ".join(found))


def _site_link(target: str, source: str) -> str:
    """A link in the repository file `source` as a link between pages of the site."""
    path = normpath(PurePosixPath(source).parent / target)
    for page, file in REPOSITORY_PAGES.items():
        if path == file:
            return page
    return path.removeprefix("docs/") if path.startswith("docs/") else target


def reference(package: str) -> str:
    """mkdocstrings' blocks for the public names of a package, errors last."""
    names = sorted(import_module(package).__all__, key=lambda name: name.endswith("Error"))
    return "\n\n".join(f"::: {package}.{name}" for name in names)


def settings_table() -> str:
    """A Markdown table of every field of `FilterSettings`: name, values, default, meaning."""
    rows = ["| setting | values | default | meaning |", "| --- | --- | --- | --- |"]
    for name, schema in FilterSettings.model_json_schema()["properties"].items():
        meaning = schema["description"].replace("|", "\\|")
        rows.append(f"| `{name}` | {_values(schema)} | {_default(schema)} | {meaning} |")
    return "\n".join(rows)


def _values(schema: Mapping[str, Any]) -> str:
    """The values that a field takes, in words."""
    if "anyOf" in schema:
        return " or ".join(_values(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema["type"]
    if kind in ("number", "integer"):
        return _range(schema)
    words = {
        "array": "list of (text, weight)",
        "boolean": "`true`, `false`",
        "null": "auto",
        "object": "weights by name",
        "string": "text",
    }
    return words[kind]


def _range(schema: Mapping[str, Any]) -> str:
    lowest, highest = schema["minimum"], schema.get("maximum")
    if highest is None:
        return f"{lowest:g} to below {schema['exclusiveMaximum']:g}"
    if highest > 10**9:
        return f"{lowest:g} or more"
    return f"{lowest:g} to {highest:g}"


def _default(schema: Mapping[str, Any]) -> str:
    default = schema["default"]
    if default is None:
        return "auto"
    if default == {}:
        return "none"
    if isinstance(default, list | tuple):
        return ", ".join(text for text, _ in default)
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def remote_loads(site: Path) -> Iterator[str]:
    """Each script, style, font, image or frame that a page or style loads from another host."""
    for page in site.rglob("*.html"):
        parser = _Loads()
        parser.feed(page.read_text("utf-8"))
        yield from (f"{page.name}: {url}" for url in parser.urls if _REMOTE.match(url))
    for style in site.rglob("*.css"):
        if _REMOTE_IN_CSS.search(style.read_text("utf-8")):
            yield style.name


class _Loads(HTMLParser):
    """Collects the addresses that a browser fetches while it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Links that only a click follows (`a`, `link rel=canonical` and the like) do not count."""
        values = dict(attrs)
        loads = {"stylesheet", "preload", "icon", "preconnect", "modulepreload", "prefetch"}
        if tag == "link" and loads & set((values.get("rel") or "").split()):
            self.urls.append(values.get("href") or "")
        elif tag not in ("a", "link"):
            self.urls += [
                values[name] or "" for name in ("src", "data", "poster") if name in values
            ]

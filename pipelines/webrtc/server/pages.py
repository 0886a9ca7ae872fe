"""The page: a route for each file of `pipelines/web`."""

import mimetypes
from collections.abc import Iterator
from pathlib import Path

from aiohttp import web

from .answers import Handler
from .security import OPEN_ROUTE, PAGE_POLICY

FOLDER = Path(__file__).parents[2] / "web"
INDEX = "index.html"
TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".svg": "image/svg+xml",
         ".webmanifest": "application/manifest+json", ".webp": "image/webp"}  # fmt: skip


def add_routes(app: web.Application) -> None:
    """Add a route for each file. No path of a request is looked up on disk."""
    for number, (name, file) in enumerate(_files(FOLDER)):
        handler = _serve(name, file.read_bytes())
        app.router.add_get(f"/{name}", handler, name=f"{OPEN_ROUTE}{number}")
        if name == INDEX:
            app.router.add_get("/", handler, name=OPEN_ROUTE)


def page_handler(name: str) -> Handler:
    """The handler of one file of the page, for a route of another name."""
    return _serve(name, (FOLDER / name).read_bytes())


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The path below `folder`, with slashes, and the file."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _serve(name: str, content: bytes) -> Handler:
    suffix = name[name.rfind(".") :]
    kind = TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"

    async def serve(request: web.Request) -> web.StreamResponse:
        charset = "utf-8" if kind.startswith("text/") else None
        response = web.Response(body=content, content_type=kind, charset=charset)
        response.headers["Content-Security-Policy"] = PAGE_POLICY
        response.headers["Cache-Control"] = "no-cache"
        return response

    return serve

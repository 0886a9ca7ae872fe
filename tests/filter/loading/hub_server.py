"""A hub server on loopback: the used part of the HTTP protocol, with faults on request."""

import hashlib
import json
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Repo:
    """Files by path. Large ones (.safetensors) are stored apart, as Git LFS does."""

    files: dict[str, bytes]
    commit: str = COMMIT
    licence: str = "mit"
    claimed_sizes: dict[str, int] = field(default_factory=dict)

    def listing(self, name: str) -> dict[str, Any]:
        siblings = [self._sibling(path, data) for path, data in self.files.items()]
        card = {"license": self.licence}
        return {"id": name, "sha": self.commit, "siblings": siblings, "cardData": card}

    def _sibling(self, path: str, data: bytes) -> dict[str, Any]:
        size = self.claimed_sizes.get(path, len(data))
        entry: dict[str, Any] = {"rfilename": path, "size": size, "blobId": git_digest(data)}
        if path.endswith(".safetensors"):
            entry["lfs"] = {"sha256": sha256(data), "size": size, "pointerSize": 134}
        return entry


@dataclass
class Faults:
    """What goes wrong. status: this answer to everything, with that code of the hub's."""

    status: int | None = None
    error_code: str = ""
    cut_after: int | None = None  # bytes of a stored file; then the line breaks, and 503 follows
    stall_after: int | None = None  # bytes of a stored file; then nothing until `resume` is set
    damage: str = ""  # the file whose first byte arrives wrong
    ignore_ranges: bool = False


@dataclass
class Request:
    method: str
    path: str
    byte_range: str | None
    host: str
    has_token: bool


class HubServer:
    """Serves `repos` until closed. requests: what was asked, in order."""

    def __init__(self, repos: dict[str, Repo]) -> None:
        self.repos, self.faults, self.requests = repos, Faults(), list[Request]()
        self.stalled, self.resume = threading.Event(), threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def ranges(self) -> list[str | None]:
        """The ranges in which stored files were asked for."""
        return [each.byte_range for each in self.stored()]

    def stored(self) -> list[Request]:
        return [each for each in self.requests if each.path.startswith("/stored/")]

    def close(self) -> None:
        self.resume.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def find(self, digest: str) -> tuple[str, bytes]:
        for repo in self.repos.values():
            for path, data in repo.files.items():
                if sha256(data) == digest:
                    return path, data
        raise KeyError(digest)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                _answer(hub, self)

            def do_HEAD(self) -> None:
                _answer(hub, self)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        return Handler


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_digest(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _answer(hub: HubServer, handler: BaseHTTPRequestHandler) -> None:
    path = unquote(urlsplit(handler.path).path)
    headers = handler.headers
    hub.requests.append(
        Request(
            handler.command, path, headers["Range"], headers["Host"], "Authorization" in headers
        )
    )
    if hub.faults.status is not None:
        _send(handler, hub.faults.status, b"", {"X-Error-Code": hub.faults.error_code})
    elif path.startswith("/stored/"):
        _send_stored(hub, handler, *hub.find(path.rsplit("/", 1)[1]))
    elif path.startswith("/api/models/"):
        _send_listing(hub, handler, path.removeprefix("/api/models/").split("/"))
    else:
        _send_resolved(hub, handler, path.strip("/").split("/"))


def _send_listing(hub: HubServer, handler: BaseHTTPRequestHandler, parts: list[str]) -> None:
    name, revision = "/".join(parts[:2]), parts[3] if len(parts) > 3 else "main"
    repo = hub.repos.get(name)
    if repo is None:
        _send(handler, 404, b"", {"X-Error-Code": "RepoNotFound"})
    elif revision not in ("main", repo.commit):
        _send(handler, 404, b"", {"X-Error-Code": "RevisionNotFound"})
    else:
        content = json.dumps(repo.listing(name)).encode()
        _send(handler, 200, content, {"Content-Type": "application/json"})


def _send_resolved(hub: HubServer, handler: BaseHTTPRequestHandler, parts: list[str]) -> None:
    repo, path = hub.repos.get("/".join(parts[:2])), "/".join(parts[4:])
    if repo is None or path not in repo.files:  # the client also asks for lists of its own site
        _send(handler, 404, b"", {"X-Error-Code": "EntryNotFound"})
        return
    data = repo.files[path]
    headers = {"X-Repo-Commit": repo.commit, "ETag": f'"{git_digest(data)}"'}
    if not path.endswith(".safetensors"):
        _send(handler, 200, data, headers)
        return
    digest, port = sha256(data), hub.url.rsplit(":", 1)[1]
    elsewhere = f"http://localhost:{port}/stored/{digest}"  # another host, as a CDN is
    linked = {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(data))}
    _send(handler, 302, b"", {**headers, **linked, "Location": elsewhere})


def _send_stored(hub: HubServer, handler: BaseHTTPRequestHandler, path: str, data: bytes) -> None:
    start = int((handler.headers["Range"] or "bytes=0-")[len("bytes=") :].split("-")[0])
    if hub.faults.ignore_ranges:
        start = 0
    if path == hub.faults.damage:
        data = bytes([data[0] ^ 1]) + data[1:]
    status = 206 if start else 200
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(data) - start))
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
    handler.end_headers()
    cut = hub.faults.cut_after if len(data) > (hub.faults.cut_after or 0) else None
    stall = hub.faults.stall_after
    if stall is not None and len(data) > stall:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        handler.wfile.write(data[start:stall])
        handler.wfile.flush()
        hub.stalled.set()
        hub.resume.wait()
        start = stall
    handler.wfile.write(data[start : cut if cut is not None else len(data)])
    if cut is not None:
        hub.faults = Faults(status=503)
        handler.close_connection = True


def _send(
    handler: BaseHTTPRequestHandler, status: int, content: bytes, headers: dict[str, str]
) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(content)

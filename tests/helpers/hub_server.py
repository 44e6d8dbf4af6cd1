"""A hub of models on this machine: as much of its protocol as a download takes, and the troubles that it can make.

Repositories with branches and commits, redirects of large files to another host, ETags, ranges, tokens.
"""

import hashlib
import http.server
import json
import socketserver
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

LARGE = 1000
"""Bytes from which a file is stored elsewhere, as those in Git LFS are."""


def git_name(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Hub:
    """What is there, and what goes wrong."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Commit to its files."""
    branches: dict[str, str] = field(default_factory=dict)
    card: dict = field(default_factory=dict)
    token: str | None = None
    """Without it, 401."""
    busy: int = 0
    """So many requests more get 429."""
    cut: int = 0
    """So many answers with the largest file more end half-way."""
    spoil: set[str] = field(default_factory=set)
    """Names of files that arrive with a wrong byte."""
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers of each request."""
    url: str = ""

    def paths(self, start: str) -> list[str]:
        return [path for method, path, _ in self.asked if method == "GET" and path.startswith(start)]


class _Handler(http.server.BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        hub, path = self.hub, urlsplit(self.path).path
        hub.asked.append((self.command, path, dict(self.headers)))
        if path.startswith("/cdn/"):
            return self._send_large(path.removeprefix("/cdn/"))
        if hub.busy:
            hub.busy -= 1
            return self._reply(429, b"", {"Retry-After": "0"})
        if hub.token is not None and self.headers.get("Authorization") != f"Bearer {hub.token}":
            return self._reply(401, b"", {"X-Error-Message": "Invalid credentials"})
        if path.startswith("/api/models/own/toy"):
            return self._send_facts(path.removeprefix("/api/models/own/toy"))
        if path.startswith("/own/toy/resolve/"):
            return self._send_file(*path.removeprefix("/own/toy/resolve/").split("/", 1))
        return self._reply(404, b"", {"X-Error-Code": "RepoNotFound"})

    def _send_facts(self, rest):
        hub = self.hub
        revision = next((part for part in rest.split("/") if part in hub.commits or part in hub.branches), "main")
        if "/revision/" in rest and not rest.endswith(f"/revision/{revision}"):
            return self._reply(404, b"", {"X-Error-Code": "RevisionNotFound"})
        commit = hub.branches.get(revision, revision)
        files = hub.commits[commit]
        if "/tree/" in rest:
            rows = [{"type": "file", "path": n, "size": len(c), "oid": git_name(c)} for n, c in files.items()]
            return self._reply(200, json.dumps(rows).encode())
        said = {"id": "own/toy", "sha": commit, "siblings": [{"rfilename": name} for name in files]}
        return self._reply(200, json.dumps(said | {"cardData": hub.card}).encode())

    def _send_file(self, revision, name):
        commit = self.hub.branches.get(revision, revision)
        content = self.hub.commits.get(commit, {}).get(name)
        if content is None:
            return self._reply(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        headers = {"X-Repo-Commit": commit, "ETag": f'"{git_name(content)}"'}
        if len(content) < LARGE:
            return self._reply(200, self._spoilt(name, content), headers)
        digest = hashlib.sha256(content).hexdigest()
        elsewhere = self.hub.url.replace("127.0.0.1", "localhost")
        headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
        return self._reply(302, b"", headers | {"Location": f"{elsewhere}/cdn/{commit}/{name}"})

    def _send_large(self, rest):
        commit, name = rest.split("/", 1)
        content, first = self._spoilt(name, self.hub.commits[commit][name]), 0
        if asked := self.headers.get("Range"):
            first = int(asked.removeprefix("bytes=").split("-")[0])
        body = content[first:]
        headers = {"Content-Range": f"bytes {first}-{len(content) - 1}/{len(content)}"} if asked else {}
        largest = max(map(len, self.hub.commits[commit].values()))
        if self.hub.cut and self.command == "GET" and len(content) == largest:
            self.hub.cut -= 1
            self._head(206 if asked else 200, len(body), headers)
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return None
        return self._reply(206 if asked else 200, body, headers)

    def _spoilt(self, name, content):
        return bytes([content[0] ^ 1]) + content[1:] if name in self.hub.spoil else content

    def _reply(self, status, body, headers=None):
        self._head(status, len(body), headers or {})
        if self.command == "GET":
            self.wfile.write(body)

    def _head(self, status, size, headers):
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(size)}).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def serving(hub: Hub):
    """The hub answers at ``hub.url`` within the block."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield hub
        server.shutdown()

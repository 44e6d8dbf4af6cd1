"""Stands before the application: who may ask at all, how much, how slowly; and the headers of every answer.

- **Host.** A server of this machine answers to the names of this machine only, so that a page whose name was pointed at
  127.0.0.1 (DNS rebinding) is refused.
- **Origin.** What a browser sends from another site's page is refused, reading or writing (CSRF).
- **Token.** Where one is set, the API asks for it; the page itself, which holds no secret, does not.
- **Size and time.** A body that is too large is refused before it is read, one that comes too slowly is given up.
"""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from zero123pp.pipelines.server.settings import ServerSettings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")

_DRAIN_SECONDS = 2.0
"""For a body that is refused; what comes then is cut off."""

HEADERS = {
    "content-security-policy": "",  # see `policy`
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), interest-cohort=()",
}


def policy(style_hashes: tuple[str, ...] = ()) -> str:
    """The content security policy: scripts, styles, pictures and answers of this server, and nothing of anyone else's.

    The viewer compiles a decoder that it has within (WebAssembly); no text is ever evaluated as a script.
    ``style_hashes``: of the style sheets that the viewer writes into its own shadow tree.
    """
    styles = " ".join(f"'sha256-{each}'" for each in style_hashes)
    return (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' blob: data:; "
        "img-src 'self' blob: data:; "
        f"style-src 'self' {styles}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message


class Guard:
    """An ASGI application around another one."""

    def __init__(self, app: Any, settings: ServerSettings, style_hashes: tuple[str, ...] = ()) -> None:
        self._app, self._settings = app, settings
        self._headers = [
            (name.encode(), (value or policy(style_hashes)).encode()) for name, value in HEADERS.items()
        ]  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification (https://asgi.readthedocs.io)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)  # the lifespan; there are no web sockets
            return
        exchange = _Exchange(receive, send, self._headers, self._settings)
        try:
            headers = _headers_of(scope)
            self._check(scope, headers)
            await self._app(scope, exchange.receive, exchange.send)
        except _Refused as refused:
            await exchange.refuse(refused)

    def _check(self, scope: Scope, headers: Mapping[str, str]) -> None:
        """Raise for a request that shall not reach the application."""
        host = headers.get("host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if self._settings.is_local and name.lower() not in LOCAL_NAMES:
            raise _Refused(421, "this server answers to localhost only; start it with --host and --token for others")
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            raise _Refused(403, "pages of other sites may not use this server")
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and headers.get("sec-fetch-mode") != "navigate":
            raise _Refused(403, "pages of other sites may not use this server")
        if self._settings.token is not None and scope["path"].startswith("/v1/"):
            given = headers.get("authorization", "")
            if not secrets.compare_digest(given.encode(), f"Bearer {self._settings.token}".encode()):
                raise _Refused(401, "give this server's token: Authorization: Bearer TOKEN")
        length = headers.get("content-length", "0")
        if not length.isdigit() or len(length) > 15:
            raise _Refused(400, "the length of the body is not a number")
        if int(length) > self._settings.upload_bytes:
            raise too_large(self._settings)


class _Exchange:
    """One request and its answer: counts the bytes and the seconds of the body, and adds the headers."""

    def __init__(
        self, receive: Receive, send: Send, headers: list[tuple[bytes, bytes]], settings: ServerSettings
    ) -> None:
        self._receive, self._send, self._headers, self._settings = receive, send, headers, settings
        self._end: float | None = None
        self._count, self._is_whole = 0, False
        self._refused: _Refused | None = None
        self._begun = False

    async def receive(self) -> MutableMapping[str, Any]:
        """The next part of the body; raises what `send` then answers with, whatever the application makes of it."""
        if self._is_whole:  # what comes now is the end of the connection
            return await self._receive()
        now = asyncio.get_running_loop().time()
        self._end = now + self._settings.body_seconds if self._end is None else self._end
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._end - now))
        except TimeoutError:
            self._refused = _Refused(408, f"the request took longer than {self._settings.body_seconds:g} s")
            raise self._refused from None
        self._count += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._count > self._settings.upload_bytes:
            self._refused = too_large(self._settings)
            raise self._refused
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """A part of the application's answer."""
        if self._refused is not None:
            await self.refuse(self._refused)
            return
        if message["type"] == "http.response.start":
            self._begun = True
            message["headers"] = [*message.get("headers", ()), *self._headers]
        await self._send(message)

    async def refuse(self, refused: _Refused) -> None:
        """Answer in the application's place, unless there is one; the protocol ends the connection."""
        if not self._begun:
            self._begun, self._refused = True, refused
            await self._drain()
            await _answer(self._send, refused, self._headers)

    async def _drain(self) -> None:
        """Let one who is still sending come to an end: most clients read the answer only then."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not self._is_whole:
                    message = await self._receive()
                    self._is_whole = not message.get("more_body", False)


def too_large(settings: ServerSettings) -> _Refused:
    """For a body over the limit."""
    return _Refused(413, f"more than {settings.upload_bytes // 2**20} MB; scale the picture down first")


def _headers_of(scope: Scope) -> dict[str, str]:
    """Of those that are given twice only one can be meant: refused where it matters."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        if key in found and key in ("host", "origin", "authorization", "content-length"):
            raise _Refused(400, f"the header {key} is given twice")
        found[key] = value.decode("latin-1")
    return found


async def _answer(send: Send, refused: _Refused, more: list[tuple[bytes, bytes]]) -> None:
    body = json.dumps({"error": {"message": refused.message}}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *more,
    ]
    if refused.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""A client of `zero123pp serve`: a picture in, a GLB out, over HTTP. The standard library only.

>>> from zero123pp.client import Client
>>> glb = Client().make("toy.png", seed=0, target_polycount=5000)  # doctest: +SKIP
"""

import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from zero123pp.errors import BadInput, StageFailed

PICTURES = ("image", "sheet", "back", "mask")
"""Arguments that are files: paths, or their content as bytes."""
ENDED = ("SUCCEEDED", "FAILED", "CANCELED")


class Client:
    """Talks to one server; may be used from several threads."""

    def __init__(self, address: str = "http://127.0.0.1:8000", token: str | None = None, timeout: float = 30.0) -> None:
        if not address.startswith(("http://", "https://")):
            raise BadInput(f"the server's address is {address!r}; expected http://HOST:PORT")
        self._address, self._timeout = address.rstrip("/"), timeout
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def make(self, image: str | Path | bytes, *, progress: Callable[[dict], None] | None = None, **asked: Any) -> bytes:
        """The GLB of a picture; ``asked`` are the fields of ``POST /v1/jobs`` (docs/serve.md).

        Raises StageFailed when the job fails or is cancelled, and what `submit` raises.
        """
        job = self.submit(image=image, **asked)
        for state in self.watch(job["id"]):
            if progress is not None:
                progress(state)
        if state["status"] != "SUCCEEDED":
            raise StageFailed((state["task_error"] or {"message": "the job was cancelled"})["message"])
        return self.file(state["model_urls"]["glb"])

    def submit(self, *, idempotency_key: str | None = None, **asked: Any) -> dict[str, Any]:
        """Begin a job: `PICTURES`, and the fields of ``POST /v1/jobs``; returns its state.

        Raises BadInput for what the server refuses, or when there is no server.
        """
        body, content_type = _multipart({name: value for name, value in asked.items() if value is not None})
        headers = {"Content-Type": content_type}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return json.loads(self._ask("POST", "/v1/jobs", body, headers))

    def state(self, job: str) -> dict[str, Any]:
        """Where a job stands."""
        return json.loads(self._ask("GET", f"/v1/jobs/{job}"))

    def watch(self, job: str, every: float = 0.3) -> Iterator[dict[str, Any]]:
        """Its states until it has ended, asked for ``every`` so many seconds."""
        while True:
            state = self.state(job)
            yield state
            if state["status"] in ENDED:
                return
            time.sleep(every)

    def file(self, url: str) -> bytes:
        """One of the addresses in a job's state."""
        return self._ask("GET", url)

    def cancel(self, job: str) -> dict[str, Any]:
        """Stop a job; returns its state."""
        return json.loads(self._ask("POST", f"/v1/jobs/{job}/cancel", b""))

    def delete(self, job: str) -> None:
        """Stop a job, and let the server delete its files now."""
        self._ask("DELETE", f"/v1/jobs/{job}")

    def health(self) -> dict[str, Any]:
        """Whether the worker is ready, and what the server offers."""
        return json.loads(self._ask("GET", "/v1/health"))

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        request = urllib.request.Request(
            self._address + path, body, {**self._headers, **(headers or {})}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise BadInput(_said(error)) from error
        except OSError as error:
            raise BadInput(f"no server answers at {self._address} ({error}); start one: zero123pp serve") from error


def _said(error: urllib.error.HTTPError) -> str:
    try:
        return json.loads(error.read())["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return f"the server answered {error.code} {error.reason}"


def _multipart(asked: Mapping[str, Any]) -> tuple[bytes, str]:
    """RFC 7578: the body, and its content type."""
    boundary, parts = secrets.token_hex(16), []
    for name, value in asked.items():
        is_file = name in PICTURES
        if is_file and not isinstance(value, bytes):
            try:
                value = Path(value).read_bytes()
            except OSError as error:
                raise BadInput(f"cannot read {name} {value} ({error.strerror or error})") from error
        head = f'Content-Disposition: form-data; name="{name}"' + ('; filename="picture"' if is_file else "")
        content = value if isinstance(value, bytes) else str(value).encode()
        parts += [f"--{boundary}\r\n{head}\r\n\r\n".encode(), content, b"\r\n"]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"

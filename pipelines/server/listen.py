"""Listens: one process for the requests, which loads nothing heavy, and one worker behind it."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.pipelines.server.settings import INSTALL, ServerSettings

_MOST_CONNECTIONS = 200
_KEEP_ALIVE_SECONDS = 20
_GRACE_SECONDS = 3
_PAGE_FIRST_SECONDS = 0.8
"""Until the worker starts, which takes all processors for a while: who waits for the page sees it first."""


def serve(settings: ServerSettings, on_ready: Callable[[str], None] = lambda address: None) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        settings: see `ServerSettings`.
        on_ready: called with the page's address once requests are answered.

    Raises:
        MissingBackend: the extra is not installed.
        BadInput: nothing can listen there.
    """
    try:
        import python_multipart  # noqa: F401  (FastAPI asks for it at the first form only)
        import uvicorn

        from zero123pp.pipelines.server.app import create_app
    except ImportError as error:
        raise MissingBackend(f"the server needs {error.name}, which is not installed; {INSTALL}") from error
    from zero123pp.pipelines.server.dispatcher import Dispatcher
    from zero123pp.pipelines.server.jobs import Jobs
    from zero123pp.pipelines.server.page import EXAMPLES, example
    from zero123pp.pipelines.server.protocol import protocol
    from zero123pp.pipelines.server.work import Work

    listening = _socket(settings)
    jobs = Jobs(queue=settings.queue, keep_seconds=settings.keep_seconds, keep_bytes=settings.keep_bytes)
    warm = Work("warm", "object", settings.model, {"image": example(EXAMPLES[0])})
    dispatcher = Dispatcher(jobs, settings, warm)
    config = uvicorn.Config(
        create_app(settings, jobs, dispatcher),
        http=protocol(settings.body_seconds),
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        h11_max_incomplete_event_size=16 * 2**10,
    )

    def ready() -> None:
        asyncio.get_running_loop().call_later(_PAGE_FIRST_SECONDS, dispatcher.start)
        on_ready(_address(settings, listening))

    try:
        asyncio.run(_serve(uvicorn.Server(config), listening, ready))
    finally:
        dispatcher.stop()
        listening.close()


async def _serve(server: "object", listening: socket.socket, tell: Callable[[], None]) -> None:
    serving = asyncio.ensure_future(server.serve(sockets=[listening]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    if server.started:
        tell()
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        await serving


def _socket(settings: ServerSettings) -> socket.socket:
    """Bound here and not by uvicorn, so that a port that is taken is one clear line."""
    try:
        family, *_, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, socket.SOCK_STREAM)
        if sys.platform != "win32":
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(128)
    except (OSError, UnicodeError) as error:  # a name that cannot be one
        said = getattr(error, "strerror", None) or error
        raise BadInput(
            f"cannot listen on {settings.host}, port {settings.port} ({said}); choose another --port"
        ) from error
    return found


def _address(settings: ServerSettings, listening: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    token = f"#token={settings.token}" if settings.token else ""
    return f"http://{host}:{listening.getsockname()[1]}/{token}"

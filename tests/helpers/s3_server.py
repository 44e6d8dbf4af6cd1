"""A real S3 server on this machine (moto), which can be told to refuse requests as a busy store does."""

import threading
from collections import Counter
from collections.abc import Callable

SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message></Error>"
)


class S3Server:
    """Serves until `stop`; ``refuse(method, path, count)`` says which requests get 503, the count is of all so far."""

    def __init__(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        self.refuse: Callable[[str, str, int], bool] = lambda method, path, count: False
        self.puts: Counter[str] = Counter()
        """How often each object was put."""
        self.refused = self.requests = 0
        self._app, self._lock = DomainDispatcherApplication(create_backend_app), threading.Lock()
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        with self._lock:
            self.requests += 1
            busy = self.refuse(method, path, self.requests)
            self.refused += busy
            if method == "PUT" and not busy:
                self.puts[path] += 1
        if busy:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response("503 Slow Down", [("Content-Type", "application/xml")])
            return [SLOW_DOWN]
        return self._app(environ, start_response)

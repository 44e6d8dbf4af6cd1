"""uvicorn's HTTP/1.1, and a deadline for headers: one who sends them byte by byte holds a connection for ever else."""

import asyncio


def protocol(seconds: float) -> type[asyncio.Protocol]:
    """The class for ``uvicorn.Config(http=...)``: a request's headers have to be whole ``seconds`` after they begin.

    A connection on which nothing was sent yet counts as begun.
    """
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Patient(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:
            self._late: asyncio.TimerHandle | None = None
            super().connection_made(transport)
            self._expect()

        def data_received(self, data: bytes) -> None:
            self._expect()
            super().data_received(data)
            if self._is_in_request():
                self._relax()

        def connection_lost(self, exc: Exception | None) -> None:
            self._relax()
            super().connection_lost(exc)

        def _is_in_request(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def _expect(self) -> None:
            if self._late is None and not self._is_in_request():
                self._late = self.loop.call_later(seconds, self._give_up)

        def _relax(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

        def _give_up(self) -> None:
            self._late = None
            if not self._is_in_request():
                self.transport.close()

    return Patient

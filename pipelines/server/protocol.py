"""uvicorn's HTTP/1.1, and an end for those who would hold a connection for ever.

By headers that come byte by byte, or by a body that goes on after it was refused.
"""

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

        def on_response_complete(self) -> None:
            more = self.cycle.more_body
            super().on_response_complete()
            if more and not self.transport.is_closing():
                self.transport.close()

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

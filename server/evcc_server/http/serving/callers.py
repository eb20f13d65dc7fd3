"""Who has a connection to us: accepted with the address that it came from, also when it has gone again meanwhile."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Any

import trio

_GONE_ALREADY = frozenset({errno.ECONNABORTED, errno.EPERM, errno.EPROTO})
"""What Linux says of a caller that has gone before it was accepted; the next one may be there."""


@dataclass(frozen=True, slots=True, eq=False)
class Caller(trio.abc.AsyncResource):
    """A connection, and the address of its other end as the operating system gives it."""

    stream: trio.SocketStream
    address: tuple[Any, ...]

    async def aclose(self) -> None:
        """Close the connection."""
        await self.stream.aclose()


class Callers(trio.abc.Listener[Caller]):
    """Accepts on ``listener``. A caller that has reset its connection can be asked for no address any more: it is taken here."""

    def __init__(self, listener: trio.SocketListener) -> None:
        self._socket = listener.socket

    @property
    def port(self) -> int:
        """Where it listens."""
        port = self._socket.getsockname()[1]
        assert isinstance(port, int)
        return port

    async def accept(self) -> Caller:
        """The next caller. Raises `OSError` when there is no room for it."""
        while True:
            try:
                socket, address = await self._socket.accept()
            except OSError as error:
                if error.errno not in _GONE_ALREADY:
                    raise
            else:
                return Caller(trio.SocketStream(socket), address)

    async def aclose(self) -> None:
        """Listen no more."""
        self._socket.close()
        await trio.lowlevel.checkpoint()

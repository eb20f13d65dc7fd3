"""One life of a server under test, and its only way to the database: shut when it is killed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import trio

from evcc_server.app import Server

T = TypeVar("T")


class Door:
    """The server's way to blocking calls (`evcc_server.blocking.RunBlocking`): in place. A dead server's calls never return."""

    def __init__(self) -> None:
        self._close: Callable[[], object] | None = None
        self._is_shut = False

    async def __call__(self, function: Callable[[], T], /) -> T:
        """Call ``function`` in place; remember how to close the database that it has opened.

        The caller waits before and after, as for a thread: it can die when the call is done and it does not know yet.
        """
        await trio.lowlevel.checkpoint()
        if self._is_shut:
            await trio.sleep_forever()
        result = function()
        if self._close is None:
            self._close = getattr(result, "close", None)
        await trio.lowlevel.cancel_shielded_checkpoint()
        return result

    def shut(self) -> None:
        """Close the database under the server's hands, as the end of its process would."""
        self._is_shut = True
        if self._close is not None:
            self._close()


@dataclass(slots=True, eq=False)
class Life:
    """One server, from its start to its end."""

    scope: trio.CancelScope
    door: Door = field(default_factory=Door)
    server: Server | None = None  # once it is open
    was_killed: bool = False

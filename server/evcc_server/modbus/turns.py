"""Who goes next on a connection: a lock whose waiters are served by priority, then in order of arrival."""

from __future__ import annotations

import heapq
from enum import IntEnum

import anyio


class Priority(IntEnum):
    """Lower goes first: what steers, then what keeps a watchdog calm, then what only looks, then other programs."""

    CONTROL = 0
    KEEPALIVE = 1
    POLL = 2
    GUEST = 3


class Turns:
    """One holder at a time. A waiter that is cancelled leaves no trace; a turn just given to it goes on to the next."""

    def __init__(self) -> None:
        self._is_taken = False
        self._arrivals = 0
        self._waiting: list[tuple[int, int, anyio.Event]] = []

    def take_free(self) -> bool:
        """Have the turn at once if nobody has it; whether that was so. Whoever has the turn must `pass_on`."""
        if self._is_taken:
            return False
        self._is_taken = True
        return True

    async def take(self, priority: Priority) -> None:
        """Wait for the turn."""
        if self.take_free():
            return
        self._arrivals += 1
        entry = (int(priority), self._arrivals, anyio.Event())
        heapq.heappush(self._waiting, entry)
        try:
            await entry[2].wait()
        except BaseException:
            if entry[2].is_set():
                self.pass_on()
            else:
                self._waiting.remove(entry)
                heapq.heapify(self._waiting)
            raise

    def pass_on(self) -> None:
        """Give the turn back: to the most urgent waiter, if there is one."""
        if self._waiting:
            heapq.heappop(self._waiting)[2].set()
        else:
            self._is_taken = False

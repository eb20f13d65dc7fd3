"""Room for connections: so many from one address, so many in all, and never full for who has something to say.

Who comes when there is no room gets the place of the one that has kept us waiting longest: of its own address if that has too
many, else of all. A connection whose request is being answered keeps its place.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Protocol

_log = logging.getLogger(__name__)


class Holder(Protocol):
    """A connection that has a place."""

    @property
    def waits(self) -> tuple[bool, float] | None:
        """Whether its peer has been answered before, and since when it is waited for; None: it is not."""

    def give_up(self) -> None:
        """Close the connection at once."""


class Places:
    """The connections of one outlet, ``what``; `take` and `leave` frame each of them."""

    def __init__(self, what: str, *, each: int, all_together: int) -> None:
        self._what = what
        self._each = each
        self._all = all_together
        self._taken: dict[Holder, str] = {}
        self._counts: Counter[str] = Counter()
        self._crowded: set[str] = set()

    def take(self, holder: Holder, address: str) -> bool:
        """Whether there is a place for ``holder``; if need be another one has been closed for it."""
        if self._counts[address] >= self._each:
            self._tell(address)
            has_room = self._clear([other for other, theirs in self._taken.items() if theirs == address])
        else:
            has_room = len(self._taken) < self._all or self._clear(list(self._taken))
        if has_room:
            self._taken[holder] = address
            self._counts[address] += 1
        return has_room

    def leave(self, holder: Holder) -> None:
        """Give the place back, unless it has been taken away."""
        address = self._taken.pop(holder, None)
        if address is not None:
            self._counts[address] -= 1
            if self._counts[address] <= self._each // 2:
                self._crowded.discard(address)
            if not self._counts[address]:
                del self._counts[address]

    def _clear(self, holders: list[Holder]) -> bool:
        waiting = [(waits, place) for place, holder in enumerate(holders) if (waits := holder.waits) is not None]
        if not waiting:
            return False
        _, place = min(waiting)
        self.leave(holders[place])
        holders[place].give_up()
        return True

    def _tell(self, address: str) -> None:
        if address not in self._crowded:
            self._crowded.add(address)
            _log.warning(
                "%s: %s has %d connections, the limit; those that ask for nothing are closed",
                self._what,
                address,
                self._each,
            )

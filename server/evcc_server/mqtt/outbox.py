"""What waits to be sent: one slot for each retained topic, a short queue for the rest [R-5]."""

from __future__ import annotations

from collections import deque

from evcc_server.mqtt.broker_link import Publication

PASSING_MAX = 100


class Outbox:
    """Newest value of each topic, sent in the order of the newest changes. Never larger than the tree plus `PASSING_MAX`."""

    def __init__(self) -> None:
        self._slots: dict[str, Publication] = {}
        self._passing: deque[Publication] = deque(maxlen=PASSING_MAX)

    def __len__(self) -> int:
        return len(self._slots) + len(self._passing)

    def put(self, publication: Publication) -> None:
        """Add; a retained message takes the place of an older one on its topic, at the end of the line."""
        if not publication.is_retained:
            self._passing.append(publication)
            return
        self._slots.pop(publication.topic, None)
        self._slots[publication.topic] = publication

    def take(self) -> Publication | None:
        """Remove the one to be sent next; None: nothing waits."""
        if self._passing:
            return self._passing.popleft()
        if self._slots:
            return self._slots.pop(next(iter(self._slots)))
        return None

    def clear(self) -> None:
        """Forget everything."""
        self._slots.clear()
        self._passing.clear()

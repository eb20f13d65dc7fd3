"""Who has subscribed to what, as a tree of levels: finding those who want a topic costs the same with thousands of filters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Holder = TypeVar("Holder")


@dataclass(slots=True)
class _Level(Generic[Holder]):
    """``below`` has the next level of filters by its text, ``holders`` those whose filter ends here with their QoS."""

    below: dict[str, _Level[Holder]] = field(default_factory=dict)
    holders: dict[Holder, int] = field(default_factory=dict)


class Filters(Generic[Holder]):
    """The filters of all holders. A filter is one of `evcc_server.mqtt.topics.is_filter`."""

    def __init__(self) -> None:
        self._top: _Level[Holder] = _Level()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, text: str, holder: Holder, qos: int) -> None:
        """Add the filter, or change its quality of service."""
        level = self._top
        for name in text.split("/"):
            level = level.below.setdefault(name, _Level())
        self._count += holder not in level.holders
        level.holders[holder] = qos

    def drop(self, text: str, holder: Holder) -> None:
        """Forget the filter, if it is there."""
        path = [self._top]
        names = text.split("/")
        for name in names:
            if name not in path[-1].below:
                return
            path.append(path[-1].below[name])
        if path[-1].holders.pop(holder, None) is not None:
            self._count -= 1
        for parent, name, level in reversed(list(zip(path, names, path[1:], strict=False))):
            if level.holders or level.below:
                return
            del parent.below[name]

    def holders(self, topic: str) -> dict[Holder, int]:
        """Everybody with a filter for ``topic`` and the highest quality of service of these filters [MQTT 3.1.1, 4.7]."""
        found: dict[Holder, int] = {}
        levels = [self._top]
        for place, name in enumerate(topic.split("/")):
            is_hidden = place == 0 and name.startswith("$")  # from filters that begin with a wildcard
            reached = []
            for level in levels:
                if (exact := level.below.get(name)) is not None:
                    reached.append(exact)
                if not is_hidden and (any_name := level.below.get("+")) is not None:
                    reached.append(any_name)
                if not is_hidden and (all_below := level.below.get("#")) is not None:
                    _take_higher(found, all_below.holders.items())
            levels = reached
        for level in levels:
            _take_higher(found, level.holders.items())
            if (all_below := level.below.get("#")) is not None:  # which includes the level above it
                _take_higher(found, all_below.holders.items())
        return found


def _take_higher(found: dict[Holder, int], more: Iterable[tuple[Holder, int]]) -> None:
    for holder, qos in more:
        found[holder] = max(qos, found.get(holder, 0))

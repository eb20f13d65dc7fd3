"""From what a view holds to the values of documents: what is unknown left out, times in the home's zone, sums."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from evcc_server.state.values import UNSET_TIME, Counter, Phases, Unset, Value
from evcclib.model import PhaseTriple
from evcclib.units import round_half_away, whole_seconds


def counter(count: float | None) -> Counter | None:
    return None if count is None else Counter(count)


def total(counts: Sequence[float | None]) -> Counter | None:
    """Their sum; None unless there are some and each is known."""
    found = [count for count in counts if count is not None]
    return Counter(sum(found)) if found and len(found) == len(counts) else None


def known(keys: dict[str, Value]) -> dict[str, Value]:
    return {key: value for key, value in keys.items() if value is not None}


def phases(values: PhaseTriple | None) -> Phases | None:
    return None if values is None else Phases(values)


def rounded(value: float | None) -> float | None:
    return None if value is None else round_half_away(value)


def local(time: datetime | None, zone: tzinfo) -> datetime | Unset:
    return UNSET_TIME if time is None else _in_zone(time, zone)


@functools.lru_cache(maxsize=64)
def _in_zone(time: datetime, zone: tzinfo) -> datetime:
    """Times that are set stay as they are for long."""
    return time.astimezone(zone)


def age_of(age: timedelta | None) -> timedelta | None:
    return None if age is None else whole_seconds(age)

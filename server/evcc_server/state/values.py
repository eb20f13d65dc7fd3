"""The kinds of value a state document holds, beyond plain numbers, words, durations and times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import Enum

from evcclib.model import PhaseTriple
from evcclib.tariff import Rate

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


class Unset(Enum):
    """A time that is not set; its encoding differs from that of None on two channels."""

    TIME = "unset time"


UNSET_TIME = Unset.TIME


@dataclass(frozen=True, slots=True)
class Counter:
    """What only grows until it begins anew: with three decimals at least on every channel, so that differences can be taken."""

    value: float


@dataclass(frozen=True, slots=True)
class Phases:
    """Values of L1, L2, L3."""

    values: PhaseTriple


@dataclass(frozen=True, slots=True)
class Records:
    """One mapping for each device of a kind (``pv``, ``battery``), or each of several plans."""

    items: tuple[Mapping[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Names:
    """A list of words (``vehicles``) or whole numbers."""

    items: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Slots:
    """When is charged, and at what price; on MQTT one text, on which a list without end would be many topics."""

    items: tuple[Rate, ...]
    time_zone: tzinfo


@dataclass(frozen=True, slots=True)
class Structure:
    """A nested object. ``main`` names the member that stands for all of it where only one text fits (MQTT)."""

    members: Mapping[str, Value]
    main: str = ""


@dataclass(frozen=True, slots=True)
class Tree:
    """A nested object; on MQTT a level of topics for every member, at any depth."""

    members: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list; on MQTT numbered from 1, and the count on the topic itself."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Ready:
    """JSON that looks the same on every channel, and is one text on MQTT."""

    json: Json


Value = (
    float
    | int
    | bool
    | str
    | datetime
    | timedelta
    | Unset
    | Counter
    | Phases
    | Records
    | Names
    | Slots
    | Structure
    | Tree
    | Listing
    | Ready
    | None
)

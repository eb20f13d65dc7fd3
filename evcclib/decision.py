"""The answer of one step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from evcclib.commands import Batch, BatteryCommand, Read
from evcclib.events import Event
from evcclib.planning.power_plan import Piece, Shortfall
from evcclib.reasons import Reason
from evcclib.tariff import Rate
from evcclib.units import Instant


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, what happened, why, and when to come back.

    ``commands`` has at most one batch for each loadpoint (0-based), and none for a loadpoint whose last batch has not been
    answered yet; ``battery_commands`` are the same for home batteries. ``reads`` are wishes; the caller fetches what it can, and
    the answers arrive in later readings.
    ``wake_at`` is the earliest instant at which the decision could differ while readings and settings stay as they are;
    ``wake_renewed_at`` is the same for a caller that takes new samples at every interval, so that none becomes too old.
    """

    commands: Mapping[int, Batch]
    events: tuple[Event, ...]
    reasons: tuple[Reason, ...]
    reads: frozenset[Read]
    wake_at: Instant | None
    wake_renewed_at: Instant | None
    battery_commands: Mapping[int, BatteryCommand] = field(default_factory=dict)


class PlanPreview(NamedTuple):
    """A charging plan [PLAN-17]: ``duration`` needed at ``power_w``; ``slots`` None: no plan; ``is_met`` False: the goal cannot
    be reached in time and the slots are all there are.

    Of a plan of power [PLAN-29] ``pieces`` say with how much, ``cost`` what its energy costs (None: not all prices are known) and
    ``shortfall`` what is missing; ``slots`` are the pieces as rates, cut where the price changes. ``number`` as in `PlanView`.
    """

    duration: timedelta
    slots: tuple[Rate, ...] | None
    unit: str
    power_w: float
    target_time: datetime | None
    is_met: bool
    pieces: tuple[Piece, ...] = ()
    cost: float | None = None
    shortfall: Shortfall | None = None
    number: int = 0

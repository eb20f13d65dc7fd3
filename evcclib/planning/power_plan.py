"""What a planner answers: power over time, what it costs, how much less it could cost at most, and whether it holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from evcclib.planning.problem import Problem, Slot
from evcclib.planning.slot_costs import MILLISECOND, Point, Use
from evcclib.units import ZERO, energy_kwh


class Piece(NamedTuple):
    """From ``start`` to ``end`` with ``power_w`` [W]."""

    start: datetime
    end: datetime
    power_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """Why a plan does not hold, and what each of three things would do for it.

    The slots hold ``available_kwh`` at most, whatever is done; ``is_proof`` checks that. It would hold if there were ``later``
    more time after the last slot, at the greatest power; with ``lifted_kwh``, which the caps of the slots withhold, if that is
    as much as is short; or with a goal that is lower by ``short_kwh``.
    """

    need_kwh: float
    available_kwh: float
    later: timedelta
    lifted_kwh: float

    @property
    def short_kwh(self) -> float:
        """What is missing."""
        return self.need_kwh - self.available_kwh


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerPlan:
    """``pieces`` in order, disjoint; between them the car stands still.

    ``cost`` is that of the priced energy and the starts, no plan that holds costs less than ``bound``. ``shortfall`` is None if
    the plan holds; otherwise the plan is all that can be done.
    """

    pieces: tuple[Piece, ...] = ()
    cost: float = 0.0
    bound: float = 0.0
    unpriced_kwh: float = 0.0
    shortfall: Shortfall | None = None

    @property
    def is_met(self) -> bool:
        """Whether it holds."""
        return self.shortfall is None

    @property
    def energy_kwh(self) -> float:
        """All energy, at the socket."""
        return sum(energy_kwh(piece.power_w, piece.end - piece.start) for piece in self.pieces)

    @property
    def start(self) -> datetime | None:
        """When charging begins; None for an empty plan."""
        return self.pieces[0].start if self.pieces else None

    def power_at(self, time: datetime) -> float:
        """The power [W] at ``time``."""
        return next((piece.power_w for piece in self.pieces if piece.start <= time < piece.end), 0.0)

    def runs(self) -> int:
        """How often charging begins."""
        return bool(self.pieces) + sum(before.end < after.start for before, after in pairwise(self.pieces))


EMPTY = PowerPlan()


def is_proof(shortfall: Shortfall, problem: Problem) -> bool:
    """Whether ``problem`` has no plan, as ``shortfall`` says: each slot at the greatest power that it allows is not enough."""
    stretches = [0.0]
    for slot in problem.slots:
        most_w = max((min(high, slot.cap_w) for low, high in problem.ranges_w if low <= slot.cap_w), default=0.0)
        if most_w == 0.0 and problem.is_one_block:
            stretches.append(0.0)
        stretches[-1] += energy_kwh(most_w, slot.end - slot.start)
    return max(stretches) <= shortfall.available_kwh + 1e-6 < problem.need_kwh == shortfall.need_kwh


def in_slot(problem: Problem, slot: Slot, corners: Sequence[Point], energy: int, use: Use) -> Iterable[Piece]:
    """How ``energy`` [W ms] is taken in a slot at the cost of a curve with these ``corners``, in order."""
    after = next(number for number, corner in enumerate(corners) if corner.energy >= energy)
    low, high = corners[max(after - 1, 0)], corners[after]
    if high.energy == energy:
        return (Piece(slot.start, slot.end, float(high.power_w)),)
    if low.energy == 0:
        lasts = energy / high.power_w * MILLISECOND
        if use is Use.LAST:
            return (Piece(slot.start, slot.start + lasts, float(high.power_w)),)
        return (Piece(slot.end - lasts, slot.end, float(high.power_w)),)
    if _is_straight(problem, slot, low.power_w, high.power_w):
        return (Piece(slot.start, slot.end, energy / ((slot.end - slot.start) / MILLISECOND)),)
    change = slot.start + (slot.end - slot.start) * ((high.energy - energy) / (high.energy - low.energy))
    return Piece(slot.start, change, float(low.power_w)), Piece(change, slot.end, float(high.power_w))


def _is_straight(problem: Problem, slot: Slot, low_w: int, high_w: int) -> bool:
    """Whether every power between two corners can be had, and costs what the line between them says."""
    is_free = any(low <= low_w + 0.5 and high_w - 0.5 <= high for low, high in problem.ranges_w)
    edges = [edge_w for sun in slot.sun for edge_w in (sun.power_w, sun.power_w - slot.sell_max_w)]
    return is_free and not any(low_w < edge_w < high_w for edge_w in edges)


def joined(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Neighbours of the same power made one."""
    found: list[Piece] = []
    for piece in pieces:
        if piece.end - piece.start <= ZERO:
            continue
        if found and found[-1].end == piece.start and found[-1].power_w == piece.power_w:
            found[-1] = Piece(found[-1].start, piece.end, piece.power_w)
        else:
            found.append(piece)
    return tuple(found)


def charged_kwh(plan: PowerPlan, time: datetime) -> float:
    """What a plan has charged by ``time``."""
    return sum(
        energy_kwh(piece.power_w, min(piece.end, time) - piece.start) for piece in plan.pieces if piece.start < time
    )

"""The last part of a need right before the departure, whatever it costs, so that the car leaves with a warm battery."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from evcclib.planning.problem import Problem, Slot
from evcclib.units import SECOND, ZERO, energy_kwh


def preconditioned(problem: Problem, lasts: timedelta) -> Problem:
    """The problem with all possible power in the last ``lasts``; if that is more than is needed, with nothing before it."""
    begin, needed = _latest(problem, lasts)
    if needed >= problem.need_kwh:
        slots = tuple(slot if slot.start >= begin else slot._replace(cap_w=0.0) for slot in cut(problem.slots, begin))
    else:
        slots = tuple(
            slot._replace(is_forced=True) if slot.start >= begin else slot for slot in cut(problem.slots, begin)
        )
    return replace(problem, slots=slots)


def _latest(problem: Problem, lasts: timedelta) -> tuple[datetime, float]:
    """When to begin at the latest, in whole seconds before the end, and what can be charged from then on [kWh]."""
    begin = problem.slots[-1].end
    charged = 0.0
    for slot in reversed(problem.slots):
        most_w = max((min(high, slot.cap_w) for low, high in problem.ranges_w if low <= slot.cap_w), default=0.0)
        there = min(lasts, slot.end - slot.start)
        missing = problem.need_kwh - charged
        if there <= ZERO or missing <= 0:
            break
        if energy_kwh(most_w, there) > missing:
            there = min(there, SECOND * -(-missing * 3.6e6 // most_w))
        charged += energy_kwh(most_w, there)
        begin, lasts = slot.end - there, lasts - there
    return begin, charged


def cut(slots: tuple[Slot, ...], time: datetime) -> Iterator[Slot]:
    """The same slots, with an edge at ``time``."""
    for slot in slots:
        if slot.start < time < slot.end:
            yield slot._replace(end=time)
            yield slot._replace(start=time)
        else:
            yield slot

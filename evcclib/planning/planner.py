"""Cheapest slots in which to charge for a time before a target [PLAN-5..PLAN-9].

Among equal prices the latest slot wins. The slot that is not needed in full starts late if it is the earliest of the plan, so
that the plan is as compact as it can be, and ends early otherwise [DEF-11]. Time for which the list has no price, before its
first rate or in a hole, is the last resort: taken when all priced time is, the latest of it first.

A strategy asks for one block, the cheapest; or for the last part of it right before the target, whatever that costs; with both
it is one block that ends at the target [PLAN-35].
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from evcclib.tariff import Rate, Rates, price_at
from evcclib.timetable.plans import CHEAPEST, PlanStrategy
from evcclib.units import HOUR, ZERO

COST_DECIMALS = 9
"""Costs of blocks that differ by less are equal: they are sums of floats."""
UNPRICED = math.nan
"""The price of a slot for which a list of prices has none; without any list a plan's price is 0 [PLAN-6]."""


class Plan(NamedTuple):
    """``slots`` in time order, disjoint. ``is_met`` False: there is less time than needed, and the slots are all there is.

    Slots may add up to less than needed and still meet the goal, when the target lies beyond the known prices: what is missing
    fits in between [PLAN-8].
    """

    slots: tuple[Rate, ...] = ()
    is_met: bool = True

    @property
    def start(self) -> datetime | None:
        """When charging will start; None for an empty plan [PLAN-12]."""
        return self.slots[0].start if self.slots else None

    def slot_at(self, time: datetime) -> Rate | None:
        """The slot that holds ``time`` [PLAN-13]."""
        for slot in self.slots:
            if slot.start <= time < slot.end:
                return slot
        return None

    def duration(self) -> timedelta:
        """All slots together."""
        return sum((slot.end - slot.start for slot in self.slots), ZERO)


NO_PLAN = Plan()


def duration_at(energy_kwh: float, power_w: float) -> timedelta | None:
    """How long ``energy_kwh`` takes at ``power_w``; zero if nothing is left, None without power [DEF-10, DEF-21]."""
    if energy_kwh <= 0:
        return ZERO
    if power_w <= 0:
        return None
    return HOUR * (energy_kwh * 1000.0 / power_w)


def plan(
    rates: Rates | None,
    required: timedelta,
    target: datetime,
    now: datetime,
    *,
    strategy: PlanStrategy = CHEAPEST,
    has_begun: bool = False,
) -> Plan:
    """The cheapest way to charge for ``required`` between ``now`` and ``target``, both timezone-aware.

    Without usable prices (no list, outdated, nothing from now on) it is the last possible moment [PLAN-6, DEF-14]. Slots in a
    hole of the list cost `UNPRICED`. ``has_begun``: a block that is charged in already is not broken off.
    """
    if required <= ZERO:
        return NO_PLAN
    now, target = now.astimezone(UTC), target.astimezone(UTC)
    available = target - now
    if available <= ZERO:
        return Plan((), is_met=False)
    is_met = required <= available
    required = min(required, available)
    if rates is None or rates.is_outdated or not rates.rates or rates.rates[-1].end <= now:
        return Plan((Rate(target - required, target, 0.0),), is_met)
    goes_on = strategy.is_continuous and has_begun
    late = required if strategy.is_continuous and strategy.precondition else min(required, strategy.precondition)
    if late and not goes_on:
        last = _priced(rates, target - late, target)
        if required <= late:
            return Plan(last, is_met)
        before = plan(rates, required - late, target - late, now, strategy=strategy._replace(precondition=ZERO))
        return Plan((*before.slots, *last), is_met)
    horizon = rates.rates[-1].end
    if target > horizon and not goes_on:
        required -= target - horizon
        if required <= ZERO:
            return Plan((), is_met)
        target = horizon
    if strategy.is_continuous:
        start = now if goes_on else _window(rates, required, target, now)
        return Plan(_priced(rates, start, start + required), is_met)
    return Plan(_cheapest(rates, required, target, now), is_met)


def _cheapest(rates: Rates, required: timedelta, target: datetime, now: datetime) -> tuple[Rate, ...]:
    """The slots for ``required``, which is not more than there is between ``now`` and ``target``."""
    chosen: list[Rate] = []
    for rate in rates.by_price:
        if rate.start >= target or rate.end <= now:
            continue
        slot = Rate(max(rate.start, now), min(rate.end, target), rate.price)
        chosen.append(slot)
        required -= slot.end - slot.start
        if required <= ZERO:
            break
    if required < ZERO:
        chosen[-1] = _shortened(chosen, -required)
    elif required > ZERO:
        for hole in _holes_latest_first(rates, target, now):
            chosen.append(Rate(max(hole.start, hole.end - required), hole.end, UNPRICED))
            required -= hole.end - hole.start
            if required <= ZERO:
                break
    return tuple(sorted(chosen, key=lambda slot: slot.start))


def _window(rates: Rates, required: timedelta, target: datetime, now: datetime) -> datetime:
    """When the cheapest block begins, the latest of equal ones; time without a price is dearer than all that has one."""
    edges = {edge for rate in rates.rates for edge in (rate.start, rate.end)}
    latest = target - required
    starts = {now, latest, *edges, *(edge - required for edge in edges)}
    unpriced = 1.0 + 2.0 * max(abs(rate.price) for rate in rates.rates)
    cuts = sorted({now, target, *(edge for edge in edges if now < edge < target)})
    paid = [0.0]
    for start, end in pairwise(cuts):
        price = price_at(rates, start)
        paid.append(paid[-1] + (unpriced if price is None else price) * ((end - start) / HOUR))

    def until(time: datetime) -> float:
        number = bisect_right(cuts, time) - 1
        if cuts[number] == time:
            return paid[number]
        return paid[number] + (paid[number + 1] - paid[number]) * (
            (time - cuts[number]) / (cuts[number + 1] - cuts[number])
        )

    return min(
        (start for start in starts if now <= start <= latest),
        key=lambda start: (round(until(start + required) - until(start), COST_DECIMALS), latest - start),
    )


def _priced(rates: Rates, start: datetime, end: datetime) -> tuple[Rate, ...]:
    """All the time from ``start`` to ``end``, cut where the price changes."""
    cuts = sorted(
        {start, end, *(edge for rate in rates.rates for edge in (rate.start, rate.end) if start < edge < end)}
    )
    prices = [(begin, until, price_at(rates, begin)) for begin, until in pairwise(cuts)]
    return tuple(Rate(begin, until, UNPRICED if price is None else price) for begin, until, price in prices)


def _holes_latest_first(rates: Rates, target: datetime, now: datetime) -> Iterator[Rate]:
    """The time between ``now`` and ``target`` that has no price."""
    end = target
    for rate in reversed(rates.rates):
        if rate.end <= now:
            break
        if rate.end < end:
            yield Rate(rate.end, end, UNPRICED)
        end = min(end, rate.start)
    if now < end:
        yield Rate(now, end, UNPRICED)


def _shortened(chosen: list[Rate], surplus: timedelta) -> Rate:
    """The slot taken last, without the ``surplus`` of time that is not needed [DEF-11]."""
    last = chosen[-1]
    if all(last.start <= slot.start for slot in chosen):
        return Rate(last.start + surplus, last.end, last.price)
    return Rate(last.start, last.end - surplus, last.price)

"""Plans of power at work: what is to be planned for all loadpoints together, the plans in force, and how they are followed
[PLAN-23..PLAN-30].

A plan is made of what is missing to the goal, what charger and vehicle can do together, prices, what own sun would fetch, the
forecast of the sun less what the house usually takes, and the limits of circuits, less that too where they hold for the house.
A start costs what `START_KWH` cost on average, so that it counts in every currency, and in emissions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from evcclib.config import CircuitConfig
from evcclib.decision import PlanPreview
from evcclib.events import WarningCode
from evcclib.machines import soc
from evcclib.machines.charger import may_switch
from evcclib.machines.limits.mean_power import KEPT_SHARE
from evcclib.model import ChargeMode, TariffKind
from evcclib.pipeline.desk import LoadpointDesk, SiteDesk
from evcclib.pipeline.goals import curve_of, due_of, dues_of, holds_full, need_kwh, planner_rates, ranges_w, strategy_of
from evcclib.pipeline.viewing import plan_preview
from evcclib.planning import plan_follow, power_follow
from evcclib.planning.curve import Step, last_kwh, required_hours
from evcclib.planning.dues import Due
from evcclib.planning.goals import ENOUGH_KWH, Goal
from evcclib.planning.house_load import expected_w, learned
from evcclib.planning.joint.home import Car, Circuit, Home, HomeSlot
from evcclib.planning.joint.home_plan import plan_home_with
from evcclib.planning.joint.programme import NotSolved
from evcclib.planning.joint.together import home_cost, plan_home
from evcclib.planning.planner import UNPRICED, duration_at
from evcclib.planning.power_follow import PlanInForce
from evcclib.planning.power_plan import EMPTY, Piece, PowerPlan, charged_kwh
from evcclib.planning.problem import Sun
from evcclib.readings import Measured
from evcclib.tariff import Rate, Rates, price_at
from evcclib.timetable.plans import CHEAPEST
from evcclib.units import HOUR, ZERO

QUARTER = timedelta(minutes=15)
"""Means of what others take, and of what a car takes that takes less and less, are of slots that are no longer than this."""
START_KWH = 0.1
"""A start of charging is worth so much energy at the mean price."""
LEARNED_AFTER = timedelta(minutes=1)
"""A vehicle that has been offered everything for so long takes what it can."""
LEARNED_STEP = 0.02
"""It has taken more than was known if it is so much more."""
HOUSE_MEMORY = HOUR
"""What the house takes now is a mean that forgets with this time constant."""
QUANTILES = ((TariffKind.SOLAR_P10, 0.3), (TariffKind.SOLAR, 0.4), (TariffKind.SOLAR_P90, 0.3))
"""Forecasts of the sun, and for how much of what might come each stands."""


class Wanted(NamedTuple):
    """A loadpoint that is to be planned for; ``later``: what else is to be there by a time, counted from now, too. ``has_begun``:
    it is being charged for already."""

    lp: LoadpointDesk
    due: Due
    need_kwh: float
    ranges_w: tuple[tuple[float, float], ...]
    later: tuple[Goal, ...] = ()
    has_begun: bool = False
    curve: tuple[Step, ...] = ()

    @property
    def target(self) -> datetime:
        """When it is due."""
        return self.due.time

    @property
    def most_w(self) -> float:
        """The most that it could take."""
        return self.ranges_w[-1][1]

    @property
    def required(self) -> timedelta:
        """How long the goal takes with all power."""
        if self.curve:
            return HOUR * required_hours(self.curve, self.need_kwh, self.most_w)
        return duration_at(self.need_kwh, self.most_w) or ZERO


def plan_ahead(site: SiteDesk) -> None:
    """Bring the plans of all loadpoints up to date, and see which of them are active now."""
    state = site.state
    _see_house(site)
    wanted: list[Wanted] = []
    for lp in site.desks:
        if not lp.facts.is_connected or lp.settings.mode in (ChargeMode.OFF, ChargeMode.NOW):
            lp.state.power_plan = None
            continue
        due = due_of(lp)
        if due is not None or lp.settings.target_time is not None:
            _learn(lp)
        each = None if due is None else wanted_of(lp, due)
        if each is not None:
            wanted.append(each)
        else:
            lp.state.plan, lp.state.power_plan, lp.state.plan_slots = plan_follow.IDLE, None, ()
        lp.state.due = due
    if not wanted:
        state.plan_basis = None
        return
    ahead = [each for each in wanted if each.target > site.utc]
    basis = _basis(site, ahead)
    is_due = [
        power_follow.is_due(
            each.lp.state.power_plan,
            need_kwh=each.need_kwh,
            target=each.target,
            required=each.required,
            now=site.utc,
        )
        for each in ahead
    ]
    if any(is_due) or (ahead and basis != state.plan_basis):
        plans = _settled(site, ahead, plans_of(site, ahead))
        for each, plan in zip(ahead, plans, strict=True):
            each.lp.state.power_plan = PlanInForce(plan, each.target, site.utc, each.need_kwh)
            each.lp.state.plan_slots = ()
    state.plan_basis = basis
    for each in wanted:
        _follow(site, each)


def wanted_of(lp: LoadpointDesk, due: Due) -> Wanted | None:
    """What is to be planned for ``due``, and for what is due after it; None where it cannot be told."""
    missing_kwh, ranges = need_kwh(lp, due), ranges_w(lp)
    if missing_kwh is None or ranges[-1][1] < soc.POWER_MIN_W:
        return None
    others = [(other.time, need_kwh(lp, other)) for other in dues_of(lp, due.time) if other != due]
    later = tuple(Goal(time, need) for time, need in others if need is not None)
    has_begun = lp.state.plan.is_active and lp.state.due == due
    return Wanted(lp, due, max(0.0, missing_kwh), ranges, later, has_begun, curve_of(lp, due))


def plans_of(site: SiteDesk, wanted: Sequence[Wanted]) -> tuple[PowerPlan, ...]:
    """New plans, each with what the others leave."""
    home = home_of(site, wanted)
    if home is None:
        return (EMPTY,) * len(wanted)
    plans = [plan_home(home, rounds=min(2, len(wanted)))]
    knows_all = all(
        car.strategy == CHEAPEST and not car.curve for car in home.cars
    )  # a programme knows nothing of these
    if site.solver is not None and len(wanted) > 1 and knows_all:
        with suppress(NotSolved):  # whoever has handed the solver in says so
            plans.append(plan_home_with(site.solver, home))
    return min(plans, key=lambda plan: (plan.short_kwh, plan.cost)).cars


def home_of(site: SiteDesk, wanted: Sequence[Wanted]) -> Home | None:
    """All that is to be planned; None if nothing needs a slot yet.

    Beyond the known prices time waits for its prices: a goal takes what fits there less [PLAN-8].
    """
    rates = _usable(planner_rates(site.readings), site.utc)
    horizon = None if rates is None else rates.rates[-1].end
    goals = [_goals(each, horizon) for each in wanted]
    is_fine = sum(map(bool, goals)) > 1 or any(each.curve for each in wanted)
    slots = _slots(site, rates, [goal.time for each in goals for goal in each], is_fine=is_fine)
    if not slots:
        return None
    prices = [abs(slot.price) for slot in slots if slot.price is not None]
    start_cost = START_KWH * sum(prices) / len(prices) if prices else START_KWH
    circuits = _circuits(site)
    return Home(
        slots=slots,
        cars=tuple(
            Car(
                goals=own,
                ranges_w=each.ranges_w,
                start_cost=start_cost,
                is_charging=each.lp.state.plan.is_active,
                circuit=circuits[each.lp.layout.circuits[0]].number if each.lp.layout.circuits else None,
                strategy=strategy_of(each.lp, each.due),
                has_begun=each.has_begun,
                curve=each.curve,
            )
            for each, own in zip(wanted, goals, strict=True)
        ),
        circuits=tuple(each.circuit for each in circuits.values()),
    )


def power_preview(site: SiteDesk, lp: LoadpointDesk, due: Due | None) -> PlanPreview:
    """The plan in force if it is for ``due``, else the one that there would be now, beside those of the others [PLAN-29]."""
    if due is None or not plan_follow.applies(lp.state.plan, due.time, site.utc):
        return plan_preview(lp, due)
    target, number = due.time, due.number
    rates = planner_rates(site.readings)
    unit = "" if rates is None else rates.unit
    each = wanted_of(lp, due)
    if each is None or each.required <= ZERO:
        return PlanPreview(ZERO, None, unit, ranges_w(lp)[-1][1], target, each is not None, number=number)
    in_force = lp.state.power_plan
    if in_force is not None and due == lp.state.due:
        plan = in_force.plan
    else:
        others = [other for other in map(_present, site.desks) if other is not None and other.lp is not lp]
        plan = plans_of(site, [each, *others])[0]
    pieces = power_follow.rest(plan, site.utc, target)
    slots, is_met = _as_rates(pieces, _usable(rates, site.utc)), plan.is_met
    left = PowerPlan(pieces=pieces)
    home = home_of(site, [each._replace(later=())])
    has_price = home is not None and all(math.isfinite(slot.price) for slot in slots)
    cost = energy_cost(home, left) if home is not None and has_price and rates is not None else None
    return PlanPreview(
        each.required, slots or None, unit, each.most_w, target, is_met, pieces, cost, plan.shortfall, number
    )


def _present(lp: LoadpointDesk) -> Wanted | None:
    """What is planned at a loadpoint at present."""
    due = lp.state.due
    return None if due is None or lp.state.power_plan is None else wanted_of(lp, due)


def _as_rates(pieces: Iterable[Piece], rates: Rates | None) -> tuple[Rate, ...]:
    """Each piece in parts of one price; 0 without any list, as of any plan [PLAN-6]."""
    found: list[Rate] = []
    for start, end, _power_w in pieces:
        cuts = () if rates is None else (time for rate in rates.rates for time in (rate.start, rate.end))
        for begin, until in pairwise(sorted({start, end, *(time for time in cuts if start < time < end)})):
            price = 0.0 if rates is None else price_at(rates, begin)
            found.append(Rate(begin, until, UNPRICED if price is None else price))
    return tuple(found)


def energy_cost(home: Home, plan: PowerPlan) -> float:
    """What the home pays more for the energy of a plan of its first car."""
    begun = plan.runs() - (home.cars[0].is_charging and plan.start == home.slots[0].start)
    return _cost(home, [plan]) - _cost(home, [EMPTY]) - begun * home.cars[0].start_cost


def _cost(home: Home, plans: Sequence[PowerPlan]) -> float:
    """What a home pays for plans, which may change their powers within its slots: the sun feeds no mean of them."""
    changes = sorted({time for plan in plans for piece in plan.pieces for time in piece[:2]})
    slots = [
        slot._replace(start=start, end=end)
        for slot in home.slots
        for start, end in pairwise((slot.start, *(time for time in changes if slot.start < time < slot.end), slot.end))
    ]
    return home_cost(replace(home, slots=tuple(slots)), plans, [0.0] * len(slots))


def _goals(each: Wanted, horizon: datetime | None) -> tuple[Goal, ...]:
    """What of each goal is left to do while prices are known; one that asks for no more than those before it holds by itself."""
    found: list[Goal] = []
    for time, goal_kwh in (Goal(each.target, each.need_kwh), *each.later):
        by = time if horizon is None else min(time, horizon)
        planned_kwh = goal_kwh - last_kwh(each.curve, goal_kwh, each.most_w, (time - by) / HOUR)
        if planned_kwh > (found[-1].need_kwh if found else 0.0):
            found.append(Goal(by, planned_kwh))
    return tuple(found)


def _usable(rates: Rates | None, now: datetime) -> Rates | None:
    if rates is None or rates.is_outdated or not rates.rates or rates.rates[-1].end <= now:
        return None
    return rates


def _slots(site: SiteDesk, rates: Rates | None, ends: Sequence[datetime], *, is_fine: bool) -> tuple[HomeSlot, ...]:
    """From now to the last of ``ends``, cut wherever anything changes; into quarters of an hour if it is to be ``is_fine``."""
    if not ends:
        return ()
    now, tariffs = site.utc, site.readings.tariffs
    feed_in = tariffs.get(TariffKind.FEED_IN)
    if rates is not None and feed_in is not None and feed_in.unit != rates.unit:
        feed_in = None
    until = max(ends)
    quarters = (until - now) // QUARTER if is_fine else 0
    forecasts = [tariffs[kind] for kind, _share in QUANTILES if kind in tariffs]
    lists = [each for each in (rates, feed_in, *forecasts) if each is not None]
    edges = {time for each in lists for rate in each.rates for time in (rate.start, rate.end) if now < time < until}
    buy_max_w = _buy_max_w(site)
    counts_house = bool(forecasts) or buy_max_w < math.inf
    if counts_house and site.state.house_load:
        first = now.replace(minute=0, second=0, microsecond=0) + HOUR
        edges.update(first + number * HOUR for number in range(math.ceil((until - first) / HOUR)))
    times = sorted({now, *edges, *ends, *(until - number * QUARTER for number in range(1, quarters + 1))})
    return tuple(
        HomeSlot(
            start,
            end,
            price_at(rates, start),
            price_at(feed_in, start) or 0.0,
            sun_w=sum(sun.power_w * sun.share for sun in suns),
            house_w=_expected_w(site, start + (end - start) / 2) if counts_house else 0.0,
            buy_max_w=min(buy_max_w, HomeSlot._field_defaults["buy_max_w"]),
            suns=suns if len(suns) > 1 else (),
        )
        for start, end in pairwise(times)
        for suns in [_suns(site, start)]
    )


def _suns(site: SiteDesk, at: datetime) -> tuple[Sun, ...]:
    """What the sun might be: its quantiles where they are told, else one."""
    tariffs = site.readings.tariffs
    told = [(price_at(tariffs.get(kind), at), share) for kind, share in QUANTILES]
    powers = [Sun(power_w, share) for power_w, share in told if power_w is not None]
    return (
        tuple(powers) if len(powers) == len(QUANTILES) else (Sun(price_at(tariffs.get(TariffKind.SOLAR), at) or 0.0),)
    )


def _expected_w(site: SiteDesk, at: datetime) -> float:
    """What the house will take."""
    zone = site.layout.config.time_zone
    return expected_w(site.state.house_load, _house_w(site), now=site.utc.astimezone(zone), at=at.astimezone(zone))


class _Numbered(NamedTuple):
    number: int
    circuit: Circuit


def _circuits(site: SiteDesk) -> dict[str, _Numbered]:
    """The limits of all circuits by name, each after the one that it hangs on; what the grid meter measures limits the slots."""
    layout = site.layout
    paths = {name: path for lp in layout.loadpoints for name, path in _tails(lp.circuits)}
    configs = {each.name: each for each in layout.config.circuits}
    found: dict[str, _Numbered] = {}
    for name in sorted(paths, key=lambda name: len(paths[name])):
        config = configs[name]
        cap_w = math.inf if config.uses_grid_meter else _cap_w(config, layout.voltage_v)
        parent = found[config.parent].number if config.parent is not None else None
        found[name] = _Numbered(len(found), Circuit(cap_w, parent))
    return found


def _buy_max_w(site: SiteDesk) -> float:
    """What may be bought at most."""
    layout = site.layout
    caps_w = (_cap_w(each, layout.voltage_v) for each in layout.config.circuits if each.uses_grid_meter)
    return min(caps_w, default=math.inf)


def _cap_w(config: CircuitConfig, voltage_v: float) -> float:
    caps_w = [
        config.power_max_w,
        config.current_max_a and 3 * voltage_v * config.current_max_a,
        config.mean_power_max_w and config.mean_power_max_w * (1 - KEPT_SHARE),
    ]
    return min((cap_w for cap_w in caps_w if cap_w is not None), default=math.inf)


def _tails(path: Sequence[str]) -> Iterable[tuple[str, Sequence[str]]]:
    """Each circuit on the way to the root, with what is left of the way."""
    return ((name, path[position:]) for position, name in enumerate(path))


def _house_w(site: SiteDesk) -> float:
    return 0.0 if site.state.house is None else max(0.0, site.state.house.value)


def _see_house(site: SiteDesk) -> None:
    """What the house takes now, and what it takes at this hour of the week."""
    state, before, home_w = site.state, site.state.house, site.balance.home_w
    if home_w is None:
        return
    if before is None:
        state.house = Measured(home_w, site.instant)
        return
    share = math.exp((before.sampled_at - site.instant) / HOUSE_MEMORY)
    state.house = Measured(home_w + (before.value - home_w) * share, site.instant)
    at = site.utc.astimezone(site.layout.config.time_zone)
    state.house_load = learned(state.house_load, max(0.0, home_w), lasted=site.instant - before.sampled_at, at=at)


def _learn(lp: LoadpointDesk) -> None:
    """What the vehicle really takes when it is offered everything."""
    state, facts, charger = lp.state, lp.facts, lp.state.charger
    if facts.power_w is None or not facts.is_measured or not facts.is_charging:
        return
    is_narrow = lp.layout.is_switchable and charger.phases == 1 and may_switch(charger, lp.instant)
    since = charger.current_changed_at
    is_offered_all = charger.current_a is not None and charger.current_a >= facts.bounds.maximum_a and not is_narrow
    if not is_offered_all or since is None or lp.instant - since < LEARNED_AFTER:
        return
    if facts.power_w > state.power_drawn_w * (1 + LEARNED_STEP):
        state.power_drawn_w = facts.power_w


def _basis(site: SiteDesk, wanted: Iterable[Wanted]) -> object:
    """What plans are made of; as long as it is the same, what deviates alone makes new ones."""
    rates = planner_rates(site.readings)
    tariffs = site.readings.tariffs
    return (
        rates,
        _usable(rates, site.utc) is None,
        tariffs.get(TariffKind.FEED_IN),
        *(tariffs.get(kind) for kind, _share in QUANTILES),
        [
            (
                each.lp.index,
                dues_of(each.lp, each.target),
                each.lp.settings.soc_target_pct,
                each.lp.settings.energy_target_kwh,
                each.ranges_w,
                strategy_of(each.lp, each.due),
            )
            for each in wanted
        ],
    )


def _settled(site: SiteDesk, wanted: Sequence[Wanted], plans: Sequence[PowerPlan]) -> Sequence[PowerPlan]:
    """``plans``, or what is left of those in force if that does as well [PLAN-27]."""
    home = home_of(site, wanted)
    if home is None:
        return plans
    old: list[PowerPlan] = []
    for each, car in zip(wanted, home.cars, strict=True):
        before = each.lp.state.power_plan
        if before is None or before.target != each.target or car.strategy != CHEAPEST:
            return plans
        left = PowerPlan(pieces=power_follow.rest(before.plan, site.utc, home.slots[-1].end))
        if not all(_is_possible(piece.power_w, each) for piece in left.pieces):
            return plans
        if any(charged_kwh(left, goal.time) < goal.need_kwh - ENOUGH_KWH for goal in car.goals):
            return plans
        old.append(left)
    worth = power_follow.WORTH * home.cars[0].start_cost
    return old if _cost(home, old) <= _cost(home, plans) + worth else plans


def _is_possible(power_w: float, each: Wanted) -> bool:
    """By its curve a vehicle may take less than it can be offered."""
    ranges = ((0.0, each.most_w),) if each.curve else each.ranges_w
    return any(low - 1 <= power_w <= high + 1 for low, high in ranges)


def _follow(site: SiteDesk, each: Wanted) -> None:
    lp, state = each.lp, each.lp.state
    in_force = state.power_plan
    plan = EMPTY if in_force is None else in_force.plan
    expected_w = price_at(site.readings.tariffs.get(TariffKind.SOLAR), site.utc)
    sun_w = 0.0 if expected_w is None else expected_w - _house_w(site)
    waits = strategy_of(lp, each.due) == CHEAPEST and power_follow.waits_for_sun(
        plan.power_at(site.utc), sun_w=sun_w, required=each.required, target=each.target, now=site.utc
    )
    state.plan = power_follow.step(
        state.plan,
        plan,
        need_kwh=each.need_kwh,
        target=each.target,
        now=site.utc,
        holds_full=holds_full(lp, each.due),
        waits=waits,
    )
    if not state.plan_slots and plan.pieces:
        state.plan_slots = _as_rates(plan.pieces, _usable(planner_rates(site.readings), site.utc))
    lp.warn(WarningCode.PLAN_UNREACHABLE, not plan.is_met and each.target >= site.utc)

"""Modes, minimum SoC and plans get what they are promised."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise
from math import isnan

from evcc_sim.judge.excuses import SETTLED_AFTER_S, SETTLING
from evcc_sim.judge.invariants.evidence import current_max_a, is_hungry, stop_s, takes_offence
from evcc_sim.judge.invariants.frame import Found, invariant, own_promise
from evcc_sim.judge.invariants.judged import REACTION_S, Judged, lasting
from evcc_sim.judge.meant import GOAL_MARGIN_PCT
from evcc_sim.judge.trace import InForce, Instant
from evcc_sim.plants.car import CarSpec
from evcc_sim.plants.faults import Fault, FaultKind
from evcc_sim.plants.prices import Tariffs
from evcclib.model import ChargeMode, Planner, TariffKind
from evcclib.settings import LoadpointSettings
from evcclib.tariff import Rates

WAITS_S = 900.0
"""So long a car in mode now may get nothing: guards, retries, searches and settling are shorter."""


@invariant
def mode_now_charges(run: Judged) -> Found:
    """A hungry car in mode now gets current: whatever is commanded, offered or said, nothing flows for long only with a cause.

    Causes are a limit that leaves no room, a goal that is reached, a car that refuses or sleeps, or needs more than its owner has
    said, and a fault.
    """
    for index, _charger in run.loadpoints:
        for instant, _wish, since_s in lasting(run, partial(_may_get_nothing_s, run, index)):
            loadpoint, minutes = instant.loadpoints[index], (instant.second - since_s) / 60
            message = f"gets nothing for {minutes:.0f} min, offered {loadpoint.pilot_a:g} A"
            yield instant.second, f"loadpoint {index + 1} in mode now {message}"


def _may_get_nothing_s(run: Judged, index: int, instant: Instant, wish: InForce) -> float | None:
    loadpoint = instant.loadpoints[index]
    if loadpoint.power_w > 0 or not _must_charge(run, instant, index, wish):
        return None
    least_a = run.cars[loadpoint.car].current_min_a
    if wish.loadpoints[index].current_min_a <= loadpoint.pilot_a < least_a:
        return None
    return WAITS_S + 2 * run.interval_s


def _must_charge(run: Judged, instant: Instant, index: int, wish: InForce) -> bool:
    loadpoint, settings = instant.loadpoints[index], wish.loadpoints[index]
    car = run.cars.get(loadpoint.car)
    if car is None or loadpoint.mode is not ChargeMode.NOW or takes_offence(car):
        return False
    least_a = max(settings.current_min_a, car.current_min_a)
    return (
        is_hungry(run, instant, index, wish)
        and current_max_a(run, index, settings) >= least_a
        and not SETTLING.excuses(run.faults, instant.second)
        and run.rooms.beside_minimums_a(index, instant) >= least_a + 1.0
    )


@invariant
def mode_off_is_off(run: Judged) -> Found:
    """In mode off nothing is offered, two intervals after the change, unless the station does not obey."""
    for index, charger in run.loadpoints:
        faults = [fault for fault in run.faults if fault.device in (charger.box.name, "site")]
        is_on = lasting(run, partial(_may_be_on_s, run, index, faults), whatever_is_wished=True)
        for instant, _wish, _since_s in islice(is_on, 1):
            yield instant.second, f"loadpoint {index + 1} is on in mode off"


def _may_be_on_s(run: Judged, index: int, faults: list[Fault], instant: Instant, _wish: InForce) -> float | None:
    loadpoint = instant.loadpoints[index]
    is_on = loadpoint.mode is ChargeMode.OFF and loadpoint.pilot_a > 0
    return 2 * run.interval_s + REACTION_S if is_on and not SETTLING.excuses(faults, instant.second) else None


STAYS_LOW_S = 180.0
"""So long a car below its minimum SoC may get less than it could."""


@invariant
def min_soc_comes_first(run: Judged) -> Found:
    """A car below its minimum SoC charges with all that is allowed, in modes pv and minpv, once its SoC is known."""
    for index, charger in run.loadpoints:
        faults = [fault for fault in run.faults if fault.device in (*run.cars, charger.box.name, "site")]
        for instant, _wish, _since_s in islice(lasting(run, partial(_may_stay_low_s, run, index, faults)), 1):
            now = instant.loadpoints[index]
            yield instant.second, f"loadpoint {index + 1}: {now.soc_pct:.0f} % and only {now.pilot_a:g} A"


def _may_stay_low_s(run: Judged, index: int, faults: list[Fault], instant: Instant, wish: InForce) -> float | None:
    loadpoint, settings = instant.loadpoints[index], wish.loadpoints[index]
    car, high_a = run.cars.get(loadpoint.car), current_max_a(run, index, settings)
    is_low = (
        car is not None
        and car.has_api
        and car.has_soc
        and wish.vehicles[index] == car.name
        and loadpoint.mode in (ChargeMode.PV, ChargeMode.MINPV)
        and not isnan(loadpoint.soc_pct)
        and loadpoint.soc_pct < settings.soc_min_pct - 2.0
        and loadpoint.pilot_a < high_a - run.scenario.charger[index].box.coarsest_step_a
        and not SETTLING.excuses(faults, instant.second)
        and run.rooms.beside_minimums_a(index, instant) >= high_a
    )
    return STAYS_LOW_S if is_low else None


@invariant
def sun_is_sold_where_it_pays(run: Judged) -> Found:
    """In mode pv no sun is charged with while feed-in pays the owner's limit for that, once the contactor may open."""
    for index, charger in run.loadpoints:
        faults = [fault for fault in run.faults if fault.device in (charger.box.name, "site")]
        for instant, _wish, _since_s in islice(lasting(run, partial(_may_be_unsold_s, run, index, faults)), 1):
            yield (
                instant.second,
                f"loadpoint {index + 1} has {instant.loadpoints[index].pilot_a:g} A of sun that is to be sold",
            )


def _may_be_unsold_s(run: Judged, index: int, faults: list[Fault], instant: Instant, wish: InForce) -> float | None:
    loadpoint, settings = instant.loadpoints[index], wish.loadpoints[index]
    is_charged = (
        loadpoint.mode is ChargeMode.PV
        and loadpoint.pilot_a > 0
        and run.meant.is_sold(settings.feed_in_priority_limit, instant.second)
        and not run.meant.may_buy(index, instant, wish)
        and not SETTLING.excuses(faults, instant.second)
    )
    return run.scenario.charger[index].loadpoint.guard_duration_s + run.patience_s if is_charged else None


@dataclass(frozen=True, slots=True)
class _Goal:
    """A target time of a loadpoint, by the clock of the control: when it was set and when it comes [s]."""

    loadpoint: int
    set_s: float
    target_s: float


@invariant
def feasible_plans_are_met(run: Judged) -> Found:
    """A plan that could be met is met: the car has its target SoC at the target time.

    It is judged by the wishes that stood at the target time, from the moment of their last change on.
    """
    scenario = run.scenario
    for goal in _goals(run):
        wish = run.trace.in_force(goal.target_s - 1.0)
        settings, set_s = wish.loadpoints[goal.loadpoint], max(goal.set_s, wish.second)
        start = run.first_from(set_s)
        end = run.first_from(goal.target_s - 1)
        if start is None or end is None or settings.target_time is None:
            continue
        before, after = start.loadpoints[goal.loadpoint], end.loadpoints[goal.loadpoint]
        car = run.cars.get(before.car)
        if car is None or before.car != after.car or wish.vehicles[goal.loadpoint] != car.name:
            continue
        if settings.mode not in (ChargeMode.PV, ChargeMode.MINPV) or takes_offence(car):
            continue
        if not (car.has_api and car.has_soc) or _is_hindered(run, goal, set_s, car.name):
            continue
        target_pct = min(settings.soc_target_pct or 100.0, car.soc_limit_pct)
        if current_max_a(run, goal.loadpoint, settings, car) < car.current_min_a:
            continue
        needed_s = _needed_s(run, goal.loadpoint, settings, car, target_pct - before.soc_pct)
        taper_s = 3600.0 if target_pct > car.taper_from_pct else 0.0
        lost_s = sum(
            min(fault.end_s, goal.target_s) - max(fault.start_s, set_s) + SETTLED_AFTER_S
            for fault in run.faults
            if fault.start_s < goal.target_s and fault.end_s > set_s
        )
        if needed_s * 1.1 + taper_s + lost_s + 900 > goal.target_s - set_s or scenario.circuit:
            continue
        if needed_s < 660.0:
            continue  # too short a slot is not started for [PLAN-14]
        if after.soc_pct < target_pct - 1.5:
            message = (
                f"loadpoint {goal.loadpoint + 1}: {after.soc_pct:.1f} % at the target time, planned {target_pct:g} %"
            )
            yield goal.target_s, message


def _power_w(run: Judged, loadpoint: int, settings: LoadpointSettings, car: CarSpec) -> float:
    """The most that a car can draw [W]."""
    box = run.scenario.charger[loadpoint].box
    configured = settings.phases_configured if box.can_switch_phases else 0
    phases = min(car.phases, box.phases, configured or 3)
    return run.voltage_v * current_max_a(run, loadpoint, settings, car) * phases


def _needed_s(run: Judged, loadpoint: int, settings: LoadpointSettings, car: CarSpec, rise_pct: float) -> float:
    """How long a car takes to charge by so much [s]."""
    return rise_pct / 100 * car.capacity_kwh * 3.6e6 / (_power_w(run, loadpoint, settings, car) * car.efficiency)


SLOT_S = 300.0
SPARE_PART, SPARE_S = 0.25, 1800.0
"""So much longer may a plan take a charge to be."""
DEARER_PART, DEARER = 0.1, 0.02
"""A slot is a dear one that costs so much more than the dearest which a plan needs [1, currency/kWh]."""
RUN_S = 900.0
"""So long a car may charge in dear slots all in all: a run that has begun is gone on with."""


@own_promise
def plans_wait_for_cheap_slots(run: Judged) -> Found:
    """A car with a departure ahead buys where it is cheap, as far as its time and the prices that were known allow.

    Judged are cars in mode pv with nothing else to do, from the last change of their wishes on. The classic planner has not
    promised it.
    """
    scenario = run.scenario
    if scenario.site.planner is not Planner.OPTIMAL or scenario.circuit or run.faults or run.operator.ever_limits:
        return
    tariffs = Tariffs(scenario.tariff, scenario.base, run.trace.seed)
    for goal in _goals(run):
        wish = run.trace.in_force(goal.target_s - 1.0)
        settings, set_s = wish.loadpoints[goal.loadpoint], max(goal.set_s, wish.second)
        before = run.at(set_s).loadpoints[goal.loadpoint]
        car = run.cars.get(before.car)
        if car is None or not (car.has_api and car.has_soc) or wish.vehicles[goal.loadpoint] != car.name:
            continue
        if (
            settings.mode is not ChargeMode.PV
            or settings.smart_cost_limit is not None
            or settings.soc_min_pct
            or car.climate
        ):
            continue
        known = tariffs.at(set_s)
        rates = known.get(TariffKind.PLANNER) or known.get(TariffKind.GRID)
        seconds = [set_s + SLOT_S * number for number in range(int((goal.target_s - set_s) / SLOT_S))]
        slots = [None if rates is None else rates.at(scenario.base.utc(second)) for second in seconds]
        prices = sorted(slot.price for slot in slots if slot is not None)
        target_pct = min(settings.soc_target_pct or 100.0, car.soc_limit_pct)
        needed_s = (
            _needed_s(run, goal.loadpoint, settings, car, target_pct - before.soc_pct) * (1 + SPARE_PART) + SPARE_S
        )
        needed = int(needed_s / SLOT_S) + 1
        if len(prices) < len(seconds) or needed >= len(prices) or target_pct > car.taper_from_pct:
            continue
        assert rates is not None
        dear = prices[needed] + max(DEARER_PART * abs(prices[needed]), DEARER)
        yield from _bought_dear(
            run, goal, car, rates, dear, set_s, RUN_S * _power_w(run, goal.loadpoint, settings, car)
        )


def _bought_dear(
    run: Judged, goal: _Goal, car: CarSpec, rates: Rates, dear: float, set_s: float, most_ws: float
) -> Found:
    """The moment at which a car has bought more than it may in slots that cost more than ``dear``."""
    bought_ws = 0.0
    for instant, after in pairwise(run.within(set_s, goal.target_s)):
        now, rate = instant.loadpoints[goal.loadpoint], rates.at(run.scenario.base.utc(instant.second))
        if now.car == car.name and rate is not None and rate.price > dear:
            bought_ws += max(0.0, min(instant.grid_w, now.power_w)) * (after.second - instant.second)
        if bought_ws > most_ws:
            message = (
                f"loadpoint {goal.loadpoint + 1} has bought {bought_ws / 3.6e6:.1f} kWh above {dear:.3f} for its plan"
            )
            yield instant.second, message
            return


def _goals(run: Judged) -> list[_Goal]:
    """Every target time that came while it was in force."""
    epoch = run.scenario.base.epoch
    jumps = [fault for fault in run.faults if fault.kind is FaultKind.CLOCK_JUMP]
    found = []
    for before, wish in pairwise(run.trace.wishes):
        for loadpoint, (old, new) in enumerate(zip(before.loadpoints, wish.loadpoints, strict=True)):
            if new.target_time is None or new.target_time == old.target_time:
                continue
            ahead_s = sum(jump.params.get("seconds", 3600.0) for jump in jumps if jump.start_s <= wish.second)
            target_s = (new.target_time - epoch).total_seconds() - ahead_s
            if run.trace.in_force(target_s - 1.0).loadpoints[loadpoint].target_time == new.target_time:
                found.append(_Goal(loadpoint, wish.second, target_s))
    return found


def _is_hindered(run: Judged, goal: _Goal, set_s: float, car: str) -> bool:
    """Whether somebody else decides about it: a clock that jumps, a maker's cloud that fails, the grid operator."""
    for fault in run.faults:
        is_concerned = fault.kind is FaultKind.CLOCK_JUMP or fault.device == car
        if is_concerned and fault.start_s < goal.target_s and fault.end_s + SETTLED_AFTER_S > set_s:
            return True
    return run.operator.is_limiting(goal.target_s, after_s=goal.target_s - set_s)


SHORT_LIE_S = 1500.0
"""A SoC that is not so is believed if it stands for longer."""
PROVEN_PCT = 5.0
"""So far a SoC must have risen before a lie is one that its maker's cloud is trusted not to tell."""


@own_promise
def short_lies_end_no_charge(run: Judged) -> Found:
    """A car that charges goes on while its maker's cloud tells for a while of more than can have been charged [EST-10].

    Where sun or mode feed it all the time, and no limit may stop it.
    """
    if run.scenario.circuit or run.operator.ever_limits:
        return
    for lie in run.faults:
        car = run.cars.get(lie.device)
        if car is None or lie.kind is not FaultKind.LYING or lie.end_s - lie.start_s > SHORT_LIE_S:
            continue
        for index, charger in run.loadpoints:
            before, wish = run.at(lie.start_s).loadpoints[index], run.trace.in_force(lie.start_s)
            came_s = run.meant.arrived_s(index, lie.start_s)
            has_risen = before.soc_pct - run.at(came_s).loadpoints[index].soc_pct >= PROVEN_PCT
            if before.car != car.name or wish.vehicles[index] != car.name or before.power_w <= 0 or not has_risen:
                continue
            settings = wish.loadpoints[index]
            if not charger.loadpoint.estimates_soc or run.changes_between(lie.start_s, lie.end_s):
                continue
            end_pct = min(settings.soc_target_pct or 100, car.soc_limit_pct, car.taper_from_pct) - GOAL_MARGIN_PCT
            least_w = settings.current_min_a * run.voltage_v * min(car.phases, before.phases)
            around = run.between(lie.start_s - stop_s(run, index, settings), lie.end_s)
            is_fed = settings.mode in (ChargeMode.NOW, ChargeMode.MINPV) or all(
                each.pv_available_w - each.household_w - run.trace.in_force(each.second).site.residual_power_w
                > least_w + 300
                for each in around
            )
            if not is_fed or around[-1].loadpoints[index].soc_pct > end_pct:
                continue
            for each in run.within(lie.start_s, lie.end_s):
                if each.loadpoints[index].pilot_a == 0:
                    yield (
                        each.second,
                        f"loadpoint {index + 1} stops at {each.loadpoints[index].soc_pct:.0f} % for a lie",
                    )
                    break


OVERSHOOT_S = 300.0


@own_promise
def targets_are_kept(run: Judged) -> Found:
    """A car whose maker's cloud tells its SoC is not charged past its target by more than a control can be mistaken: between two
    answers, and while they stand still, the energy counts.

    A cloud that lies, or says nothing, is an excuse; so is a cabin that is conditioned at the goal.
    """
    for index, _charger in run.loadpoints:
        for instant, wish, _since_s in lasting(run, partial(_may_overshoot_s, run, index)):
            soc_pct, target_pct = instant.loadpoints[index].soc_pct, wish.loadpoints[index].soc_target_pct
            yield instant.second, f"loadpoint {index + 1} charges at {soc_pct:.0f} %, its target is {target_pct} %"


def _may_overshoot_s(run: Judged, index: int, instant: Instant, wish: InForce) -> float | None:
    loadpoint, settings = instant.loadpoints[index], wish.loadpoints[index]
    car, estimates = run.cars.get(loadpoint.car), run.scenario.charger[index].loadpoint.estimates_soc
    if (
        car is None
        or not (car.has_api and car.has_soc and estimates)
        or wish.vehicles[index] != car.name
        or car.climate
    ):
        return None
    if not max(settings.soc_min_pct, 0) < settings.soc_target_pct < 100 or loadpoint.power_w <= 0:
        return None
    excuses = [
        fault
        for fault in run.faults
        if fault.device in (car.name, *_devices(run, index)) and fault.kind is not FaultKind.FROZEN
    ]
    if SETTLING.excuses(excuses, instant.second) or loadpoint.soc_pct <= settings.soc_target_pct + GOAL_MARGIN_PCT:
        return None
    return 2 * run.patience_s + OVERSHOOT_S


def _devices(run: Judged, index: int) -> tuple[str, ...]:
    return (run.scenario.charger[index].box.name, "site")

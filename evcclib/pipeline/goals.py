"""What a loadpoint asks for: its goals, plan and mode, ranked, make one `Demand` [STR-1..STR-11, GOAL-1..GOAL-5, PLAN-1..].

The pure questions are in `evcclib.laws.demand`; here they are asked of a loadpoint, and the first reason that holds wins.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from evcclib.commands import Read, VehicleRead
from evcclib.events import WarningCode
from evcclib.laws.demand import (
    Demand,
    awaits_soc,
    because,
    energy_goal_remaining_kwh,
    is_below_min_soc,
    is_cheap,
    is_soc_goal_reached,
    is_worth_selling,
)
from evcclib.machines import asking, soc
from evcclib.machines.charger import ceil_to_step, may_switch
from evcclib.machines.phases import active_phases_max
from evcclib.model import ChargeMode, RemoteDemand, TariffKind
from evcclib.pipeline.desk import LoadpointDesk, SiteDesk
from evcclib.planning import plan_follow, planner
from evcclib.planning.curve import Step
from evcclib.planning.dues import Due, dues
from evcclib.planning.power_follow import PlanInForce
from evcclib.readings import Measured, Reading, Readings, VehicleReading
from evcclib.reasons import BatteryCode, BatteryReason, Reason, ReasonCode
from evcclib.tariff import Rates, price_at
from evcclib.timetable.plans import PlanStrategy

MINUTE = timedelta(minutes=1)
FULL = 0.98
"""Whoever is planned for nearly all that he could take is offered all of it."""


def demand(lp: LoadpointDesk) -> Demand:
    """What the loadpoint asks for: the first reason that holds [STR-1..STR-10, DEF-25]."""
    state, facts = lp.state, lp.facts
    settings = state.settings
    mode = settings.mode
    charger = state.charger
    is_switchable = lp.layout.is_switchable and may_switch(charger, lp.instant)
    configured = settings.phases_configured
    minimum_a, maximum_a, _ = facts.bounds
    if state.warnings and not (facts.is_connected and _has_plan_ahead(lp)):
        lp.warn(WarningCode.PLAN_UNREACHABLE, False)
    if not facts.is_connected:
        return Demand.stop(because(ReasonCode.NOT_CONNECTED))
    if is_switchable and configured and configured != charger.phases:
        return Demand.stop(because(ReasonCode.PHASE_LOCK))._replace(phases=configured)
    if state.remote_demand is RemoteDemand.HARD:
        return Demand.stop(Reason(ReasonCode.REMOTE_HARD, {"source": state.remote_source}))
    if mode is ChargeMode.OFF:
        return Demand.stop(because(ReasonCode.MODE_OFF))
    phases = (configured or 3) if is_switchable else 0
    if is_below_minimum(lp):
        reason = Reason(ReasonCode.MIN_SOC, {"soc_min_pct": settings.soc_min_pct})
        return Demand(maximum_a, maximum_a, minimum_a, reason, phases=phases, elapses_timers=True)
    if mode is not ChargeMode.NOW:
        if not lp.site_layout.plans_power:  # else all loadpoints have been planned for together
            follow_plan(lp)
        if state.plan.is_active:
            return _planned(lp, phases)
    reached = _goal_reached(lp)
    if reached is not None:
        if state.due is None or state.due.soc_pct is None:  # a plan of the vehicle may go beyond the limit
            state.plan = plan_follow.IDLE
        if is_climating(lp):
            return Demand(minimum_a, minimum_a, minimum_a, because(ReasonCode.CLIMATE))
        return Demand.stop(because(reached))
    if mode is ChargeMode.NOW:
        return Demand(maximum_a, maximum_a, minimum_a, because(ReasonCode.MODE_NOW), phases=phases)
    if settings.smart_cost_limit is not None and settings.target_time is None:
        price = price_at(planner_rates(lp.readings), lp.utc)
        if price is not None and is_cheap(price, settings.smart_cost_limit):
            reason = Reason(ReasonCode.SMART_COST, {"price": price, "limit": settings.smart_cost_limit})
            return Demand(maximum_a, maximum_a, minimum_a, reason, phases=phases, elapses_timers=True)
    if state.remote_demand is RemoteDemand.SOFT:
        return Demand.stop(Reason(ReasonCode.REMOTE_SOFT, {"source": state.remote_source}))
    floor_a = minimum_a if mode is ChargeMode.MINPV else 0.0
    feed_in = price_at(lp.readings.tariffs.get(TariffKind.FEED_IN), lp.utc)
    limit = settings.feed_in_priority_limit
    if feed_in is not None and limit is not None and is_worth_selling(feed_in, limit):
        reason = Reason(ReasonCode.FEED_IN_PRIORITY, {"price": feed_in, "limit": limit})
        return Demand(floor_a, floor_a, floor_a, reason, is_forced=False)
    return Demand(maximum_a, floor_a, minimum_a, because(ReasonCode.SURPLUS), follows_sun=True, is_forced=False)


def _planned(lp: LoadpointDesk, phases: int) -> Demand:
    """What an active plan asks for: all that is possible, or the power that is planned and as much more as there is sun."""
    state, bounds = lp.state, lp.facts.bounds
    minimum_a, maximum_a, step_a = bounds
    in_force = state.power_plan
    power_w = 0.0 if in_force is None else in_force.plan.power_at(lp.utc)
    reason = Reason(ReasonCode.PLAN_ACTIVE, _shortage(in_force), until_utc=state.plan.slot_end)
    ranges = ranges_w(lp)
    if not 0 < power_w < ranges[-1][1] * FULL or is_tapering(lp):
        return Demand(maximum_a, maximum_a, minimum_a, reason, phases=phases, elapses_timers=True)
    is_narrow = len(ranges) > 1 and power_w < ranges[-1][0]
    current_a = power_w / (lp.voltage_v * (1 if is_narrow else _phases_max(lp)))
    floor_a = min(max(ceil_to_step(current_a, step_a), minimum_a), maximum_a)
    if len(ranges) > 1:
        return Demand(floor_a, floor_a, minimum_a, reason, phases=1 if is_narrow else phases, elapses_timers=True)
    return Demand(maximum_a, floor_a, floor_a, reason, follows_sun=True, is_forced=False, phases=phases)


def _shortage(in_force: PlanInForce | None) -> dict[str, float | str]:
    """What a plan lacks, and what would do for it: time, or limits lifted [PLAN-28]."""
    shortfall = None if in_force is None else in_force.plan.shortfall
    if shortfall is None:
        return {}
    said: dict[str, float | str] = {
        "short_kwh": round(shortfall.short_kwh, 2),
        "later_min": math.ceil(shortfall.later / MINUTE),
    }
    if shortfall.lifted_kwh > 0:
        said["withheld_kwh"] = round(shortfall.lifted_kwh, 2)
    return said


def is_climating(lp: LoadpointDesk) -> bool:
    """Whether the vehicle conditions its cabin; asked for only as its polling allows [CLI, DEF-25]."""
    state, vehicle, reading = lp.state, lp.vehicle, lp.vehicle_reading
    if vehicle is None or not vehicle.config.has_climate:
        return False
    config = lp.layout.config.poll
    state.climate_poll, read = asking.step(
        state.climate_poll,
        vehicle=vehicle.config.name,
        reading=VehicleReading(soc_pct=_as_answer(reading.is_climating), must_retry=reading.must_retry),
        now=lp.instant,
        config=config,
        is_connected=lp.facts.is_connected,
        is_charging=lp.facts.is_charging,
    )
    if read is not None:
        lp.reads.add(Read(vehicle.config.name, VehicleRead.CLIMATE, read.is_fresh))
    answer = reading.is_climating
    return (
        isinstance(answer, Measured)
        and answer.value
        and state.connected_at is not None
        and answer.sampled_at >= state.connected_at
        and asking.is_current(answer.sampled_at, lp.instant, config)
    )


def _phases_max(lp: LoadpointDesk) -> int:
    """On how many phases its vehicle could charge."""
    state = lp.state
    return active_phases_max(
        vehicle=lp.vehicle_phases,
        physical=state.charger.phases,
        measured=state.measured_phases,
        configured=state.settings.phases_configured,
        is_switchable=lp.layout.is_switchable,
    )


def power_max_w(lp: LoadpointDesk) -> float:
    """The most a loadpoint could take with its vehicle [PH-5]."""
    return lp.voltage_v * lp.bounds().maximum_a * _phases_max(lp)


def ranges_w(lp: LoadpointDesk) -> tuple[tuple[float, float], ...]:
    """Between which powers a loadpoint can be planned [W]: on one phase, if that is a choice, and on all that its vehicle uses.

    No more than the vehicle has ever taken of all that there was, nor than circuits let through.
    """
    minimum_a, maximum_a, _ = lp.bounds()
    for circuit in lp.site_layout.config.circuits:
        if circuit.name in lp.layout.circuits and circuit.current_max_a is not None:
            maximum_a = min(maximum_a, circuit.current_max_a)
    drawn_w = lp.state.power_drawn_w or math.inf
    phases = _phases_max(lp)
    is_free = lp.layout.is_switchable and not lp.settings.phases_configured and may_switch(lp.state.charger, lp.instant)
    found: list[tuple[float, float]] = []
    for used in sorted({1, phases}) if is_free else (phases,):
        high_w = min(lp.voltage_v * used * maximum_a, drawn_w)
        found.append((min(lp.voltage_v * used * minimum_a, high_w), high_w))
    return tuple(found)


def dues_of(lp: LoadpointDesk, since: datetime) -> list[Due]:
    """What the vehicle there is to have by when, from ``since`` on: the loadpoint's target and the vehicle's plans [PLAN-32]."""
    own = lp.vehicle_settings
    return dues(since, target=lp.settings.target_time, plan=own.plan, weekly=own.weekly_plans)


def due_of(lp: LoadpointDesk) -> Due | None:
    """What is planned for: what is still being charged for though its time is over, else the next that lacks something, else the
    next [PLAN-10, PLAN-19, PLAN-32]."""
    state, target, own = lp.state, lp.settings.target_time, lp.vehicle_settings
    if target is None and own.plan is None and not own.weekly_plans:
        return None
    if state.plan.is_active:
        before = state.due or (None if target is None else Due(target))
        if before is not None and before.time < lp.utc and before in dues_of(lp, before.time):
            return before
    ahead = dues_of(lp, lp.utc)
    if len(ahead) < 2:
        return ahead[0] if ahead else None
    return next((due for due in ahead if _is_lacking(lp, due)), ahead[0])


def _is_lacking(lp: LoadpointDesk, due: Due) -> bool:
    missing_kwh = need_kwh(lp, due)
    return missing_kwh is None or missing_kwh > 0


def strategy_of(lp: LoadpointDesk, due: Due) -> PlanStrategy:
    """That of the vehicle for its own plans, that of the loadpoint for its target [PLAN-35]."""
    return lp.settings.plan_strategy if due.soc_pct is None else lp.vehicle_settings.plan_strategy


def make_plan(lp: LoadpointDesk, due: Due, power_w: float) -> tuple[timedelta | None, planner.Plan]:
    """The time needed and the slots for it [PLAN-10]."""
    required = plan_required(lp, due, power_w)
    if required is None:
        return None, planner.NO_PLAN
    has_begun = lp.state.plan.is_active and lp.state.due == due
    strategy = strategy_of(lp, due)
    return required, planner.plan(
        planner_rates(lp.readings), required, due.time, lp.utc, strategy=strategy, has_begun=has_begun
    )


def plan_required(lp: LoadpointDesk, due: Due, power_w: float) -> timedelta | None:
    """How long charging for the goal takes at ``power_w``; None when it cannot be told [PLAN-2, DEF-10, DEF-42]."""
    state = lp.state
    missing_kwh = _missing_kwh(lp, due)
    if missing_kwh is not None:
        return planner.duration_at(missing_kwh, power_w)
    if state.vehicle is None:
        return None
    estimator = lp.estimator
    known = soc.by_energy(state.soc, state.ledger.session_kwh, estimator)
    return soc.remaining_duration(known, _goal_pct(lp, due), power_w, estimator)


def need_kwh(lp: LoadpointDesk, due: Due) -> float | None:
    """What is missing to the goal, at the socket; None when it cannot be told [PLAN-2]."""
    state = lp.state
    missing_kwh = _missing_kwh(lp, due)
    if missing_kwh is not None:
        return missing_kwh
    if state.vehicle is None:
        return None
    known = soc.by_energy(state.soc, state.ledger.session_kwh, lp.estimator)
    return soc.remaining_energy_kwh(known, _goal_pct(lp, due), lp.estimator)


def curve_of(lp: LoadpointDesk, due: Due) -> tuple[Step, ...]:
    """What the vehicle takes on the way to a SoC, counted from now; nothing where its curve or its SoC is not known."""
    vehicle, state = lp.vehicle, lp.state
    if vehicle is None or not vehicle.config.charging_curve or soc_goal_pct(lp, due) is None:
        return ()
    known = soc.by_energy(state.soc, state.ledger.session_kwh, lp.estimator)
    found = []
    for from_pct, most_w in vehicle.config.charging_curve:
        ahead_kwh = soc.remaining_energy_kwh(known, from_pct, lp.estimator)
        if ahead_kwh is None:
            return ()
        found.append(Step(ahead_kwh, most_w))
    return tuple(found)


def is_tapering(lp: LoadpointDesk) -> bool:
    """Whether the vehicle takes less than it is offered for being so full, by its curve."""
    vehicle, soc_pct = lp.vehicle, lp.state.soc.soc_pct
    if vehicle is None or soc_pct is None:
        return False
    return any(soc_pct >= point.from_soc_pct for point in vehicle.config.charging_curve)


def holds_full(lp: LoadpointDesk, due: Due) -> bool:
    """Whether the goal is 100 % and the vehicle is charging: it then keeps its plan for balancing [DEF-16]."""
    return lp.facts.is_charging and _missing_kwh(lp, due) is None and _goal_pct(lp, due) == soc.FULL_PCT


def _missing_kwh(lp: LoadpointDesk, due: Due) -> float | None:
    """To a goal that is an energy; None: it is a SoC."""
    if due.energy_kwh is not None:
        return max(0.0, due.energy_kwh - lp.state.ledger.session_kwh)
    return None if due.soc_pct is not None else _energy_goal_remaining_kwh(lp)


def _goal_pct(lp: LoadpointDesk, due: Due) -> float:
    return soc.effective_target_pct(lp.settings.soc_target_pct) if due.soc_pct is None else float(due.soc_pct)


def soc_goal_pct(lp: LoadpointDesk, due: Due) -> float | None:
    """The SoC that is to be reached; None: the goal is an energy, or there is no vehicle that could have one."""
    return None if lp.state.vehicle is None or _missing_kwh(lp, due) is not None else _goal_pct(lp, due)


def follow_plan(lp: LoadpointDesk) -> None:
    """Look at the plan for what is due; afterwards it is active or not [PLAN-11..PLAN-16]."""
    state = lp.state
    due = state.due = due_of(lp)
    if due is None:
        state.plan, state.plan_slots = plan_follow.IDLE, ()
        return
    required, plan = make_plan(lp, due, power_max_w(lp))
    state.plan_slots = plan.slots
    state.plan = plan_follow.step(
        state.plan,
        plan,
        required=required,
        target=due.time,
        now=lp.utc,
        holds_full=holds_full(lp, due),
        reserved=strategy_of(lp, due).precondition,
    )
    lp.warn(WarningCode.PLAN_UNREACHABLE, not plan.is_met and due.time >= lp.utc)


def _has_plan_ahead(lp: LoadpointDesk) -> bool:
    """Whether something is due that is to come, in a mode that looks at it."""
    if lp.settings.mode not in (ChargeMode.PV, ChargeMode.MINPV):
        return False
    due = due_of(lp)
    return due is not None and due.time >= lp.utc


def charges_from_grid(site: SiteDesk) -> BatteryReason | None:
    """Why home batteries are to charge from the grid, None: they are not [BAT-2, BAT-8]."""
    limit = site.state.settings.battery_grid_charge_limit
    if limit is None or is_operator_limiting(site):
        return None
    price = price_at(planner_rates(site.readings), site.utc)
    if price is None or not is_cheap(price, limit):
        return None
    return BatteryReason(BatteryCode.CHARGES, {"price": price, "limit": limit})


def is_operator_limiting(site: SiteDesk) -> bool:
    """Whether the grid operator limits what is bought: nobody knows how much a battery would take of that."""
    limit = site.readings.operator_limit
    return limit is not None and site.instant < limit.expires_at


def planner_rates(readings: Readings) -> Rates | None:
    """The planner's price list, or the grid's [TAR-10]."""
    tariffs = readings.tariffs
    return tariffs.get(TariffKind.PLANNER) or tariffs.get(TariffKind.GRID)


def is_below_minimum(lp: LoadpointDesk) -> bool:
    """Whether the vehicle is below its minimum SoC [GOAL-4]."""
    state, vehicle = lp.state, lp.vehicle
    if vehicle is None or state.settings.soc_min_pct <= 0:
        return False
    energy_kwh, soc_pct = state.ledger.session_kwh, state.soc.soc_pct
    is_unknown = soc_pct is None
    estimator = lp.estimator
    if soc_pct is not None and soc_pct < state.settings.soc_min_pct:
        # What stays below, however much is charged, would force charging without end.
        soc_pct = None if soc.is_doubted(state.soc, energy_kwh, estimator) else soc_pct
    return is_below_min_soc(
        soc_min_pct=state.settings.soc_min_pct,
        soc_pct=soc_pct,
        capacity_kwh=vehicle.config.capacity_kwh,
        energy_kwh=energy_kwh,
        efficiency=soc.CHARGE_EFFICIENCY,
        is_soc_awaited=is_unknown
        and awaits_soc(
            can_tell_soc=vehicle.can_tell_soc or lp.layout.charger.has_soc,
            vehicle_since=state.vehicle_since,
            instant=lp.instant,
            grace=lp.layout.config.unknown_soc_grace,
        ),
    )


def _energy_goal_remaining_kwh(lp: LoadpointDesk) -> float | None:
    vehicle = lp.vehicle
    return energy_goal_remaining_kwh(
        energy_target_kwh=lp.settings.energy_target_kwh,
        energy_kwh=lp.state.ledger.session_kwh,
        counts=vehicle is None or not vehicle.can_tell_soc,
    )


def _goal_reached(lp: LoadpointDesk) -> ReasonCode | None:
    state = lp.state
    missing_kwh = _energy_goal_remaining_kwh(lp)
    if missing_kwh is not None and missing_kwh <= 0:
        return ReasonCode.TARGET_ENERGY_REACHED
    if is_soc_goal_reached(soc_pct=state.soc.soc_pct, soc_target_pct=state.settings.soc_target_pct):
        return ReasonCode.TARGET_SOC_REACHED
    return None


def _as_answer(reading: Reading[bool]) -> Reading[float]:
    """``reading`` as `polling` looks at one: whether it is an answer, not what it says."""
    if isinstance(reading, Measured):
        return Measured(soc.FULL_PCT, reading.sampled_at)
    return reading

"""What a loadpoint asks for: its goals, plan and mode, ranked, make one `Demand` [STR-1..STR-11, GOAL-1..GOAL-5, PLAN-1..].

The pure questions are in `evcclib.laws.demand`; here they are asked of a loadpoint, and the first reason that holds wins.
"""

from __future__ import annotations

from dataclasses import replace
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
)
from evcclib.machines import asking, soc
from evcclib.machines.charger import may_switch
from evcclib.machines.phases import active_phases_max
from evcclib.model import ChargeMode, RemoteDemand, TariffKind
from evcclib.pipeline.desk import Work
from evcclib.pipeline.observe_loadpoint import NO_VEHICLE, Facts
from evcclib.pipeline.state import LoadpointState
from evcclib.planning import plan_follow, planner
from evcclib.readings import Measured, Reading, VehicleReading
from evcclib.reasons import Reason, ReasonCode
from evcclib.tariff import Rates, price_at


def demand(work: Work, index: int, facts: Facts) -> Demand:
    """What the loadpoint asks for: the first reason that holds [STR-1..STR-10, DEF-25]."""
    loadpoint = work.state.loadpoints[index]
    settings = loadpoint.settings
    mode = settings.mode
    charger = loadpoint.charger
    is_switchable = facts.layout.is_switchable and may_switch(charger, work.instant)
    configured = settings.phases_configured
    minimum_a, maximum_a, _ = facts.bounds
    if loadpoint.warnings and not (facts.is_connected and _has_plan_ahead(work, loadpoint)):
        work.warn(index, WarningCode.PLAN_UNREACHABLE, False)
    if not facts.is_connected:
        return Demand.stop(because(ReasonCode.NOT_CONNECTED))
    if is_switchable and configured and configured != charger.phases:
        return replace(Demand.stop(because(ReasonCode.PHASE_LOCK)), phases=configured)
    if loadpoint.remote_demand is RemoteDemand.HARD:
        return Demand.stop(Reason(ReasonCode.REMOTE_HARD, {"source": loadpoint.remote_source}))
    if mode is ChargeMode.OFF:
        return Demand.stop(because(ReasonCode.MODE_OFF))
    phases = (configured or 3) if is_switchable else 0
    if is_below_minimum(work, index):
        reason = Reason(ReasonCode.MIN_SOC, {"soc_min_pct": settings.soc_min_pct})
        return Demand(maximum_a, maximum_a, minimum_a, reason, phases=phases, elapses_timers=True)
    if mode is not ChargeMode.NOW and settings.target_time is not None:
        follow_plan(work, index, facts)
        if loadpoint.plan.is_active:
            reason = Reason(ReasonCode.PLAN_ACTIVE, until_utc=loadpoint.plan.slot_end)
            return Demand(maximum_a, maximum_a, minimum_a, reason, phases=phases, elapses_timers=True)
    reached = _goal_reached(work, index)
    if reached is not None:
        loadpoint.plan = plan_follow.IDLE
        if is_climating(work, index, facts):
            return Demand(minimum_a, minimum_a, minimum_a, because(ReasonCode.CLIMATE))
        return Demand.stop(because(reached))
    if mode is ChargeMode.NOW:
        return Demand(maximum_a, maximum_a, minimum_a, because(ReasonCode.MODE_NOW), phases=phases)
    if settings.smart_cost_limit is not None and settings.target_time is None:
        price = price_at(planner_rates(work), work.utc)
        if price is not None and is_cheap(price, settings.smart_cost_limit):
            reason = Reason(ReasonCode.SMART_COST, {"price": price, "limit": settings.smart_cost_limit})
            return Demand(maximum_a, maximum_a, minimum_a, reason, phases=phases, elapses_timers=True)
    if loadpoint.remote_demand is RemoteDemand.SOFT:
        return Demand.stop(Reason(ReasonCode.REMOTE_SOFT, {"source": loadpoint.remote_source}))
    floor_a = minimum_a if mode is ChargeMode.MINPV else 0.0
    return Demand(maximum_a, floor_a, minimum_a, because(ReasonCode.SURPLUS), follows_sun=True, is_forced=False)


def is_climating(work: Work, index: int, facts: Facts) -> bool:
    """Whether the vehicle conditions its cabin; asked for only as its polling allows [CLI, DEF-25]."""
    loadpoint = work.state.loadpoints[index]
    if loadpoint.vehicle is None or not work.layout.vehicles[loadpoint.vehicle].config.has_climate:
        return False
    reading = work.readings.vehicles.get(loadpoint.vehicle, NO_VEHICLE)
    config = facts.layout.config.poll
    loadpoint.climate_poll, read = asking.step(
        loadpoint.climate_poll,
        vehicle=loadpoint.vehicle,
        reading=VehicleReading(soc_pct=_as_answer(reading.is_climating), must_retry=reading.must_retry),
        now=work.instant,
        config=config,
        is_connected=facts.is_connected,
        is_charging=facts.is_charging,
    )
    if read is not None:
        work.reads.add(Read(loadpoint.vehicle, VehicleRead.CLIMATE, read.is_fresh))
    answer = reading.is_climating
    return (
        isinstance(answer, Measured)
        and answer.value
        and loadpoint.connected_at is not None
        and answer.sampled_at >= loadpoint.connected_at
        and work.instant - answer.sampled_at <= max(config.interval, asking.CACHE)
    )


def power_max_w(work: Work, index: int) -> float:
    """The most a loadpoint could take with its vehicle [PH-5]."""
    loadpoint = work.state.loadpoints[index]
    settings = loadpoint.settings
    bounds = work.layout.bounds(
        index,
        settings.current_min_a,
        settings.current_max_a,
        loadpoint.vehicle,
        loadpoint.charger.rounding.step_a,
    )
    phases = active_phases_max(
        vehicle=0 if loadpoint.vehicle is None else work.layout.vehicles[loadpoint.vehicle].config.phases,
        physical=loadpoint.charger.phases,
        measured=loadpoint.measured_phases,
        configured=settings.phases_configured,
        is_switchable=work.layout.loadpoints[index].is_switchable,
    )
    return work.layout.voltage_v * bounds.maximum_a * phases


def make_plan(work: Work, index: int, target: datetime, power_w: float) -> tuple[timedelta | None, planner.Plan]:
    """The time needed and the slots for it [PLAN-10]."""
    required = plan_required(work, index, power_w)
    if required is None:
        return None, planner.NO_PLAN
    return required, planner.plan(planner_rates(work), required, target, work.utc)


def plan_required(work: Work, index: int, power_w: float) -> timedelta | None:
    """How long charging for the goal takes at ``power_w``; None when it cannot be told [PLAN-2, DEF-10, DEF-42]."""
    loadpoint = work.state.loadpoints[index]
    settings = loadpoint.settings
    missing_kwh = _energy_goal_remaining_kwh(work, loadpoint)
    if missing_kwh is not None:
        return planner.duration_at(missing_kwh, power_w)
    if loadpoint.vehicle is None:
        return None
    target_pct = soc.effective_target_pct(settings.soc_target_pct)
    estimator = work.layout.estimator(index, loadpoint.vehicle)
    state = soc.by_energy(loadpoint.soc, loadpoint.ledger.session_kwh, estimator)
    return soc.remaining_duration(state, target_pct, power_w, estimator)


def follow_plan(work: Work, index: int, facts: Facts) -> None:
    """Look at the plan for the stored target time; afterwards it is active or not [PLAN-11..PLAN-16]."""
    loadpoint = work.state.loadpoints[index]
    target = loadpoint.settings.target_time
    assert target is not None
    if not plan_follow.applies(loadpoint.plan, target, work.utc):
        loadpoint.plan = plan_follow.IDLE
        return
    required, plan = make_plan(work, index, target, power_max_w(work, index))
    has_energy_goal = _energy_goal_remaining_kwh(work, loadpoint) is not None
    holds_full = facts.is_charging and not has_energy_goal and loadpoint.settings.soc_target_pct in (0, 100)
    loadpoint.plan = plan_follow.step(
        loadpoint.plan, plan, required=required, target=target, now=work.utc, holds_full=holds_full
    )
    work.warn(index, WarningCode.PLAN_UNREACHABLE, not plan.is_met and target >= work.utc)


def _has_plan_ahead(work: Work, loadpoint: LoadpointState) -> bool:
    """Whether there is a target time to come in a mode that looks at it."""
    target = loadpoint.settings.target_time
    return target is not None and target >= work.utc and loadpoint.settings.mode in (ChargeMode.PV, ChargeMode.MINPV)


def planner_rates(work: Work) -> Rates | None:
    """The planner's price list, or the grid's [TAR-10]."""
    tariffs = work.readings.tariffs
    return tariffs.get(TariffKind.PLANNER) or tariffs.get(TariffKind.GRID)


def is_below_minimum(work: Work, index: int) -> bool:
    """Whether the vehicle is below its minimum SoC [GOAL-4]."""
    loadpoint = work.state.loadpoints[index]
    if loadpoint.vehicle is None or loadpoint.settings.soc_min_pct <= 0:
        return False
    vehicle = work.layout.vehicles[loadpoint.vehicle]
    energy_kwh, soc_pct = loadpoint.ledger.session_kwh, loadpoint.soc.soc_pct
    is_unknown = soc_pct is None
    estimator = work.layout.estimator(index, loadpoint.vehicle)
    if soc_pct is not None and soc_pct < loadpoint.settings.soc_min_pct:
        # What stays below, however much is charged, would force charging without end.
        soc_pct = None if soc.is_doubted(loadpoint.soc, energy_kwh, estimator) else soc_pct
    return is_below_min_soc(
        soc_min_pct=loadpoint.settings.soc_min_pct,
        soc_pct=soc_pct,
        capacity_kwh=vehicle.config.capacity_kwh,
        energy_kwh=energy_kwh,
        efficiency=soc.CHARGE_EFFICIENCY,
        is_soc_awaited=is_unknown
        and awaits_soc(
            can_tell_soc=vehicle.can_tell_soc or work.layout.loadpoints[index].charger.has_soc,
            vehicle_since=loadpoint.vehicle_since,
            instant=work.instant,
            grace=work.layout.loadpoints[index].config.unknown_soc_grace,
        ),
    )


def _energy_goal_remaining_kwh(work: Work, loadpoint: LoadpointState) -> float | None:
    counts = loadpoint.vehicle is None or not work.layout.vehicles[loadpoint.vehicle].can_tell_soc
    return energy_goal_remaining_kwh(
        energy_target_kwh=loadpoint.settings.energy_target_kwh,
        energy_kwh=loadpoint.ledger.session_kwh,
        counts=counts,
    )


def _goal_reached(work: Work, index: int) -> ReasonCode | None:
    loadpoint = work.state.loadpoints[index]
    missing_kwh = _energy_goal_remaining_kwh(work, loadpoint)
    if missing_kwh is not None and missing_kwh <= 0:
        return ReasonCode.TARGET_ENERGY_REACHED
    if is_soc_goal_reached(soc_pct=loadpoint.soc.soc_pct, soc_target_pct=loadpoint.settings.soc_target_pct):
        return ReasonCode.TARGET_SOC_REACHED
    return None


def _as_answer(reading: Reading[bool]) -> Reading[float]:
    """``reading`` as `polling` looks at one: whether it is an answer, not what it says."""
    if isinstance(reading, Measured):
        return Measured(soc.FULL_PCT, reading.sampled_at)
    return reading

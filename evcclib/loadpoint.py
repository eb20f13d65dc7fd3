"""One loadpoint: from what was read to facts, from facts to a demand [LP-10..LP-25].

observe: outcomes, power, phases, energy -> status and its events -> vehicle, SoC -> sync
demand:  goals and mode, the first reason that holds (`evcclib.demand`)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from evcclib import meter_ledger, plan_follow, planner, polling, session, soc
from evcclib.assignment import connect, describe_session, disconnect, identify, open_session, store_session
from evcclib.charger import confirm, doubt_current, sync
from evcclib.commands import Outcome, Read, Result, VehicleRead
from evcclib.demand import (
    Demand,
    awaits_soc,
    because,
    energy_goal_remaining_kwh,
    is_below_min_soc,
    is_cheap,
    is_soc_goal_reached,
)
from evcclib.events import (
    ChargeStarted,
    ChargeStopped,
    SocProgressed,
    VehicleConnected,
    VehicleDisconnected,
    WarningCode,
)
from evcclib.hold import ELAPSED
from evcclib.layout import Bounds, LoadpointLayout
from evcclib.model import ChargeMode, ChargerStatus, PhaseTriple, PvAction, RemoteDemand, TariffKind
from evcclib.phases import (
    AT_REST,
    SETTLING,
    active_phases,
    active_phases_max,
    phases_in_use,
    phases_with_voltage,
)
from evcclib.readings import ABSENT, ChargerReading, Measured, Missing, Reading, VehicleReading
from evcclib.reasons import Reason, ReasonCode
from evcclib.state import LoadpointState
from evcclib.status import FAULTS, Transition, transitions
from evcclib.tariff import Rates, price_at
from evcclib.work import Work, elapse

SILENT = ChargerReading(status=Missing())
NEGATIVE_POWER_W = -1.0
"""A charge power below this is a wrong sign or a wrong wire, not noise [MEA-1]."""
NO_VEHICLE = VehicleReading()


@dataclass(slots=True)
class Facts:
    """What one step knows of a loadpoint; ``power_w`` None: unknown; ``is_usable`` False: the charger must not be commanded."""

    layout: LoadpointLayout
    bounds: Bounds
    power_w: float | None
    currents_a: PhaseTriple | None
    is_connected: bool
    is_charging: bool
    is_usable: bool
    vehicle_phases: int
    active: int


def take_outcome(work: Work, outcome: Outcome) -> None:
    """Confirm what a batch has changed [LIM-3, LIM-7, PH-8, DEF-2, DEF-4]."""
    loadpoint = work.state.loadpoints[outcome.loadpoint]
    before = loadpoint.charger
    confirmed = confirm(before, outcome)
    if confirmed.state is before:
        return
    loadpoint.charger = confirmed.state
    if confirmed.is_phase_switched:
        loadpoint.scaling = AT_REST
        loadpoint.measured_phases = 0
        loadpoint.pv_timer = ELAPSED
        loadpoint.pv_action = PvAction.INACTIVE
    elif confirmed.is_pv_timer_cleared:
        loadpoint.pv_timer = None
        loadpoint.pv_action = PvAction.INACTIVE
    is_failed = outcome.result is not Result.DONE
    if outcome.result is Result.FAILED and confirmed.state.is_enabled is before.is_enabled:
        loadpoint.effect_w = 0.0
    work.warn(outcome.loadpoint, WarningCode.COMMAND_FAILED, is_failed, error=outcome.error)


def observe(work: Work, index: int) -> Facts:
    """Take in everything read of one loadpoint, handle what happened to it, and sum it up."""
    loadpoint = work.state.loadpoints[index]
    layout = work.layout.loadpoints[index]
    chargers = work.readings.chargers
    reading = chargers[index] if index < len(chargers) else SILENT
    oldest = work.oldest

    status = _fresh(reading.status, oldest)
    is_faulty = status in FAULTS
    is_usable = status is not None and not is_faulty
    if loadpoint.is_silent is not (status is None):
        loadpoint.is_silent = status is None
        work.warn(index, WarningCode.CHARGER_SILENT, loadpoint.is_silent)
    if loadpoint.is_faulty is not is_faulty:
        loadpoint.is_faulty = is_faulty
        work.warn(index, WarningCode.CHARGER_FAULT, is_faulty)
    happened: tuple[Transition, ...] = ()
    was_unseen = loadpoint.status is None
    if is_usable and status is not loadpoint.status:
        assert status is not None
        happened = transitions(loadpoint.status, status)
        loadpoint.status = status
    is_charging = loadpoint.status is ChargerStatus.C
    is_connected = is_charging or loadpoint.status is ChargerStatus.B

    if not layout.is_switchable and type(reading.voltages_v) is Measured:
        _see_voltages(loadpoint, reading.voltages_v.value)
    currents_a = _fresh(reading.currents_a, oldest)
    if currents_a is not None and sum(currents_a) - sum(currents_a) != 0.0:
        currents_a = None  # not numbers [MEA-3]
    if currents_a is not None and is_charging:
        _see_currents(work, loadpoint, currents_a)
    if layout.is_switchable:
        _see_phases(work, loadpoint, reading)
    power_w = _power(work, loadpoint, layout, reading, is_charging=is_charging)
    if power_w is not None:
        work.warn(index, WarningCode.NEGATIVE_CHARGE_POWER, power_w < NEGATIVE_POWER_W)

    counter: Reading[float] = ABSENT
    if layout.charger.has_energy_total:
        counter = reading.energy_total_kwh
    elif layout.charger.has_energy_session:
        counter = reading.energy_session_kwh
    loadpoint.ledger = meter_ledger.step(
        loadpoint.ledger, counter=counter, power_w=power_w, is_charging=is_charging, now=work.instant
    )
    if happened:
        _handle(work, index, happened, reading, is_startup=was_unseen)
    if is_usable and is_connected and not layout.charger.is_integrated:
        identify(work, index)
    if is_usable:
        _see_soc(work, index, layout, reading, is_connected=is_connected, is_charging=is_charging)
        if type(reading.is_enabled) is Measured and reading.is_enabled.sampled_at >= oldest:
            _sync(work, index, reading.is_enabled, is_charging=is_charging)
        if type(reading.current_offered_a) is Measured:
            loadpoint.charger = doubt_current(loadpoint.charger, reading.current_offered_a, instant=work.instant)

    settings = loadpoint.settings
    vehicle_phases = 0 if loadpoint.vehicle is None else work.layout.vehicles[loadpoint.vehicle].config.phases
    return Facts(
        layout,
        work.layout.bounds(index, settings.current_min_a, settings.current_max_a, loadpoint.vehicle),
        power_w,
        currents_a,
        is_connected,
        is_charging,
        is_usable,
        vehicle_phases,
        active_phases(vehicle=vehicle_phases, physical=loadpoint.charger.phases, measured=loadpoint.measured_phases),
    )


def demand(work: Work, index: int, facts: Facts) -> Demand:
    """What the loadpoint asks for: the first reason that holds [STR-1..STR-10, DEF-25]."""
    loadpoint = work.state.loadpoints[index]
    settings = loadpoint.settings
    mode = settings.mode
    charger = loadpoint.charger
    is_switchable = facts.layout.is_switchable
    configured = settings.phases_configured
    minimum_a, maximum_a, _ = facts.bounds
    if not facts.is_connected:
        return Demand.stop(because(ReasonCode.NOT_CONNECTED))
    if is_switchable and configured and configured != charger.phases:
        return replace(Demand.stop(because(ReasonCode.PHASE_LOCK)), phases=configured)
    if loadpoint.remote_demand is RemoteDemand.HARD:
        return Demand.stop(Reason(ReasonCode.REMOTE_HARD, {"source": loadpoint.remote_source}))
    if mode is ChargeMode.OFF:
        return Demand.stop(because(ReasonCode.MODE_OFF))
    phases = (configured or 3) if is_switchable else 0
    if _is_below_min_soc(work, index):
        reason = Reason(ReasonCode.MIN_SOC, {"soc_min_pct": settings.soc_min_pct})
        return Demand(maximum_a, maximum_a, minimum_a, reason, phases=phases, elapses_timers=True)
    if mode is not ChargeMode.NOW and settings.target_time is not None:
        follow_plan(work, index, facts)
        if loadpoint.plan.is_active:
            reason = Reason(ReasonCode.PLAN_ACTIVE, until_utc=loadpoint.plan.slot_end)
            return Demand(maximum_a, maximum_a, minimum_a, reason, phases=phases, elapses_timers=True)
    reached = _goal_reached(work, index)
    if reached is not None:
        loadpoint.plan = replace(loadpoint.plan, is_active=False, slot_end=None)
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
    loadpoint.climate_poll, read = polling.step(
        loadpoint.climate_poll,
        vehicle=loadpoint.vehicle,
        reading=VehicleReading(soc_pct=_as_number(reading.is_climating), must_retry=reading.must_retry),
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
        and work.instant - answer.sampled_at <= max(config.interval, polling.CACHE)
    )


def power_max_w(work: Work, index: int) -> float:
    """The most a loadpoint could take with its vehicle [PH-5]."""
    loadpoint = work.state.loadpoints[index]
    settings = loadpoint.settings
    bounds = work.layout.bounds(index, settings.current_min_a, settings.current_max_a, loadpoint.vehicle)
    phases = active_phases_max(
        vehicle=0 if loadpoint.vehicle is None else work.layout.vehicles[loadpoint.vehicle].config.phases,
        physical=loadpoint.charger.phases,
        measured=loadpoint.measured_phases,
        configured=settings.phases_configured,
        is_switchable=work.layout.loadpoints[index].is_switchable,
    )
    return work.layout.voltage_v * bounds.maximum_a * phases


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
    return soc.remaining_duration(loadpoint.soc, target_pct, power_w, work.layout.estimator(index, loadpoint.vehicle))


def make_plan(work: Work, index: int, target: datetime, power_w: float) -> tuple[timedelta | None, planner.Plan]:
    """The time needed and the slots for it [PLAN-10]."""
    required = plan_required(work, index, power_w)
    if required is None:
        return None, planner.NO_PLAN
    return required, planner.plan(planner_rates(work), required, target, work.utc)


def follow_plan(work: Work, index: int, facts: Facts) -> None:
    """Look at the plan for the stored target time; afterwards it is active or not [PLAN-11..PLAN-16]."""
    loadpoint = work.state.loadpoints[index]
    target = loadpoint.settings.target_time
    assert target is not None
    if not plan_follow.applies(loadpoint.plan, target, work.utc):
        loadpoint.plan = plan_follow.IDLE
        return
    required, plan = make_plan(work, index, target, power_max_w(work, index))
    holds_full = facts.is_charging and loadpoint.settings.soc_target_pct in (0, 100)
    loadpoint.plan = plan_follow.step(
        loadpoint.plan, plan, required=required, target=target, now=work.utc, holds_full=holds_full
    )
    work.warn(index, WarningCode.PLAN_UNREACHABLE, not plan.is_met and target >= work.utc)


def planner_rates(work: Work) -> Rates | None:
    """The planner's price list, or the grid's [TAR-10]."""
    tariffs = work.readings.tariffs
    return tariffs.get(TariffKind.PLANNER) or tariffs.get(TariffKind.GRID)


def meter_total_kwh(layout: LoadpointLayout, reading: ChargerReading) -> float | None:
    """The charge meter's counter, if there is one and it answers."""
    if layout.charger.has_energy_total and isinstance(reading.energy_total_kwh, Measured):
        return reading.energy_total_kwh.value
    return None


def _fresh(reading: Reading[Any], oldest: timedelta) -> Any:
    """The value of a sample that is new enough, else None."""
    if type(reading) is Measured and reading.sampled_at >= oldest:
        return reading.value
    return None


def _power(
    work: Work, loadpoint: LoadpointState, layout: LoadpointLayout, reading: ChargerReading, *, is_charging: bool
) -> float | None:
    """Charge power [W]: measured, the last one until it is too old, or worked out without a meter [MEA-1, MEA-2, DEF-48]."""
    if layout.charger.has_power:
        if type(reading.power_w) is Measured and reading.power_w.value - reading.power_w.value == 0.0:
            loadpoint.power = reading.power_w
        power = loadpoint.power
        return power.value if power is not None and power.sampled_at >= work.oldest else None
    charger = loadpoint.charger
    if not is_charging or not charger.is_enabled or charger.current_a is None:
        return 0.0
    vehicle_phases = 0 if loadpoint.vehicle is None else work.layout.vehicles[loadpoint.vehicle].config.phases
    phases = active_phases(vehicle=vehicle_phases, physical=charger.phases, measured=loadpoint.measured_phases)
    return charger.current_a * phases * work.layout.voltage_v


def _is_settling(work: Work, loadpoint: LoadpointState) -> bool:
    switched_at = loadpoint.charger.phases_switched_at
    return switched_at is not None and work.instant - switched_at < SETTLING


def _see_currents(work: Work, loadpoint: LoadpointState, currents_a: PhaseTriple) -> None:
    """Count the phases in use, unless a switch is settling or the count cannot be [MEA-4, MEA-5, DEF-3]."""
    count = phases_in_use(currents_a)
    if count and count != loadpoint.measured_phases and not _is_settling(work, loadpoint):
        physical = loadpoint.charger.phases
        loadpoint.measured_phases = count if not physical or count <= physical else 0


def _see_voltages(loadpoint: LoadpointState, voltages_v: PhaseTriple) -> None:
    """Phases connected to a charger that cannot switch [MEA-6, PH-9]."""
    count = phases_with_voltage(voltages_v)
    if count and count != loadpoint.charger.phases:
        loadpoint.charger = replace(loadpoint.charger, phases=count)
        loadpoint.scaling = AT_REST
        loadpoint.measured_phases = 0


def _see_phases(work: Work, loadpoint: LoadpointState, reading: ChargerReading) -> None:
    """Follow the charger's own report of its phases, once a switch of ours has settled."""
    phases = _fresh(reading.phases, work.oldest)
    charger = loadpoint.charger
    if phases not in (1, 3) or phases == charger.phases or charger.pending is not None:
        return
    if charger.phases and _is_settling(work, loadpoint):
        return
    loadpoint.charger = replace(charger, phases=phases)
    loadpoint.scaling = AT_REST
    loadpoint.measured_phases = 0


def _handle(
    work: Work, index: int, happened: tuple[Transition, ...], reading: ChargerReading, *, is_startup: bool
) -> None:
    """What a change of status entails, in order [EV-10..EV-13]."""
    loadpoint = work.state.loadpoints[index]
    layout = work.layout.loadpoints[index]
    meter_kwh = meter_total_kwh(layout, reading)
    for transition in happened:
        if transition is Transition.CONNECT:
            connect(work, index)
            elapse(loadpoint)
            open_session(work, index, meter_kwh)
            work.events.append(VehicleConnected(index, is_startup))
        elif transition is Transition.START:
            loadpoint.timer = meter_ledger.timer_started(loadpoint.timer, work.instant)
            loadpoint.charger = replace(loadpoint.charger, wake_timer=None)
            work.warn(index, WarningCode.VEHICLE_ASLEEP, False)
            loadpoint.poll = polling.charge_started(loadpoint.poll)
            if loadpoint.session is not None:
                loadpoint.session = session.start(loadpoint.session, now=work.utc)
                store_session(work, index)
            work.events.append(ChargeStarted(index))
        elif transition is Transition.STOP:
            loadpoint.timer = meter_ledger.timer_stopped(loadpoint.timer, work.instant)
            if loadpoint.charger.is_enabled:
                loadpoint.charger = replace(loadpoint.charger, wake_timer=work.instant)  # [DEF-28]
            loadpoint.poll = polling.charge_stopped(loadpoint.poll)
            if loadpoint.pv_timer != ELAPSED:
                loadpoint.pv_timer = None
                loadpoint.pv_action = PvAction.INACTIVE
            if loadpoint.session is not None:
                counted = session.charge(
                    loadpoint.session,
                    energy_kwh=loadpoint.ledger.session_kwh,
                    mix=loadpoint.session.mix,
                    meter_kwh=meter_kwh,
                )
                loadpoint.session = session.stop(counted, meter_kwh=meter_kwh, now=work.utc)
                store_session(work, index)
            work.events.append(ChargeStopped(index))
        else:
            disconnect(work, index)
            work.warn(index, WarningCode.VEHICLE_ASLEEP, False)
            work.events.append(VehicleDisconnected(index, is_startup))


def _see_soc(
    work: Work, index: int, layout: LoadpointLayout, reading: ChargerReading, *, is_connected: bool, is_charging: bool
) -> None:
    """Ask for the SoC when it is due and take in what there is [SOC-6..SOC-12]."""
    loadpoint = work.state.loadpoints[index]
    charger_soc: Reading[float] = reading.soc_pct if layout.charger.has_soc else ABSENT
    vehicle_soc: Reading[float] = ABSENT
    statuses_agree = True
    if loadpoint.vehicle is not None:
        vehicle = work.layout.vehicles[loadpoint.vehicle]
        answers = work.readings.vehicles.get(loadpoint.vehicle, NO_VEHICLE)
        if vehicle.can_tell_soc:
            if type(charger_soc) is not Measured:
                loadpoint.poll, read = polling.step(
                    loadpoint.poll,
                    vehicle=loadpoint.vehicle,
                    reading=answers,
                    now=work.instant,
                    config=layout.config.poll,
                    is_connected=is_connected,
                    is_charging=is_charging,
                )
                if read is not None:
                    work.reads.add(read)
            vehicle_soc = polling.accepted(loadpoint.poll, answers.soc_pct)
            if type(answers.status) is Measured:
                statuses_agree = answers.status.value is loadpoint.status
        if loadpoint.odometer_asked_at == ELAPSED:
            loadpoint.odometer_asked_at = work.instant
            work.reads.add(Read(loadpoint.vehicle, VehicleRead.ODOMETER))
        if loadpoint.odometer_asked_at is not None and type(answers.odometer_km) is Measured:
            loadpoint.odometer_asked_at = None
            loadpoint.odometer_km = answers.odometer_km.value
            describe_session(work, index, odometer_km=loadpoint.odometer_km)
    if not is_connected:
        return
    before = loadpoint.soc
    loadpoint.soc = soc.step(
        before,
        charger_soc=charger_soc,
        vehicle_soc=vehicle_soc,
        energy_kwh=loadpoint.ledger.session_kwh,
        config=work.layout.estimator(index, loadpoint.vehicle),
        statuses_agree=statuses_agree,
    )
    if loadpoint.soc is not before:
        threshold_pct = soc.progress(loadpoint.progress_pct, loadpoint.soc.soc_pct)
        if threshold_pct > loadpoint.progress_pct and loadpoint.soc.soc_pct is not None:
            loadpoint.progress_pct = threshold_pct
            work.events.append(SocProgressed(index, loadpoint.soc.soc_pct))


def _sync(work: Work, index: int, report: Measured[bool], *, is_charging: bool) -> None:
    loadpoint = work.state.loadpoints[index]
    charger = loadpoint.charger
    if report.value is charger.is_enabled and charger.is_adopted and (report.value or not is_charging):
        work.warn(index, WarningCode.CHARGER_OUT_OF_SYNC, False)
        return
    synced = sync(
        charger,
        is_enabled=report.value,
        sampled_at=report.sampled_at,
        is_charging=is_charging,
        instant=work.instant,
    )
    loadpoint.charger = synced.state
    if synced.is_contradiction:
        work.warn(index, WarningCode.CHARGER_OUT_OF_SYNC, True)


def _is_below_min_soc(work: Work, index: int) -> bool:
    loadpoint = work.state.loadpoints[index]
    if loadpoint.vehicle is None or loadpoint.settings.soc_min_pct <= 0:
        return False
    vehicle = work.layout.vehicles[loadpoint.vehicle]
    return is_below_min_soc(
        soc_min_pct=loadpoint.settings.soc_min_pct,
        soc_pct=loadpoint.soc.soc_pct,
        capacity_kwh=vehicle.config.capacity_kwh,
        energy_kwh=loadpoint.ledger.session_kwh,
        efficiency=soc.CHARGE_EFFICIENCY,
        is_soc_awaited=awaits_soc(
            can_tell_soc=vehicle.can_tell_soc,
            vehicle_since=loadpoint.vehicle_since,
            instant=work.instant,
            grace=work.layout.loadpoints[index].config.unknown_soc_grace,
        ),
    )


def is_min_soc_active(work: Work, index: int) -> bool:
    """Whether the vehicle is below its minimum SoC [GOAL-4]."""
    return _is_below_min_soc(work, index)


def _energy_goal_remaining_kwh(work: Work, loadpoint: LoadpointState) -> float | None:
    counts = loadpoint.vehicle is None or work.layout.vehicles[loadpoint.vehicle].is_offline
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


def _as_number(reading: Reading[bool]) -> Reading[float]:
    if isinstance(reading, Measured):
        return Measured(float(reading.value), reading.sampled_at)
    return reading

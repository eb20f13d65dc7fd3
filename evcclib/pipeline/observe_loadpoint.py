"""One loadpoint: from what was read to facts, from facts to a demand [LP-10..LP-25].

observe: outcomes, power, phases, energy -> status and its events -> vehicle, SoC -> sync
demand:  goals and mode, the first reason that holds (`evcclib.laws.demand`)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from evcclib.commands import Outcome, Read, Result, VehicleRead
from evcclib.events import (
    ChargeStarted,
    ChargeStopped,
    SocProgressed,
    VehicleConnected,
    VehicleDisconnected,
    WarningCode,
)
from evcclib.ledger import meter_ledger, session
from evcclib.machines import asking, plausible, soc
from evcclib.machines.charger import DRAWING_W, SYNC_GRACE, ChargerState, Report, confirm, see_phases, sync
from evcclib.machines.hold import ELAPSED
from evcclib.machines.phases import (
    ACTIVE_CURRENT_A,
    AT_REST,
    SETTLING,
    active_phases,
    confirms_phases,
    limited_phases,
    phases_in_use,
    phases_of_power,
    phases_with_voltage,
    with_rest,
)
from evcclib.machines.readback import is_due
from evcclib.machines.rounding import hear
from evcclib.machines.status import FAULTS, Transition, transitions
from evcclib.machines.surplus import busiest
from evcclib.machines.unmetered import Offered, Taken, measured, taken, unknown_offer
from evcclib.model import ChargerStatus, PhaseTriple, PollMode, PvAction
from evcclib.pipeline.assignment import connect, describe_session, disconnect, identify, open_session, store_session
from evcclib.pipeline.desk import Work, elapse
from evcclib.pipeline.lookup import Bounds, LoadpointLayout
from evcclib.pipeline.sharing import OBEDIENCE
from evcclib.pipeline.state import NO_EFFECT, LoadpointState
from evcclib.readings import ABSENT, ChargerReading, Measured, Missing, Reading, VehicleReading

SILENT = ChargerReading(status=Missing())
NEGATIVE_POWER_W = -1.0
"""A charge power below this is a wrong sign or a wrong wire, not noise [MEA-1]."""
NO_VEHICLE = VehicleReading()
OUTCOME_DUE = timedelta(seconds=60)
"""A batch of four commands of 10 s each is over by then, and its outcome would be here: whoever sent it has forgotten to say."""


@dataclass(slots=True)
class Facts:
    """What one step knows of a loadpoint; ``is_usable`` False: the charger must not be commanded.

    ``power_w`` is what the vehicle draws, as far as anybody knows, None: unknown; ``taken`` says how well that is known.
    In ``currents_a`` NaN stands for a phase of which nothing is known; at least one is.
    ``is_charging`` is what a decision goes by: the status, as far as the power drawn does not tell otherwise.
    ``active`` are the phases that the law counts on [PH-3], ``limited`` those that limits do [DEF-47].
    """

    layout: LoadpointLayout
    bounds: Bounds
    power_w: float | None
    taken: Taken | None
    is_measured: bool
    currents_a: PhaseTriple | None
    is_connected: bool
    is_charging: bool
    is_usable: bool
    vehicle_phases: int
    active: int
    limited: int
    report: Report


def give_up_waiting(work: Work) -> None:
    """Take a batch that nobody has reported an outcome of for ``OUTCOME_DUE`` as one whose end nobody knows [CUT-4]."""
    for index, loadpoint in enumerate(work.state.loadpoints):
        pending = loadpoint.charger.pending
        if pending is not None and work.instant - pending.issued_at >= OUTCOME_DUE:
            outcome = Outcome(index, pending.batch.number, Result.UNKNOWN, 0)
            take_outcome(work, outcome, warning=WarningCode.OUTCOME_MISSING)


def take_outcome(work: Work, outcome: Outcome, *, warning: WarningCode = WarningCode.COMMAND_FAILED) -> None:
    """Confirm what a batch has changed [LIM-3, LIM-7, PH-8, DEF-2, DEF-4]; ``warning`` begins unless all was done."""
    loadpoint = work.state.loadpoints[outcome.loadpoint]
    before = loadpoint.charger
    confirmed = confirm(before, outcome)
    if confirmed.state is before:
        return
    loadpoint.charger = confirmed.state
    if confirmed.is_phase_switched:
        loadpoint.scaling = AT_REST
        loadpoint.measured_phases = loadpoint.proven_phases = 0
        loadpoint.idle_switches += 1
        loadpoint.pv_timer = ELAPSED
        loadpoint.pv_action = PvAction.INACTIVE
    elif confirmed.is_pv_timer_cleared:
        loadpoint.pv_timer = None
        loadpoint.pv_action = PvAction.INACTIVE
    if before.phases and not confirmed.state.phases:
        loadpoint.measured_phases = loadpoint.proven_phases = 0  # counted on phases that may be others now
    is_failed = outcome.result is not Result.DONE
    if outcome.result is Result.FAILED and confirmed.state.is_enabled is before.is_enabled:
        loadpoint.effect = NO_EFFECT
    if warning is WarningCode.COMMAND_FAILED:
        work.warn(outcome.loadpoint, WarningCode.OUTCOME_MISSING, False)
    work.warn(outcome.loadpoint, warning, is_failed, error=outcome.error)


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
    # What has just been started may not have been asked yet: that is no silence.
    is_silent = status is None and not (loadpoint.status is None and work.state.started_at > oldest)
    if loadpoint.is_silent is not is_silent:
        loadpoint.is_silent = is_silent
        work.warn(index, WarningCode.CHARGER_SILENT, loadpoint.is_silent)
        if loadpoint.charger.unheard_tries:
            loadpoint.charger = replace(loadpoint.charger, unheard_at=None, unheard_tries=0)
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
    if currents_a is not None and not plausible.are_numbers(currents_a):
        rest_of_w = _number(_fresh(reading.power_w, oldest)) if layout.charger.has_power else None
        currents_a = with_rest(currents_a, rest_of_w, work.layout.voltage_v)
    if currents_a is not None and is_charging:
        _see_currents(work, loadpoint, currents_a)
    if layout.is_switchable:
        _see_phases(work, loadpoint, reading, currents_a if is_charging else None)
    is_measured = layout.charger.has_power or (currents_a is not None and plausible.are_numbers(currents_a))
    drawn = _power(work, index, reading, currents_a, is_charging=is_charging)
    power_w = None if drawn is None else drawn.likely_w
    if power_w is not None:
        work.warn(index, WarningCode.NEGATIVE_CHARGE_POWER, power_w < NEGATIVE_POWER_W)

    counter: Reading[float] = ABSENT
    if layout.charger.has_energy_total:
        counter = reading.energy_total_kwh
    elif layout.charger.has_energy_session:
        counter = reading.energy_session_kwh
    loadpoint.ledger = meter_ledger.step(
        loadpoint.ledger,
        counter=counter,
        power_w=power_w,
        is_charging=is_charging,
        now=work.instant,
        power_max_w=_power_max_w(work, index),
    )
    if happened:
        _handle(work, index, happened, reading, is_startup=was_unseen)
    if is_usable and is_connected and not layout.charger.is_integrated:
        identify(work, index)
    if is_usable:
        _see_soc(work, index, layout, reading, is_connected=is_connected, is_charging=is_charging)
    report = _report(work, loadpoint, layout, reading, currents_a, is_charging=is_charging)
    if is_usable:
        loadpoint.charger = _hear(loadpoint.charger, report, layout)
        loadpoint.charger = sync(loadpoint.charger, report, instant=work.instant)
        _warn_of_disagreement(work, index)

    vehicle_phases = 0 if loadpoint.vehicle is None else work.layout.vehicles[loadpoint.vehicle].config.phases
    _prove_phases(work, loadpoint, report, currents_a, vehicle_phases, is_connected=is_connected)
    return Facts(
        layout,
        _bounds(work, index),
        power_w,
        drawn,
        is_measured,
        currents_a,
        is_connected,
        _draws(loadpoint.charger, report, is_connected=is_connected),
        is_usable,
        vehicle_phases,
        active_phases(vehicle=vehicle_phases, physical=loadpoint.charger.phases, measured=loadpoint.measured_phases),
        limited_phases(physical=loadpoint.charger.phases, proven=loadpoint.proven_phases),
        report,
    )


def meter_total_kwh(layout: LoadpointLayout, reading: ChargerReading, ledger: meter_ledger.LedgerState) -> float | None:
    """The charge meter's counter, if there is one that answers, and the ledger believes it."""
    if layout.charger.has_energy_total and isinstance(reading.energy_total_kwh, Measured):
        total_kwh = reading.energy_total_kwh.value
        return total_kwh if meter_ledger.believes(ledger, total_kwh) else None
    return None


def _fresh(reading: Reading[Any], oldest: timedelta) -> Any:
    """The value of a sample that is new enough, else None."""
    if type(reading) is Measured and reading.sampled_at >= oldest:
        return reading.value
    return None


def _number(value: float | None) -> float | None:
    return value if plausible.is_number(value) else None


def _power(
    work: Work, index: int, reading: ChargerReading, currents_a: PhaseTriple | None, *, is_charging: bool
) -> Taken | None:
    """Charge power: measured, the last one until it is too old, or worked out without a meter [MEA-1, MEA-2, DEF-48]."""
    loadpoint = work.state.loadpoints[index]
    if work.layout.loadpoints[index].charger.has_power:
        if type(reading.power_w) is Measured and reading.power_w.value - reading.power_w.value == 0.0:
            loadpoint.power = reading.power_w
        power = loadpoint.power
        return measured(power.value) if power is not None and power.sampled_at >= work.oldest else None
    if currents_a is not None and is_charging and plausible.are_numbers(currents_a):
        return measured(sum(currents_a) * work.layout.voltage_v)
    return estimate(work, index, is_charging=is_charging)


def offered(work: Work, index: int, *, is_charging: bool) -> Offered | None:
    """What the vehicle may draw; None: nobody knows how much."""
    loadpoint = work.state.loadpoints[index]
    charger = loadpoint.charger
    vehicle_phases = 0 if loadpoint.vehicle is None else work.layout.vehicles[loadpoint.vehicle].config.phases
    phases = active_phases(vehicle=vehicle_phases, physical=charger.phases, measured=loadpoint.measured_phases)
    if not is_charging or not charger.is_enabled:
        return Offered(0.0, phases)
    return None if charger.current_a is None else Offered(charger.current_a, phases)


def estimate(work: Work, index: int, *, is_charging: bool) -> Taken:
    """What the vehicle draws at a station without a meter [MEA-2]."""
    loadpoint, voltage_v = work.state.loadpoints[index], work.layout.voltage_v
    what = offered(work, index, is_charging=is_charging)
    if what is not None:
        return taken(loadpoint.doubts, what, voltage_v)
    bounds = _bounds(work, index)
    phases = active_phases(vehicle=0, physical=loadpoint.charger.phases, measured=loadpoint.measured_phases)
    return unknown_offer(bounds.minimum_a, bounds.maximum_a, phases, voltage_v)


def _power_max_w(work: Work, index: int) -> float:
    """The most that can flow there, whatever the charger is told."""
    charger = work.layout.loadpoints[index].charger
    current_a = max(work.state.loadpoints[index].settings.current_max_a, charger.current_max_a or 0.0)
    return max(plausible.CHARGE_POWER_MAX_W, 3 * current_a * work.layout.voltage_v)


def _bounds(work: Work, index: int) -> Bounds:
    """What the charger can be set to, as far as is known by now."""
    loadpoint = work.state.loadpoints[index]
    settings = loadpoint.settings
    step_a = loadpoint.charger.rounding.step_a
    return work.layout.bounds(index, settings.current_min_a, settings.current_max_a, loadpoint.vehicle, step_a)


def _hear(charger: ChargerState, report: Report, layout: LoadpointLayout) -> ChargerState:
    """Learn the charger's step from a read-back that can show what it was told last [LIM-2]."""
    told_a, told_at, shown = charger.current_a, charger.current_changed_at, report.offered_a
    if shown is None or told_a is None or told_at is None or charger.pending is not None:
        return charger
    if not charger.is_enabled or not charger.is_certain or shown.sampled_at < told_at + OBEDIENCE:
        return charger
    rounding = hear(
        charger.rounding,
        told_a=told_a,
        shown_a=shown.value,
        told_at=told_at,
        is_settled=shown.sampled_at - told_at >= SYNC_GRACE,
        configured_a=layout.charger.current_step_a,
    )
    return charger if rounding is charger.rounding else replace(charger, rounding=rounding)


def _is_settling(work: Work, loadpoint: LoadpointState) -> bool:
    switched_at = loadpoint.charger.phases_switched_at
    return switched_at is not None and work.instant - switched_at < SETTLING


def _see_currents(work: Work, loadpoint: LoadpointState, currents_a: PhaseTriple) -> None:
    """Count the phases in use, unless a switch is settling or the count cannot be [MEA-4, MEA-5, DEF-3]."""
    count = phases_in_use(currents_a)
    if count and count != loadpoint.measured_phases and not _is_settling(work, loadpoint):
        physical = loadpoint.charger.phases
        loadpoint.measured_phases = count if not physical or count <= physical else 0


def _prove_phases(
    work: Work,
    loadpoint: LoadpointState,
    report: Report,
    currents_a: PhaseTriple | None,
    vehicle_phases: int,
    *,
    is_connected: bool,
) -> None:
    """Count the phases that what flows proves, for limits [PH-3, DEF-47].

    Currents prove it; power alone confirms the phases that the vehicle is said to have, or that they are more. More than were
    believed count at any time, fewer only of a vehicle that charges.
    """
    charger, power, before = loadpoint.charger, loadpoint.power, loadpoint.proven_phases
    if not is_connected or _is_settling(work, loadpoint):
        loadpoint.proven_phases = 0
        return
    if currents_a is not None and plausible.are_numbers(currents_a):
        count = phases_in_use(currents_a)
        if count and (report.is_charging or count > limited_phases(physical=charger.phases, proven=before)):
            loadpoint.proven_phases = count
        return
    if report.is_drawing is None or power is None or not charger.sure_a or charger.pending is not None:
        return
    if loadpoint.effect_at is not None and power.sampled_at < loadpoint.effect_at + OBEDIENCE:
        return
    connected = limited_phases(physical=charger.phases, proven=0)
    offered_a, voltage_v = charger.sure_a, work.layout.voltage_v
    count = min(phases_of_power(power.value, offered_a, voltage_v), connected)
    if count > before > 0:
        loadpoint.proven_phases = count
    elif (
        report.is_charging
        and 0 < vehicle_phases < connected
        and confirms_phases(power.value, offered_a, voltage_v, phases=vehicle_phases)
    ):
        loadpoint.proven_phases = vehicle_phases


def _see_voltages(loadpoint: LoadpointState, voltages_v: PhaseTriple) -> None:
    """Phases connected to a charger that cannot switch [MEA-6, PH-9]."""
    count = phases_with_voltage(voltages_v)
    if count and count != loadpoint.charger.phases:
        loadpoint.charger = replace(loadpoint.charger, phases=count)
        loadpoint.scaling = AT_REST
        loadpoint.measured_phases = loadpoint.proven_phases = 0


def _see_phases(work: Work, loadpoint: LoadpointState, reading: ChargerReading, currents_a: PhaseTriple | None) -> None:
    """Look at the charger's own report of its phases, once a switch of ours has settled."""
    charger, report = loadpoint.charger, reading.phases
    reported = _fresh(report, work.oldest)
    if reported not in (1, 3):
        reported = None
    switched_at = charger.phases_switched_at
    if type(report) is Measured and switched_at is not None and report.sampled_at <= switched_at:
        reported = None
    if charger.pending is not None:
        return
    if charger.phases and reported != charger.phases and _is_settling(work, loadpoint):
        return
    measured = 0 if currents_a is None else phases_in_use(currents_a)
    loadpoint.charger = see_phases(charger, reported, measured=measured, instant=work.instant)
    if loadpoint.charger.phases != charger.phases:
        loadpoint.scaling = AT_REST
        loadpoint.measured_phases = loadpoint.proven_phases = 0


def _handle(
    work: Work, index: int, happened: tuple[Transition, ...], reading: ChargerReading, *, is_startup: bool
) -> None:
    """What a change of status entails, in order [EV-10..EV-13]."""
    loadpoint = work.state.loadpoints[index]
    layout = work.layout.loadpoints[index]
    meter_kwh = meter_total_kwh(layout, reading, loadpoint.ledger)
    for transition in happened:
        if transition is Transition.CONNECT:
            connect(work, index)
            elapse(loadpoint)
            open_session(work, index, meter_kwh)
            work.events.append(VehicleConnected(index, is_startup))
        elif transition is Transition.START:
            loadpoint.timer = meter_ledger.timer_started(loadpoint.timer, work.instant)
            loadpoint.idle_switches = 0
            loadpoint.charger = replace(loadpoint.charger, wake_timer=None)
            work.warn(index, WarningCode.VEHICLE_ASLEEP, False)
            loadpoint.poll = asking.charge_started(loadpoint.poll)
            if loadpoint.session is not None:
                loadpoint.session = session.start(loadpoint.session, now=work.utc)
                store_session(work, index)
            work.events.append(ChargeStarted(index))
        elif transition is Transition.STOP:
            loadpoint.timer = meter_ledger.timer_stopped(loadpoint.timer, work.instant)
            if loadpoint.charger.is_enabled:
                loadpoint.charger = replace(loadpoint.charger, wake_timer=work.instant)  # [DEF-28]
            loadpoint.poll = asking.charge_stopped(loadpoint.poll)
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
    charger_soc: Reading[float] = _charger_soc(loadpoint, reading) if layout.charger.has_soc else ABSENT
    vehicle_soc: Reading[float] = ABSENT
    is_told_by_charger = plausible.tells_soc(charger_soc)
    statuses_agree = True
    if loadpoint.vehicle is not None:
        vehicle = work.layout.vehicles[loadpoint.vehicle]
        answers = work.readings.vehicles.get(loadpoint.vehicle, NO_VEHICLE)
        if vehicle.can_tell_soc:
            if not is_told_by_charger:
                loadpoint.poll, read = asking.step(
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
            vehicle_soc = asking.accepted(loadpoint.poll, answers.soc_pct)
            if (
                type(answers.status) is Measured
                and type(vehicle_soc) is Measured
                and not is_told_by_charger
                and answers.status.sampled_at >= vehicle_soc.sampled_at
            ):
                statuses_agree = answers.status.value is loadpoint.status
        if loadpoint.odometer_asked_at == ELAPSED:
            loadpoint.odometer_asked_at = work.instant
            work.reads.add(Read(loadpoint.vehicle, VehicleRead.ODOMETER))
        if (
            loadpoint.odometer_asked_at is not None
            and type(answers.odometer_km) is Measured
            and plausible.is_odometer(answers.odometer_km.value)
            and answers.odometer_km.sampled_at >= loadpoint.odometer_asked_at - asking.CACHE
        ):
            loadpoint.odometer_asked_at = None
            loadpoint.odometer_km = answers.odometer_km.value
            describe_session(work, index, odometer_km=loadpoint.odometer_km)
    if not is_connected and layout.config.poll.mode is not PollMode.ALWAYS:
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


def _charger_soc(loadpoint: LoadpointState, reading: ChargerReading) -> Reading[float]:
    """The charger's SoC of the vehicle that is connected: read since it came, or together with the status that says so."""
    soc_pct, since = reading.soc_pct, loadpoint.connected_at
    if since is None:
        return ABSENT
    if type(soc_pct) is not Measured or soc_pct.sampled_at >= since:
        return soc_pct
    is_read_with_status = type(reading.status) is Measured and soc_pct.sampled_at >= reading.status.sampled_at
    return soc_pct if is_read_with_status else ABSENT


def _report(
    work: Work,
    loadpoint: LoadpointState,
    layout: LoadpointLayout,
    reading: ChargerReading,
    currents_a: PhaseTriple | None,
    *,
    is_charging: bool,
) -> Report:
    """What the charger and its meter say of what it does, as far as it is new enough."""
    enabled, offered, currents = reading.is_enabled, reading.current_offered_a, reading.currents_a
    power, drawn_a, is_drawing = loadpoint.power, None, None
    if currents_a is not None and type(currents) is Measured:
        drawn_a = Measured(busiest(currents_a), currents.sampled_at)
    if layout.charger.has_power and power is not None and power.sampled_at >= work.oldest:
        is_drawing = Measured(power.value > DRAWING_W, power.sampled_at)
    elif drawn_a is not None:
        is_drawing = Measured(drawn_a.value > ACTIVE_CURRENT_A, drawn_a.sampled_at)
    return Report(
        is_charging,
        enabled if type(enabled) is Measured and enabled.sampled_at >= work.oldest else None,
        is_drawing,
        offered if type(offered) is Measured and offered.sampled_at >= work.oldest else None,
        drawn_a,
    )


def _draws(charger: ChargerState, report: Report, *, is_connected: bool) -> bool:
    """Whether the vehicle charges: if it was told to, status or power must say so; if it was told not to, nothing may deny it."""
    if charger.seems_off:
        return False
    if charger.is_enabled or not charger.is_certain:
        return report.is_charging or (is_connected and report.is_drawing is not None and report.is_drawing.value)
    return report.is_charging and (report.is_drawing is None or report.is_drawing.value)


READ_BACKS = ("enabled", "phases", "current")
"""In the order of `ChargerState.disagreements`."""


def disagreeing(charger: ChargerState) -> str | None:
    """Which read-back contradicts what was wanted last; of several the one that matters most."""
    found = zip(READ_BACKS, charger.disagreements, strict=True)
    return next((name for name, each in found if each is not None and each.is_open), None)


def _warn_of_disagreement(work: Work, index: int) -> None:
    """Once when a read-back begins to disagree; one that does so again before long is news only when it is told again."""
    charger = work.state.loadpoints[index].charger
    if disagreeing(charger) is None:
        work.warn(index, WarningCode.CHARGER_OUT_OF_SYNC, False)
    elif any(is_due(each, work.instant) for each in charger.disagreements):
        work.warn(index, WarningCode.CHARGER_OUT_OF_SYNC, True)

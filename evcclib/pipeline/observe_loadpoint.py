"""One loadpoint: from what was read to facts, from facts to a demand [LP-10..LP-25].

observe: outcomes, power, phases, energy -> status and its events -> vehicle, SoC -> sync
demand:  goals and mode, the first reason that holds (`evcclib.laws.demand`)
"""

from __future__ import annotations

from datetime import timedelta
from math import isfinite

from evcclib.commands import Outcome, Read, Result, VehicleRead
from evcclib.events import (
    ChargeStarted,
    ChargeStopped,
    SocProgressed,
    VehicleConnected,
    VehicleDisconnected,
    WarningCode,
)
from evcclib.laws.law import News
from evcclib.ledger import meter_ledger, session
from evcclib.machines import asking, plausible, soc
from evcclib.machines.charger import (
    DRAWING_W,
    SYNC_GRACE,
    ChargerState,
    Report,
    answers_again,
    confirm,
    see_phases,
    see_unknown,
    sync,
)
from evcclib.machines.phases import (
    ACTIVE_CURRENT_A,
    active_phases,
    confirms_phases,
    is_settling,
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
from evcclib.model import ChargerStatus, PhaseTriple, PollMode
from evcclib.pipeline.assignment import connect, describe_session, disconnect, identify, open_session, store_session
from evcclib.pipeline.desk import Facts, LoadpointDesk, SiteDesk, elapse, phases_became, tell_law
from evcclib.pipeline.samples import fresh, fresh_value
from evcclib.pipeline.sharing import OBEDIENCE
from evcclib.pipeline.state import NO_EFFECT
from evcclib.readings import ABSENT, Measured, Reading
from evcclib.units import Instant

NEGATIVE_POWER_W = -1.0
"""A charge power below this is a wrong sign or a wrong wire, not noise [MEA-1]."""
OUTCOME_DUE = timedelta(seconds=60)
"""A batch of four commands of 10 s each is over by then, and its outcome would be here: whoever sent it has forgotten to say."""


def give_up_waiting(site: SiteDesk) -> None:
    """Take a batch that nobody has reported an outcome of for ``OUTCOME_DUE`` as one whose end nobody knows [CUT-4]."""
    for lp in site.desks:
        pending = lp.state.charger.pending
        if pending is not None and lp.instant - pending.issued_at >= OUTCOME_DUE:
            outcome = Outcome(lp.index, pending.batch.number, Result.UNKNOWN, 0)
            take_outcome(lp, outcome, warning=WarningCode.OUTCOME_MISSING)


def take_outcome(lp: LoadpointDesk, outcome: Outcome, *, warning: WarningCode = WarningCode.COMMAND_FAILED) -> None:
    """Confirm what a batch has changed [LIM-3, LIM-7, PH-8, DEF-2, DEF-4]; ``warning`` begins unless all was done."""
    state = lp.state
    before = state.charger
    confirmed = confirm(before, outcome)
    if confirmed.state is before:
        return
    state.charger = confirmed.state
    if confirmed.is_phase_switched:
        phases_became(lp, confirmed.state.phases)
        state.idle_switches += 1
        tell_law(lp, News.PHASES_SWITCHED)
    elif confirmed.is_pv_timer_cleared:
        tell_law(lp, News.ENABLE_CHANGED)
    if before.phases and not confirmed.state.phases:
        state.measured_phases = state.proven_phases = 0  # counted on phases that may be others now
    is_failed = outcome.result is not Result.DONE
    if outcome.result is Result.FAILED and confirmed.state.is_enabled is before.is_enabled:
        state.effect = NO_EFFECT
    if warning is WarningCode.COMMAND_FAILED:
        lp.warn(WarningCode.OUTCOME_MISSING, False)
    lp.warn(warning, is_failed, error=outcome.error)


def observe(site: SiteDesk, lp: LoadpointDesk) -> None:
    """Take in everything read of one loadpoint, handle what happened to it, and sum it up in its facts."""
    state, layout, reading, oldest = lp.state, lp.layout, lp.reading, lp.oldest
    is_startup, was_silent = state.status is None, state.is_silent
    is_usable, happened = _see_status(lp, started_at=site.state.started_at)
    is_charging = state.status is ChargerStatus.C
    is_connected = is_charging or state.status is ChargerStatus.B

    if not layout.is_switchable and isinstance(reading.voltages_v, Measured):
        _see_voltages(lp, reading.voltages_v.value)
    currents_a = fresh_value(reading.currents_a, oldest)
    if currents_a is not None and not plausible.are_numbers(currents_a):
        rest_of_w = _number(fresh_value(reading.power_w, oldest)) if layout.charger.has_power else None
        currents_a = with_rest(currents_a, rest_of_w, lp.voltage_v)
    in_use = 0 if currents_a is None else phases_in_use(currents_a)
    if is_charging:
        _count_phases(lp, in_use)
    if layout.is_switchable:
        _see_phases(lp, in_use if is_charging else 0)
    is_measured = layout.charger.has_power or (currents_a is not None and plausible.are_numbers(currents_a))
    drawn = _power(lp, currents_a, is_charging=is_charging)
    power_w = None if drawn is None else drawn.likely_w
    if power_w is not None:
        lp.warn(WarningCode.NEGATIVE_CHARGE_POWER, power_w < NEGATIVE_POWER_W)
    _count_energy(lp, power_w, is_charging=is_charging)
    if happened:
        _handle(site, lp, happened, is_startup=is_startup)
    if is_usable and is_connected and not layout.charger.is_integrated:
        identify(site, lp)
    if is_usable:
        _see_soc(lp, is_connected=is_connected, is_charging=is_charging)
    report = _report(lp, currents_a, is_charging=is_charging)
    if was_silent and not state.is_silent:
        state.charger = answers_again(state.charger, report)
    if is_usable:
        state.charger = sync(_hear(lp, report), report, instant=lp.instant)
        _warn_of_disagreement(lp)
    bounds = lp.bounds()
    state.charger = see_unknown(state.charger, layout.offers_a(bounds))
    _prove_phases(lp, report, currents_a, in_use, is_connected=is_connected)
    lp.facts = Facts(
        bounds,
        power_w,
        drawn,
        is_measured,
        currents_a,
        is_connected,
        _draws(state.charger, report, is_connected=is_connected),
        is_usable,
        _active_phases(lp),
        limited_phases(physical=state.charger.phases, proven=state.proven_phases),
        report,
    )


def _see_status(lp: LoadpointDesk, *, started_at: Instant) -> tuple[bool, tuple[Transition, ...]]:
    """Whether the charger answers and has no fault, and what has happened to its status."""
    state = lp.state
    status = fresh_value(lp.reading.status, lp.oldest)
    is_faulty = status in FAULTS
    # What has just been started may not have been asked yet: that is no silence.
    is_silent = status is None and not (state.status is None and started_at > lp.oldest)
    if state.is_silent is not is_silent:
        state.is_silent = is_silent
        lp.warn(WarningCode.CHARGER_SILENT, is_silent)
        if state.charger.unheard_tries:
            state.charger = state.charger._replace(unheard_at=None, unheard_tries=0)
    if state.is_faulty is not is_faulty:
        state.is_faulty = is_faulty
        lp.warn(WarningCode.CHARGER_FAULT, is_faulty)
    if status is None or is_faulty:
        return False, ()
    if status is state.status:
        return True, ()
    happened = transitions(state.status, status)
    state.status = status
    return True, happened


def _count_energy(lp: LoadpointDesk, power_w: float | None, *, is_charging: bool) -> None:
    """What has been charged since, by the counter that there is, else by the power."""
    charger, reading = lp.layout.charger, lp.reading
    counter: Reading[float] = ABSENT
    if charger.has_energy_total:
        counter = reading.energy_total_kwh
    elif charger.has_energy_session:
        counter = reading.energy_session_kwh
    lp.state.ledger = meter_ledger.step(
        lp.state.ledger,
        counter=counter,
        power_w=power_w,
        is_charging=is_charging,
        now=lp.instant,
        power_max_w=_power_max_w(lp),
    )


def meter_total_kwh(lp: LoadpointDesk) -> float | None:
    """The charge meter's counter, if there is one that answers, and the ledger believes it."""
    total = lp.reading.energy_total_kwh
    if lp.layout.charger.has_energy_total and isinstance(total, Measured):
        return total.value if meter_ledger.believes(lp.state.ledger, total.value) else None
    return None


def _number(value: float | None) -> float | None:
    return value if plausible.is_number(value) else None


def _power(lp: LoadpointDesk, currents_a: PhaseTriple | None, *, is_charging: bool) -> Taken | None:
    """Charge power: measured, the last one until it is too old, or worked out without a meter [MEA-1, MEA-2, DEF-48]."""
    if lp.layout.charger.has_power:
        power = lp.reading.power_w
        if isinstance(power, Measured) and isfinite(power.value):
            lp.state.power = power
        power_w = fresh_value(lp.state.power, lp.oldest)
        return None if power_w is None else measured(power_w)
    if currents_a is not None and is_charging and plausible.are_numbers(currents_a):
        return measured(sum(currents_a) * lp.voltage_v)
    return estimate(lp, is_charging=is_charging)


def _active_phases(lp: LoadpointDesk) -> int:
    """Phases that the vehicle uses, as far as is known by now [PH-3]."""
    state = lp.state
    return active_phases(vehicle=lp.vehicle_phases, physical=state.charger.phases, measured=state.measured_phases)


def offered(lp: LoadpointDesk, *, is_charging: bool) -> Offered | None:
    """What the vehicle may draw; None: nobody knows how much."""
    charger, phases = lp.state.charger, _active_phases(lp)
    if not is_charging or not charger.is_enabled:
        return Offered(0.0, phases)
    return None if charger.current_a is None else Offered(charger.current_a, phases)


def estimate(lp: LoadpointDesk, *, is_charging: bool) -> Taken:
    """What the vehicle draws at a station without a meter [MEA-2]."""
    state = lp.state
    what = offered(lp, is_charging=is_charging)
    if what is not None:
        return taken(state.doubts, what, lp.voltage_v)
    bounds = lp.bounds()
    phases = active_phases(vehicle=0, physical=state.charger.phases, measured=state.measured_phases)
    return unknown_offer(bounds.minimum_a, bounds.maximum_a, phases, lp.voltage_v)


def _power_max_w(lp: LoadpointDesk) -> float:
    """The most that can flow there, whatever the charger is told."""
    charger = lp.layout.charger
    current_a = max(lp.settings.current_max_a, charger.current_max_a or 0.0)
    return max(plausible.CHARGE_POWER_MAX_W, 3 * current_a * lp.voltage_v)


def _hear(lp: LoadpointDesk, report: Report) -> ChargerState:
    """Learn the charger's step from a read-back that can show what it was told last [LIM-2]."""
    charger = lp.state.charger
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
        configured_a=lp.layout.charger.current_step_a,
    )
    return charger if rounding is charger.rounding else charger._replace(rounding=rounding)


def _is_settling(lp: LoadpointDesk) -> bool:
    return is_settling(lp.state.charger.phases_switched_at, lp.instant)


def _count_phases(lp: LoadpointDesk, in_use: int) -> None:
    """Count the phases in use, unless a switch is settling or the count cannot be [MEA-4, MEA-5, DEF-3]."""
    state = lp.state
    if in_use and in_use != state.measured_phases and not _is_settling(lp):
        physical = state.charger.phases
        state.measured_phases = in_use if not physical or in_use <= physical else 0


def _prove_phases(
    lp: LoadpointDesk, report: Report, currents_a: PhaseTriple | None, in_use: int, *, is_connected: bool
) -> None:
    """Count the phases that what flows proves, for limits [PH-3, DEF-47].

    Currents prove it; power alone confirms the phases that the vehicle is said to have, or that they are more. More than were
    believed count at any time, fewer only of a vehicle that charges.
    """
    state, vehicle_phases = lp.state, lp.vehicle_phases
    charger, power, before = state.charger, state.power, state.proven_phases
    if not is_connected or _is_settling(lp):
        state.proven_phases = 0
        return
    if currents_a is not None and plausible.are_numbers(currents_a):
        if in_use and (report.is_charging or in_use > limited_phases(physical=charger.phases, proven=before)):
            state.proven_phases = in_use
        return
    if report.is_drawing is None or power is None or not charger.sure_a or charger.pending is not None:
        return
    if state.effect_at is not None and power.sampled_at < state.effect_at + OBEDIENCE:
        return
    connected = limited_phases(physical=charger.phases, proven=0)
    offered_a, voltage_v = charger.sure_a, lp.voltage_v
    count = min(phases_of_power(power.value, offered_a, voltage_v), connected)
    if count > before > 0 or count == connected:  # it could not take so much on fewer
        state.proven_phases = count
    elif (
        report.is_charging
        and 0 < vehicle_phases < connected
        and confirms_phases(power.value, offered_a, voltage_v, phases=vehicle_phases)
    ):
        state.proven_phases = vehicle_phases


def _see_voltages(lp: LoadpointDesk, voltages_v: PhaseTriple) -> None:
    """Phases connected to a charger that cannot switch [MEA-6, PH-9]."""
    count = phases_with_voltage(voltages_v)
    if count and count != lp.state.charger.phases:
        phases_became(lp, count)


def _see_phases(lp: LoadpointDesk, in_use: int) -> None:
    """Look at the charger's own report of its phases, once a switch of ours has settled."""
    charger, report = lp.state.charger, fresh(lp.reading.phases, lp.oldest)
    switched_at = charger.phases_switched_at
    is_told = report is not None and (switched_at is None or report.sampled_at > switched_at)
    reported = report.value if report is not None and is_told and report.value in (1, 3) else None
    if charger.pending is not None:
        return
    if charger.phases and reported != charger.phases and _is_settling(lp):
        return
    lp.state.charger = see_phases(charger, reported, measured=in_use, instant=lp.instant)
    if lp.state.charger.phases != charger.phases:
        phases_became(lp, lp.state.charger.phases)


def _handle(site: SiteDesk, lp: LoadpointDesk, happened: tuple[Transition, ...], *, is_startup: bool) -> None:
    """What a change of status entails, in order [EV-10..EV-13]."""
    state, meter_kwh = lp.state, meter_total_kwh(lp)
    for transition in happened:
        if transition is Transition.CONNECT:
            connect(site, lp)
            elapse(lp)
            open_session(lp, meter_kwh)
            lp.events.append(VehicleConnected(lp.index, is_startup))
        elif transition is Transition.START:
            state.timer = meter_ledger.timer_started(state.timer, lp.instant)
            state.idle_switches = 0
            state.charger = state.charger._replace(wake_timer=None)
            lp.warn(WarningCode.VEHICLE_ASLEEP, False)
            state.poll = asking.charge_started(state.poll)
            if state.session is not None:
                state.session = session.start(state.session, now=lp.utc)
                store_session(lp)
            lp.events.append(ChargeStarted(lp.index))
        elif transition is Transition.STOP:
            state.timer = meter_ledger.timer_stopped(state.timer, lp.instant)
            if state.charger.is_enabled:
                state.charger = state.charger._replace(wake_timer=lp.instant)  # [DEF-28]
            state.poll = asking.charge_stopped(state.poll)
            tell_law(lp, News.CHARGE_STOPPED)
            if state.session is not None:
                counted = session.charge(
                    state.session,
                    energy_kwh=state.ledger.session_kwh,
                    mix=state.session.mix,
                    meter_kwh=meter_kwh,
                )
                state.session = session.stop(counted, meter_kwh=meter_kwh, now=lp.utc)
                store_session(lp)
            lp.events.append(ChargeStopped(lp.index))
        else:
            disconnect(site, lp)
            lp.warn(WarningCode.VEHICLE_ASLEEP, False)
            lp.events.append(VehicleDisconnected(lp.index, is_startup))


def _see_soc(lp: LoadpointDesk, *, is_connected: bool, is_charging: bool) -> None:
    """Ask for the SoC when it is due and take in what there is [SOC-6..SOC-12]."""
    state, vehicle, poll_config = lp.state, lp.vehicle, lp.layout.config.poll
    charger_soc: Reading[float] = _charger_soc(lp) if lp.layout.charger.has_soc else ABSENT
    vehicle_soc: Reading[float] = ABSENT
    is_told_by_charger = plausible.tells_soc(charger_soc)
    statuses_agree = True
    if vehicle is not None:
        name, answers = vehicle.config.name, lp.vehicle_reading
        if vehicle.can_tell_soc:
            if not is_told_by_charger:
                state.poll, read = asking.step(
                    state.poll,
                    vehicle=name,
                    reading=answers,
                    now=lp.instant,
                    config=poll_config,
                    is_connected=is_connected,
                    is_charging=is_charging,
                )
                if read is not None:
                    lp.reads.add(read)
            vehicle_soc = asking.accepted(state.poll, answers.soc_pct)
            if (
                type(answers.status) is Measured
                and type(vehicle_soc) is Measured
                and not is_told_by_charger
                and answers.status.sampled_at >= vehicle_soc.sampled_at
            ):
                statuses_agree = answers.status.value is state.status
        if state.wants_odometer:
            state.wants_odometer, state.odometer_asked_at = False, lp.instant
            lp.reads.add(Read(name, VehicleRead.ODOMETER))
        if (
            state.odometer_asked_at is not None
            and type(answers.odometer_km) is Measured
            and plausible.is_odometer(answers.odometer_km.value)
            and answers.odometer_km.sampled_at >= state.odometer_asked_at - asking.CACHE
        ):
            state.odometer_asked_at = None
            state.odometer_km = answers.odometer_km.value
            describe_session(lp, odometer_km=state.odometer_km)
    if not is_connected and poll_config.mode is not PollMode.ALWAYS:
        return
    before = state.soc
    state.soc = soc.step(
        before,
        charger_soc=charger_soc,
        vehicle_soc=vehicle_soc,
        energy_kwh=state.ledger.session_kwh,
        config=lp.estimator,
        instant=lp.instant,
        statuses_agree=statuses_agree,
    )
    if state.soc is not before:
        threshold_pct = soc.progress(state.progress_pct, state.soc.soc_pct)
        if threshold_pct > state.progress_pct and state.soc.soc_pct is not None:
            state.progress_pct = threshold_pct
            lp.events.append(SocProgressed(lp.index, state.soc.soc_pct))


def _charger_soc(lp: LoadpointDesk) -> Reading[float]:
    """The charger's SoC of the vehicle that is connected: read since it came, or together with the status that says so."""
    soc_pct, status, since = lp.reading.soc_pct, lp.reading.status, lp.state.connected_at
    if since is None:
        return ABSENT
    if type(soc_pct) is not Measured or soc_pct.sampled_at >= since:
        return soc_pct
    is_read_with_status = type(status) is Measured and soc_pct.sampled_at >= status.sampled_at
    return soc_pct if is_read_with_status else ABSENT


def _report(lp: LoadpointDesk, currents_a: PhaseTriple | None, *, is_charging: bool) -> Report:
    """What the charger and its meter say of what it does, as far as it is new enough."""
    reading, oldest = lp.reading, lp.oldest
    currents, drawn_a, is_drawing = reading.currents_a, None, None
    if currents_a is not None and isinstance(currents, Measured):
        drawn_a = Measured(busiest(currents_a), currents.sampled_at)
    power = fresh(lp.state.power, oldest) if lp.layout.charger.has_power else None
    if power is not None:
        is_drawing = Measured(power.value > DRAWING_W, power.sampled_at)
    elif drawn_a is not None:
        is_drawing = Measured(drawn_a.value > ACTIVE_CURRENT_A, drawn_a.sampled_at)
    return Report(
        is_charging, fresh(reading.is_enabled, oldest), is_drawing, fresh(reading.current_offered_a, oldest), drawn_a
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
NO_DISAGREEMENTS = (None, None, None)


def disagreeing(charger: ChargerState) -> str | None:
    """Which read-back contradicts what was wanted last; of several the one that matters most."""
    disagreements = charger.disagreements
    if disagreements == NO_DISAGREEMENTS:
        return None
    for name, each in zip(READ_BACKS, disagreements, strict=True):
        if each is not None and each.is_open:
            return name
    return None


def _warn_of_disagreement(lp: LoadpointDesk) -> None:
    """Once when a read-back begins to disagree; one that does so again before long is news only when it is told again."""
    charger = lp.state.charger
    if disagreeing(charger) is None:
        lp.warn(WarningCode.CHARGER_OUT_OF_SYNC, False)
    elif any(is_due(each, lp.instant) for each in charger.disagreements):
        lp.warn(WarningCode.CHARGER_OUT_OF_SYNC, True)

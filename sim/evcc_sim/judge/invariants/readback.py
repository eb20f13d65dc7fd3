"""What a station tells of itself may be wrong or late: that starts nothing without sun, and keeps nothing from stopping.

Judged by what flows and what was sent, in worlds with such faults; the others have stricter invariants.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from math import isnan

from evcc_sim.judge.invariants.evidence import noise_w, patience_s
from evcc_sim.judge.invariants.violation import Found, Violation
from evcc_sim.judge.trace import InForce, Instant, Sent, Trace
from evcc_sim.plants.faults import READ_BACKS, Fault, FaultKind, ReadBack
from evcc_sim.worlds.scenario import Scenario
from evcclib.commands import Disable, Enable, SetCurrent, SwitchPhases
from evcclib.model import ChargeMode
from evcclib.settings import LoadpointSettings

REPEATED_PER_HOUR = 12
"""Commands that say again what was said before, for one loadpoint. A station that really charges against orders is told nine
times in the first hour; one that only says so, four times."""
SLACK_W = 150.0


def starts_need_sun(trace: Trace) -> Found:
    """In mode pv nothing is enabled unless there has been enough surplus a moment before, whatever the station says of itself.

    Enough is the minimum current, or the threshold; surplus is what the house leaves, before any car and the home battery.
    """
    scenario = trace.scenario
    faults = _faults(trace)
    if not faults or not scenario.site.has_grid_meter:
        return
    seconds = [instant.second for instant in trace.instants]
    window_s = patience_s(scenario)
    hides_phases = any(fault.of in (None, ReadBack.PHASES) for fault in faults)
    started: set[int] = set()
    for sent in trace.sent:
        if not isinstance(sent.command, Enable) or not sent.accepted:
            continue
        is_first = sent.loadpoint not in started
        started.add(sent.loadpoint)
        box, wish = scenario.charger[sent.loadpoint].box, trace.in_force(sent.second)
        end = bisect_right(seconds, sent.second)
        before = trace.instants[max(0, bisect_right(seconds, sent.second - window_s) - 1) : end]
        if sent.drawn_w > 0 or not before or not _follows(before[-1], sent.loadpoint, wish):
            continue
        if any(_is_buffered(instant, wish) for instant in before):
            continue
        phases = before[-1].loadpoints[sent.loadpoint].phases
        if hides_phases and (is_first or not box.has_meter):
            phases = 1  # nobody can know better before currents have shown it
        most_w = max(_surplus_w(instant) for instant in before)
        least_w = _least_w(wish.loadpoints[sent.loadpoint], scenario, phases) - SLACK_W - noise_w(scenario)
        if most_w - wish.site.residual_power_w < least_w:
            message = f"loadpoint {sent.loadpoint + 1} is started with {most_w:.0f} W of surplus"
            yield Violation("starts_need_sun", sent.second, message)


def _least_w(settings: LoadpointSettings, scenario: Scenario, phases: int) -> float:
    """What must be left over for a start [W]; a car that uses fewer phases than there are needs less."""
    if settings.enable_threshold_w:
        return -settings.enable_threshold_w
    used = min([phases, *(car.phases for car in scenario.car)])
    return settings.current_min_a * scenario.site.voltage_v * used


def _follows(instant: Instant, loadpoint: int, wish: InForce) -> bool:
    """Whether nothing but the sun lets a loadpoint charge."""
    settings = wish.loadpoints[loadpoint]
    is_forced = settings.target_time is not None or settings.smart_cost_limit is not None or settings.soc_min_pct > 0
    return instant.loadpoints[loadpoint].mode is ChargeMode.PV and not is_forced


def _surplus_w(instant: Instant) -> float:
    """What would be exported without cars and home battery [W]."""
    return instant.charge_w - instant.grid_w - instant.battery_w


def _is_buffered(instant: Instant, wish: InForce) -> bool:
    buffer_pct = wish.site.buffer_soc_pct
    return bool(buffer_pct) and not isnan(instant.battery_soc_pct) and instant.battery_soc_pct > buffer_pct - 1


def stops_come(trace: Trace) -> Found:
    """A car in mode pv stops when too little sun has been left for its delays, whatever the station says of itself."""
    scenario = trace.scenario
    faults = _faults(trace)
    is_lent = "nothing_is_bought_for_the_sun" in scenario.allowed
    if not faults or not scenario.site.has_grid_meter or is_lent:
        return
    late_s = max(fault.lag_s for fault in faults)
    for index, charger in enumerate(scenario.charger):
        since: float | None = None
        for instant in trace.instants:
            loadpoint, wish = instant.loadpoints[index], trace.in_force(instant.second)
            settings = wish.loadpoints[index]
            bought_w = instant.grid_w + min(wish.site.residual_power_w, 0.0)
            least_w = max(settings.disable_threshold_w, 0.0) + SLACK_W + noise_w(scenario)
            is_kept = loadpoint.power_w <= 0 or _is_buffered(instant, wish) or not _follows(instant, index, wish)
            if is_kept or bought_w <= least_w:
                since = None
                continue
            since = instant.second if since is None else since
            disable_s = settings.disable_delay.total_seconds()
            stop_s = disable_s + charger.loadpoint.guard_duration_s + patience_s(scenario)
            stop_s += 2 * scenario.site.interval_s + late_s
            if charger.box.can_switch_phases:
                stop_s += disable_s + 2 * charger.box.phase_switch_s
            if instant.second - max(since, wish.second) > stop_s:
                message = f"loadpoint {index + 1} does not stop while {bought_w:.0f} W are bought"
                yield Violation("stops_come", instant.second, message)
                since = instant.second


def little_is_said_again(trace: Trace) -> Found:
    """A station is told again what it was told before, because it says otherwise, but rarely: `REPEATED_PER_HOUR`."""
    if not _faults(trace):
        return
    for loadpoint in range(len(trace.scenario.charger)):
        moments = [sent.second for sent in _repeated(trace, loadpoint)]
        for index, second in enumerate(moments):
            count = index + 1 - bisect_right(moments, second - 3600.0)
            if count > REPEATED_PER_HOUR:
                message = f"loadpoint {loadpoint + 1} is told {count} times in an hour what it was told before"
                yield Violation("little_is_said_again", second, message)
                break


def _repeated(trace: Trace, loadpoint: int) -> Iterator[Sent]:
    """Of the commands to a loadpoint those that say what the one before them of their kind has said.

    What takes the pilot away before a switch of phases belongs to the switch.
    """
    current_a: float | None = None
    mine = [sent for sent in trace.sent if sent.loadpoint == loadpoint]
    switches = {sent.batch for sent in mine if isinstance(sent.command, SwitchPhases)}
    for each in mine:
        if not each.accepted:
            continue
        if isinstance(each.command, SetCurrent):
            if each.command.current_a == current_a:
                yield each
            current_a = each.command.current_a
        elif isinstance(each.command, Enable | Disable):
            if isinstance(each.command, Enable) is each.was_enabled and each.batch not in switches:
                yield each
            if isinstance(each.command, Disable):
                current_a = None  # with the next start it is said anyway


def _faults(trace: Trace) -> list[Fault]:
    """Faults of read-backs, in worlds where nothing else of the devices is wrong."""
    others = [fault for fault in trace.faults if fault.kind not in READ_BACKS | HARMLESS]
    return [] if others else [fault for fault in trace.faults if fault.kind in READ_BACKS]


HARMLESS = frozenset({FaultKind.IGNORED_WRITES, FaultKind.REBOOT, FaultKind.RESTART, FaultKind.COUNTER_RESET})
"""What may happen beside: a control that goes by what it has been told lately must bear it."""

"""What a station tells of itself may be wrong or late: that starts nothing without sun, and keeps nothing from stopping.

Judged by what flows and what was sent, in worlds with such faults; the others have stricter invariants.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import partial

from evcc_sim.judge.invariants.evidence import is_buffered, stop_s
from evcc_sim.judge.invariants.frame import Found, invariant, own_promise
from evcc_sim.judge.invariants.judged import Judged, lasting
from evcc_sim.judge.trace import InForce, Instant, Sent
from evcc_sim.plants.faults import READ_BACKS, Fault, FaultKind, ReadBack
from evcc_sim.worlds.scenario import Scenario
from evcclib.commands import Disable, Enable, SetCurrent, SwitchPhases
from evcclib.model import ChargeMode
from evcclib.settings import LoadpointSettings

REPEATED_PER_HOUR = 12
"""Commands that say again what was said before, for one loadpoint. A station that really charges against orders is told nine
times in the first hour; one that only says so, four times."""
SLACK_W = 150.0


@invariant
def starts_need_sun(run: Judged) -> Found:
    """In mode pv nothing is enabled unless there has been enough surplus a moment before, whatever the station says of itself.

    Enough is the minimum current, or the threshold; surplus is what the house leaves, before any car and the home battery.
    """
    scenario = run.scenario
    faults = _faults(run)
    if not faults or not scenario.site.has_grid_meter:
        return
    hides_phases = any(fault.of in (None, ReadBack.PHASES) for fault in faults)
    started: set[int] = set()
    for sent in run.trace.sent:
        if not isinstance(sent.command, Enable) or not sent.accepted:
            continue
        is_first = sent.loadpoint not in started
        started.add(sent.loadpoint)
        box, wish = scenario.charger[sent.loadpoint].box, run.trace.in_force(sent.second)
        before = run.between(sent.second - run.patience_s, sent.second)
        if sent.drawn_w > 0 or not before or not _follows(before[-1], sent.loadpoint, wish):
            continue
        if any(is_buffered(instant, wish) for instant in before):
            continue
        phases = _switched_to(run, sent) or before[-1].loadpoints[sent.loadpoint].phases
        if hides_phases and (is_first or not box.has_meter):
            phases = 1  # nobody can know better before currents have shown it
        most_w = max(_surplus_w(instant) for instant in before)
        least_w = _least_w(wish.loadpoints[sent.loadpoint], scenario, phases) - SLACK_W - run.noise_w
        if most_w - wish.site.residual_power_w < least_w:
            message = f"loadpoint {sent.loadpoint + 1} is started with {most_w:.0f} W of surplus"
            yield sent.second, message


def _switched_to(run: Judged, enabled: Sent) -> int:
    """The phases that were connected in the same batch, before it was enabled; 0: none."""
    batch = [each for each in run.sent_to(enabled.loadpoint) if each.batch == enabled.batch and each.accepted]
    return max([each.command.phases for each in batch if isinstance(each.command, SwitchPhases)], default=0)


def _least_w(settings: LoadpointSettings, scenario: Scenario, phases: int) -> float:
    """What must be left over for a start [W]; a car that uses fewer phases than there are needs less."""
    if settings.enable_threshold_w:
        return -settings.enable_threshold_w
    used = min([phases, *(car.phases for car in scenario.car)])
    return settings.current_min_a * scenario.site.voltage_v * used


def _follows(instant: Instant, loadpoint: int, wish: InForce) -> bool:
    """Whether nothing but the sun lets a loadpoint charge."""
    settings = wish.loadpoints[loadpoint]
    limits = (settings.smart_cost_limit, settings.feed_in_priority_limit)
    is_forced = wish.is_planned(loadpoint) or limits != (None, None) or settings.soc_min_pct > 0
    return instant.loadpoints[loadpoint].mode is ChargeMode.PV and not is_forced


def _surplus_w(instant: Instant) -> float:
    """What would be exported without cars and home battery [W]."""
    return instant.charge_w - instant.grid_w - instant.battery_w


@invariant
def stops_come(run: Judged) -> Found:
    """A car in mode pv stops when too little sun has been left for its delays, whatever the station says of itself."""
    scenario = run.scenario
    faults = _faults(run)
    is_lent = "nothing_is_bought_for_the_sun" in scenario.allowed
    if not faults or not scenario.site.has_grid_meter or is_lent:
        return
    late_s = max(fault.lag_s for fault in faults)
    for index, _charger in run.loadpoints:
        for instant, wish, _since_s in lasting(run, partial(_may_go_on_s, run, index, late_s)):
            bought_w = _bought_w(instant, wish)
            yield instant.second, f"loadpoint {index + 1} does not stop while {bought_w:.0f} W are bought"


def _bought_w(instant: Instant, wish: InForce) -> float:
    return instant.grid_w + min(wish.site.residual_power_w, 0.0)


def _may_go_on_s(run: Judged, index: int, late_s: float, instant: Instant, wish: InForce) -> float | None:
    """How long a car may go on while so much is bought; None: it may [s]."""
    settings = wish.loadpoints[index]
    least_w = max(settings.disable_threshold_w, 0.0) + SLACK_W + run.noise_w
    if instant.loadpoints[index].power_w <= 0 or _bought_w(instant, wish) <= least_w:
        return None
    if is_buffered(instant, wish) or not _follows(instant, index, wish):
        return None
    return stop_s(run, index, settings) + late_s


@own_promise
def little_is_said_again(run: Judged) -> Found:
    """A station is told again what it was told before, because it says otherwise, but rarely: `REPEATED_PER_HOUR`."""
    if not _faults(run):
        return
    for loadpoint, _charger in run.loadpoints:
        moments = [sent.second for sent in _repeated(run, loadpoint)]
        for index, second in enumerate(moments):
            count = index + 1 - bisect_right(moments, second - 3600.0)
            if count > REPEATED_PER_HOUR:
                message = f"loadpoint {loadpoint + 1} is told {count} times in an hour what it was told before"
                yield second, message
                break


def _repeated(run: Judged, loadpoint: int) -> Iterator[Sent]:
    """Of the commands to a loadpoint those that say what the one before them of their kind has said.

    What takes the pilot away before a switch of phases belongs to the switch.
    """
    current_a: float | None = None
    mine = run.sent_to(loadpoint)
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


def _faults(run: Judged) -> list[Fault]:
    """Faults of read-backs, in worlds where nothing else of the devices is wrong."""
    others = [fault for fault in run.faults if fault.kind not in READ_BACKS | HARMLESS]
    return [] if others else [fault for fault in run.faults if fault.kind in READ_BACKS]


HARMLESS = frozenset({FaultKind.IGNORED_WRITES, FaultKind.REBOOT, FaultKind.RESTART, FaultKind.COUNTER_RESET})
"""What may happen beside: a control that goes by what it has been told lately must bear it."""

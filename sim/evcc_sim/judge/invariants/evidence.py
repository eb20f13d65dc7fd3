"""What several invariants ask of a run at a moment: what was allowed, what a car would take, what explains a change."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from evcc_server.profiles.profile import load
from evcc_sim.judge.excuses import CALMING
from evcc_sim.judge.invariants.judged import Judged
from evcc_sim.judge.trace import InForce, Instant
from evcc_sim.plants.car import CarSpec
from evcc_sim.worlds.scenario import ChargerSpec
from evcclib.commands import SwitchPhases
from evcclib.model import ChargeMode
from evcclib.settings import LoadpointSettings

UNDER_WAY_S = 5.0
"""A command may have been decided so long before it reaches the station, by the settings of then."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Minimum and maximum current of a loadpoint [A]."""

    low_a: float
    high_a: float


def bounds(run: Judged, loadpoint: int, second: float) -> Bounds:
    """What a command that reaches the station at ``second`` may have been decided by: the widest of what was in force."""
    wishes = run.trace.in_force_between(second - UNDER_WAY_S, second)
    settings = [wish.loadpoints[loadpoint] for wish in wishes]
    return Bounds(min(each.current_min_a for each in settings), max(each.current_max_a for each in settings))


def current_max_a(run: Judged, loadpoint: int, settings: LoadpointSettings, car: CarSpec | None = None) -> float:
    """The most that loadpoint, station and, if it is given, the car allow now [A]."""
    high_a = min(settings.current_max_a, run.scenario.charger[loadpoint].box.current_max_a)
    return high_a if car is None else min(high_a, car.current_max_a)


def told_max_a(run: Judged, charger: ChargerSpec) -> float:
    """The station's own maximum as far as the control can know it [A]: over the wire few stations tell."""
    is_on_the_wire = run.trace.stored_sessions is not None
    if is_on_the_wire and (facts := load(charger.box.profile).charger) is not None and facts.max_current is None:
        return facts.max_a
    return charger.box.current_max_a


def delays_s(settings: LoadpointSettings) -> float:
    """Enable and disable delay together [s]."""
    return (settings.enable_delay + settings.disable_delay).total_seconds()


def is_hungry(run: Judged, instant: Instant, loadpoint: int, wish: InForce, *, margin_pct: float = 1.0) -> bool:
    """Whether the car would take all that it is offered: neither near its end nor at a goal that people have set."""
    now = instant.loadpoints[loadpoint]
    car = run.cars.get(now.car)
    if car is None:
        return False
    end_pct = min(car.soc_limit_pct, car.taper_from_pct)
    if now.soc_pct >= end_pct - margin_pct:
        return False
    return not run.meant.may_rest(loadpoint, instant, wish)


def swings_by_wish(run: Judged, loadpoint: int, settings: LoadpointSettings) -> bool:
    """Whether its owner lets it start with less sun than it needs to go on: then it starts and stops under a constant sun."""
    if settings.mode is not ChargeMode.PV or settings.enable_threshold_w == 0:
        return False
    box = run.scenario.charger[loadpoint].box
    phases = box.phases if settings.phases_configured == 0 else settings.phases_configured
    least_w = settings.current_min_a * phases * run.voltage_v
    return -settings.enable_threshold_w < least_w - settings.disable_threshold_w


def is_buffered(instant: Instant, wish: InForce) -> bool:
    """Whether the home battery may keep a car charging."""
    buffer_pct = wish.site.buffer_soc_pct
    return bool(buffer_pct) and not isnan(instant.battery_soc_pct) and instant.battery_soc_pct > buffer_pct - 1


def takes_offence(car: CarSpec) -> bool:
    """Whether a car may refuse what it is offered, for reasons of its own."""
    return car.sleep_after_s > 0 or car.phase_pause_min_s > 0


def is_disturbed(run: Judged, loadpoint: int, start_s: float, end_s: float) -> bool:
    """Whether something other than the sun explains a change."""
    if run.changes_between(start_s, end_s):
        return True
    if any(
        start_s <= sent.second <= end_s and (isinstance(sent.command, SwitchPhases) or not sent.accepted)
        for sent in run.sent_to(loadpoint)
    ):
        return True
    return any(fault.start_s <= end_s and fault.end_s + CALMING.after_s >= start_s for fault in run.faults)


def is_tapering(run: Judged, soc_pct: float, name: str) -> bool:
    car = run.cars.get(name)
    return car is not None and soc_pct > min(car.taper_from_pct, car.soc_limit_pct) - 1.0


def stop_s(run: Judged, loadpoint: int, settings: LoadpointSettings) -> float:
    """How long a car for which there is too little sun may take to stop, with a switch of phases where there can be one [s]."""
    charger, disable_s = run.scenario.charger[loadpoint], settings.disable_delay.total_seconds()
    usual_s = disable_s + charger.loadpoint.guard_duration_s + run.patience_s + 2 * run.interval_s
    return usual_s + (disable_s + 2 * charger.box.phase_switch_s if charger.box.can_switch_phases else 0.0)

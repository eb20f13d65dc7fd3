"""What is not enough for all is shared, lent to nobody, and not left with who does not use it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from evcc_sim.judge.excuses import SETTLING
from evcc_sim.judge.invariants.evidence import current_max_a, is_buffered, is_hungry, is_tapering
from evcc_sim.judge.invariants.frame import Found, promise_of
from evcc_sim.judge.invariants.judged import Judged, lasting
from evcc_sim.judge.trace import InForce, Instant, Sent
from evcclib.commands import Enable, SwitchPhases
from evcclib.model import ChargeMode, Sharing

LENT_W = 300.0
"""The sun moves by so much between a sample and the command that it leads to."""
APART_A = 2.0
"""So far apart are currents of equals that do not differ by a step and a command that is not worth it."""
UNUSED_A = 3.0
"""What is left in a circuit besides what a command is not worth, a car's own reserve among it."""
PROMISED_S = 40.0
"""A car that has been offered more has so long to take it before it is given to others."""


@promise_of("adaptive")
def nothing_is_lent(run: Judged) -> Found:
    """Who follows the sun starts on what the others have left by then: never on what they are still to give up, and no two on the
    same.

    A battery gives and takes as it likes, an owner's threshold may say otherwise, and what flows at a station without a meter
    nobody knows.
    """
    scenario = run.scenario
    if scenario.battery or not scenario.site.has_grid_meter or any(pv.zero_feed_in for pv in scenario.pv):
        return
    if not all(charger.box.has_meter for charger in scenario.charger):
        return
    for sent in _starts_by_the_sun(run):
        start_s = sent.second - run.patience_s
        wish = run.trace.in_force(sent.second)
        if wish.second >= start_s > 0 or run.faults_between(start_s, sent.second):
            continue
        others = [each for each in _starts_by_the_sun(run, start_s, sent.second) if each.loadpoint != sent.loadpoint]
        left_w = max(
            -instant.grid_w - sum(max(0.0, _least_w(run, each, wish) - _drawn_w(instant, each)) for each in others)
            for instant in run.between(start_s, sent.second)
        )
        left_w -= min(wish.site.residual_power_w, 0.0)
        needed_w = _least_w(run, sent, wish)
        if needed_w > left_w + LENT_W + run.noise_w:
            message = f"loadpoint {sent.loadpoint + 1} starts with {needed_w:.0f} W where {left_w:.0f} W are left"
            yield sent.second, message


def _starts_by_the_sun(run: Judged, start_s: float = 0.0, end_s: float = float("inf")) -> Iterator[Sent]:
    """Stations that are switched on in that time for a car that follows the sun alone, whatever else its owner wants."""
    for index, _charger in run.loadpoints:
        for sent in run.sent_between(index, start_s, end_s):
            if not isinstance(sent.command, Enable) or not sent.accepted or sent.was_enabled:
                continue
            before = run.sent_between(index, sent.second - run.patience_s, sent.second)
            if any(isinstance(each.command, SwitchPhases) for each in before):
                continue  # it goes on, with other phases
            instant, wish = run.at(sent.second), run.trace.in_force(sent.second)
            settings = wish.loadpoints[index]
            follows = run.meant.follows(index, instant, wish) and not run.meant.is_at_an_edge(index, instant, wish)
            if follows and settings.enable_threshold_w == 0 and not is_buffered(instant, wish):
                yield sent


def _least_w(run: Judged, sent: Sent, wish: InForce) -> float:
    """What a car draws at least that is switched on."""
    box = run.scenario.charger[sent.loadpoint].box
    car = run.cars.get(run.at(sent.second).loadpoints[sent.loadpoint].car)
    phases = 1 if box.can_switch_phases or car is None else min(car.phases, box.phases)
    return wish.loadpoints[sent.loadpoint].current_min_a * phases * run.voltage_v


def _drawn_w(instant: Instant, sent: Sent) -> float:
    return instant.loadpoints[sent.loadpoint].power_w


@promise_of("adaptive")
def equals_share(run: Judged) -> Found:
    """Of two cars of the same priority that charge by the same sun, or within the same circuit, none has less that could have
    more from the other; where differences between phases are limited, a car on other phases may."""
    is_uneven = any(circuit.unbalance_max_a is not None for circuit in run.scenario.circuit)
    if run.scenario.site.sharing is not Sharing.FAIR or is_uneven:
        return
    for index, charger in run.loadpoints:
        for other, its in run.loadpoints:
            if other != index and its.loadpoint.circuit == charger.loadpoint.circuit:
                for instant, _wish, _since_s in lasting(run, partial(_may_be_apart_s, run, index, other)):
                    less_w, more_w = (instant.loadpoints[each].power_w for each in (index, other))
                    yield (
                        instant.second,
                        f"loadpoint {index + 1} has {less_w:.0f} W, loadpoint {other + 1} {more_w:.0f} W",
                    )


def _may_be_apart_s(run: Judged, index: int, other: int, instant: Instant, wish: InForce) -> float | None:
    """How long one may have so much less than the other; None: it has not, or it may [s]."""
    less, more = instant.loadpoints[index], instant.loadpoints[other]
    mine, its = wish.loadpoints[index], wish.loadpoints[other]
    steps_a = sum(run.scenario.charger[each].box.coarsest_step_a for each in (index, other))
    apart_w = (APART_A + steps_a) * 3 * run.voltage_v + run.noise_w
    is_rival = all(
        instant.loadpoints[each].power_w > 0
        and is_hungry(run, instant, each, wish)
        and run.scenario.charger[each].box.has_meter
        for each in (index, other)
    )
    if not is_rival or more.power_w - less.power_w <= apart_w or mine.priority != its.priority or mine.mode != its.mode:
        return None
    if less.mode is ChargeMode.NOW and run.scenario.charger[index].loadpoint.circuit is None:
        return None
    is_free = less.pilot_a < current_max_a(run, index, mine, run.cars[less.car]) - 1.0
    could_give = more.pilot_a > its.current_min_a + 1.0
    is_led = any(run.meant.is_at_an_edge(each, instant, wish) for each in (index, other))
    is_excused = is_led or SETTLING.excuses(run.faults, instant.second) or less.phases != more.phases
    return 3 * run.patience_s if is_free and could_give and not is_excused else None


@promise_of("adaptive")
def what_is_left_is_used(run: Judged) -> Found:
    """What a car leaves of its offer, near its end, is given to a hungry one in the same circuit."""
    for index, charger in run.loadpoints:
        if charger.loadpoint.circuit is not None:
            for instant, _wish, _since_s in lasting(run, partial(_may_be_idle_s, run, index)):
                pilot_a = instant.loadpoints[index].pilot_a
                yield (
                    instant.second,
                    f"loadpoint {index + 1} at {pilot_a:g} A although others leave what they are offered",
                )


def _may_be_idle_s(run: Judged, index: int, instant: Instant, wish: InForce) -> float | None:
    """How long a car may be offered less than what the others take leaves; None: it is not [s]."""
    now, car = instant.loadpoints[index], run.cars.get(instant.loadpoints[index].car)
    if car is None or now.mode is not ChargeMode.NOW or not is_hungry(run, instant, index, wish) or now.power_w == 0:
        return None
    tapering = [
        other
        for other, charger in run.loadpoints
        if is_tapering(run, instant.loadpoints[other].soc_pct, instant.loadpoints[other].car) and charger.box.has_meter
    ]
    if not tapering or now.pilot_a >= current_max_a(run, index, wish.loadpoints[index], car) - 1.0:
        return None
    if SETTLING.excuses(run.faults, instant.second) or run.operator.is_limiting(instant.second, after_s=run.patience_s):
        return None
    room_a = run.rooms.beside_uses_a(index, instant, tapering)
    return 2 * run.patience_s + PROMISED_S if room_a > now.pilot_a + UNUSED_A else None

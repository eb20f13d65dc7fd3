"""Inverters that may not export hold sun back, which must be looked for: found before long, and not by buying much."""

from __future__ import annotations

from collections import deque
from functools import partial

from evcc_sim.judge.excuses import STARTING
from evcc_sim.judge.invariants.evidence import current_max_a, is_hungry, stop_s
from evcc_sim.judge.invariants.frame import Found, own_promise
from evcc_sim.judge.invariants.judged import Judged, lasting
from evcc_sim.judge.trace import InForce, Instant
from evcc_sim.worlds.scenario import Scenario
from evcclib.model import ChargeMode
from evcclib.settings import LoadpointSettings

PROBES_WH = 100.0
"""What probes may buy within an hour, on the average, and once as much at a time ..."""
TRICKLE_WH = 100.0
"""... and what may be bought in an hour beside: a trickle where a car takes all, and what counts as zero."""
PROBES_AGAIN_S = 1200.0
"""The longest wait for the next probe, unless too much has been bought."""
WORTH_W = 400.0
"""Less than this need not be found."""


def is_hidden(scenario: Scenario) -> bool:
    """Whether the control has been told that sun is held back."""
    return scenario.site.has_zero_feed_in and any(pv.zero_feed_in for pv in scenario.pv)


@own_promise
def hidden_sun_is_found(run: Judged) -> Found:
    """Sun that an inverter holds back because nothing may be exported is found by a car that follows the sun and could take it:
    before long, where probes before have bought too much a little later."""
    for index, _charger in run.loadpoints if is_hidden(run.scenario) else ():
        for instant, _wish, since_s in lasting(run, partial(_may_be_hidden_s, run, index)):
            hidden_w, minutes = instant.pv_available_w - instant.pv_w, (instant.second - since_s) / 60
            yield instant.second, f"loadpoint {index + 1} leaves {hidden_w:.0f} W in the inverter for {minutes:.0f} min"


def _may_be_hidden_s(run: Judged, index: int, instant: Instant, wish: InForce) -> float | None:
    """How long so much may be held back; None: there is too little for this car, or it is not to take it [s]."""
    loadpoint, settings, box = instant.loadpoints[index], wish.loadpoints[index], run.scenario.charger[index].box
    car = run.cars.get(loadpoint.car)
    if (
        car is None
        or loadpoint.mode not in (ChargeMode.PV, ChargeMode.MINPV)
        or STARTING.excuses(run.faults, instant.second)
        or run.meant.is_sold(settings.feed_in_priority_limit, instant.second)
    ):
        return None
    if not is_hungry(run, instant, index, wish) or instant.battery_soc_pct < wish.site.priority_soc_pct:
        return None
    high_a = current_max_a(run, index, settings, car)
    least_a = max(settings.current_min_a, car.current_min_a, box.coarsest_step_a)
    if run.rooms.beside_offers_a(index, instant) < high_a + 1.0:
        return None  # a limit may hold it down
    phases, switches = min(car.phases, loadpoint.phases), box.can_switch_phases and settings.phases_configured == 0
    offered_w = loadpoint.pilot_a * phases * run.voltage_v
    if loadpoint.pilot_a == 0:
        needed_w = max(least_a * (1 if switches else phases) * run.voltage_v, -settings.enable_threshold_w)
    elif loadpoint.pilot_a < high_a - 1:
        needed_w = (box.coarsest_step_a + 1.0) * phases * run.voltage_v
    elif switches and phases < car.phases:
        needed_w = least_a * car.phases * run.voltage_v - offered_w
    else:
        return None
    if instant.pv_available_w - instant.pv_w < needed_w + WORTH_W:
        return None
    failed_wh = least_a * phases * run.voltage_v * stop_s(run, index, settings) / 3600
    return PROBES_AGAIN_S + failed_wh / PROBES_WH * 3600 + stop_s(run, index, settings)


@own_promise
def probing_buys_little(run: Judged) -> Found:
    """Looking for sun that an inverter holds back buys little: a bounded energy in any hour, beside what a start in vain takes
    until it is over.

    What a cloud or the household makes a car buy that followed the sun is not bought by looking.
    """
    if not is_hidden(run.scenario) or run.faults:
        return
    window: deque[tuple[float, float]] = deque()
    bought_wh, high_s, high_w = 0.0, float("-inf"), float("-inf")
    for instant, (after, wish) in zip(run.instants, run.moments[1:], strict=False):
        balance_w = instant.pv_available_w - instant.household_w
        grace_s = max(stop_s(run, index, wish.loadpoints[index]) for index, _charger in run.loadpoints)
        if balance_w >= high_w - 100.0 or instant.second - high_s > grace_s:
            high_s, high_w = instant.second, balance_w
        follows = all(
            run.meant.follows(index, instant, wish) or now.power_w == 0 for index, now in enumerate(instant.loadpoints)
        )
        if follows and balance_w >= high_w - 100.0:
            wh = (
                max(0.0, min(instant.grid_w + instant.battery_w, instant.charge_w))
                * (after.second - instant.second)
                / 3600
            )
            window.append((instant.second, wh))
            bought_wh += wh
        while window and window[0][0] <= instant.second - 3600:
            bought_wh -= window.popleft()[1]
        most_wh = (
            2 * PROBES_WH
            + TRICKLE_WH
            + max(_start_wh(run, index, wish.loadpoints[index]) for index, _charger in run.loadpoints)
        )
        if bought_wh > most_wh:
            yield (
                instant.second,
                f"{bought_wh:.0f} Wh were bought within an hour by looking for sun, {most_wh:.0f} Wh may be",
            )
            window.clear()
            bought_wh = 0.0


def _start_wh(run: Judged, index: int, settings: LoadpointSettings) -> float:
    """What a start in vain takes until it is over [Wh]."""
    box = run.scenario.charger[index].box
    phases = 1 if box.can_switch_phases and settings.phases_configured in (0, 1) else box.phases
    return settings.current_min_a * phases * run.voltage_v * stop_s(run, index, settings) / 3600

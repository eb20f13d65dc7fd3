"""The sun is followed: calmly, upwards, downwards, and to the aim."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import isnan

from evcc_sim.judge.invariants.evidence import (
    Operator,
    by_itself,
    car_of,
    current_max_a,
    delays_s,
    fits,
    is_calm,
    is_excused,
    is_tapering,
    noise_w,
    patience_s,
)
from evcc_sim.judge.invariants.room import Rooms
from evcc_sim.judge.invariants.violation import Found, Violation
from evcc_sim.judge.trace import Instant, Trace
from evcc_sim.worlds.scenario import Scenario
from evcclib.model import ChargeMode
from evcclib.settings import SiteSettings

SETTLES_S = 600.0


def constant_inputs_settle(trace: Trace) -> Found:
    """With constant sun and household the set-point of a car that follows the sun becomes constant within ten minutes, or the
    delays where they are longer."""
    watch_s = 300.0
    scenario = trace.scenario
    operator = Operator(trace)
    guard_s = max((charger.loadpoint.guard_duration_s for charger in scenario.charger), default=0.0)
    for index, charger in enumerate(scenario.charger):
        start_s = -1.0
        before: tuple[object, ...] | None = None
        limits: list[tuple[float, float]] = []
        for instant in trace.instants:
            loadpoint, wish = instant.loadpoints[index], trace.in_force(instant.second)
            others = tuple((lp.status, lp.mode, lp.phases, by_itself(lp.reason)) for lp in instant.loadpoints)
            inputs = (
                instant.household_w,
                instant.pv_available_w,
                others,
                loadpoint.car,
                operator.limit_w(instant.second),
                wish.second,
                _battery_is_at(scenario, wish.site, instant),
            )
            if (
                inputs != before
                or loadpoint.status != "C"
                or not (is_calm(loadpoint.reason) or loadpoint.reason in {"minimum_power", "limited"})
                or any(is_tapering(trace, lp.soc_pct, lp.car) for lp in instant.loadpoints)
                or any(fault.start_s - 10 <= instant.second < fault.end_s + 60 for fault in trace.faults)
            ):
                before, start_s, limits = inputs, instant.second, []
                continue
            settle_s = max(SETTLES_S, max(delays_s(each) for each in wish.loadpoints) + guard_s + 60.0)
            if instant.second - start_s >= settle_s:
                limits.append((instant.second, loadpoint.pilot_a))
                values = {limit for second, limit in limits if second >= instant.second - watch_s}
                car = car_of(scenario, loadpoint.car)
                watts_a = scenario.site.voltage_v * min(loadpoint.phases, 3 if car is None else car.phases)
                noise_a = 2 * noise_w(scenario) / watts_a
                step_a = charger.box.coarsest_step_a if noise_a > 0 else 0.0
                if max(values) - min(values) > 0.05 + noise_a + step_a:
                    message = f"loadpoint {index + 1} still moves between {min(values):g} and {max(values):g} A"
                    yield Violation("constant_inputs_settle", instant.second, message)
                    return


def _battery_is_at(scenario: Scenario, site: SiteSettings, instant: Instant) -> object:
    """On which side of its limits and of the thresholds in force the home battery is; of several, their mean does not tell."""
    if not scenario.battery:
        return None
    if len(scenario.battery) > 1:
        return instant.battery_soc_pct
    spec, soc_pct = scenario.battery[0], instant.battery_soc_pct
    thresholds_pct = (site.priority_soc_pct, site.buffer_soc_pct, site.buffer_start_soc_pct)
    return tuple(soc_pct < edge_pct for edge_pct in (spec.soc_min_pct + 0.1, spec.soc_max_pct - 0.1, *thresholds_pct))


def sun_is_used(trace: Trace) -> Found:
    """Surplus that a waiting car could take is taken: it starts after its delays, and what charges follows upwards [INV-7].

    Charging of the home battery counts as surplus once the battery is past its priority [SITE-10].
    """
    scenario = trace.scenario
    if any(pv.zero_feed_in for pv in scenario.pv) or not scenario.site.has_grid_meter:
        return
    rooms = Rooms(trace)
    for index, charger in enumerate(scenario.charger):
        spec, box = charger.loadpoint, charger.box
        since: float | None = None
        for instant in trace.instants:
            loadpoint, wish = instant.loadpoints[index], trace.in_force(instant.second)
            settings = wish.loadpoints[index]
            enable_s, disable_s = settings.enable_delay.total_seconds(), settings.disable_delay.total_seconds()
            wait_s = enable_s + spec.guard_duration_s + patience_s(scenario) + 2 * scenario.site.interval_s
            if box.can_switch_phases:
                wait_s += disable_s + enable_s + 2 * box.phase_switch_s
            car = car_of(scenario, loadpoint.car)
            surplus_w = -instant.grid_w - max(wish.site.residual_power_w, 0.0)
            if not isnan(instant.battery_soc_pct) and instant.battery_soc_pct > wish.site.priority_soc_pct + 1:
                surplus_w += max(0.0, -instant.battery_w)
            usable = (
                car is not None
                and loadpoint.mode in (ChargeMode.PV, ChargeMode.MINPV)
                and not (loadpoint.reason in NOT_FOR_THE_SUN and fits(loadpoint.reason, settings))
                and loadpoint.soc_pct < min(car.soc_limit_pct, car.taper_from_pct) - 1
                and not any(fault.start_s - 60 <= instant.second < fault.end_s + 900 for fault in trace.faults)
            )
            if not usable or car is None:
                since = None
                continue
            phases = min(car.phases, loadpoint.phases)
            watts_a = scenario.site.voltage_v * phases
            high_a = current_max_a(trace, index, settings, car)
            if rooms.beside_offers_a(index, instant) < high_a + 1.0:
                since = None  # a limit may hold it down
                continue
            if loadpoint.pilot_a == 0:
                known = (
                    loadpoint.phases if wish.vehicles[index] != car.name else phases
                )  # unknown: counts as three-phase
                least_w = max(car.current_min_a, settings.current_min_a) * scenario.site.voltage_v * known
                threshold_w = max(least_w, -settings.enable_threshold_w)
                wanted = surplus_w > threshold_w + max(box.coarsest_step_a, 1.0) * watts_a + 150 + noise_w(scenario)
                needed_s = wait_s
            else:
                is_taken = loadpoint.status == "C" and loadpoint.power_w > 0
                wanted = (
                    is_taken
                    and loadpoint.pilot_a < high_a - 1
                    and surplus_w > (box.coarsest_step_a + 2.0) * watts_a + 150 + noise_w(scenario)
                )
                needed_s = wait_s if box.can_switch_phases else 2 * patience_s(scenario)
            if not wanted:
                since = None
            elif since is None:
                since = instant.second
            elif instant.second - max(since, wish.second) > needed_s:
                message = f"loadpoint {index + 1} leaves {surplus_w:.0f} W unused for {instant.second - since:.0f} s"
                yield Violation("sun_is_used", instant.second, message)
                since = instant.second


NOT_FOR_THE_SUN = frozenset(
    {
        "target_soc_reached",
        "target_energy_reached",
        "climate",
        "battery_priority",
        "remote_hard",
        "remote_soft",
        "limited",
        "phase_switch",
        "phase_lock",
    }
)


def nothing_is_bought_for_the_sun(trace: Trace) -> Found:
    """A car in mode pv that is above its minimum follows downwards; at its minimum it stops after the delays [INV-8]."""
    scenario = trace.scenario
    for index, charger in enumerate(scenario.charger):
        since: float | None = None
        low_since: float | None = None
        for instant in trace.instants:
            loadpoint, wish = instant.loadpoints[index], trace.in_force(instant.second)
            settings = wish.loadpoints[index]
            residual_w = min(wish.site.residual_power_w, 0.0)
            disable_s = settings.disable_delay.total_seconds()
            stop_s = (
                disable_s + charger.loadpoint.guard_duration_s + patience_s(scenario) + 2 * scenario.site.interval_s
            )
            if charger.box.can_switch_phases:
                stop_s += disable_s + 2 * charger.box.phase_switch_s
            follows = (
                loadpoint.mode is ChargeMode.PV
                and loadpoint.power_w > 0
                and (is_calm(loadpoint.reason) or not fits(loadpoint.reason, settings))
                and loadpoint.reason != "battery_buffer"
                and scenario.site.has_grid_meter
                and not is_excused(trace.faults, instant.second)
            )
            bought_w = instant.grid_w + residual_w
            car = car_of(scenario, loadpoint.car)
            watts_a = scenario.site.voltage_v * min(car.phases if car is not None else 3, loadpoint.phases)
            if (
                follows
                and bought_w > 2 * watts_a + 150 + noise_w(scenario)
                and loadpoint.pilot_a > settings.current_min_a + 0.5
            ):
                since = instant.second if since is None else since
                if instant.second - max(since, wish.second) > 2 * patience_s(scenario):
                    message = (
                        f"loadpoint {index + 1} charges with {loadpoint.pilot_a:g} A while {bought_w:.0f} W are bought"
                    )
                    yield Violation("nothing_is_bought_for_the_sun", instant.second, message)
                    since = instant.second
            else:
                since = None
            if follows and bought_w > max(settings.disable_threshold_w, 0.0) + 150 + noise_w(scenario):
                low_since = instant.second if low_since is None else low_since
                if instant.second - max(low_since, wish.second) > stop_s:
                    message = f"loadpoint {index + 1} does not stop while {bought_w:.0f} W are bought"
                    yield Violation("nothing_is_bought_for_the_sun", instant.second, message)
                    low_since = instant.second
            else:
                low_since = None


def settles_on_its_aim(trace: Trace) -> Found:
    """While sun and household hardly move, a single car that follows the sun holds the grid power at minus the residual
    power, to its step and the speed of the sun."""
    scenario = trace.scenario
    meter = scenario.grid.meter
    if scenario.battery or len(scenario.charger) != 1 or meter.noise_w or meter.resolution_w > 1 or trace.faults:
        return
    if not scenario.site.sees_pv or not scenario.site.has_grid_meter or any(pv.zero_feed_in for pv in scenario.pv):
        return
    box = scenario.charger[0].box
    rooms, operator = Rooms(trace), Operator(trace)
    window_s = 2 * patience_s(scenario)
    quiet_since = 0.0
    recent: deque[Instant] = deque()
    for instant in trace.instants:
        loadpoint, wish = instant.loadpoints[0], trace.in_force(instant.second)
        settings = wish.loadpoints[0]
        recent.append(instant)
        while len(recent) > 1 and recent[1].second <= instant.second - window_s:
            recent.popleft()  # the first one left held when the window began
        if (
            loadpoint.status != "C"
            or operator.is_limiting(instant.second + 1.0, after_s=window_s)
            or instant.second - wish.second < window_s
            or not _is_still(recent, loadpoint.phases)
            or is_tapering(trace, loadpoint.soc_pct, loadpoint.car)
        ):
            quiet_since = instant.second
            continue
        free = settings.current_min_a + 0.2 < loadpoint.pilot_a < current_max_a(trace, 0, settings) - 0.2
        car = car_of(scenario, loadpoint.car)
        if instant.second - quiet_since < 60 or not free or loadpoint.reason != "surplus" or car is None:
            continue
        if loadpoint.pilot_a > car.current_max_a - 0.2 or rooms.beside_offers_a(0, instant) < loadpoint.pilot_a + 1.0:
            continue
        step_w = box.coarsest_step_a * scenario.site.voltage_v * min(car.phases, loadpoint.phases)
        error_w = instant.grid_w + wish.site.residual_power_w
        if not -step_w - 110.0 <= error_w <= 110.0:
            aim_w, balance_w = -wish.site.residual_power_w, instant.pv_available_w - instant.household_w
            message = f"grid at {instant.grid_w:.0f} W, aim {aim_w:.0f} W, balance {balance_w:.0f} W"
            yield Violation("settles_on_its_aim", instant.second, message)
            quiet_since = instant.second


def _is_still(instants: Iterable[Instant], phases: int) -> bool:
    """Whether the car charged on ``phases`` phases all the time, and sun and household hardly moved."""
    low_w, high_w = float("inf"), -float("inf")
    for instant in instants:
        loadpoint = instant.loadpoints[0]
        if loadpoint.status != "C" or loadpoint.phases != phases:
            return False
        balance_w = instant.pv_available_w - instant.household_w
        low_w, high_w = min(low_w, balance_w), max(high_w, balance_w)
    return high_w - low_w < 80.0

"""The sun is followed: calmly, upwards, downwards, and to the aim."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import isnan

from evcc_sim.actions import operator_spans
from evcc_sim.invariants.evidence import is_calm, is_tapering, patience_s
from evcc_sim.invariants.room import Rooms
from evcc_sim.invariants.violation import Found, Violation
from evcc_sim.trace import Instant, Trace
from evcclib.model import ChargeMode


def constant_inputs_settle(trace: Trace) -> Found:
    """With constant sun and household the set-point of a car that follows the sun becomes constant within ten minutes."""
    settle_s, watch_s = 600.0, 300.0
    faults = trace.scenario.faults(round(trace.instants[-1].second / 86_400) or 1)
    spans = operator_spans(trace.scenario, trace.scenario.days)
    for index in range(len(trace.scenario.charger)):
        start_s = -1.0
        before: tuple[object, ...] | None = None
        limits: list[tuple[float, float]] = []
        for instant in trace.instants:
            loadpoint = instant.loadpoints[index]
            others = tuple((lp.status, lp.mode, lp.phases) for lp in instant.loadpoints)
            limits_w = tuple([span.start_s <= instant.second < min(span.end_s, span.expires_s) for span in spans])
            inputs = (instant.household_w, instant.pv_available_w, others, loadpoint.car, limits_w)
            if (
                inputs != before
                or loadpoint.status != "C"
                or not (is_calm(loadpoint.reason) or loadpoint.reason in {"minimum_power", "limited"})
                or any(is_tapering(trace, lp.soc_pct, lp.car) for lp in instant.loadpoints)
                or (faults and any(fault.start_s - 10 <= instant.second < fault.end_s + 60 for fault in faults))
            ):
                before, start_s, limits = inputs, instant.second, []
                continue
            if instant.second - start_s >= settle_s:
                limits.append((instant.second, loadpoint.pilot_a))
                values = {limit for second, limit in limits if second >= instant.second - watch_s}
                if len(values) > 1 and max(values) - min(values) > 0.05:
                    message = f"loadpoint {index + 1} still moves between {min(values):g} and {max(values):g} A"
                    yield Violation("constant_inputs_settle", instant.second, message)
                    return


def sun_is_used(trace: Trace) -> Found:
    """Surplus that a waiting car could take is taken: it starts after its delays, and what charges follows upwards [INV-7].

    Charging of the home battery counts as surplus once the battery is past its priority [SITE-10].
    """
    scenario = trace.scenario
    if any(pv.zero_feed_in for pv in scenario.pv) or not scenario.site.has_grid_meter:
        return
    residual_w = max(scenario.site.residual_power_w, 0.0)
    rooms = Rooms(scenario)
    cars = {car.name: car for car in scenario.car}
    faults = scenario.faults(round(trace.instants[-1].second / 86_400) or 1)
    for index, charger in enumerate(scenario.charger):
        spec, box = charger.loadpoint, charger.box
        wait_s = spec.enable_delay_s + spec.guard_duration_s + patience_s(scenario) + 2 * scenario.site.interval_s
        if box.can_switch_phases:
            wait_s += spec.disable_delay_s + spec.enable_delay_s + 2 * box.phase_switch_s
        since: float | None = None
        for instant in trace.instants:
            loadpoint = instant.loadpoints[index]
            car = cars.get(loadpoint.car)
            surplus_w = -instant.grid_w - residual_w
            if not isnan(instant.battery_soc_pct) and instant.battery_soc_pct > scenario.site.priority_soc_pct + 1:
                surplus_w += max(0.0, -instant.battery_w)
            usable = (
                car is not None
                and loadpoint.mode in (ChargeMode.PV, ChargeMode.MINPV)
                and loadpoint.reason not in NOT_FOR_THE_SUN
                and loadpoint.soc_pct < min(car.soc_limit_pct, car.taper_from_pct) - 1
                and not (faults and any(fault.start_s - 60 <= instant.second < fault.end_s + 900 for fault in faults))
            )
            if not usable or car is None:
                since = None
                continue
            phases = min(car.phases, loadpoint.phases)
            watts_a = scenario.site.voltage_v * phases
            high_a = min(spec.current_max_a, box.current_max_a, car.current_max_a)
            if rooms.beside_minimums_a(index, instant) < high_a + 1.0:
                since = None  # a limit may hold it down
                continue
            if loadpoint.pilot_a == 0:
                known = loadpoint.phases if spec.vehicle != car.name else phases  # an unknown car counts as three-phase
                least_w = max(car.current_min_a, spec.current_min_a) * scenario.site.voltage_v * known
                wanted = (
                    surplus_w > max(least_w, -spec.enable_threshold_w) + max(box.current_step_a, 1.0) * watts_a + 150
                )
                needed_s = wait_s
            else:
                is_taken = loadpoint.status == "C" and loadpoint.power_w > 0
                wanted = (
                    is_taken
                    and loadpoint.pilot_a < high_a - 1
                    and surplus_w > (box.current_step_a + 2.0) * watts_a + 150
                )
                needed_s = wait_s if box.can_switch_phases else 2 * patience_s(scenario)
            if not wanted:
                since = None
            elif since is None:
                since = instant.second
            elif instant.second - since > needed_s:
                message = f"loadpoint {index + 1} leaves {surplus_w:.0f} W unused for {instant.second - since:.0f} s"
                yield Violation("sun_is_used", instant.second, message)
                since = instant.second


NOT_FOR_THE_SUN = frozenset(
    {
        "target_soc_reached",
        "target_energy_reached",
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
    cars = {car.name: car for car in scenario.car}
    faults = scenario.faults(round(trace.instants[-1].second / 86_400) or 1)
    residual_w = min(scenario.site.residual_power_w, 0.0)
    for index, charger in enumerate(scenario.charger):
        spec = charger.loadpoint
        stop_s = spec.disable_delay_s + spec.guard_duration_s + patience_s(scenario) + 2 * scenario.site.interval_s
        if charger.box.can_switch_phases:
            stop_s += spec.disable_delay_s + 2 * charger.box.phase_switch_s
        since: float | None = None
        low_since: float | None = None
        for instant in trace.instants:
            loadpoint = instant.loadpoints[index]
            follows = (
                loadpoint.mode is ChargeMode.PV
                and loadpoint.power_w > 0
                and is_calm(loadpoint.reason)
                and loadpoint.reason != "battery_buffer"
                and scenario.site.has_grid_meter
                and not (faults and any(fault.start_s - 60 <= instant.second < fault.end_s + 600 for fault in faults))
            )
            bought_w = instant.grid_w + residual_w
            car = cars.get(loadpoint.car)
            watts_a = scenario.site.voltage_v * min(car.phases if car is not None else 3, loadpoint.phases)
            if follows and bought_w > 2 * watts_a + 150 and loadpoint.pilot_a > spec.current_min_a + 0.5:
                since = instant.second if since is None else since
                if instant.second - since > 2 * patience_s(scenario):
                    message = (
                        f"loadpoint {index + 1} charges with {loadpoint.pilot_a:g} A while {bought_w:.0f} W are bought"
                    )
                    yield Violation("nothing_is_bought_for_the_sun", instant.second, message)
                    since = instant.second
            else:
                since = None
            if follows and bought_w > max(spec.disable_threshold_w, 0.0) + 150:
                low_since = instant.second if low_since is None else low_since
                if instant.second - low_since > stop_s:
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
    if scenario.battery or len(scenario.charger) != 1 or meter.noise_w or meter.resolution_w > 1 or scenario.fault:
        return
    if not scenario.site.sees_pv or not scenario.site.has_grid_meter or any(pv.zero_feed_in for pv in scenario.pv):
        return
    spec, box = scenario.charger[0].loadpoint, scenario.charger[0].box
    rooms, spans = Rooms(scenario), operator_spans(scenario, scenario.days)
    window_s = 2 * patience_s(scenario)
    quiet_since = 0.0
    cars = {car.name: car for car in scenario.car}
    recent: deque[Instant] = deque()
    for instant in trace.instants:
        loadpoint = instant.loadpoints[0]
        recent.append(instant)
        while len(recent) > 1 and recent[1].second <= instant.second - window_s:
            recent.popleft()  # the first one left held when the window began
        is_limited = any(s.start_s - 1 <= instant.second < min(s.end_s, s.expires_s) + window_s for s in spans)
        if (
            loadpoint.status != "C"
            or is_limited
            or not _is_still(recent, loadpoint.phases)
            or is_tapering(trace, loadpoint.soc_pct, loadpoint.car)
        ):
            quiet_since = instant.second
            continue
        free = spec.current_min_a + 0.2 < loadpoint.pilot_a < min(spec.current_max_a, box.current_max_a) - 0.2
        car = cars.get(loadpoint.car)
        if instant.second - quiet_since < 60 or not free or loadpoint.reason != "surplus" or car is None:
            continue
        if loadpoint.pilot_a > car.current_max_a - 0.2 or rooms.beside_minimums_a(0, instant) < loadpoint.pilot_a + 1.0:
            continue
        step_w = box.current_step_a * scenario.site.voltage_v * min(car.phases, loadpoint.phases)
        error_w = instant.grid_w + scenario.site.residual_power_w
        if not -step_w - 110.0 <= error_w <= 110.0:
            aim_w, balance_w = -scenario.site.residual_power_w, instant.pv_available_w - instant.household_w
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

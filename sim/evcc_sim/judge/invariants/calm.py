"""The sun is followed: calmly, upwards, downwards, and to the aim; a world in which nothing changes is left alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import partial
from math import isnan

from evcc_sim.judge.excuses import CALMING, SETTLING, SHOWING, STARTING
from evcc_sim.judge.invariants.curtailment import is_hidden
from evcc_sim.judge.invariants.evidence import current_max_a, delays_s, is_buffered, is_tapering, stop_s, swings_by_wish
from evcc_sim.judge.invariants.frame import Found, invariant, own_promise, promise_of
from evcc_sim.judge.invariants.judged import Judged, lasting
from evcc_sim.judge.invariants.seen import SETTLES_S
from evcc_sim.judge.trace import InForce, Instant, Plans
from evcc_sim.plants.prices import TariffSpec
from evcc_sim.worlds.scenario import Scenario
from evcclib.commands import Disable, Enable, SetCurrent, SwitchPhases
from evcclib.machines.surplus import DEAD_BAND_A
from evcclib.model import ChargeMode
from evcclib.settings import LoadpointSettings, SiteSettings

STEADY_AFTER_S = 600.0


@own_promise
def constant_inputs_settle(run: Judged) -> Found:
    """With constant sun and household the set-point of a car that follows the sun becomes constant within ten minutes, or the
    delays where they are longer."""
    watch_s = 300.0
    scenario = run.scenario
    if is_hidden(scenario):
        return  # who looks for sun that nobody sees must move now and then
    guard_s = max((charger.loadpoint.guard_duration_s for charger in scenario.charger), default=0.0)
    what_all_do = [
        tuple([_does(run, number, instant, wish) for number, _charger in run.loadpoints])
        for instant, wish in run.moments
    ]
    for index, charger in enumerate(scenario.charger):
        start_s = -1.0
        before: tuple[object, ...] | None = None
        limits: list[tuple[float, float]] = []
        for (instant, wish), others in zip(run.moments, what_all_do, strict=True):
            loadpoint = instant.loadpoints[index]
            inputs = (
                instant.household_w,
                instant.pv_available_w,
                others,
                loadpoint.car,
                run.operator.limit_w(instant.second),
                wish.second,
                _battery_is_at(scenario, wish.site, instant),
            )
            if (
                inputs != before
                or loadpoint.status != "C"
                or loadpoint.mode not in (ChargeMode.PV, ChargeMode.MINPV)
                or run.meant.may_buy(index, instant, wish)
                or any(is_tapering(run, lp.soc_pct, lp.car) for lp in instant.loadpoints)
                or SHOWING.excuses(run.faults, instant.second)
            ):
                before, start_s, limits = inputs, instant.second, []
                continue
            settle_s = max(STEADY_AFTER_S, max(delays_s(each) for each in wish.loadpoints) + guard_s + 60.0)
            if instant.second - start_s >= settle_s:
                limits.append((instant.second, loadpoint.pilot_a))
                values = {limit for second, limit in limits if second >= instant.second - watch_s}
                car = run.cars.get(loadpoint.car)
                watts_a = scenario.site.voltage_v * min(loadpoint.phases, 3 if car is None else car.phases)
                noise_a = 2 * run.noise_w / watts_a
                step_a = charger.box.coarsest_step_a if noise_a > 0 else 0.0
                if max(values) - min(values) > 0.05 + noise_a + step_a:
                    message = f"loadpoint {index + 1} still moves between {min(values):g} and {max(values):g} A"
                    yield instant.second, message
                    return


def _does(run: Judged, index: int, instant: Instant, wish: InForce) -> tuple[object, ...]:
    """What a loadpoint does that is an input of the others; whoever may buy or rest decides for itself how much it takes."""
    loadpoint = instant.loadpoints[index]
    is_free = run.meant.is_at_an_edge(index, instant, wish)
    return (loadpoint.status, loadpoint.mode, loadpoint.phases, loadpoint.pilot_a if is_free else None)


def _battery_is_at(scenario: Scenario, site: SiteSettings, instant: Instant) -> object:
    """On which side of its limits and of the thresholds in force the home battery is; of several, their mean does not tell."""
    if not scenario.battery:
        return None
    if len(scenario.battery) > 1:
        return instant.battery_soc_pct
    spec, soc_pct = scenario.battery[0], instant.battery_soc_pct
    thresholds_pct = (site.priority_soc_pct, site.buffer_soc_pct, site.buffer_start_soc_pct)
    return tuple(soc_pct < edge_pct for edge_pct in (spec.soc_min_pct + 0.1, spec.soc_max_pct - 0.1, *thresholds_pct))


@invariant
def sun_is_used(run: Judged) -> Found:
    """Surplus that a waiting car could take is taken: it starts after its delays, and what charges follows upwards [INV-7].

    Charging of the home battery counts as surplus once the battery is past its priority [SITE-10].
    """
    scenario = run.scenario
    if any(pv.zero_feed_in for pv in scenario.pv) or not scenario.site.has_grid_meter:
        return
    for index, _charger in run.loadpoints:
        for instant, wish, since_s in lasting(run, partial(_may_be_left_s, run, index)):
            left_w, lasted_s = _left_over_w(run, index, instant, wish), instant.second - since_s
            yield instant.second, f"loadpoint {index + 1} leaves {left_w:.0f} W unused for {lasted_s:.0f} s"


def _left_over_w(run: Judged, index: int, instant: Instant, wish: InForce) -> float:
    """What a car could take beside what is wished for others, and what they have just been offered [W].

    Whether a car takes its offer is only seen when it has had the time to; one that is full does not. Until then that is not left
    over, and whoever waits for it begins to wait when it is.
    """
    left_w = -instant.grid_w - max(wish.site.residual_power_w, 0.0)
    for other, each in enumerate(instant.loadpoints):
        if other != index and instant.second - run.raised_s(other, instant.second) <= SETTLES_S:
            left_w -= max(0.0, each.pilot_a * run.voltage_v * each.phases - each.power_w)
    if not isnan(instant.battery_soc_pct) and instant.battery_soc_pct > wish.site.priority_soc_pct + 1:
        left_w += max(0.0, -instant.battery_w)
    return left_w


def _may_be_left_s(run: Judged, index: int, instant: Instant, wish: InForce) -> float | None:
    """How long a loadpoint may leave the sun that is there; None: there is too little for it, or it is not to take it [s]."""
    loadpoint, settings, box = instant.loadpoints[index], wish.loadpoints[index], run.scenario.charger[index].box
    car = run.cars.get(loadpoint.car)
    if car is None or loadpoint.mode not in (ChargeMode.PV, ChargeMode.MINPV):
        return None
    if not loadpoint.soc_pct < min(car.soc_limit_pct, car.taper_from_pct) - 1:
        return None
    high_a = current_max_a(run, index, settings, car)
    phases, voltage_v = min(car.phases, loadpoint.phases), run.scenario.site.voltage_v
    left_w = _left_over_w(run, index, instant, wish) - 150 - run.noise_w
    if loadpoint.pilot_a == 0:
        counted = phases if wish.vehicles[index] == car.name else loadpoint.phases  # unknown: counts as three-phase
        least_w = max(car.current_min_a, settings.current_min_a) * voltage_v * counted
        step_w = max(box.coarsest_step_a, 1.0) * voltage_v * phases
        is_enough = left_w > max(least_w, -settings.enable_threshold_w) + step_w
        longest_s = _start_s(run, index, settings)
    else:
        is_rising = loadpoint.status == "C" and loadpoint.power_w > 0 and loadpoint.pilot_a < high_a - 1
        is_enough = is_rising and left_w > (box.coarsest_step_a + 2.0) * voltage_v * phases
        longest_s = _start_s(run, index, settings) if box.can_switch_phases else 2 * run.patience_s
    if not is_enough or run.meant.may_rest(index, instant, wish) or _is_switching(run, index, instant.second):
        return None
    if run.meant.is_sold(settings.feed_in_priority_limit, instant.second):
        return None
    if STARTING.excuses(run.faults, instant.second) or run.rooms.beside_offers_a(index, instant) < high_a + 1.0:
        return None  # a limit may hold it down
    return longest_s


def _is_switching(run: Judged, index: int, second: float) -> bool:
    """Whether the phases of a station are just being switched."""
    start_s = second - run.scenario.charger[index].box.phase_switch_s - run.patience_s
    return any(isinstance(sent.command, SwitchPhases) for sent in run.sent_between(index, start_s, second))


def _start_s(run: Judged, index: int, settings: LoadpointSettings) -> float:
    """How long a start may take at most, with a switch of phases where there can be one [s]."""
    charger = run.scenario.charger[index]
    enable_s, disable_s = settings.enable_delay.total_seconds(), settings.disable_delay.total_seconds()
    start_s = enable_s + charger.loadpoint.guard_duration_s + run.patience_s + 2 * run.interval_s
    return start_s + (disable_s + enable_s + 2 * charger.box.phase_switch_s if charger.box.can_switch_phases else 0.0)


@invariant
def nothing_is_bought_for_the_sun(run: Judged) -> Found:
    """A car in mode pv that is above its minimum follows downwards; at its minimum it stops after the delays [INV-8]."""
    for index, _charger in run.loadpoints:
        for instant, wish, _since_s in lasting(run, partial(_may_be_bought_s, run, index)):
            bought_w, pilot_a = _bought_w(instant, wish), instant.loadpoints[index].pilot_a
            yield instant.second, f"loadpoint {index + 1} charges with {pilot_a:g} A while {bought_w:.0f} W are bought"
        for instant, wish, _since_s in lasting(run, partial(_may_go_on_s, run, index)):
            bought_w = _bought_w(instant, wish)
            yield instant.second, f"loadpoint {index + 1} does not stop while {bought_w:.0f} W are bought"


def _bought_w(instant: Instant, wish: InForce) -> float:
    """What is bought beyond what may be [W]."""
    return instant.grid_w + min(wish.site.residual_power_w, 0.0)


def _follows(run: Judged, index: int, instant: Instant, wish: InForce) -> bool:
    """Whether a car charges by the sun alone."""
    return (
        instant.loadpoints[index].power_w > 0
        and run.scenario.site.has_grid_meter
        and run.meant.follows(index, instant, wish)
        and not is_buffered(instant, wish)
        and not SETTLING.excuses(run.faults, instant.second)
    )


def _may_be_bought_s(run: Judged, index: int, instant: Instant, wish: InForce) -> float | None:
    """How long a car above its minimum may go on while so much is bought; None: it may [s]."""
    loadpoint = instant.loadpoints[index]
    car = run.cars.get(loadpoint.car)
    watts_a = run.scenario.site.voltage_v * min(car.phases if car is not None else 3, loadpoint.phases)
    is_above = loadpoint.pilot_a > wish.loadpoints[index].current_min_a + 0.5
    is_much = _bought_w(instant, wish) > 2 * watts_a + 150 + run.noise_w
    return 2 * run.patience_s if is_above and is_much and _follows(run, index, instant, wish) else None


def _may_go_on_s(run: Judged, index: int, instant: Instant, wish: InForce) -> float | None:
    """How long a car may go on at all while so much is bought; None: it may [s]."""
    settings = wish.loadpoints[index]
    is_much = _bought_w(instant, wish) > max(settings.disable_threshold_w, 0.0) + 150 + run.noise_w
    return stop_s(run, index, settings) if is_much and _follows(run, index, instant, wish) else None


@promise_of("classic")
def settles_on_its_aim(run: Judged) -> Found:
    """While sun and household hardly move, a single car that follows the sun holds the grid power at minus the residual
    power, to its step and the speed of the sun."""
    scenario = run.scenario
    meter = scenario.grid.meter
    if scenario.battery or len(scenario.charger) != 1 or meter.noise_w or meter.resolution_w > 1 or run.faults:
        return
    if not scenario.site.sees_pv or not scenario.site.has_grid_meter or any(pv.zero_feed_in for pv in scenario.pv):
        return
    box = scenario.charger[0].box
    rooms = run.rooms
    window_s = 2 * run.patience_s
    quiet_since = 0.0
    recent: deque[Instant] = deque()
    for instant, wish in run.moments:
        loadpoint = instant.loadpoints[0]
        settings = wish.loadpoints[0]
        recent.append(instant)
        while len(recent) > 1 and recent[1].second <= instant.second - window_s:
            recent.popleft()  # the first one left held when the window began
        if (
            loadpoint.status != "C"
            or run.operator.is_limiting(instant.second + 1.0, after_s=window_s)
            or instant.second - wish.second < window_s
            or not _is_still(recent, loadpoint.phases)
            or is_tapering(run, loadpoint.soc_pct, loadpoint.car)
        ):
            quiet_since = instant.second
            continue
        free = settings.current_min_a + 0.2 < loadpoint.pilot_a < current_max_a(run, 0, settings) - 0.2
        car = run.cars.get(loadpoint.car)
        if instant.second - quiet_since < 60 or not free or not run.meant.follows(0, instant, wish) or car is None:
            continue
        if loadpoint.pilot_a > car.current_max_a - 0.2 or rooms.beside_offers_a(0, instant) < loadpoint.pilot_a + 1.0:
            continue
        watts_a = scenario.site.voltage_v * min(car.phases, loadpoint.phases)
        step_w = box.coarsest_step_a * watts_a
        aside_w = STILL_W + DEAD_BAND_A * watts_a  # what is not worth a command, and what has moved since the last one
        error_w = instant.grid_w + wish.site.residual_power_w
        if not -step_w - aside_w <= error_w <= aside_w:
            aim_w, balance_w = -wish.site.residual_power_w, instant.pv_available_w - instant.household_w
            message = f"grid at {instant.grid_w:.0f} W, aim {aim_w:.0f} W, balance {balance_w:.0f} W"
            yield instant.second, message
            quiet_since = instant.second


STILL_W = 80.0
"""By less than this sun and household have hardly moved."""


def _is_still(instants: Iterable[Instant], phases: int) -> bool:
    """Whether the car charged on ``phases`` phases all the time, and sun and household hardly moved."""
    low_w, high_w = float("inf"), -float("inf")
    for instant in instants:
        loadpoint = instant.loadpoints[0]
        if loadpoint.status != "C" or loadpoint.phases != phases:
            return False
        balance_w = instant.pv_available_w - instant.household_w
        low_w, high_w = min(low_w, balance_w), max(high_w, balance_w)
    return high_w - low_w < STILL_W


PLANS = ("target_time", *Plans._fields)


@own_promise
def still_worlds_stay_still(run: Judged) -> Found:
    """With constant sun and household, the same cars and the same wishes, commands end within ten minutes and the delays.

    What a car begins or ends to draw is an answer to commands, not a change of the world. Cars that taper, are full or fall
    asleep change by themselves, and whoever looks for sun that an inverter holds back must move now and then; with a slow meter
    or a battery whoever follows the sun never comes to rest (rows 4, 5), nor does with a noisy one whom it limits.
    """
    scenario = run.scenario
    if is_hidden(scenario) or any(car.sleep_after_s > 0 or car.phase_pause_min_s > 0 for car in scenario.car):
        return
    if scenario.tariff != TariffSpec() or any(action.setting in PLANS for action in scenario.action):
        return  # prices and plans move by the clock
    guard_s = max((charger.loadpoint.guard_duration_s for charger in scenario.charger), default=0.0)
    longest_s = max((delays_s(each) for wish in run.trace.wishes for each in wish.loadpoints), default=0.0) + guard_s
    settle_s = STEADY_AFTER_S + longest_s + 2 * run.patience_s
    moves = [
        s
        for s in run.trace.sent
        if s.accepted and isinstance(s.command, (Enable, Disable, SetCurrent, SwitchPhases)) and s.second > settle_s
    ]
    notes, restful = {note.second for note in run.trace.notes}, _restful(run)
    since = 0.0
    before: object = None
    position = 0
    for instant, wish in run.moments:
        world = (
            instant.household_w,
            round(instant.pv_available_w),
            tuple([(each.car, each.mode) for each in instant.loadpoints]),
            run.operator.limit_w(instant.second),
            wish.second,
        )
        changes = (
            world != before
            or instant.second in notes
            or any(is_tapering(run, each.soc_pct, each.car) for each in instant.loadpoints)
            or any(run.meant.is_at_an_edge(index, instant, wish) for index, _charger in run.loadpoints)
            or any(swings_by_wish(run, index, each) for index, each in enumerate(wish.loadpoints))
            or CALMING.excuses(run.faults, instant.second)
            or not restful.issuperset(each.mode for each in instant.loadpoints)
        )
        if changes:
            before, since = world, instant.second
        while position < len(moves) and moves[position].second <= instant.second:
            move = moves[position]
            position += 1
            if move.second - since > settle_s:
                quiet = (move.second - since) / 60
                message = (
                    f"loadpoint {move.loadpoint + 1}: {move.command} after {quiet:.0f} min in which nothing changed"
                )
                yield move.second, message


def _restful(run: Judged) -> frozenset[ChargeMode]:
    """In which modes control can come to rest with what the grid meter shows."""
    meter = run.scenario.grid.meter
    if not (meter.lag_s or meter.refresh_s or meter.noise_w or meter.resolution_w or run.scenario.battery):
        return frozenset(ChargeMode)
    if meter.noise_w and any(ceiling.sees_house for ceiling in run.rooms.circuits):
        return frozenset({ChargeMode.OFF})
    return frozenset({ChargeMode.NOW, ChargeMode.OFF})

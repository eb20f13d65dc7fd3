"""Each machine says when it changes: before, the same inputs give the same result, whenever they are looked at.

A `Case` is a machine whose state has taken its inputs in already, so that nothing but time passes: ``look`` is what it makes of
them at an instant, ``change`` what its `next_change` says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from bench import NOON, Bench, S, loadpoint, site_config
from hypothesis import given
from hypothesis import strategies as st
from strategies import budget

from evcclib.config import CircuitConfig, PollConfig
from evcclib.laws import demand
from evcclib.ledger import savings
from evcclib.ledger.savings import SavingsState
from evcclib.machines import asking, charger, phases, readback, rousing, surplus, unmetered
from evcclib.machines.asking import PollState
from evcclib.machines.charger import ChargerState, Report, Wish
from evcclib.machines.hold import first_after
from evcclib.machines.phases import AT_REST, Narrowed, Scaling
from evcclib.machines.readback import Disagreement
from evcclib.machines.surplus import ELAPSED, RESTING, SunTimer, Waiting
from evcclib.machines.unmetered import NOTHING, Offered
from evcclib.model import ChargerStatus, Now, PhaseAction, PollMode, PvAction
from evcclib.pipeline import circuit_loads, observe_site, sharing
from evcclib.pipeline.desk import NO_VEHICLE, SiteDesk, begin
from evcclib.pipeline.observe_loadpoint import observe
from evcclib.pipeline.state import NO_EFFECT, Effect, LoadpointState, Offer
from evcclib.planning import plan_follow
from evcclib.planning.plan_follow import PlanState
from evcclib.planning.planner import Plan
from evcclib.readings import ABSENT, Measured, MeterReading, OperatorLimit, VehicleReading
from evcclib.settings import LoadpointSettings
from evcclib.tariff import Rate, Rates
from evcclib.units import TICK, Instant

HERE = Instant(10_000 * S)
"""The instant at which every case begins."""
LONG = timedelta(days=2)
H: Any = 3600 * S


@dataclass(frozen=True, slots=True)
class Case:
    """A machine at rest at `HERE`, and when it says that it changes."""

    look: Callable[[Instant], object]
    change: Instant | None


def ago(*seconds: float) -> st.SearchStrategy[Instant]:
    """An instant of the last two hours, often one of so many ``seconds`` ago."""
    return (st.sampled_from([0, 1, *seconds]) | st.integers(0, 7200)).map(lambda each: HERE - each * S)


def timers(*seconds: float) -> st.SearchStrategy[Instant | None]:
    return st.none() | ago(*seconds)


WAITED_FOR = (PvAction.ENABLE, PvAction.DISABLE)
delays = st.sampled_from([0, 1, 60, 180, 1800]).map(lambda each: each * S)
flags = st.booleans()
NO_REPORT = Report(False)
TEN_AMPERES = Wish(10.0, 0, False)
MORE = Effect(500.0, 900.0)


def of_surplus(
    *,
    timer: SunTimer = RESTING,
    target_a: float = 8.0,
    site_power_w: float = -3000.0,
    is_enabled: bool = False,
    is_minpv: bool = False,
    is_charging: bool = False,
    enable_delay: timedelta = 60 * S,
    disable_delay: timedelta = 180 * S,
    changed_at: Instant = HERE - 1000 * S,
) -> Case:
    def step(before: SunTimer, at: Instant) -> surplus.SurplusStep:
        return surplus.decide(
            before,
            instant=at,
            target_a=target_a,
            site_power_w=site_power_w,
            current_min_a=6.0,
            current_max_a=16.0,
            is_enabled=is_enabled,
            is_minpv=is_minpv,
            is_buffered=False,
            is_scaling_phases=False,
            enable_threshold_w=0.0,
            enable_delay=enable_delay,
            disable_threshold_w=0.0,
            disable_delay=disable_delay,
        )

    def steady_a(at: Instant) -> float:
        return surplus.steady(
            target_a,
            offered_a=11.0,
            unchanged_for=at - changed_at,
            is_charging=is_charging,
            is_exporting=site_power_w <= 0,
            current_min_a=6.0,
            current_max_a=16.0,
        )

    here = step(timer, HERE)
    change = surplus.next_change(
        here.timer,
        instant=HERE,
        enable_delay=enable_delay,
        disable_delay=disable_delay,
        idle_since=changed_at if is_enabled and not is_charging else None,
    )
    return Case(lambda at: (step(here.timer, at), steady_a(at) if is_enabled else None), change)


any_surplus = st.builds(
    of_surplus,
    timer=st.sampled_from([RESTING, ELAPSED]) | st.builds(Waiting, st.sampled_from(WAITED_FOR), ago(59, 60, 180)),
    target_a=st.sampled_from([0.0, 5.9, 6.0, 8.0, 10.5, 20.0]),
    site_power_w=st.sampled_from([-3000.0, 0.0, 500.0]),
    is_enabled=flags,
    is_minpv=flags,
    is_charging=flags,
    enable_delay=delays,
    disable_delay=delays,
    changed_at=ago(299, 300),
)


def of_phases(
    *,
    scaling: Scaling = AT_REST,
    narrowed: Narrowed | None = None,
    physical: int = 1,
    available_w: float = 9000.0,
    fits: bool = True,
    switched_at: Instant | None = None,
    enable_delay: timedelta = 60 * S,
    disable_delay: timedelta = 180 * S,
    is_charging: bool = True,
    idle_switches: int = 0,
) -> Case:
    def scale(before: Scaling, at: Instant) -> Scaling:
        return phases.scale(
            before,
            instant=at,
            available_least_w=available_w,
            available_most_w=available_w,
            site_power_w=100.0,
            voltage_v=230.0,
            active=physical,
            active_max=3,
            physical=physical,
            configured=0,
            current_min_a=6.0,
            current_max_a=16.0,
            enable_delay=enable_delay,
            disable_delay=disable_delay,
            is_enabled=True,
            is_charging=is_charging,
            idle_switches=idle_switches,
        )

    def narrow(before: Narrowed | None, at: Instant) -> Narrowed | None:
        wait = phases.widening_wait(enable_delay, disable_delay)
        return phases.narrow(before, "main", instant=at, fits=fits, physical=physical, wait=wait)

    here, narrow_here = scale(scaling, HERE), narrow(narrowed, HERE)
    change = phases.next_change(
        here,
        narrow_here,
        instant=HERE,
        switched_at=switched_at,
        enable_delay=enable_delay,
        disable_delay=disable_delay,
        is_charging=is_charging,
        idle_switches=idle_switches,
    )
    return Case(lambda at: (scale(here, at), narrow(narrow_here, at), phases.is_settling(switched_at, at)), change)


any_phases = st.builds(
    of_phases,
    scaling=st.just(AT_REST) | st.builds(Scaling, ago(60, 180), st.sampled_from(PhaseAction), st.just(False)),
    narrowed=st.none() | st.builds(Narrowed, st.just("main"), timers(240)),
    physical=st.sampled_from([1, 3]),
    available_w=st.sampled_from([0.0, 3000.0, 9000.0]),
    fits=flags,
    switched_at=timers(59, 60),
    enable_delay=delays,
    disable_delay=delays,
    is_charging=flags,
    idle_switches=st.integers(0, 9),
)

disagreements = st.none() | st.builds(
    Disagreement,
    since=ago(300),
    agreed_at=st.none() | timers(),
    is_refuted=flags,
    is_resisted=flags,
    is_urgent=flags,
    repeats=st.integers(0, 9),
    told_at=timers(60, 300, 600, 3600),
)


def of_readback(disagreement: Disagreement | None) -> Case:
    return Case(lambda at: readback.is_due(disagreement, at), readback.next_change(disagreement, HERE))


def of_charger(
    state: ChargerState,
    *,
    report: Report = NO_REPORT,
    wish: Wish = TEN_AMPERES,
    guard_duration: timedelta = 300 * S,
    limited_at: Instant | None = None,
) -> Case:
    for _ in range(3):
        state = charger.sync(state, report, instant=HERE)

    def look(at: Instant) -> object:
        later = charger.sync(state, report, instant=at)
        rest = timedelta(0) if later.is_enabled else charger.guard_remaining(limited_at, guard_duration, at)
        unheard_at = charger.unheard_retry_at(later)
        return (
            charger.plan(later, wish, instant=at, current_min_a=6.0, guard_duration=guard_duration),
            charger.may_switch(later, at),
            unheard_at is None or at >= unheard_at,
            rest > timedelta(0),
            [each is not None and each.is_open for each in later.disagreements],
            (later.is_enabled, later.is_certain, later.seems_off, later.runs_unasked, later.resists_current),
        )

    change = charger.next_change(state, report, instant=HERE, guard_duration=guard_duration, limited_at=limited_at)
    return Case(look, change)


def samples(values: st.SearchStrategy[float] | st.SearchStrategy[bool]) -> st.SearchStrategy[Measured[object] | None]:
    return st.none() | st.builds(Measured, values, st.sampled_from([HERE, HERE - 30 * S]))


any_charger = st.builds(
    of_charger,
    st.builds(
        ChargerState,
        is_enabled=flags,
        is_certain=flags,
        is_adopted=flags,
        current_a=st.sampled_from([None, 6.0, 10.0]),
        wanted_a=st.sampled_from([None, 0.0, 10.0]),
        guard=timers(299, 300),
        enable_changed_at=timers(59, 60),
        current_changed_at=timers(59, 60),
        phases=st.sampled_from([0, 1, 3]),
        phases_refused_at=timers(300),
        phases_refusals=st.integers(0, 6),
        enabled_disagreement=disagreements,
        current_disagreement=disagreements,
        phases_disagreement=disagreements,
        wake_timer=timers(),
        unheard_at=timers(10, 60),
        unheard_tries=st.integers(0, 5),
    ),
    report=st.builds(
        Report,
        flags,
        is_enabled=samples(flags),
        is_drawing=samples(flags),
        offered_a=samples(st.sampled_from([6.0, 16.0])),
        drawn_a=samples(st.sampled_from([0.0, 6.0, 16.0])),
    ),
    wish=st.builds(Wish, st.sampled_from([0.0, 6.0, 10.0]), st.sampled_from([0, 1, 3]), flags, flags),
    guard_duration=delays,
    limited_at=timers(180, 1800),
)


def of_rousing(timer: Instant | None, idle_since: Instant | None) -> Case:
    def look(at: Instant) -> object:
        due = rousing.is_due(timer, at, is_enabled=True, is_waiting=True, soc_pct=None, soc_target_pct=80)
        return due, rousing.seems_full(idle_since, at)

    return Case(look, rousing.next_change(timer, instant=HERE, idle_since=idle_since))


def of_sharing(
    *,
    is_enabled: bool = True,
    wake_timer: Instant | None = None,
    enable_changed_at: Instant | None = None,
    effect: Effect = MORE,
    effect_at: Instant | None = None,
) -> Case:
    state = ChargerState(is_enabled=is_enabled, wake_timer=wake_timer, enable_changed_at=enable_changed_at)
    one = LoadpointState(LoadpointSettings(), state, effect=effect, effect_at=effect_at)
    return Case(
        lambda at: (sharing.is_ramping(one, at), sharing.outstanding(one, sampled_at=at, instant=at)),
        sharing.next_change(one, HERE),
    )


HOURLY = PollConfig()
offers = st.builds(Offered, st.sampled_from([0.0, 6.0, 16.0]), st.sampled_from([1, 3]))


def of_unmetered(*history: tuple[float, Offered]) -> Case:
    """A vehicle that was offered something, remembered, and then something else, so many seconds ago each."""
    seen = unmetered.UNWATCHED
    for seconds_ago, offered in history:
        seen = unmetered.watch(seen, offered, HERE - seconds_ago * S)
        if seen.before is None:
            seen = seen._replace(before=offered, lowest_a=offered.current_a)
    doubts = unmetered.learn(
        (), NOTHING, Offered(16.0, 3), seen_least_w=11_000.0, seen_most_w=11_000.0, voltage_v=230.0
    )

    def look(at: Instant) -> object:
        return unmetered.watch(seen, seen.offered, at), unmetered.surely_taken(doubts, seen, at, 230.0)

    return Case(look, unmetered.next_change(seen, HERE))


def of_demand(vehicle_since: Instant | None, grace: timedelta) -> Case:
    def look(at: Instant) -> object:
        return demand.awaits_soc(can_tell_soc=True, vehicle_since=vehicle_since, instant=at, grace=grace)

    return Case(look, demand.next_change(vehicle_since, instant=HERE, grace=grace))


def of_asking(
    state: PollState,
    *,
    reading: VehicleReading = NO_VEHICLE,
    config: PollConfig = HOURLY,
    is_connected: bool = True,
    is_charging: bool = False,
    answered_at: Instant | None = None,
) -> Case:
    def step(before: PollState, at: Instant) -> object:
        return asking.step(
            before,
            vehicle="car",
            reading=reading,
            now=at,
            config=config,
            is_connected=is_connected,
            is_charging=is_charging,
        )

    here, _ = asking.step(
        state,
        vehicle="car",
        reading=reading,
        now=HERE,
        config=config,
        is_connected=is_connected,
        is_charging=is_charging,
    )
    return Case(
        lambda at: (step(here, at), answered_at is not None and asking.is_current(answered_at, at, config)),
        asking.next_change(here, instant=HERE, config=config, answered_at=answered_at),
    )


any_asking = st.builds(
    of_asking,
    st.builds(
        PollState,
        asked_at=timers(5, 10, 60, 900, 3600),
        wants_fresh=flags,
        retries=st.integers(0, 20),
        answered_from=timers(900),
        paid_until=st.none() | st.integers(-10, 400).map(lambda minutes: HERE + 60 * minutes * S),
    ),
    reading=st.builds(
        VehicleReading,
        soc_pct=samples(st.just(50.0)).map(lambda each: each or ABSENT),
        must_retry=flags,
    ),
    config=st.builds(
        PollConfig,
        mode=st.sampled_from(PollMode),
        interval=st.sampled_from([0, 60, 900, 3600]).map(lambda each: each * S),
    ),
    is_connected=flags,
    is_charging=flags,
    answered_at=timers(900, 3600),
)


def utc(at: Instant) -> datetime:
    return NOON + (at - HERE)


def instant(time: datetime | None) -> Instant | None:
    return None if time is None else HERE + (time - NOON)


def of_plan_follow(
    state: PlanState, plan: Plan, required: timedelta | None, target: datetime, holds_full: bool = False
) -> Case:
    """``plan`` is the newest one, so that its first slot is not over."""

    def step(before: PlanState, at: Instant) -> PlanState:
        now = utc(at)
        return plan_follow.step(before, plan, required=required, target=target, now=now, holds_full=holds_full)

    here = step(step(state, HERE), HERE)
    change = instant(plan_follow.next_change(here, target=target, now=NOON))
    over_at = instant(plan.slots[0].end if plan.slots else None)
    return Case(lambda at: step(here, at).is_active, first_after(HERE, change, over_at))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    edges = sorted(draw(st.sets(st.integers(0, 600), min_size=2, max_size=6)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return Plan(tuple(Rate(NOON + one * 60 * S, NOON + other * 60 * S, 0.2) for one, other in pairs))


any_plan = st.builds(
    of_plan_follow,
    st.builds(
        PlanState, is_active=flags, slot_end=st.none() | st.integers(-30, 90).map(lambda each: NOON + each * 60 * S)
    ),
    plans(),
    st.none() | st.sampled_from([0, 600, 3600, 7200]).map(lambda each: each * S),
    st.integers(-60, 720).map(lambda each: NOON + each * 60 * S),
    flags,
)


def of_tariff(rates: Rates) -> Case:
    return Case(lambda at: rates.at(utc(at)), instant(rates.next_change(NOON)))


any_tariff = st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 4)), max_size=6).map(
    lambda spans: of_tariff(
        Rates.of(Rate(NOON + start * H, NOON + (start + length) * H, 0.1 * start) for start, length in spans)
    )
)


def of_savings(state: SavingsState, power_w: float) -> Case:
    def step(before: SavingsState, at: Instant) -> SavingsState:
        now = Now(at, utc(at))
        return savings.step(before, now=now, charge_power_w=power_w, green_share=0.5, grid_price=0.3, feed_in_price=0.1)

    here = step(state, HERE)
    return Case(lambda at: step(here, at) is here, savings.next_change(here, HERE))


any_savings = st.builds(
    of_savings,
    st.builds(
        SavingsState,
        since=st.just(NOON),
        updated_at=timers(899, 900),
        power_w=st.sampled_from([0.0, 4000.0]),
        green_share=st.sampled_from([None, 0.5]),
        grid_price=st.just(0.3),
        feed_in_price=st.just(0.1),
    ),
    st.sampled_from([-1.0, 0.0, 4000.0]),
)


FUSED = site_config(
    loadpoint(phases=3, circuit="main", has_power=True),
    loadpoint(phases=1, circuit="main", has_power=True),
    circuits=(CircuitConfig(name="main", current_max_a=25.0, power_max_w=20_000.0, uses_grid_meter=True),),
)


def of_site(
    *,
    sampled_at: Instant = HERE,
    drew_a: float = 8.0,
    draws_a: float = 8.0,
    effect_at: Instant | None = None,
    raised_at: Instant | None = None,
    voltage_at: Instant | None = None,
    expires_at: Instant | None = None,
) -> Callable[[Instant, Instant], SiteDesk]:
    """A fuse and two cars that are offered 8 A: how it stands at an instant, with samples of another one."""
    bench = Bench(FUSED)
    state = bench.site.state
    for one, box in zip(state.loadpoints, bench.boxes, strict=True):
        one.charger = one.charger._replace(is_enabled=True, is_certain=True, is_adopted=True, current_a=8.0)
        one.status, one.effect_at, one.offer = ChargerStatus.C, effect_at, Offer(8.0, 12.0, raised_at)
        box.status, box.is_enabled, box.shows_currents = ChargerStatus.C, True, True
    state.voltage = None if voltage_at is None else Measured(240.0, voltage_at)
    operator = None if expires_at is None else OperatorLimit(power_w=3000.0, expires_at=expires_at)
    layout = state.layout
    assert layout is not None

    def stands(at: Instant, read_at: Instant) -> SiteDesk:
        bench.t = read_at
        grid = MeterReading(power_w=Measured(15_000.0, read_at), currents_a=Measured((27.5, 19.5, 19.5), read_at))
        readings = replace(bench.readings(), grid=grid, operator_limit=operator)
        site = begin(layout, state, readings, Now(at, utc(at)))
        for lp in site.desks:
            observe(site, lp)
        return site

    for before_a, at in ((drew_a, sampled_at - 10 * S), (draws_a, sampled_at)):
        for box in bench.boxes:
            box.offered_a = before_a
        site = stands(at, at)
        observe_site.look(site)
        circuit_loads.take_in(site)
        state = site.state
    return stands


def of_circuits(
    *,
    drew_a: float = 8.0,
    draws_a: float = 8.0,
    effect_at: Instant | None = None,
    raised_at: Instant | None = None,
    voltage_at: Instant | None = None,
    expires_at: Instant | None = None,
) -> Case:
    """New samples are taken whenever it is looked at."""
    stands = of_site(
        drew_a=drew_a,
        draws_a=draws_a,
        effect_at=effect_at,
        raised_at=raised_at,
        voltage_at=voltage_at,
        expires_at=expires_at,
    )
    here = stands(HERE, HERE)
    circuit_loads.see_voltage(here)
    circuit_loads.take_in(here)

    def look(at: Instant) -> object:
        site = stands(at, at)
        for lp, before in zip(site.desks, here.desks, strict=True):
            lp.facts = before.facts
        circuit_loads.see_voltage(site)
        circuit_loads.take_in(site)
        found = circuit_loads.allotment(site, lambda _: True)
        assert found is not None
        return found.ceiling(0, 3), found.ceiling(1, 1), site.state.voltage

    shown = [sharing.next_change(one, HERE) for one in here.state.loadpoints]  # a command decides here, too
    return Case(look, first_after(HERE, circuit_loads.next_change(here), *shown))


any_circuits = st.builds(
    of_circuits,
    drew_a=st.sampled_from([6.0, 8.0, 12.0]),
    draws_a=st.sampled_from([6.0, 8.0, 12.0]),
    effect_at=timers(2, 5, 7, 8),
    raised_at=timers(2, 29, 30),
    voltage_at=timers(299, 300),
    expires_at=st.none() | st.sampled_from([HERE, HERE + TICK, HERE + 30 * S]),
)


def of_readings(sampled_at: Instant) -> Case:
    """Samples get older and older."""
    stands = of_site(sampled_at=sampled_at)

    def look(at: Instant) -> object:
        site = stands(at, sampled_at)
        sun = observe_site.look(site)
        circuit_loads.take_in(site)
        return sun, [lp.facts for lp in site.desks], site.balance, site.state.stale, at >= sun.lost_at

    here = stands(HERE, sampled_at)
    sun = observe_site.look(here)
    circuit_loads.take_in(here)
    return Case(look, observe_site.next_change(here, sun))


MACHINES: dict[str, st.SearchStrategy[Case]] = {
    "surplus": any_surplus,
    "phases": any_phases,
    "readback": st.builds(of_readback, disagreements),
    "charger": any_charger,
    "rousing": st.builds(of_rousing, timers(29, 30), timers(59, 60)),
    "sharing": st.builds(
        of_sharing,
        is_enabled=flags,
        wake_timer=timers(),
        enable_changed_at=timers(29, 30),
        effect=st.sampled_from([NO_EFFECT, MORE]),
        effect_at=timers(4, 5),
    ),
    "unmetered": st.lists(st.tuples(st.integers(0, 60), offers), min_size=1, max_size=4).map(
        lambda history: of_unmetered(*sorted(history, reverse=True))
    ),
    "demand": st.builds(of_demand, timers(599, 600), delays),
    "asking": any_asking,
    "plan_follow": any_plan,
    "tariff": any_tariff,
    "savings": any_savings,
    "circuit_loads": any_circuits,
    "readings": st.builds(of_readings, st.integers(0, 60).map(lambda each: HERE - each * S)),
}

told = ChargerState(is_enabled=True, is_certain=True, is_adopted=True, current_a=10.0, wanted_a=10.0, phases=3)
open_since = Disagreement(since=HERE - 200 * S)
EXAMPLES: dict[str, list[Case]] = {
    "surplus": [
        of_surplus(),
        of_surplus(is_enabled=True, target_a=0.0, site_power_w=500.0),
        of_surplus(is_enabled=True, changed_at=HERE - 10 * S),
    ],
    "phases": [
        of_phases(),
        of_phases(physical=3, available_w=0.0, is_charging=False, idle_switches=4, enable_delay=180 * S),
        of_phases(narrowed=Narrowed("main", HERE - 100 * S), available_w=0.0),
        of_phases(switched_at=HERE - 10 * S, available_w=0.0),
    ],
    "readback": [
        of_readback(open_since._replace(repeats=1, told_at=HERE)),
        of_readback(open_since._replace(repeats=3, told_at=HERE, is_urgent=True)),
    ],
    "charger": [
        of_charger(told._replace(guard=HERE - 100 * S), wish=Wish(0.0, 0, False)),
        of_charger(ChargerState(is_certain=True, is_adopted=True), limited_at=HERE, wish=Wish(0.0, 0, False)),
        of_charger(told._replace(phases_refused_at=HERE, phases_refusals=4)),
        of_charger(told._replace(unheard_at=HERE, unheard_tries=2)),
        of_charger(
            told._replace(enable_changed_at=HERE - 30 * S), report=Report(False, is_enabled=Measured(False, HERE))
        ),
        of_charger(
            told._replace(current_changed_at=HERE - 30 * S), report=Report(True, offered_a=Measured(16.0, HERE))
        ),
        of_charger(
            told._replace(enabled_disagreement=open_since._replace(repeats=2, told_at=HERE)),
            report=Report(False, is_enabled=Measured(False, HERE)),
        ),
        of_charger(
            told._replace(current_disagreement=open_since._replace(repeats=2, told_at=HERE)),
            report=Report(True, offered_a=Measured(16.0, HERE)),
        ),
        of_charger(told._replace(phases_disagreement=open_since)),
        of_charger(told._replace(phases_disagreement=open_since._replace(since=HERE - H, repeats=2, told_at=HERE))),
    ],
    "rousing": [of_rousing(HERE, None), of_rousing(None, HERE)],
    "sharing": [of_sharing(wake_timer=HERE, enable_changed_at=HERE), of_sharing(effect_at=HERE)],
    "unmetered": [of_unmetered((500, Offered(6.0, 3)), (0, Offered(16.0, 3)))],
    "demand": [of_demand(HERE, 60 * S)],
    "asking": [
        of_asking(PollState(asked_at=HERE, retries=2), reading=VehicleReading(must_retry=True)),
        of_asking(PollState(asked_at=HERE, retries=20), is_charging=True),
        of_asking(PollState(asked_at=HERE - 3000 * S), config=PollConfig(mode=PollMode.ALWAYS)),
        of_asking(PollState(paid_until=HERE + 2 * H), is_charging=True),
        of_asking(PollState(), answered_at=HERE - 1800 * S, is_connected=False),
    ],
    "plan_follow": [
        of_plan_follow(plan_follow.IDLE, Plan((Rate(NOON + 600 * S, NOON + H, 0.1),)), 3000 * S, NOON + 2 * H),
    ],
    "tariff": [
        of_tariff(Rates.of([Rate(NOON - H, NOON + H, 0.1)])),
        of_tariff(Rates.of([Rate(NOON + H, NOON + 2 * H, 0.1)])),
    ],
    "savings": [of_savings(SavingsState(since=NOON), 4000.0)],
    "circuit_loads": [
        of_circuits(effect_at=HERE - 6 * S, drew_a=12.0),
        of_circuits(drew_a=12.0),
        of_circuits(raised_at=HERE - 20 * S, drew_a=6.0, draws_a=6.0),
        of_circuits(voltage_at=HERE),
        of_circuits(expires_at=HERE + 30 * S),
    ],
    "readings": [of_readings(HERE)],
}


@pytest.mark.rule("SITE-24")
@pytest.mark.parametrize("machine", MACHINES)
@budget(300)
@given(data=st.data())
def test_before_its_next_change_a_machine_never_differs(machine: str, data: st.DataObject) -> None:
    case = data.draw(MACHINES[machine])
    until = HERE + LONG if case.change is None else case.change
    assert until > HERE
    here = case.look(HERE)
    for at in (until - TICK, HERE + data.draw(st.integers(0, (until - HERE) // TICK - 1)) * TICK):
        assert case.look(at) == here


@pytest.mark.rule("SITE-24")
@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{name}-{n}") for name, found in EXAMPLES.items() for n, case in enumerate(found)]
)
def test_at_its_next_change_it_may(case: Case) -> None:
    assert case.change is not None
    assert case.look(case.change - TICK) == case.look(HERE)
    assert case.look(case.change) != case.look(HERE)


def test_every_machine_has_an_example() -> None:
    assert EXAMPLES.keys() == MACHINES.keys()

"""What holds whatever happens: a machine that plugs, shades, changes its mind, breaks things and restarts."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest
from bench import Bench, loadpoint, run, site_config
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from evcclib.commands import Command, Disable, Enable, Result, SetCurrent, SwitchPhases
from evcclib.config import LoadpointConfig, VehicleConfig
from evcclib.errors import InvalidSetting
from evcclib.machines.charger import ceil_to_step, floor_to_step
from evcclib.model import Cause, ChargeMode, ChargerStatus, RemoteDemand
from evcclib.requests import DemandRemotely
from evcclib.site import Site, step

A, B, C = ChargerStatus.A, ChargerStatus.B, ChargerStatus.C
SECOND: Any = timedelta(seconds=1)

PLACES = st.builds(
    loadpoint,
    mode=st.sampled_from(ChargeMode),
    priority=st.integers(0, 2),
    can_switch_phases=st.booleans(),
    current_step_a=st.sampled_from([1.0, 0.1]),
    current_min_a=st.sampled_from([6.0, 6.5, 8.0]),
    current_max_a=st.sampled_from([13.0, 16.0, 32.0]),
    enable_delay=st.sampled_from([0, 60, 300]).map(lambda seconds: seconds * SECOND),
    disable_delay=st.sampled_from([0, 60, 180]).map(lambda seconds: seconds * SECOND),
    guard_duration=st.sampled_from([0, 60, 300]).map(lambda seconds: seconds * SECOND),
)


class Home(RuleBasedStateMachine):
    """One to three loadpoints under a sun that comes and goes. ``free``: an enable change without a wait is allowed."""

    bench: Bench
    count: int

    @initialize(places=st.lists(PLACES, min_size=1, max_size=3), house_w=st.sampled_from([0.0, 400.0]))
    def build(self, places: list[LoadpointConfig], house_w: float) -> None:
        self.bench = Bench(site_config(*places, vehicles=(VehicleConfig(name="zoe", capacity_kwh=50.0),)))
        self.places, self.count = places, len(places)
        self.house_w, self.sun_w = house_w, 0.0
        self.has_grid = True
        self.free = [True] * self.count
        self.changed_at: list[timedelta | None] = [None] * self.count
        self.energy_kwh = [0.0] * self.count
        self.steps()

    # what the world does

    @rule(sun_w=st.sampled_from([0.0, 1500.0, 2500.0, 4500.0, 8000.0, 20_000.0]))
    def sun(self, sun_w: float) -> None:
        self.sun_w = sun_w

    @rule(index=st.integers(0, 2), status=st.sampled_from([A, B, C]))
    def plug(self, index: int, status: ChargerStatus) -> None:
        box = self.bench.boxes[index % self.count]
        self.free[index % self.count] = True
        box.status = status if status is not C or box.is_enabled else B

    @rule(index=st.integers(0, 2), draws=st.booleans(), phases=st.integers(1, 3))
    def car(self, index: int, draws: bool, phases: int) -> None:
        box = self.bench.boxes[index % self.count]
        box.draws, box.car_phases, box.shows_currents = draws, phases, True

    @rule(has_grid=st.booleans())
    def grid_meter(self, has_grid: bool) -> None:
        self.has_grid = has_grid
        self.free = [True] * self.count

    @rule(index=st.integers(0, 2), result=st.sampled_from(Result), applied=st.integers(0, 1))
    def charger(self, index: int, result: Result, applied: int) -> None:
        box = self.bench.boxes[index % self.count]
        box.result, box.applied = result, applied
        self.free[index % self.count] = True

    # what people do

    @rule(index=st.integers(0, 2), mode=st.sampled_from(ChargeMode))
    def mode(self, index: int, mode: ChargeMode) -> None:
        self.bench.set("mode", mode, index % self.count)
        self.free[index % self.count] = True

    @rule(index=st.integers(0, 2), demand=st.sampled_from(RemoteDemand))
    def demand(self, index: int, demand: RemoteDemand) -> None:
        self.bench.submit(DemandRemotely(index % self.count, demand, "test"))
        self.free[index % self.count] = True

    @rule(
        index=st.integers(0, 2),
        name=st.sampled_from(["current_min_a", "current_max_a"]),
        amps=st.sampled_from([5.0, 6.0, 6.5, 10.0, 16.0, 20.0]),
    )
    def currents(self, index: int, name: str, amps: float) -> None:
        with contextlib.suppress(InvalidSetting):
            self.bench.set(name, amps, index % self.count)
        self.free[index % self.count] = True

    @rule(index=st.integers(0, 2), phases=st.sampled_from([0, 1, 3]))
    def phases(self, index: int, phases: int) -> None:
        if self.places[index % self.count].charger.can_switch_phases:
            self.bench.set("phases_configured", phases, index % self.count)
            self.free[index % self.count] = True

    # time passes

    @rule(ticks=st.integers(1, 40))
    def wait(self, ticks: int) -> None:
        for _ in range(ticks):
            self.bench.t += 10 * SECOND
            self.steps()

    @rule(downtime=st.sampled_from([0, 20, 3600]))
    def restart(self, downtime: int) -> None:
        bench = self.bench
        exported = bench.site.export(now=bench.now)
        bench.t += downtime * SECOND
        bench.site = Site.restore(bench.config, exported, now=bench.now)
        self.free = [True] * self.count

    def steps(self) -> None:
        """One step, twice from the same state, and its outcomes."""
        bench = self.bench
        drawn_w = sum(bench.power(box) for box in bench.boxes)
        bench.grid_w = self.house_w + drawn_w - self.sun_w if self.has_grid else None
        readings = bench.readings()
        before = len(bench.sent)
        _, twin = step(bench.config, bench.site.state, readings, now=bench.now, cause=Cause.INTERVAL)
        was_on = [box.is_enabled for box in bench.boxes]
        bench.step(Cause.INTERVAL, readings)
        sent = bench.sent[before:]
        assert tuple(batch.commands for batch in twin.commands.values()) == tuple(sent[: len(twin.commands)])  # INV-11
        for index, batch in twin.commands.items():
            self.check_batch(index, batch.commands, was_on=was_on[index])
        self.check_after()

    def check_batch(self, index: int, commands: tuple[Command, ...], *, was_on: bool) -> None:
        place, box = self.places[index], self.bench.boxes[index]
        settings_now = self.bench.site.state.loadpoints[index].settings
        step_a = place.charger.current_step_a
        if any(isinstance(command, SwitchPhases) for command in commands):
            self.free[index] = True  # a switch of phases is forced: its pause waits for no guard
        for command in commands:
            if isinstance(command, SwitchPhases):
                assert place.charger.can_switch_phases  # INV-1
                assert command.phases in (1, 3)
            elif isinstance(command, SetCurrent):  # INV-2
                lowest = ceil_to_step(settings_now.current_min_a, step_a)
                highest = floor_to_step(settings_now.current_max_a, step_a)
                assert lowest <= command.current_a <= highest
                assert command.current_a == floor_to_step(command.current_a, step_a)
            elif isinstance(command, Enable):
                assert box.status is not A  # INV-3
            if isinstance(command, Enable | Disable) and was_on is not isinstance(command, Enable):
                changed_at = self.changed_at[index]
                if not self.free[index] and not self.is_forced(index) and changed_at is not None:  # INV-4
                    assert self.bench.t - changed_at >= place.guard_duration - SECOND
                if box.result is Result.DONE:
                    self.changed_at[index] = self.bench.t
                    self.free[index] = any(isinstance(each, SwitchPhases) for each in commands)
                was_on = isinstance(command, Enable)

    def is_forced(self, index: int) -> bool:
        """Whether the law has a reason not to wait for the guard, or the charger gives none to."""
        state = self.bench.site.state.loadpoints[index]
        return (
            state.settings.mode in (ChargeMode.NOW, ChargeMode.OFF)
            or state.remote_demand is not RemoteDemand.ENABLE
            or self.bench.boxes[index].result is not Result.DONE
            or not self.has_grid  # the pause for a lost grid meter does not wait [DEF-47]
        )

    def check_after(self) -> None:
        for index, box in enumerate(self.bench.boxes):
            state = self.bench.site.state.loadpoints[index]
            if box.result is not Result.DONE or state.charger.pending is not None:
                continue
            if box.status is not A and state.settings.mode is ChargeMode.OFF:
                assert not box.is_enabled  # INV-5
            if box.status is A:
                assert not box.is_enabled  # DEF-6

    @invariant()
    def never_charges_below_its_minimum(self) -> None:
        if not hasattr(self, "bench"):
            return
        for box, place in zip(self.bench.boxes, self.places, strict=True):
            if box.is_enabled and box.offered_a:
                assert box.offered_a >= min(5.0, place.current_min_a)

    @invariant()
    def energy_never_runs_backwards(self) -> None:
        if not hasattr(self, "bench"):
            return
        for index, state in enumerate(self.bench.site.state.loadpoints):  # INV-9
            assert state.ledger.session_kwh >= 0
            assert state.ledger.total_kwh >= self.energy_kwh[index]
            self.energy_kwh[index] = state.ledger.total_kwh


Home.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@pytest.mark.timeout(600)  # a slow machine is no failure
@pytest.mark.rule("INV-1", "INV-2", "INV-3", "INV-4", "INV-5", "INV-9", "INV-11")
class TestHome(Home.TestCase):  # type: ignore[misc, valid-type]  # made by hypothesis at run time
    """The machine as a test."""


@settings(max_examples=40, deadline=None)
@given(
    switchable=st.booleans(),
    sun_w=st.floats(-2000, 15_000),
    current_min_a=st.sampled_from([6.0, 6.5, 8.0]),
    step_a=st.sampled_from([1.0, 0.1]),
)
@pytest.mark.rule("INV-6", "PV-10")
def test_minpv_ends_enabled_with_at_least_the_minimum(
    switchable: bool, sun_w: float, current_min_a: float, step_a: float
) -> None:
    bench = Bench(
        site_config(
            loadpoint(
                mode=ChargeMode.MINPV, can_switch_phases=switchable, current_min_a=current_min_a, current_step_a=step_a
            )
        )
    )
    bench.box.status = B
    run(bench, range(0, 700, 10), sun_w=sun_w)
    for seconds in range(700, 1000, 10):
        run(bench, [seconds], sun_w=sun_w)
        assert bench.box.is_enabled
        assert bench.box.offered_a >= current_min_a


@settings(max_examples=60, deadline=None)
@given(
    sun_w=st.floats(0, 20_000),
    phases=st.sampled_from([1, 3]),
    enable_s=st.sampled_from([0, 60, 300]),
    disable_s=st.sampled_from([0, 180]),
    house_w=st.floats(0, 1000),
)
@pytest.mark.rule("INV-7", "INV-8", "PV-3", "LIM-2")
def test_constant_sun_ends_in_a_constant_current_that_takes_nothing_from_the_grid(
    sun_w: float, phases: int, enable_s: int, disable_s: int, house_w: float
) -> None:
    bench = Bench(
        site_config(loadpoint(phases=phases, enable_delay=enable_s * SECOND, disable_delay=disable_s * SECOND))
    )
    bench.box.phases = phases
    bench.box.status = B
    run(bench, range(0, 900, 10), sun_w=sun_w, house_w=house_w)
    sent = run(bench, range(900, 1500, 10), sun_w=sun_w, house_w=house_w)
    assert sent == {}
    surplus_w = sun_w - house_w
    minimum_w = 6 * 230 * phases
    assert bench.box.is_enabled == (surplus_w >= minimum_w)
    if bench.box.is_enabled:
        assert bench.grid_w is not None
        assert bench.grid_w <= 1e-6
        assert bench.box.offered_a == min(16, int(surplus_w / 230 / phases))


@settings(max_examples=30, deadline=None)
@given(sun=st.lists(st.floats(4140, 9000), min_size=20, max_size=40))
@pytest.mark.rule("INV-7")
def test_enough_sun_never_stops(sun: list[float]) -> None:
    bench = Bench(site_config(loadpoint(phases=3)))
    bench.box.status = B
    for minute, sun_w in enumerate(sun):
        sent = run(bench, range(minute * 60, minute * 60 + 60, 10), sun_w=sun_w)
        assert not any(isinstance(command, Disable) for commands in sent.values() for command in commands)
    assert bench.box.is_enabled

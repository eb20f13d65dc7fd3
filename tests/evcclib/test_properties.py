"""What holds for every site, whatever is read, whoever asks, whatever fails."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from datetime import timedelta
from itertools import zip_longest
from typing import Any

import pytest
from bench import Bench, loadpoint, site_config
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import SECOND, START, any_readings, any_requests, budget, site_configs

from evcclib import Site
from evcclib.commands import Batch, Disable, Enable, Outcome, Result, SetCurrent, SwitchPhases
from evcclib.config import CircuitConfig, SiteConfig
from evcclib.decision import Decision
from evcclib.errors import EvccError
from evcclib.events import SessionChanged
from evcclib.machines.charger import ceil_to_step, floor_to_step
from evcclib.model import Cause, ChargeMode, ChargerStatus, Now, RemoteDemand, VehicleFeature
from evcclib.pipeline.observe_loadpoint import OUTCOME_DUE
from evcclib.readings import ABSENT, BatteryReading, ChargerReading, Measured, MeterReading, Readings, VehicleReading
from evcclib.units import ORIGIN, Instant

FUZZ = budget(40)
CAUSES = [Cause.INTERVAL] * 5 + [Cause.SAMPLE, Cause.STATUS, Cause.REQUEST, Cause.OUTCOME, Cause.WAKE]


class Story:
    """A site, and what happens to it; the same moves can be told to two sites."""

    def __init__(self, config: SiteConfig) -> None:
        self.config = config
        self.t = ORIGIN
        self.site = Site(config, now=self.now)
        self.in_flight: dict[int, Batch] = {}
        self.issued_at: dict[int, Instant] = {}

    @property
    def now(self) -> Now:
        return Now(self.t, START + self.t)

    def tell(self, data: st.DataObject) -> tuple[Readings, Cause]:
        self.t += data.draw(st.sampled_from([0, 1, 10, 10, 10, 30, 60, 200])) * SECOND
        if data.draw(st.integers(0, 3)) == 0:
            request = data.draw(any_requests(self.config, self.now.utc))
            before = json.dumps(self.site.export(now=self.now))
            try:
                self.site.submit(request, now=self.now)
            except EvccError:
                assert json.dumps(self.site.export(now=self.now)) == before
        readings = data.draw(any_readings(self.config, self.t, self.in_flight))
        for outcome in readings.outcomes:
            self.in_flight.pop(outcome.loadpoint, None)
        return readings, data.draw(st.sampled_from(CAUSES))

    def step(self, readings: Readings, cause: Cause) -> Decision:
        decision = self.site.step(readings, now=self.now, cause=cause)
        for index, batch in decision.commands.items():
            assert index not in self.in_flight or self.t - self.issued_at[index] >= OUTCOME_DUE
            self.in_flight[index] = batch
            self.issued_at[index] = self.t
        return decision


def check(story: Story, decision: Decision, readings: Readings) -> None:
    for index, batch in decision.commands.items():
        check_batch(story, index, batch, readings)
    assert decision.wake_at is None or decision.wake_at > story.t
    assert len(decision.reasons) == len(story.config.loadpoints)
    owners = [each.vehicle for each in story.site.state.loadpoints if each.vehicle is not None]
    assert len(owners) == len(set(owners))  # INV-13


def check_unheard(story: Story, index: int, batch: Batch) -> None:
    """Who is silent is told at most to take less: what surely stands, the minimum if nobody knows what that is, or nothing."""
    standing_a = story.site.state.loadpoints[index].charger.standing_a
    (command,) = batch.commands
    if not isinstance(command, Disable):
        assert isinstance(command, SetCurrent)
        minimum_a = ceil_to_step(story.site.state.loadpoints[index].settings.current_min_a, 1.0)
        assert command.current_a <= (minimum_a if standing_a is None else standing_a.least_a)


def check_batch(story: Story, index: int, batch: Batch, readings: Readings) -> None:
    charger = story.config.loadpoints[index].charger
    lp = story.site.state.loadpoints[index]
    status = readings.chargers[index].status
    if not isinstance(status, Measured) or story.t - status.sampled_at > story.config.reading_age_max:
        check_unheard(story, index, batch)
    vehicle = story.config.vehicle_by_name().get(lp.vehicle or "")
    is_coarse = vehicle is not None and VehicleFeature.COARSE_CURRENT in vehicle.features
    step_a = 1.0 if is_coarse else charger.current_step_a
    for command in batch.commands:
        if isinstance(command, SwitchPhases):  # INV-1
            assert charger.can_switch_phases and command.phases in (1, 3)
        elif isinstance(command, SetCurrent):  # INV-2
            assert command.current_a >= ceil_to_step(lp.settings.current_min_a, step_a)
            assert command.current_a <= floor_to_step(lp.settings.current_max_a, step_a)
            assert charger.current_max_a is None or command.current_a <= charger.current_max_a
        elif isinstance(command, Enable):  # INV-3
            assert isinstance(status, Measured) and status.value in (ChargerStatus.B, ChargerStatus.C)
    operator = readings.operator_limit
    if operator is not None and story.t < operator.expires_at:
        currents = [c.current_a for c in batch.commands if isinstance(c, SetCurrent)]
        assert all(current * 230 <= operator.power_w + 1e-6 for current in currents)


@pytest.mark.rule("INV-1", "INV-2", "INV-3", "INV-9", "INV-11", "INV-13", "CUT-6", "DEF-41")
@FUZZ
@given(config=site_configs(), data=st.data())
def test_nothing_read_or_asked_breaks_a_promise(config: SiteConfig, data: st.DataObject) -> None:
    story = Story(config)
    totals = [0.0] * len(config.loadpoints)
    for _ in range(data.draw(st.integers(1, 12))):
        readings, cause = story.tell(data)
        decision = story.step(readings, cause)
        check(story, decision, readings)
        view = story.site.view(now=story.now)
        assert view.savings.total_charged_kwh >= 0
        assert 0 <= view.savings.self_consumption_pct <= 100 + 1e-9  # INV-14
        for index, each in enumerate(story.site.state.loadpoints):
            assert each.ledger.total_kwh >= totals[index]  # INV-9
            totals[index] = each.ledger.total_kwh
            assert view.loadpoints[index].energy_charged_kwh >= 0
            with contextlib.suppress(EvccError):
                story.site.plan(index, now=story.now, target_time=story.now.utc + timedelta(hours=2))


@pytest.mark.rule("SITE-22", "N-2", "INV-11")
@FUZZ
@given(config=site_configs(), data=st.data())
def test_a_restart_changes_nothing(config: SiteConfig, data: st.DataObject) -> None:
    """step, step is step, export, restore, step: on another clock, with no batch in flight at the time."""
    story = Story(config)
    origin = data.draw(st.sampled_from([0, 5, -10_000, 10**7])) * SECOND
    for _ in range(data.draw(st.integers(1, 8))):
        story.step(*story.tell(data))
    readings, cause = story.tell(data)
    assume(not config.circuits)  # a limit is not proven by a meter seen before the restart
    readings = replace(
        readings,
        outcomes=tuple(replace(outcome) for outcome in readings.outcomes if outcome.loadpoint not in story.in_flight),
    )
    for each in story.site.state.loadpoints:
        each.charger = each.charger._replace(pending=None)
        each.remote_demand, each.remote_source = RemoteDemand.ENABLE, ""  # forgotten by a restart, on purpose
    plain = json.loads(json.dumps(story.site.export(now=story.now)))
    twin = Site.restore(config, plain, now=Now(story.t + origin, story.now.utc))
    here = story.site.step(readings, now=story.now, cause=cause)
    there = twin.step(shifted(readings, origin), now=Now(story.t + origin, story.now.utc), cause=cause)
    assert there.commands == here.commands
    assert there.events == here.events
    assert there.reads == here.reads
    assert there.wake_at == (None if here.wake_at is None else here.wake_at + origin)
    assert [reason.code for reason in there.reasons] == [reason.code for reason in here.reasons]
    again = twin.export(now=Now(story.t + origin, story.now.utc))
    assert again == story.site.export(now=story.now)


def shifted(value: Any, by: Instant) -> Any:
    """The same readings on another clock."""
    if isinstance(value, Measured):
        return Measured(value.value, value.sampled_at + by)
    if isinstance(value, tuple):
        return tuple(shifted(each, by) for each in value)
    if isinstance(value, dict):
        return {key: shifted(each, by) for key, each in value.items()}
    if hasattr(value, "expires_at"):
        return replace(value, expires_at=value.expires_at + by)
    if isinstance(value, Readings | MeterReading | BatteryReading | ChargerReading | VehicleReading):
        return replace(value, **{name: shifted(getattr(value, name), by) for name in value.__dataclass_fields__})
    return value


class World:
    """Constant readings, except that cars react to what their chargers are told. Samples never get too old."""

    def __init__(self, config: SiteConfig, readings: Readings, cars: list[tuple[ChargerStatus, int, bool]]) -> None:
        self.config = config
        self.readings: Readings = lasting(readings)
        self.cars = cars
        self.statuses = [status for status, _, _ in cars]
        self.enabled = [False] * len(cars)
        self.offered = [0.0] * len(cars)
        self.phases = [each.phases or 3 for each in config.loadpoints]
        self.site = Site(config, now=self.now(ORIGIN))
        self.trace: list[tuple[Instant, object]] = []

    def now(self, t: Instant) -> Now:
        return Now(t, START + t)

    def read(self, outcomes: tuple[Outcome, ...]) -> Readings:
        boxes = []
        for index, (_, car_phases, _) in enumerate(self.cars):
            config = self.config.loadpoints[index]
            is_charging = self.statuses[index] is ChargerStatus.C
            count = min(car_phases, self.phases[index])
            amps = self.offered[index] if is_charging and self.enabled[index] else 0.0
            currents = (amps if count > 0 else 0.0, amps if count > 1 else 0.0, amps if count > 2 else 0.0)
            boxes.append(
                replace(
                    self.readings.chargers[index],
                    status=Measured(self.statuses[index], FOREVER),
                    is_enabled=Measured(self.enabled[index], FOREVER),
                    power_w=Measured(sum(currents) * 230, FOREVER),
                    currents_a=Measured(currents, FOREVER) if config.charger.has_power else ABSENT,
                    energy_total_kwh=ABSENT,
                    phases=ABSENT,
                )
            )
        return replace(self.readings, chargers=tuple(boxes), outcomes=outcomes)

    def step(self, t: Instant, cause: Cause) -> Instant | None:
        """One step and the outcomes of its commands."""
        decision = self.site.step(self.read(()), now=self.now(t), cause=cause)
        self.note(t, decision)
        wake_at = decision.wake_at
        while decision.commands:
            outcomes = tuple(self.obey(index, batch) for index, batch in decision.commands.items())
            decision = self.site.step(self.read(outcomes), now=self.now(t), cause=Cause.OUTCOME)
            self.note(t, decision)
            wake_at = decision.wake_at
        return wake_at

    def note(self, t: Instant, decision: Decision) -> None:
        self.trace += [(t, (index, batch)) for index, batch in decision.commands.items()]
        self.trace += [(t, event) for event in decision.events if not isinstance(event, SessionChanged)]
        self.trace += [(t, read) for read in sorted(decision.reads, key=str)]

    def obey(self, index: int, batch: Batch) -> Outcome:
        _, _, starts = self.cars[index]
        for command in batch.commands:
            if isinstance(command, SetCurrent):
                self.offered[index] = command.current_a
            elif isinstance(command, SwitchPhases):
                self.phases[index] = command.phases
            elif isinstance(command, Enable | Disable):
                self.enabled[index] = isinstance(command, Enable)
                if self.statuses[index] is not ChargerStatus.A and starts:
                    self.statuses[index] = ChargerStatus.C if self.enabled[index] else ChargerStatus.B
        return Outcome(index, batch.number, Result.DONE, len(batch.commands))


FOREVER: Any = timedelta(days=365)


def lasting(value: Any) -> Any:
    """The same readings with samples that never get too old, and without failures."""
    if isinstance(value, Measured):
        return Measured(0.0 if value.value != value.value else value.value, FOREVER)
    if isinstance(value, tuple):
        return tuple(lasting(each) for each in value)
    if isinstance(value, dict):
        return {key: lasting(each) for key, each in value.items()}
    if isinstance(value, Readings | MeterReading | BatteryReading | ChargerReading | VehicleReading):
        return replace(value, **{name: lasting(getattr(value, name)) for name in value.__dataclass_fields__})
    return value


@pytest.mark.rule("SITE-1", "SITE-2", "N-3", "INV-11")
@FUZZ
@given(
    config=site_configs(most=2, has_circuits=False),
    cars=st.lists(
        st.tuples(
            st.sampled_from([ChargerStatus.A, ChargerStatus.B, ChargerStatus.B]), st.sampled_from([1, 3]), st.booleans()
        ),
        min_size=2,
        max_size=2,
    ),
    data=st.data(),
)
def test_skipping_to_wake_at_is_ticking(
    config: SiteConfig, cars: list[tuple[ChargerStatus, int, bool]], data: st.DataObject
) -> None:
    readings = data.draw(any_readings(config, ORIGIN, {}))
    horizon = data.draw(st.sampled_from([700, 4000])) * SECOND
    ticking, skipping = (World(config, readings, cars[: len(config.loadpoints)]) for _ in range(2))
    requests = data.draw(st.lists(any_requests(config, START), max_size=3))
    for world in (ticking, skipping):
        for request in requests:
            with contextlib.suppress(EvccError):
                world.site.submit(request, now=world.now(ORIGIN))
    t = ORIGIN
    ticking.step(t, Cause.START)
    while (t := t + config.interval) <= horizon:
        ticking.step(t, Cause.INTERVAL)
    wake_at = skipping.step(ORIGIN, Cause.START)
    steps = 0
    while wake_at is not None and wake_at <= horizon:
        assert wake_at % config.interval == timedelta(0)
        wake_at = skipping.step(wake_at, Cause.WAKE)
        steps += 1
    for skipped, ticked in zip_longest(skipping.trace, ticking.trace):
        assert skipped == ticked
    here, there = ticking.site.view(now=ticking.now(horizon)), skipping.site.view(now=skipping.now(horizon))
    for one, other in zip(here.loadpoints, there.loadpoints, strict=True):
        assert other.settings == one.settings
        assert (other.is_enabled, other.current_offered_a) == (one.is_enabled, one.current_offered_a)
        assert (other.pv_action, other.phase_action) == (one.pv_action, one.phase_action)
        assert other.reason.code is one.reason.code
    assert there.savings.amount == pytest.approx(here.savings.amount, abs=1e-6)


@pytest.mark.rule("INV-2", "DEF-49")
@budget(1000)
@given(
    limit_a=st.sampled_from([10.0, 16.0, 20.0, 25.0, 35.0]),
    modes=st.lists(st.sampled_from(list(ChargeMode)), min_size=1, max_size=3),
    phases=st.lists(st.sampled_from([1, 3]), min_size=3, max_size=3),
    rotations=st.lists(st.permutations([1, 2, 3]), min_size=3, max_size=3),
    days=st.lists(
        st.tuples(
            st.tuples(*[st.floats(0, 20)] * 3),
            st.floats(0, 12_000),
            st.sampled_from([None, 0, 1, 2]),
        ),
        min_size=3,
        max_size=25,
    ),
)
def test_fuse_of_the_house_is_kept(
    limit_a: float,
    modes: list[ChargeMode],
    phases: list[int],
    rotations: list[list[int]],
    days: list[tuple[tuple[float, float, float], float, int | None]],
) -> None:
    """After every step, what flows and what may flow stays below the limit in each phase that a charger uses."""
    lps = [
        loadpoint(
            mode=mode,
            phases=phases[index],
            circuit="house",
            phase_rotation=tuple(rotations[index]),
            guard_duration=60 * SECOND,
        )
        for index, mode in enumerate(modes)
    ]
    bench = Bench(
        site_config(*lps, circuits=(CircuitConfig(name="house", current_max_a=limit_a, uses_grid_meter=True),))
    )
    for number, (loads_a, sun_w, toggled) in enumerate(days):
        bench.t = number * 10 * SECOND
        if toggled is not None and toggled < len(bench.boxes):
            box = bench.boxes[toggled]
            box.status = ChargerStatus.B if box.status is ChargerStatus.A else ChargerStatus.A
        used_a = _offered(bench)
        total_w = sum(bench.power(box) for box in bench.boxes) - sun_w
        metered = [load + used for load, used in zip(loads_a, used_a, strict=True)]
        bench.grid = MeterReading(
            power_w=Measured(total_w, bench.t), currents_a=Measured((metered[0], metered[1], metered[2]), bench.t)
        )
        bench.step()
        for phase, used in enumerate(_offered(bench, is_drawing=False)):
            assert used == 0 or used + loads_a[phase] <= limit_a + 1e-6


def _offered(bench: Bench, *, is_drawing: bool = True) -> list[float]:
    """Current on each grid phase that cars draw, or may draw."""
    used_a = [0.0, 0.0, 0.0]
    for box, config in zip(bench.boxes, bench.config.loadpoints, strict=True):
        if box.is_enabled and (box.status is ChargerStatus.C or not is_drawing):
            for phase in config.phase_rotation[: box.phases]:
                used_a[phase - 1] += box.offered_a
    return used_a

"""The last word is the limit's: stories of lost answers, silence, restarts and people, judged by what really flows.

Stations keep a truth of their own: an answer may be late, lost or wrong about how much was carried out. The meter is exact, so
that whatever exceeds a limit could be known to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any, NamedTuple

import pytest
from bench import Bench, Box, S, loadpoint, site_config
from hypothesis import given
from hypothesis import strategies as st
from strategies import budget

from evcclib import Site
from evcclib.commands import Batch, Disable, Outcome, Result, SetCurrent
from evcclib.config import BatteryConfig, CircuitConfig, LoadpointConfig, SiteConfig
from evcclib.errors import InvalidSetting
from evcclib.laws.law import ON_TICKS_AND_REQUESTS
from evcclib.machines.charger import COMMAND_RETRY, forget_current
from evcclib.model import Cause, ChargeMode, ChargerStatus, PhaseTriple
from evcclib.pipeline.circuit_loads import METER_LAG
from evcclib.pipeline.sharing import OBEDIENCE, RAMP
from evcclib.readings import ChargerReading, Measured, MeterReading, Missing, OperatorLimit, Readings

A, B, C = ChargerStatus.A, ChargerStatus.B, ChargerStatus.C
UNDISTURBED = OBEDIENCE + METER_LAG
"""So long after a command it is open what a meter shows of it; for `RAMP` whether a car takes what it is offered."""


class Answer(NamedTuple):
    """What becomes of a batch: what its outcome says, how many commands really work, and whether the outcome comes late."""

    result: Result = Result.DONE
    told: int = 0
    works: int = 9
    is_late: bool = False


OBEYS = Answer()


Event = tuple[str, Any]
"""What happens: its name, a method of `Story`, and with what."""


class Moment(NamedTuple):
    """A step: how long after the last one, why, and what has happened just before."""

    after_s: int
    cause: Cause
    events: list[Event]


class Story(Bench):
    """A site whose stations have a truth of their own."""

    def __init__(self, config: SiteConfig) -> None:
        super().__init__(config)
        self.silent: frozenset[int] = frozenset()
        self.answers: tuple[Answer, ...] = ()
        self.late: list[Outcome] = []
        self.loads_a: PhaseTriple = (0.0, 0.0, 0.0)
        self.gives_a = 0.0  # a battery, on each phase
        self.operator_w: float | None = None
        self.has_restarted = False
        self.settled_at = timedelta(0)  # until then it is open what the meter shows of cars
        self.is_metered = any(circuit.uses_grid_meter for circuit in config.circuits)
        self.is_open = False
        self.disobeyed: set[int] = set()
        self.refused_until: dict[int, timedelta] = {}  # what has just been refused is not said again at once
        self.unheard: set[int] = set()  # whose last command was not done

    def charger_reading(self, box: Box) -> ChargerReading:
        if any(box is self.boxes[index] for index in self.silent if index < len(self.boxes)):
            return ChargerReading(status=Missing(self.t))
        return super().charger_reading(box)

    def tell(self, moment: Moment) -> None:
        """One moment, and everything that follows from it at once."""
        self.t += moment.after_s * S
        self.is_open = self.t < self.settled_at and self.is_metered
        self.answers, self.disobeyed, self.has_restarted = (), set(), False
        for name, value in moment.events:
            getattr(self, name)(value)
        if self.operator_w is not None:
            self.operator = OperatorLimit(power_w=self.operator_w, expires_at=self.t + 90 * S)
        shown_a = [load + used - self.gives_a for load, used in zip(self.loads_a, self.used_a(), strict=True)]
        first, second, third = shown_a
        self.battery = [(690.0 * self.gives_a, 50.0)] * len(self.config.batteries)
        self.grid = MeterReading(
            power_w=Measured((first + second + third) * self.config.voltage_v, self.t),
            currents_a=Measured((first, second, third), self.t),
        )
        self.outcomes, self.late = self.late, []
        self.ask(Cause.START if self.has_restarted else moment.cause)

    # what may happen

    def house(self, loads_a: PhaseTriple) -> None:
        """The house takes less the sun gives, on each phase."""
        self.loads_a = loads_a

    def give(self, gives_a: float) -> None:
        self.gives_a = gives_a

    def operate(self, power_w: float | None) -> None:
        self.operator, self.operator_w = None, power_w

    def plug(self, index: int) -> None:
        box = self.boxes[index % len(self.boxes)]
        box.status = B if box.status is A else A
        self.settled_at = self.t + RAMP

    def silence(self, silent: frozenset[int]) -> None:
        if self.silent - silent:  # whoever is heard again may have stopped just now: the meter may still show it
            self.settled_at = max(self.settled_at, self.t + METER_LAG)
            self.is_open |= self.is_metered
        self.silent = silent

    def answer_with(self, answers: tuple[Answer, ...]) -> None:
        self.answers = answers

    def change(self, change: tuple[int, str, Any]) -> None:
        index, name, value = change
        with contextlib.suppress(InvalidSetting):
            self.set(name, value, index % len(self.boxes))

    def restart(self, by_server: bool) -> None:
        self.site = Site.restore(self.config, self.site.export(now=self.now), now=self.now)
        if by_server:
            for each in self.site.state.loadpoints:
                each.charger = forget_current(each.charger)
        self.late, self.has_restarted = [], True

    def ask(self, cause: Cause) -> None:
        readings: Readings = self.readings()
        decision = self.site.step(readings, now=self.now, cause=cause)
        for index, batch in decision.commands.items():
            if cause not in ON_TICKS_AND_REQUESTS:
                self.check_that_nothing_is_raised(index, batch)
            self.obey(index, batch)
        if self.outcomes:
            self.ask(Cause.OUTCOME)

    def obey(self, index: int, batch: Batch) -> None:
        answer = self.answers[index % len(self.answers)] if self.answers else OBEYS
        self.settled_at = max(self.settled_at, self.t + (UNDISTURBED if answer == OBEYS else RAMP))
        for command in batch.commands[: answer.works]:
            self.carry_out(self.boxes[index], command)
        told = len(batch.commands) if answer.result is Result.DONE else min(answer.told, len(batch.commands))
        outcome = Outcome(index, batch.number, answer.result, told)
        if answer.result is Result.FAILED or (answer.result is Result.UNKNOWN and index in self.unheard):
            self.refused_until[index] = self.t + COMMAND_RETRY
        (self.unheard.discard if answer.result is Result.DONE else self.unheard.add)(index)
        (self.late if answer.is_late else self.outcomes).append(outcome)
        if answer != OBEYS:
            self.disobeyed.add(index)
            self.is_open |= answer.is_late  # until it has answered it is taken at its word

    # what must be true

    def check_that_nothing_is_raised(self, index: int, batch: Batch) -> None:
        box = self.boxes[index]
        for command in batch.commands:
            assert isinstance(command, Disable | SetCurrent), f"{command} without a decision"
            if isinstance(command, SetCurrent) and box.is_enabled:
                assert command.current_a <= box.offered_a, f"{box.offered_a} A raised to {command.current_a} A"

    def check_that_limits_hold(self) -> None:
        """What flows and may flow is within each limit, unless all that is left there cannot be lowered."""
        cars_a = self.used_a(may=True)
        for circuit in self.config.circuits:
            loads_a = self.loads_a if circuit.uses_grid_meter else (0.0, 0.0, 0.0)
            totals_a = [load + used for load, used in zip(loads_a, cars_a, strict=True)]
            for phase, total_a in enumerate(totals_a):
                if circuit.current_max_a is not None and total_a > circuit.current_max_a + 1e-6:
                    self.check_that_nobody_could_give_up([phase + 1], f"{total_a} A on L{phase + 1} of {circuit}")
            total_w = sum(totals_a) * self.config.voltage_v
            if circuit.power_max_w is not None and total_w > circuit.power_max_w + 1e-6:
                self.check_that_nobody_could_give_up([1, 2, 3], f"{total_w} W in {circuit}")
            if circuit.unbalance_max_a is not None:
                self.check_that_differences_hold(loads_a, circuit.unbalance_max_a)
        cars_w = sum(cars_a) * self.config.voltage_v
        if self.operator is not None and cars_w > self.operator.power_w + 1e-6:
            self.check_that_nobody_could_give_up([1, 2, 3], f"{cars_w} W, allowed {self.operator.power_w} W")

    def check_that_differences_hold(self, loads_a: PhaseTriple, limit_a: float) -> None:
        """No phase may carry so much more than another, whoever of those on the other stops."""
        for one, other in permutations((1, 2, 3), 2):
            uneven = [index for index in range(len(self.boxes)) if self.used(index) & {one, other} == {one}]
            beyond_a = loads_a[one - 1] - loads_a[other - 1] + self.used_a(may=True, only=uneven)[one - 1]
            if beyond_a > limit_a + 1e-6:
                excess = f"{beyond_a} A more on L{one} than on L{other}"
                self.check_that_nobody_could_give_up([one], excess, among=uneven)

    def used(self, index: int) -> set[int]:
        """The grid phases that a car draws on."""
        box, config = self.boxes[index], self.config.loadpoints[index]
        return set(config.phase_rotation[: min(box.phases, box.car_phases)])

    def check_that_nobody_could_give_up(
        self, phases: list[int], excess: str, among: Collection[int] = range(9)
    ) -> None:
        for index, box in enumerate(self.boxes):
            uses = set(phases) & self.used(index) if index in among else set()
            is_obedient = index not in self.silent and index not in self.disobeyed
            is_obedient &= self.refused_until.get(index, self.t) <= self.t
            assert not (uses and is_obedient and box.is_enabled and box.status is not A), (
                f"loadpoint {index} at {box.offered_a} A: {excess}; {self.site.state.loadpoints[index].reason}"
            )

    def used_a(self, *, may: bool = False, only: Collection[int] = range(9)) -> list[float]:
        """What cars draw on each grid phase [A]; ``may``: or may draw, those that can be asked."""
        used_a = [0.0, 0.0, 0.0]
        for index, box in enumerate(self.boxes):
            counts = box.status is C or (may and box.status is B and index not in self.silent)
            if counts and box.is_enabled and index in only:
                for phase in self.used(index):
                    used_a[phase - 1] += box.offered_a
        return used_a


ANSWERS = st.one_of(
    st.just(OBEYS),
    st.just(OBEYS),
    st.tuples(st.integers(0, 4), st.booleans()).map(lambda drawn: Answer(Result.UNKNOWN, 0, *drawn)),
    st.integers(0, 3).map(lambda applied: Answer(Result.FAILED, applied, applied)),
    st.just(Answer(is_late=True)),
)
CAUSES = st.sampled_from([Cause.INTERVAL] * 4 + [Cause.SAMPLE] * 3 + [Cause.STATUS, Cause.REQUEST, Cause.WAKE])
INDICES = st.integers(0, 2)
LOADS_A = st.sampled_from([-16.0, -8.0, 0.0, 0.0, 3.0, 9.0, 15.9]) | st.floats(-16, 20)


def event(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    return values.map(lambda value: (name, value))


EVENTS = st.one_of(
    event("house", LOADS_A.map(lambda load: (load, load, load))),
    event("house", LOADS_A.map(lambda load: (load, load, load))),
    event("house", st.tuples(LOADS_A, LOADS_A, LOADS_A)),
    event("operate", st.sampled_from([None, 600.0, 3000.0, 4000.0, 8000.0])),
    event("plug", INDICES),
    event("silence", st.sampled_from([frozenset(), frozenset(), frozenset({0}), frozenset({1})])),
    event("answer_with", st.lists(ANSWERS, min_size=1, max_size=3).map(tuple)),
    event("answer_with", st.lists(ANSWERS, min_size=1, max_size=3).map(tuple)),
    event("change", st.tuples(INDICES, st.just("mode"), st.sampled_from(ChargeMode))),
    event("change", st.tuples(INDICES, st.just("current_max_a"), st.sampled_from([7.0, 10.0, 13.0, 16.0]))),
    event("restart", st.booleans()),
)
MOMENTS = st.builds(
    Moment,
    after_s=st.sampled_from([1, 10, 10, 10, 10, 30]),
    cause=CAUSES,
    events=st.lists(EVENTS, max_size=2),
)
PLACES = st.builds(
    loadpoint,
    mode=st.sampled_from([ChargeMode.PV, ChargeMode.PV, ChargeMode.NOW, ChargeMode.MINPV]),
    can_switch_phases=st.booleans(),
    phases=st.sampled_from([0, 1, 3]),
    phase_rotation=st.permutations([1, 2, 3]).map(tuple),
    priority=st.integers(0, 1),
    circuit=st.just("house"),
    enable_delay=st.sampled_from([0, 60]).map(lambda seconds: seconds * S),
    disable_delay=st.sampled_from([0, 180]).map(lambda seconds: seconds * S),
    guard_duration=st.sampled_from([0, 60, 300]).map(lambda seconds: seconds * S),
)
HOUSES = st.sampled_from(
    [
        CircuitConfig(name="house", current_max_a=16.0, uses_grid_meter=True),
        CircuitConfig(name="house", current_max_a=25.0, uses_grid_meter=True),
        CircuitConfig(name="house", power_max_w=4000.0, uses_grid_meter=True),
        CircuitConfig(name="house", power_max_w=9000.0, uses_grid_meter=True),
        CircuitConfig(name="house", current_max_a=63.0),
    ]
)


def tell(
    places: list[LoadpointConfig],
    house: CircuitConfig,
    story: list[Moment],
    car_phases: Sequence[int] = (3, 3, 3),
    batteries: tuple[BatteryConfig, ...] = (),
) -> None:
    """Live through ``story`` with a car at each station, and see after every moment that no limit is exceeded."""
    told = Story(site_config(*places, circuits=(house,), batteries=batteries))
    for box, place, phases in zip(told.boxes, places, car_phases, strict=False):
        box.status, box.shows_currents, box.offered_a, box.car_phases = B, True, place.current_min_a, phases
    for moment in story:
        told.tell(moment)
        if not told.is_open:
            told.check_that_limits_hold()


@pytest.mark.rule("INV-2", "DEF-47", "DEF-49")
@budget(1000)
@given(places=st.lists(PLACES, min_size=1, max_size=3), house=HOUSES, story=st.lists(MOMENTS, min_size=3, max_size=25))
def test_nothing_is_raised_without_a_decision_and_no_limit_that_can_be_proven_is_exceeded(
    places: list[LoadpointConfig], house: CircuitConfig, story: list[Moment]
) -> None:
    tell(places, house, story)


@pytest.mark.rule("CIR-1", "INV-2", "DEF-47", "PH-3")
@budget(1000)
@given(
    places=st.lists(PLACES, min_size=1, max_size=3),
    car_phases=st.lists(st.integers(1, 3), min_size=3, max_size=3),
    limit_a=st.sampled_from([8.0, 14.0, 20.0]),
    is_metered=st.booleans(),
    story=st.lists(MOMENTS, min_size=3, max_size=25),
)
def test_no_difference_between_phases_that_can_be_known_exceeds_its_limit(
    places: list[LoadpointConfig], car_phases: list[int], limit_a: float, is_metered: bool, story: list[Moment]
) -> None:
    house = CircuitConfig(name="house", unbalance_max_a=limit_a, uses_grid_meter=is_metered)
    tell(places, house, story, car_phases)


@pytest.mark.rule("CIR-3", "INV-2")
@budget(500)
@given(
    places=st.lists(PLACES, min_size=1, max_size=3),
    house=HOUSES,
    phases=st.sampled_from([0, 3]),
    story=st.lists(
        st.one_of(
            MOMENTS,
            st.builds(
                Moment, after_s=st.just(10), cause=CAUSES, events=st.lists(event("give", st.floats(0, 20)), max_size=1)
            ),
        ),
        min_size=3,
        max_size=20,
    ),
)
def test_limits_hold_without_what_a_battery_gives(
    places: list[LoadpointConfig], house: CircuitConfig, phases: int, story: list[Moment]
) -> None:
    tell(places, house, story, batteries=(BatteryConfig(circuit="house", phases=phases),))


@pytest.mark.rule("INV-2", "CUT-4")
@budget(1000)
@given(
    place=st.builds(loadpoint, mode=st.just(ChargeMode.NOW), can_switch_phases=st.booleans(), circuit=st.just("house")),
    story=st.lists(
        st.builds(
            Moment,
            after_s=st.sampled_from([1, 10]),
            cause=CAUSES,
            events=st.lists(
                st.one_of(
                    event("change", st.tuples(st.just(0), st.just("current_max_a"), st.integers(7, 16))),
                    event("operate", st.sampled_from([None, 600.0, 4000.0, 6000.0, 8000.0])),
                    event("answer_with", ANSWERS.map(lambda answer: (answer,))),
                    event("restart", st.booleans()),
                ),
                min_size=1,
                max_size=3,
            ),
        ),
        min_size=3,
        max_size=15,
    ),
)
def test_whatever_becomes_of_commands_nothing_is_raised_without_a_decision(
    place: LoadpointConfig, story: list[Moment]
) -> None:
    tell([place], CircuitConfig(name="house", current_max_a=14.0), story)


@pytest.mark.rule("INV-2", "LIM-5")
@budget(1000)
@given(
    disable_s=st.sampled_from([0, 60]),
    guard_s=st.sampled_from([60, 300]),
    mode=st.sampled_from([ChargeMode.PV, ChargeMode.MINPV]),
    is_switchable=st.booleans(),
    story=st.lists(
        st.builds(
            Moment,
            after_s=st.sampled_from([10, 20]),
            cause=st.sampled_from([Cause.INTERVAL, Cause.INTERVAL, Cause.SAMPLE, Cause.WAKE]),
            events=st.lists(
                event("house", st.sampled_from([-16.0, -8.0, 0.0, 9.0, 15.9]).map(lambda load: (load, load, load))),
                max_size=1,
            ),
        ),
        min_size=5,
        max_size=20,
    ),
)
def test_whatever_waits_no_limit_is_exceeded_under_the_sun(
    disable_s: int, guard_s: int, mode: ChargeMode, is_switchable: bool, story: list[Moment]
) -> None:
    place = loadpoint(
        mode=mode,
        can_switch_phases=is_switchable,
        circuit="house",
        enable_delay=0 * S,
        disable_delay=disable_s * S,
        guard_duration=guard_s * S,
    )
    tell([place], CircuitConfig(name="house", current_max_a=16.0, uses_grid_meter=True), story)


@pytest.mark.rule("INV-2", "DEF-47")
@pytest.mark.parametrize("circuits", [(), (CircuitConfig(name="house", current_max_a=14.0),)])
def test_a_maximum_that_is_lowered_has_not_arrived_where_nobody_knows_what_stands(
    circuits: tuple[CircuitConfig, ...],
) -> None:
    """After a restart 9 A stand, and what was said of it got no answer: a maximum of 7 A is no reason to count on 7 A."""
    lost = Answer(Result.UNKNOWN, works=0)
    place = loadpoint(mode=ChargeMode.NOW, circuit="house" if circuits else None)
    told = Story(site_config(place, circuits=circuits))
    told.boxes[0].status = B
    told.tell(Moment(1, Cause.INTERVAL, [("change", (0, "current_max_a", 9.0))]))
    told.tell(Moment(1, Cause.INTERVAL, [("restart", True), ("answer_with", (lost,))]))
    told.tell(Moment(1, Cause.REQUEST, [("change", (0, "current_max_a", 7.0)), ("answer_with", (lost,))]))
    told.tell(Moment(10, Cause.SAMPLE, [("operate", 6000.0)]))
    assert told.boxes[0].offered_a == 6.0

"""The room that circuits really leave, which no control knows: its judges see through every meter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import hypot, inf

from evcc_sim.judge.invariants.grid_operator import Operator
from evcc_sim.judge.invariants.seen import Doubt, counted_phases, seen_powers_w
from evcc_sim.judge.trace import Instant, LoadpointInstant, Trace
from evcc_sim.worlds.scenario import CircuitSpec, Scenario
from evcclib.machines.charger import DRAWING_W
from evcclib.model import ChargeMode
from evcclib.settings import LoadpointSettings

OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A limit over the loadpoints ``members``: a circuit, or the grid operator.

    What the ``metered`` ones of them draw is in what a meter shows, from which a control must find out what flows beside them; by
    noise and steps of all these meters that may be ``unsure_w`` off on a phase, and their sum ``sum_unsure_w`` [W].
    """

    name: str
    members: tuple[int, ...]
    current_max_a: float | None
    power_max_w: float | None
    sees_house: bool
    metered: tuple[int, ...] = ()
    unsure_w: float = 0.0
    sum_unsure_w: float = 0.0
    unbalance_max_a: float | None = None
    is_of_a_mean: bool = False


class Rooms:
    """What the ``circuits`` of a run's site leave at an instant, by the settings of then."""

    def __init__(self, trace: Trace, operator: Operator) -> None:
        self._trace = trace
        scenario = trace.scenario
        self._voltage_v = scenario.site.true_voltage_v or scenario.site.voltage_v
        self._cars = {car.name: car for car in scenario.car}
        self._boxes = [charger.box for charger in scenario.charger]
        self._grid_phases = [[phase - 1 for phase in box.phase_rotation] for box in self._boxes]
        self.circuits = tuple(_ceilings(scenario))
        self._with_battery = {name for spec in scenario.battery for name in circuits_above(scenario, spec.circuit)}
        self._everyone = tuple(range(len(scenario.charger)))
        self._circuits_over = [[each for each in self.circuits if index in each.members] for index in self._everyone]
        self._operator = operator
        self._unseen = {  # by circuit
            ceiling.name: [index for index in ceiling.metered if not scenario.charger[index].box.has_meter]
            for ceiling in self.circuits
        }
        self._fallen_w: dict[str, dict[float, float]] = {}
        for name, stations in self._unseen.items():
            doubt = Doubt(stations)
            self._fallen_w[name] = {each.second: doubt.fallen_w(each) for each in trace.instants if stations}
        # What every loadpoint asks of an instant again, which is known by its id: two may have the same second.
        self._flows_w: dict[tuple[str, int], list[float]] = {}
        self._counted: dict[tuple[tuple[int, ...], int], list[tuple[int, list[int]]]] = {}

    def ceilings(self, second: float) -> list[Ceiling]:
        """All limits that hold at ``second``."""
        return [*self.circuits, *self._operators(second)]

    def over(self, loadpoint: int, second: float) -> list[Ceiling]:
        """The limits that concern ``loadpoint`` at ``second``."""
        return [*self._circuits_over[loadpoint], *self._operators(second)]

    def _operators(self, second: float) -> list[Ceiling]:
        limit_w = self._operator.limit_w(second)
        return [] if limit_w is None else [Ceiling(OPERATOR, self._everyone, None, limit_w, sees_house=False)]

    def beside_minimums_a(self, loadpoint: int, instant: Instant) -> float:
        """What is left for each phase of ``loadpoint`` when every other car has just its minimum [A].

        Cars that are not seen to charge count with all phases of their station.
        """
        return self._beside_a(loadpoint, instant, lambda _now, wish: wish.current_min_a)

    def beside_offers_a(self, loadpoint: int, instant: Instant) -> float:
        """What is left for each phase of ``loadpoint`` when every other car takes what it is offered, or its minimum [A].

        The classic law lends to nobody what a car leaves of its offer.
        """
        return self._beside_a(loadpoint, instant, lambda now, wish: max(now.pilot_a, wish.current_min_a))

    def beside_uses_a(self, loadpoint: int, instant: Instant, less: Sequence[int]) -> float:
        """The same, when those in ``less`` take no more than two amperes above what they draw, or their minimum [A]."""
        those = [instant.loadpoints[index] for index in less]

        def takes_a(now: LoadpointInstant, wish: LoadpointSettings) -> float:
            offered_a = max(now.pilot_a, wish.current_min_a)
            if not any(now is each for each in those):
                return offered_a
            return min(offered_a, max(max(now.powers_w) / self._voltage_v + 2.0, wish.current_min_a))

        return self._beside_a(loadpoint, instant, takes_a)

    def _beside_a(
        self, loadpoint: int, instant: Instant, takes_a: Callable[[LoadpointInstant, LoadpointSettings], float]
    ) -> float:
        ceilings, room_a = self.over(loadpoint, instant.second), inf
        if not ceilings:
            return room_a
        settings = self._trace.in_force(instant.second).loadpoints
        phases = self._assumed_phases(loadpoint, instant.loadpoints[loadpoint])
        for ceiling in ceilings:
            used_w = self._seen_others_w(ceiling, instant)
            for member, its_phases in self._counted_members(ceiling, instant):
                if member != loadpoint:
                    taken_w = takes_a(instant.loadpoints[member], settings[member]) * self._voltage_v
                    for phase in its_phases:
                        used_w[phase] += taken_w
            room_a = min(room_a, self._left_a(ceiling, used_w, phases))
            if ceiling.unbalance_max_a is not None:
                taken_a = [takes_a(*each) for each in zip(instant.loadpoints, settings, strict=True)]
                room_a = min(room_a, self.even_a(ceiling, loadpoint, instant, taken_a))
        return room_a

    def even_a(self, ceiling: Ceiling, loadpoint: int, instant: Instant, currents_a: Sequence[float]) -> float:
        """What the greatest difference between phases leaves for ``loadpoint`` when every other car takes so much, or nothing on
        phases where that would even it out: it may stop at any moment [A]."""
        room_a, limit_a = inf, ceiling.unbalance_max_a
        if limit_a is None:
            return room_a
        others_w = self._seen_others_w(ceiling, instant)
        for one, other in self._uneven(loadpoint, instant.loadpoints[loadpoint]):
            used_a = (others_w[one] - others_w[other]) / self._voltage_v
            for member in ceiling.members:
                each = instant.loadpoints[member]
                if member != loadpoint and each.car and (one, other) in self._uneven(member, each):
                    used_a += currents_a[member]
            room_a = min(room_a, limit_a - used_a - 2 * ceiling.unsure_w / self._voltage_v)
        return room_a

    def _uneven(self, index: int, loadpoint: LoadpointInstant) -> set[tuple[int, int]]:
        """The phases, of each two, on the first of which it may draw without the second, for all that one sees."""
        rotation, box = self._grid_phases[index], self._boxes[index]
        most = counted_phases(box, self._cars.get(loadpoint.car), loadpoint)
        is_seen = box.has_meter and loadpoint.power_w >= DRAWING_W
        counts = range(most if is_seen else 1, most + 1)
        return {(one, other) for count in counts for one in rotation[:count] for other in rotation[count:]}

    def _counted_members(self, ceiling: Ceiling, instant: Instant) -> list[tuple[int, list[int]]]:
        """The loadpoints of ``ceiling`` that take something, or may, with the phases that a control must count on."""
        key = ceiling.members, id(instant)
        if key not in self._counted:
            members = [(member, instant.loadpoints[member]) for member in ceiling.members]
            self._counted[key] = [
                (member, self._assumed_phases(member, each))
                for member, each in members
                if each.pilot_a > 0 or (each.car and each.mode is not ChargeMode.OFF)
            ]
        return self._counted[key]

    def excess(self, loadpoint: int, instant: Instant, other_w: dict[str, list[float]]) -> str | None:
        """Which limit of ``loadpoint`` is exceeded, in words, if all cars take what they are offered beside ``other_w``."""
        own = self._own_phases(loadpoint, instant.loadpoints[loadpoint])
        for ceiling in self.over(loadpoint, instant.second):
            used_w = list(other_w[ceiling.name])
            for member in ceiling.members:
                each = instant.loadpoints[member]
                if each.car:
                    for phase in self._own_phases(member, each):
                        used_w[phase] += max(each.pilot_a * self._voltage_v, each.powers_w[phase])
            used_a = max(used_w[phase] for phase in own) / self._voltage_v
            if self.is_above(ceiling, current_a=used_a):
                return f"{ceiling.name}: {used_a:.1f} A of {ceiling.current_max_a:g} A"
            if self.is_above(ceiling, power_w=sum(used_w)):
                return f"{ceiling.name}: {sum(used_w):.0f} W of {ceiling.power_max_w:.0f} W"
        return None

    def is_above(self, ceiling: Ceiling, *, current_a: float = 0.0, power_w: float = 0.0) -> bool:
        """Whether a current, or the power of the sum, is above a limit by more than one could miss who sees its meters."""
        limit_a, limit_w = ceiling.current_max_a, ceiling.power_max_w
        if limit_a is not None and current_a > limit_a + ceiling.unsure_w / self._voltage_v + 0.1:
            return True
        return limit_w is not None and power_w > limit_w * 1.005 + ceiling.sum_unsure_w + 10

    def others_w(self, ceiling: Ceiling, instant: Instant) -> list[float]:
        """What flows through ``ceiling`` that is not a car, on each phase; what a battery that is in the tree gives is nothing to
        count on [W]."""
        is_counted = ceiling.name in self._with_battery
        if not ceiling.sees_house:
            return [max(-instant.battery_w, 0.0) / 3 if is_counted else 0.0] * 3
        powers = [instant.loadpoints[member].powers_w for member in ceiling.members]
        given_w = max(instant.battery_w, 0.0) / 3 if is_counted else 0.0
        return [instant.grid_powers_w[phase] + given_w - sum(power[phase] for power in powers) for phase in range(3)]

    def flows_if_taken_w(self, ceiling: Ceiling, instant: Instant) -> list[float]:
        """What would flow through ``ceiling`` on each phase if every car took what it is offered, for all one sees [W]."""
        key = ceiling.name, id(instant)
        if key not in self._flows_w:
            flows_w = self._seen_others_w(ceiling, instant)
            for member in ceiling.members:
                each = instant.loadpoints[member]
                for phase in self._assumed_phases(member, each) if each.car else ():
                    flows_w[phase] += each.pilot_a * self._voltage_v
            self._flows_w[key] = flows_w
        return self._flows_w[key]

    def _seen_others_w(self, ceiling: Ceiling, instant: Instant) -> list[float]:
        """What one would take for `others_w` who sees no more than the meters of the stations, the circuits and the site [W].

        What a car takes at a station without a meter is known from the site's power at best [MEA-7]. That does not tell on which
        of its phases, and where it has fallen since, the car may take less: of several all together no more than that [MEA-2].
        """
        others_w = self.others_w(ceiling, instant)
        members = self._unseen.get(ceiling.name, [])
        if not members:
            return others_w
        loadpoints = [instant.loadpoints[member] for member in members]
        stations = [
            (self._boxes[member], self._cars.get(each.car), each)
            for member, each in zip(members, loadpoints, strict=True)
        ]
        seen_w = [seen_powers_w(*each) for each in stations]
        fewest = min(max(1, counted_phases(*each)) for each in stations)
        for phase in range(3):
            sure_w = sum(each[phase] for each in seen_w)
            less_w = min(sure_w, self._fallen_w[ceiling.name][instant.second] / fewest)
            others_w[phase] += sum(each.powers_w[phase] for each in loadpoints) - sure_w + less_w
        return others_w

    def _left_a(self, ceiling: Ceiling, used_w: list[float], phases: list[int]) -> float:
        left_a = inf
        if ceiling.is_of_a_mean:
            return -inf  # what its window leaves is for `mean_power_holds` to say
        if ceiling.current_max_a is not None:
            most_w = max(used_w[phase] for phase in phases) + ceiling.unsure_w
            left_a = ceiling.current_max_a - most_w / self._voltage_v
        if ceiling.power_max_w is not None:
            left_w = ceiling.power_max_w - ceiling.sum_unsure_w - sum(used_w)
            left_a = min(left_a, left_w / (self._voltage_v * len(phases)))
        return left_a

    def _assumed_phases(self, index: int, loadpoint: LoadpointInstant) -> list[int]:
        """The grid phases that a control must count on."""
        return self._grid_phases[index][: counted_phases(self._boxes[index], self._cars.get(loadpoint.car), loadpoint)]

    def _own_phases(self, index: int, loadpoint: LoadpointInstant) -> list[int]:
        car = self._cars.get(loadpoint.car)
        return self._grid_phases[index][: loadpoint.phases if car is None else min(car.phases, loadpoint.phases)]


def _ceilings(scenario: Scenario) -> Iterator[Ceiling]:
    for circuit in scenario.circuit:
        metered, sees_house = tuple(sorted(_metered(circuit, scenario))), _sees_house(circuit, scenario)
        meters = [box.meter for index in metered if (box := scenario.charger[index].box).has_meter]
        if sees_house:
            meters.append(scenario.grid.meter)
        noise_w, steps_w = hypot(*(meter.noise_w for meter in meters)), sum(meter.resolution_w for meter in meters) / 2
        yield Ceiling(
            circuit.name,
            tuple(circuit_members(scenario, circuit.name)),
            circuit.current_max_a,
            circuit.power_max_w,
            sees_house,
            metered,
            RARE_DEVIATIONS * noise_w / 3**0.5 + steps_w,
            RARE_DEVIATIONS * noise_w + steps_w,
            circuit.unbalance_max_a,
            circuit.mean_power_max_w is not None,
        )


RARE_DEVIATIONS = 4.0
"""So far off a noisy meter is a few times in a day of samples, and a limit is acted on at each of them."""


def _metered(circuit: CircuitSpec, scenario: Scenario) -> set[int]:
    """The loadpoints below it whose draw is in what a meter shows: of itself, or of those that it is the parent of."""
    if circuit.uses_grid_meter or circuit.has_meter:
        return set(circuit_members(scenario, circuit.name))
    below = [_metered(child, scenario) for child in scenario.circuit if child.parent == circuit.name]
    return set().union(*below)


def _sees_house(circuit: CircuitSpec, scenario: Scenario) -> bool:
    """Whether the household flows through it: it, or one that it is the parent of, is at the grid meter."""
    if circuit.uses_grid_meter or circuit.has_meter:
        return circuit.uses_grid_meter
    return any(_sees_house(child, scenario) for child in scenario.circuit if child.parent == circuit.name)


def circuits_above(scenario: Scenario, name: str | None) -> Iterator[str]:
    """The circuit of this name and all that it is below."""
    parents = {circuit.name: circuit.parent for circuit in scenario.circuit}
    while name is not None:
        yield name
        name = parents[name]


def circuit_members(scenario: Scenario, name: str) -> list[int]:
    """The loadpoints below a circuit."""
    below = {name}
    grown = True
    while grown:
        more = {circuit.name for circuit in scenario.circuit if circuit.parent in below} - below
        below |= more
        grown = bool(more)
    return [index for index, charger in enumerate(scenario.charger) if charger.loadpoint.circuit in below]

"""A run before its judges: what several of them ask is found out once, and how long something lasts in one place."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise

from evcc_sim.judge.invariants.grid_operator import Operator
from evcc_sim.judge.invariants.room import Rooms
from evcc_sim.judge.meant import Meant
from evcc_sim.judge.trace import InForce, Instant, Sent, Trace
from evcc_sim.plants.faults import Fault, FaultKind

REACTION_S = 15.0
"""Beyond the interval, what station and car need to follow a command (IEC 61851-1: 5 s) and the measurement to show it."""


class Judged:
    """A run and what follows from it."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.scenario = scenario = trace.scenario
        self.instants = trace.instants
        self.faults = trace.faults
        self.cars = {car.name: car for car in scenario.car}
        self.loadpoints = tuple(enumerate(scenario.charger))  # with their numbers
        self.interval_s = scenario.site.interval_s
        self.voltage_v = scenario.site.true_voltage_v or scenario.site.voltage_v
        self.operator = Operator(trace)
        self.meant = Meant(trace)
        meter = scenario.grid.meter
        self.noise_w = 3 * meter.noise_w + meter.resolution_w
        """How far the grid meter's word may be from the truth by its noise (three deviations) and its steps."""
        slowest_s = max(
            (car.dead_time_s + car.start_delay_s + 16 / car.ramp_a_per_s for car in scenario.car), default=10.0
        )
        self.patience_s = 3 * self.interval_s + meter.refresh_s + meter.lag_s + slowest_s + REACTION_S
        """How long control needs to see and follow a change."""

    @cached_property
    def rooms(self) -> Rooms:
        """What the limits leave."""
        return Rooms(self.trace, self.operator)

    @cached_property
    def moments(self) -> list[tuple[Instant, InForce]]:
        """All instants, and what people wished then."""
        wishes = self.trace.wishes
        seconds = [wish.second for wish in wishes]
        return [(each, wishes[max(0, bisect_right(seconds, each.second) - 1)]) for each in self.instants]

    @cached_property
    def _seconds(self) -> list[float]:
        return [instant.second for instant in self.instants]

    def at(self, second: float) -> Instant:
        """The instant that holds at ``second``."""
        return self.instants[max(0, bisect_right(self._seconds, second) - 1)]

    def between(self, start_s: float, end_s: float) -> list[Instant]:
        """The instants of that time; the first is the one that held when it began."""
        first = max(0, bisect_right(self._seconds, start_s) - 1)
        return self.instants[first : bisect_right(self._seconds, end_s)]

    def within(self, start_s: float, end_s: float) -> list[Instant]:
        """The instants from ``start_s`` to ``end_s``, both included."""
        return self.instants[bisect_left(self._seconds, start_s) : bisect_right(self._seconds, end_s)]

    def first_from(self, second: float) -> Instant | None:
        """The first instant at or after ``second``."""
        position = bisect_left(self._seconds, second)
        return self.instants[position] if position < len(self.instants) else None

    @cached_property
    def _sent(self) -> dict[int, list[Sent]]:
        return {
            index: [sent for sent in self.trace.sent if sent.loadpoint == index] for index, _spec in self.loadpoints
        }

    def sent_to(self, loadpoint: int) -> list[Sent]:
        """All commands to the station of a loadpoint."""
        return self._sent[loadpoint]

    def sent_between(self, loadpoint: int, start_s: float, end_s: float) -> list[Sent]:
        """The commands to the station of a loadpoint from ``start_s`` to ``end_s``, both included."""
        mine = self._sent[loadpoint]
        first = bisect_left(mine, start_s, key=lambda sent: sent.second)
        return mine[first : bisect_right(mine, end_s, key=lambda sent: sent.second)]

    def raised_s(self, loadpoint: int, second: float) -> float:
        """When a car has last been offered more than before, up to ``second``."""
        raises = self._raises[loadpoint]
        position = bisect_right(raises, second) - 1
        return raises[position] if position >= 0 else float("-inf")

    @cached_property
    def _raises(self) -> list[list[float]]:
        pairs = list(pairwise(self.instants))
        return [
            [new.second for old, new in pairs if new.loadpoints[index].pilot_a > old.loadpoints[index].pilot_a]
            for index, _charger in self.loadpoints
        ]

    def faults_of(self, device: str, kinds: frozenset[FaultKind]) -> list[Fault]:
        """The faults of these kinds at one device."""
        return [fault for fault in self.faults if fault.device == device and fault.kind in kinds]

    def faults_between(self, start_s: float, end_s: float) -> bool:
        """Whether any fault rages between the two seconds."""
        return any(fault.start_s <= end_s and fault.end_s >= start_s for fault in self.faults)

    def changes_between(self, start_s: float, end_s: float) -> bool:
        """Whether people do something between the two seconds: a car comes, a wish or a vehicle changes, whatever is noted.

        A control sees a car an interval after it has come.
        """
        return (
            self.meant.arrives_between(start_s - self.interval_s - REACTION_S, end_s)
            or any(start_s <= wish.second <= end_s for wish in self.trace.wishes)
            or any(start_s <= note.second <= end_s for note in self.trace.notes)
        )

    def is_restarted(self, start_s: float, end_s: float) -> bool:
        """Whether the control came back between the two seconds."""
        return any(start_s <= second <= end_s for second in self.trace.restarts)


def lasting(
    run: Judged, may_last_s: Callable[[Instant, InForce], float | None], *, whatever_is_wished: bool = False
) -> Iterator[tuple[Instant, InForce, float]]:
    """Moments at which something has lasted longer than it may, and the second since which it has; each begins it anew.

    ``may_last_s`` says how long it may last, None where there is nothing. The time runs from when people last changed a wish, or
    on through such changes with ``whatever_is_wished``.
    """
    since_s: float | None = None
    for instant, wish in run.moments:
        longest_s = may_last_s(instant, wish)
        if longest_s is None:
            since_s = None
        elif since_s is None:
            since_s = instant.second
        elif instant.second - (since_s if whatever_is_wished else max(since_s, wish.second)) > longest_s:
            yield instant, wish, since_s
            since_s = instant.second

"""The tree of limits: what each loadpoint may draw at most, and which limit says so.

Every circuit on the way from a loadpoint to the root limits the current of each grid phase, the power of the sum, or both. A
limit leaves over what nothing else uses:

    room for i = limit - other loads - what the other loadpoints below it are granted

Other loads are what the circuit's meter shows beyond the loadpoints below it. Meter and loadpoints are not read at the same
moment, so that they are known as a range: whoever is to be lowered is given the benefit of the doubt, whoever is to be raised
is not.

A limit may also be one of the difference between phases: what flows in one beyond what flows in another. Only who uses the one
and not the other adds to it; that somebody draws on the other takes nothing away, for he may stop at any moment.

Two bounds are kept: the *share* divides the limit
in the order of the loadpoints, minimum currents first, so that nobody is stopped while all minimums fit; the *headroom* counts
for every other loadpoint what it may be drawing already, so that nobody is raised before another has been lowered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from evcclib.model import PhaseTriple


class Load(NamedTuple):
    """Current in each grid phase [A], and power [W]."""

    currents_a: PhaseTriple
    power_w: float


NO_LOAD = Load((0.0, 0.0, 0.0), 0.0)
Phases = tuple[int, ...]
"""Grid phases, 0-based."""
Pairs = frozenset[tuple[int, int]]
"""Two grid phases each: the first carries what the second does not."""


class Limit(NamedTuple):
    """One limit in force in this step. ``other``: loads that are not loadpoints, at least; ``other_most``: at most.

    ``unbalance_max_a``, which stands alone, limits what each grid phase may carry beyond each other one.
    ``circuit`` is the one whose limit it is.
    ``safe_current_a`` is set when the limit cannot be proven: then it, for each loadpoint, is all there is [DEF-47].
    """

    name: str
    members: frozenset[int]
    current_max_a: float | None = None
    power_max_w: float | None = None
    unbalance_max_a: float | None = None
    other: Load = NO_LOAD
    other_most: Load = NO_LOAD
    safe_current_a: float | None = None
    circuit: str = ""


class Draw(NamedTuple):
    """One loadpoint as the limits see it: the grid phases (0-based) behind its L1, L2, L3, of which it uses the first ``active``,
    its minimum, what it may be offered already and what it surely is, whether it counts on its minimum (on ``claimed`` phases, 0:
    as many as it uses), what it may still be drawing of an offer that was higher, and what it is likely to take of that at least,
    where nobody measures it and it seems not to take all. ``proven`` phases are all that it surely uses, 0: nobody knows."""

    rotation: Phases
    active: int
    minimum_a: float
    committed_a: float
    sure_a: float
    claims_minimum: bool
    drawable_a: float = 0.0
    claimed: int = 0
    taken_a: float | None = None
    proven: int = 0

    def uneven(self, phases: int) -> Pairs:
        """Between which grid phases it may make a difference when it is offered current on ``phases`` phases."""
        fewest = phases if phases == self.proven else 1
        used = [self.rotation[:count] for count in range(fewest, phases + 1)]
        return frozenset([(each, other) for own in used for each in own for other in self.rotation if other not in own])


class Ceiling(NamedTuple):
    """At most this much [A]; ``limit`` is the name of what says so."""

    current_a: float
    limit: str


Counted = tuple[float, Phases, Pairs]
"""A current [A], the grid phases that it flows in, and between which it may make a difference."""
_NO_PAIRS: Pairs = frozenset()


class Room(NamedTuple):
    """What other loads leave of a limit in one phase [A] or in power [W], surely and at best, and what each loadpoint takes of it
    per ampere."""

    limit: str
    left: float
    left_most: float
    takes: Mapping[int, float]


class _Sum:
    """What all members of a limit take together, under one of the three ways of counting them."""

    __slots__ = ("currents_a", "differences_a", "power_w", "waiting")

    def __init__(self) -> None:
        self.currents_a = [0.0, 0.0, 0.0]
        self.differences_a: dict[tuple[int, int], float] = {}
        self.power_w = 0.0
        self.waiting = 0  # how many of them claim a minimum and draw nothing yet

    def add(self, current_a: float, phases: Phases, pairs: Pairs, voltage_v: float) -> None:
        for phase in phases:
            self.currents_a[phase] += current_a
        for pair in pairs:
            self.differences_a[pair] = self.differences_a.get(pair, 0.0) + current_a
        self.power_w += current_a * len(phases) * voltage_v

    def replace(self, old: Counted, new: Counted, voltage_v: float) -> None:
        """What one of them takes is another current, or flows in other phases."""
        if old[0]:
            self.add(-old[0], old[1], old[2], voltage_v)
        if new[0]:
            self.add(new[0], new[1], new[2], voltage_v)


class Allotment:
    """Grants currents within `Limit` s, one loadpoint after the other; lives for one step.

    Every loadpoint counts three times in each of its limits: with its *claim* (what it was granted, until then its minimum if it
    counts on it), with its *grant*, and with what it may be *drawing*.
    """

    def __init__(self, limits: tuple[Limit, ...], draws: tuple[Draw, ...], *, voltage_v: float) -> None:
        self._limits = limits
        self._draws = draws
        self._voltage_v = voltage_v
        self._is_uneven = any(limit.unbalance_max_a is not None for limit in limits)
        self._counted: list[list[Counted]] = []  # per loadpoint: claim, grant, drawing
        for draw in draws:
            claimed = draw.claimed or draw.active
            claim_a = draw.minimum_a if draw.claims_minimum else 0.0
            phases, pairs = draw.rotation[: draw.active], self._pairs(draw, draw.active)
            self._counted.append(
                [
                    (claim_a, draw.rotation[:claimed], self._pairs(draw, claimed)),
                    (0.0, phases, pairs),
                    (max(draw.committed_a, draw.drawable_a), phases, pairs),
                ]
            )
        self._limits_of: list[list[tuple[Limit, list[_Sum]]]] = [[] for _ in draws]
        for limit in limits:
            sums = [_Sum(), _Sum(), _Sum()]
            for index in limit.members:
                self._limits_of[index].append((limit, sums))
                for total, (current_a, phases, pairs) in zip(sums, self._counted[index], strict=True):
                    if current_a:
                        total.add(current_a, phases, pairs, voltage_v)
                sums[0].waiting += self._waits(index)

    def rooms(self) -> Iterator[Room]:
        """All that the limits leave to all loadpoints together, as if none of them had been granted anything yet."""
        for limit in self._limits:
            phases_of = {index: self._counted[index][1][1] for index in sorted(limit.members)}
            if limit.safe_current_a is not None:
                for index in phases_of:
                    yield Room(limit.name, limit.safe_current_a, limit.safe_current_a, {index: 1.0})
                continue
            least, most = limit.other, limit.other_most
            if limit.current_max_a is not None:
                for phase, (least_a, most_a) in enumerate(zip(least.currents_a, most.currents_a, strict=True)):
                    takes = {index: 1.0 for index, phases in phases_of.items() if phase in phases}
                    yield Room(limit.name, limit.current_max_a - most_a, limit.current_max_a - least_a, takes)
            if limit.power_max_w is not None:
                takes = {index: len(phases) * self._voltage_v for index, phases in phases_of.items()}
                yield Room(limit.name, limit.power_max_w - most.power_w, limit.power_max_w - least.power_w, takes)

    def waive(self, order: Sequence[int]) -> None:
        """Drop claims in vain: whoever waits, and whose minimum does not fit beside those of the others, holds nothing back.

        ``order``: those who come first keep their claims longest.
        """
        for index in reversed(order):
            draw = self._draws[index]
            claim_a, phases, pairs = self._counted[index][0]
            if self._waits(index) and self._vacant(index, len(phases)) < draw.minimum_a:
                self._counted[index][0] = (0.0, phases, pairs)
                for _, sums in self._limits_of[index]:
                    sums[0].add(-claim_a, phases, pairs, self._voltage_v)
                    sums[0].waiting -= 1

    def _waits(self, loadpoint: int) -> bool:
        draw = self._draws[loadpoint]
        return draw.claims_minimum and draw.committed_a == 0

    def _pairs(self, draw: Draw, phases: int) -> Pairs:
        return draw.uneven(phases) if self._is_uneven else _NO_PAIRS

    def _over(self, loadpoint: int, phases: int) -> list[tuple[Limit, list[_Sum]]]:
        """The limits that concern ``loadpoint`` on ``phases`` phases: who loads all alike makes no difference."""
        limits = self._limits_of[loadpoint]
        if not self._is_uneven or self._pairs(self._draws[loadpoint], phases):
            return limits
        return [each for each in limits if each[0].unbalance_max_a is None]

    def _vacant(self, loadpoint: int, phases: int) -> float:
        """What is left for ``loadpoint`` beside the claims of all others [A]."""
        rooms = [
            self._room(limit, sums, limit.other_most, loadpoint, phases, 0)
            if limit.safe_current_a is None
            else limit.safe_current_a
            for limit, sums in self._over(loadpoint, phases)
        ]
        return min(rooms, default=float("inf"))

    def ceiling(self, loadpoint: int, phases: int) -> Ceiling | None:
        """The most that ``loadpoint`` may be commanded now on ``phases`` phases; None when no limit concerns it."""
        tightest: Ceiling | None = None
        draw = self._draws[loadpoint]
        sure_a = draw.sure_a if phases <= draw.active else 0.0  # to offer what may not stand yet is to raise
        for limit, sums in self._over(loadpoint, phases):
            if limit.safe_current_a is not None:
                room = limit.safe_current_a
            else:
                raised = min(
                    self._share(limit, sums, limit.other_most, loadpoint, phases),
                    self._room(limit, sums, limit.other_most, loadpoint, phases, 2),
                )
                room = raised
                if sure_a > 0:
                    room = max(raised, min(self._kept(limit, sums, loadpoint, phases), sure_a))
            if tightest is None or room < tightest.current_a:
                tightest = Ceiling(room, limit.name)
        return tightest

    def grant(self, loadpoint: int, current_a: float, phases: int = 0) -> None:
        """``loadpoint`` will be offered ``current_a`` on ``phases`` phases (0: as many as now); those asked later see it.

        Whoever must wait until others have been lowered keeps its claim, so that they are.
        """
        draw, counted = self._draws[loadpoint], self._counted[loadpoint]
        now = (current_a, draw.rotation[: phases or draw.active], self._pairs(draw, phases or draw.active))
        # until it has followed, it may be drawing the one or the other
        drawing = (
            max(current_a, draw.committed_a, draw.drawable_a),
            draw.rotation[: max(phases, draw.active)],
            now[2] | self._pairs(draw, draw.active),
        )
        claim = counted[0] if current_a == 0 and self._waits(loadpoint) else now
        for way, new in enumerate((claim, now, drawing)):
            old = counted[way]
            if new == old:
                continue
            counted[way] = new
            for _, sums in self._limits_of[loadpoint]:
                sums[way].replace(old, new, self._voltage_v)

    def _kept(self, limit: Limit, sums: list[_Sum], loadpoint: int, phases: int) -> float:
        """What ``loadpoint`` may keep: with the benefit of the doubt, but above its minimum not at the cost of who waits.

        Whoever takes less than it is offered would be lowered in vain time after time: it is lowered from what it takes, and
        where that is not known to the minimum, which shows it.
        """
        draw = self._draws[loadpoint]
        kept = self._share(limit, sums, limit.other, loadpoint, phases)
        if draw.taken_a is not None and kept < draw.sure_a and limit.other != NO_LOAD:
            kept = min(kept, max(draw.minimum_a, kept - (draw.drawable_a - draw.taken_a)))
        if sums[0].waiting > self._waits(loadpoint):
            doubtless = self._share(limit, sums, limit.other_most, loadpoint, phases)
            kept = max(doubtless, min(kept, draw.minimum_a))
        return kept

    def _share(self, limit: Limit, sums: list[_Sum], other: Load, loadpoint: int, phases: int) -> float:
        """What is left by those before and the minimums of those after; one's own minimum comes before theirs."""
        minimum_a = self._draws[loadpoint].minimum_a
        share = self._room(limit, sums, other, loadpoint, phases, 0)
        if share < minimum_a:
            share = min(minimum_a, self._room(limit, sums, other, loadpoint, phases, 1))
        return share

    def _room(self, limit: Limit, sums: list[_Sum], other: Load, loadpoint: int, phases: int, way: int) -> float:
        """What the limit leaves, with all other loadpoints counted in one ``way``: 0 claim, 1 grant, 2 drawing."""
        total, (own_a, own_phases, own_pairs) = sums[way], self._counted[loadpoint][way]
        room = float("inf")
        if limit.current_max_a is not None:
            for phase in self._draws[loadpoint].rotation[:phases]:
                used_a = total.currents_a[phase] - (own_a if phase in own_phases else 0.0) + other.currents_a[phase]
                room = min(room, limit.current_max_a - used_a)
        if limit.power_max_w is not None:
            used_w = total.power_w - own_a * len(own_phases) * self._voltage_v + other.power_w
            room = min(room, (limit.power_max_w - used_w) / (phases * self._voltage_v))
        if limit.unbalance_max_a is not None:
            facing = limit.other_most if other is limit.other else limit.other
            for pair in self._pairs(self._draws[loadpoint], phases):
                used_a = total.differences_a.get(pair, 0.0) - (own_a if pair in own_pairs else 0.0)
                beyond_a = other.currents_a[pair[0]] - facing.currents_a[pair[1]]
                room = min(room, limit.unbalance_max_a - used_a - beyond_a)
        return round(room, 9)  # sums of floats: a minimum that just fits must not fail by a nanoampere

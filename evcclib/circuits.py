"""The tree of limits: what each loadpoint may draw at most, and which limit says so.

Every circuit on the way from a loadpoint to the root limits the current of each grid phase, the power of the sum, or both. A
limit leaves over what nothing else uses:

    room for i = limit - other loads - what the other loadpoints below it are granted

Other loads are what the circuit's meter shows beyond the loadpoints below it. Meter and loadpoints are not read at the same
moment, so that they are known as a range: whoever is to be lowered is given the benefit of the doubt, whoever is to be raised
is not.

Two bounds are kept: the *share* divides the limit
in the order of the loadpoints, minimum currents first, so that nobody is stopped while all minimums fit; the *headroom* counts
for every other loadpoint what it may be drawing already, so that nobody is raised before another has been lowered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from evcclib.model import PhaseTriple


class Load(NamedTuple):
    """Current in each grid phase [A], and power [W]."""

    currents_a: PhaseTriple
    power_w: float


NO_LOAD = Load((0.0, 0.0, 0.0), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit in force in this step. ``other``: loads that are not loadpoints, at least; ``other_most``: at most.

    ``safe_current_a`` is set when the limit cannot be proven: then it, for each loadpoint, is all there is [DEF-47].
    """

    name: str
    members: frozenset[int]
    current_max_a: float | None = None
    power_max_w: float | None = None
    other: Load = NO_LOAD
    other_most: Load = NO_LOAD
    safe_current_a: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One loadpoint as the limits see it: the grid phases (0-based) behind its L1, L2, L3, of which it uses the first ``active``,
    its minimum, what it may be drawing already, and whether it counts on its minimum."""

    rotation: tuple[int, ...]
    active: int
    minimum_a: float
    committed_a: float
    claims_minimum: bool


class Ceiling(NamedTuple):
    """At most this much [A]; ``limit`` is the name of what says so."""

    current_a: float
    limit: str


class Allotment:
    """Grants currents within `Limit` s, one loadpoint after the other; lives for one step."""

    def __init__(self, limits: tuple[Limit, ...], draws: tuple[Draw, ...], *, voltage_v: float) -> None:
        self._limits = limits
        self._draws = draws
        self._voltage_v = voltage_v
        self._granted: dict[int, float] = {}

    def ceiling(self, loadpoint: int, phases: int) -> Ceiling | None:
        """The most that ``loadpoint`` may be commanded now on ``phases`` phases; None when no limit concerns it."""
        tightest: Ceiling | None = None
        draw = self._draws[loadpoint]
        committed_a = draw.committed_a if phases <= draw.active else 0.0
        for limit in self._limits:
            if loadpoint not in limit.members:
                continue
            if limit.safe_current_a is not None:
                room = limit.safe_current_a
            else:
                kept = min(self._share(limit, limit.other, loadpoint, phases), committed_a)
                share = self._share(limit, limit.other_most, loadpoint, phases)
                raised = min(share, self._headroom(limit, limit.other_most, loadpoint, phases))
                room = max(kept, raised) if committed_a > 0 else raised
            if tightest is None or room < tightest.current_a:
                tightest = Ceiling(room, limit.name)
        return tightest

    def grant(self, loadpoint: int, current_a: float) -> None:
        """``loadpoint`` will be offered ``current_a``; those asked later see it."""
        self._granted[loadpoint] = current_a

    def _share(self, limit: Limit, other: Load, loadpoint: int, phases: int) -> float:
        """What is left by those before and the minimums of those after; one's own minimum comes before theirs."""
        minimum_a = self._draws[loadpoint].minimum_a
        share = self._room(limit, other, loadpoint, phases, self._claimed)
        if share < minimum_a:
            share = min(minimum_a, self._room(limit, other, loadpoint, phases, self._granted_to))
        return share

    def _headroom(self, limit: Limit, other: Load, loadpoint: int, phases: int) -> float:
        """What is left by all that others may be drawing."""
        return self._room(limit, other, loadpoint, phases, self._committed)

    def _claimed(self, index: int) -> float:
        draw = self._draws[index]
        return self._granted.get(index, draw.minimum_a if draw.claims_minimum else 0.0)

    def _granted_to(self, index: int) -> float:
        return self._granted.get(index, 0.0)

    def _committed(self, index: int) -> float:
        return max(self._draws[index].committed_a, self._granted.get(index, 0.0))

    def _room(
        self, limit: Limit, other: Load, loadpoint: int, phases: int, current_of: Callable[[int], float]
    ) -> float:
        used_a = list(other.currents_a)
        used_w = other.power_w
        for index in limit.members:
            if index == loadpoint:
                continue
            draw, current_a = self._draws[index], current_of(index)
            used_w += current_a * draw.active * self._voltage_v
            for phase in draw.rotation[: draw.active]:
                used_a[phase] += current_a
        room = float("inf")
        if limit.current_max_a is not None:
            own = self._draws[loadpoint].rotation[:phases]
            room = min(limit.current_max_a - used_a[phase] for phase in own)
        if limit.power_max_w is not None:
            room = min(room, (limit.power_max_w - used_w) / (phases * self._voltage_v))
        return room

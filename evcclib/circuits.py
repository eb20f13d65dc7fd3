"""The tree of limits: what each loadpoint may draw at most, and which limit says so.

Every circuit on the way from a loadpoint to the root limits the current of each grid phase, the power of the sum, or both. A
limit leaves over what nothing else uses:

    room for i = limit - other loads - what the other loadpoints below it are granted

Other loads are what the circuit's meter shows beyond the loadpoints below it. Two bounds are kept: the *share* divides the limit
in the order of the loadpoints, minimum currents first, so that nobody is stopped while all minimums fit; the *headroom* counts
for every other loadpoint what it may be drawing already, so that nobody is raised before another has been lowered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from evcclib.model import PhaseTriple


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit in force in this step. ``other_a`` and ``other_w``: loads that are not loadpoints.

    ``safe_current_a`` is set when the limit cannot be proven: then it, for each loadpoint, is all there is [DEF-47].
    """

    name: str
    members: frozenset[int]
    current_max_a: float | None = None
    other_a: PhaseTriple = (0.0, 0.0, 0.0)
    power_max_w: float | None = None
    other_w: float = 0.0
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
                share = self._room(limit, loadpoint, phases, is_headroom=False)
                if share < draw.minimum_a:  # its own minimum comes before those of later ones
                    share = min(draw.minimum_a, self._room(limit, loadpoint, phases, is_headroom=False, reserves=False))
                room = min(share, max(self._room(limit, loadpoint, phases, is_headroom=True), committed_a))
            if tightest is None or room < tightest.current_a:
                tightest = Ceiling(room, limit.name)
        return tightest

    def grant(self, loadpoint: int, current_a: float) -> None:
        """``loadpoint`` will be offered ``current_a``; those asked later see it."""
        self._granted[loadpoint] = current_a

    def _room(self, limit: Limit, loadpoint: int, phases: int, *, is_headroom: bool, reserves: bool = True) -> float:
        own = self._draws[loadpoint].rotation[:phases]
        used_a = list(limit.other_a)
        used_w = limit.other_w
        for index in limit.members:
            if index == loadpoint:
                continue
            other = self._draws[index]
            granted = self._granted.get(index)
            if is_headroom:
                current = max(other.committed_a, granted or 0.0)
            elif granted is not None:
                current = granted
            else:
                current = other.minimum_a if reserves and other.claims_minimum else 0.0
            used_w += current * other.active * self._voltage_v
            for phase in other.rotation[: other.active]:
                used_a[phase] += current
        room = float("inf")
        if limit.current_max_a is not None:
            room = min(limit.current_max_a - used_a[phase] for phase in own)
        if limit.power_max_w is not None:
            room = min(room, (limit.power_max_w - used_w) / (phases * self._voltage_v))
        return room

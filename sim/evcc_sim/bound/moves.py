"""What can happen to contactor and relay within a step: from which state to which, by which moves, and the power meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from evcc_sim.bound.stay import Position, Stay

MOVES_MAX = 6
"""Away and back: open, relay, close, open, relay, close."""


@dataclass(frozen=True, slots=True)
class State:
    """Between two steps. ``fresh``: so many steps more a closed contactor does not mean the full minimum."""

    position: int
    is_closed: bool
    fresh: int = 0


@dataclass(frozen=True, slots=True)
class Arc:
    """A step that begins and ends so, with so many moves, and a mean power between ``low_w`` and ``high_w``."""

    start: State
    end: State
    switchings: int
    starts: int
    changes: int
    low_w: float
    high_w: float

    def is_beaten_by(self, other: Arc) -> bool:
        """Whether ``other`` does all this for no more."""
        return (
            (self.start, self.end) == (other.start, other.end)
            and other.switchings <= self.switchings
            and other.starts <= self.starts
            and other.changes <= self.changes
            and other.low_w <= self.low_w
            and other.high_w >= self.high_w
        )


def arcs(stay: Stay) -> tuple[Arc, ...]:
    """All that are worth having."""
    fresh = min(ceil(stay.lag_s / stay.step_s), ceil(600.0 / stay.step_s))
    states = [
        State(position, is_closed, age)
        for position in range(len(stay.positions))
        for is_closed in (False, True)
        for age in (range(fresh + 1) if is_closed else (0,))
    ]
    kept: list[Arc] = []
    for arc in sorted(
        {arc for state in states for arc in _from(state, stay, fresh)},
        key=lambda arc: (arc.switchings + arc.changes, arc.starts, arc.low_w, -arc.high_w),
    ):
        if not any(arc.is_beaten_by(other) for other in kept):
            kept.append(arc)
    return tuple(kept)


def _from(state: State, stay: Stay, fresh: int) -> Iterator[Arc]:
    positions = stay.positions
    passed = fresh - state.fresh  # whole steps since it has closed
    firmness = 1.0 - min(1.0, max(0.0, stay.lag_s / stay.step_s - passed)) if state.fresh else 1.0
    low_w, high_w = _range(state, positions)
    walks = [Arc(state, state, 0, 0, 0, low_w * firmness, high_w)]
    for _move in range(MOVES_MAX + 1):
        for walk in walks:
            end = walk.end
            if end.is_closed:
                age = fresh if walk.starts else max(0, state.fresh - 1)
                end = State(end.position, True, age)
            yield Arc(state, end, walk.switchings, walk.starts, walk.changes, walk.low_w, walk.high_w)
        walks = [longer for walk in walks for longer in _moved(walk, stay)]


def _range(state: State, positions: tuple[Position, ...]) -> tuple[float, float]:
    position = positions[state.position]
    return (position.min_w, position.max_w) if state.is_closed else (0.0, 0.0)


def _moved(walk: Arc, stay: Stay) -> Iterator[Arc]:
    now = walk.end
    ends = [State(now.position, not now.is_closed)]
    if not (now.is_closed and stay.pauses):
        ends += [State(other, now.is_closed) for other in range(len(stay.positions)) if other != now.position]
    for end in ends:
        low_w, high_w = _range(end, stay.positions)
        switches = end.is_closed != now.is_closed
        yield Arc(
            walk.start,
            end,
            walk.switchings + switches,
            walk.starts + (switches and end.is_closed),
            walk.changes + (end.position != now.position),
            min(walk.low_w, low_w),
            max(walk.high_w, high_w),
        )

"""What the figures of a world say, in sentences made by rules: who is ahead, whether that is sure, and by what.

One is *clearly* better than another if the mean of the differences, seed by seed, is more than two of its standard errors. Who
has exceeded a limit or tripped a fuse is not ranked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from evcc_sim.board.entrants import Entrant
from evcc_sim.board.figures import DAY_COST, REGRET, TERMS, Figure
from evcc_sim.board.pack import World
from evcc_sim.board.runs import Outcome

SEEDS_MIN = 5
"""Fewer say nothing."""
ERRORS = 2.0
CENT = 0.005
"""A term below this is left out."""


@dataclass(frozen=True)
class Standing:
    """An entrant in a world, with the days that it has lived through."""

    entrant: Entrant
    days: tuple[Outcome, ...]

    def values(self, name: str) -> dict[int, float]:
        """Of a figure, by seed, where there is one."""
        found = {day.seed: day.figures.get(name) for day in self.days}
        return {seed: value for seed, value in found.items() if value is not None}

    def mean(self, name: str) -> float | None:
        """Of a figure; None without any."""
        values = self.values(name)
        return fmean(values.values()) if values else None

    @property
    def faults(self) -> tuple[int, int]:
        """Limits exceeded and trips of the fuse."""
        limits, trips = (sum(self.values(name).values()) for name in ("limits", "trips"))
        return round(limits), round(trips)


def standings(world: World, entrants: Sequence[Entrant], outcomes: Sequence[Outcome]) -> list[Standing]:
    """Of all entrants, the best first; who has no figure comes last."""
    found = []
    for entrant in entrants:
        own = [each for each in outcomes if (each.world, each.entrant) == (world.name, entrant.name) and each.figures]
        found.append(Standing(entrant, tuple(sorted(own, key=lambda day: day.seed))))
    figure = world.decided_by

    def order(standing: Standing) -> tuple[bool, float]:
        mean = standing.mean(figure.name)
        return (mean is None, 0.0 if mean is None else -mean if figure.more_is_better else mean)

    return sorted(found, key=order)


def ranked(world: World, found: Sequence[Standing]) -> list[Standing]:
    """Who may win."""
    return [each for each in found if each.mean(world.decided_by.name) is not None and not any(each.faults)]


def leaders(world: World, found: Sequence[Standing]) -> list[Standing]:
    """The first of those who may win, and all that are not clearly behind; nobody if there are too few seeds to say."""
    may_win = ranked(world, found)
    gaps = [_gaps(may_win[0], each, world.decided_by) for each in may_win]
    return [each for each, own in zip(may_win, gaps, strict=True) if len(own) >= SEEDS_MIN and not _is_clear(own)]


def verdict(world: World, found: Sequence[Standing], least_eur: float | None) -> list[str]:
    """Sentences. ``least_eur``: the day cost with perfect foresight."""
    figure = world.decided_by
    said = [_fault(each) for each in found if any(each.faults)]
    may_win = ranked(world, found)
    if not may_win:
        return [*said, "Nobody can be ranked here."]
    first, *others = may_win
    if not others:
        said.append(f"Only {first.entrant.name} can be ranked here: {_value(first, figure)}.")
    else:
        said.append(_first(first, others, figure))
        against = next((each for each in others if each.entrant.is_rival != first.entrant.is_rival), None)
        if against is not None:
            said.append(_against(first, against, figure))
    if least_eur is not None and figure is REGRET:
        cost_eur = first.mean(DAY_COST.name) or 0.0
        said.append(
            f"With perfect foresight the day costs {least_eur:.2f} EUR, with {first.entrant.name} {cost_eur:.2f}."
        )
    if broken := sorted({rule for day in first.days for rule in day.broken}):
        said.append(f"On its way {first.entrant.name} has broken {', '.join(broken)}.")
    return said


def _first(first: Standing, others: Sequence[Standing], figure: Figure) -> str:
    who = f"{first.entrant.name}, a rival," if first.entrant.is_rival else first.entrant.name
    gaps = _gaps(first, others[0], figure)
    near = [each for each in others if not _is_clear(_gaps(first, each, figure))]
    if len(gaps) < SEEDS_MIN:
        return f"**Too few seeds to say who wins**; {who} is ahead with {figure.words}, {_value(first, figure)}."
    if near:
        names = " and ".join(f"{each.entrant.name} ({_value(each, figure)})" for each in near)
        return f"**Nobody wins clearly**: {who} is first with {_value(first, figure)}, but not surely before {names}."
    better = sum(gap > 0 for gap in gaps)
    return (
        f"**{who} wins** with {figure.words}, {_value(first, figure)}; the next, "
        f"{others[0].entrant.name}, has {_value(others[0], figure)} and was behind in {better} of {len(gaps)} seeds."
    )


def _against(first: Standing, other: Standing, figure: Figure) -> str:
    """How far the best of the other camp is behind, and why."""
    kind = "The best rival" if other.entrant.is_rival else "The best law of our own"
    gap = fmean(_gaps(first, other, figure))
    behind = f"{kind}, {other.entrant.name}, is {gap:.{figure.digits}f} {figure.unit} behind"
    if figure not in (REGRET, DAY_COST):
        return f"{behind}."
    terms = {words: (other.mean(name) or 0.0) - (first.mean(name) or 0.0) for name, words in TERMS.items()}
    told = sorted(((eur, words) for words, eur in terms.items() if abs(eur) >= CENT), reverse=True)
    why = ", ".join(f"{eur:+.2f} for {words}" for eur, words in told)
    return f"{behind}: {why}." if why else f"{behind}."


def _fault(standing: Standing) -> str:
    limits, trips = standing.faults
    return (
        f"{standing.entrant.name} is not ranked: {limits} limits exceeded, {trips} trips in {len(standing.days)} runs."
    )


def _value(standing: Standing, figure: Figure) -> str:
    return f"{standing.mean(figure.name):.{figure.digits}f} {figure.unit}"


def _gaps(first: Standing, other: Standing, figure: Figure) -> list[float]:
    """How much better the first was, seed by seed."""
    ours, theirs = first.values(figure.name), other.values(figure.name)
    sign = -1.0 if figure.more_is_better else 1.0
    return [sign * (theirs[seed] - ours[seed]) for seed in sorted(ours.keys() & theirs.keys())]


def _is_clear(gaps: Sequence[float]) -> bool:
    return len(gaps) >= SEEDS_MIN and fmean(gaps) > ERRORS * stdev(gaps) / sqrt(len(gaps))

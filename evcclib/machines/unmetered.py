"""What a vehicle takes at a station without a power meter: a range, and what the site's meters have shown of it [MEA-2, MEA-7].

A vehicle takes what it is offered, up to the most that it can:

    P(h) = V * min(n, k) * min(offered, c)            h = (k, c): at most c amperes on at most k phases

Nobody tells k and c, so that every pair (`HYPOTHESES`) keeps an account of how badly it explains what was seen. Seen is the
load that no meter explains, before and after a change of what is offered:

    load      = grid + pv + battery - metered charging   (= house + unmetered charging)
    doubt(h) += distance of P(h, after) - P(h, before) from what was seen

Where several unmetered vehicles were offered something else meanwhile, what was seen of one is only known between the least and
the most that the others may have made of it. What the house does in the same moment adds to all accounts alike, at most. The
best account is kept at zero and no other above `DOUBT_MAX_W`: a few clear observations overturn whatever was believed.

    least  = the least P(h) that is in doubt no more than `BELIEVED_W`         nothing learned: 0
    likely = the P(h) in least doubt, the greatest of equal ones, but hardly   nothing learned: all that is offered
             less than 6 A on a phase
    most   = all that is offered, whatever was learned: the vehicle may take it at any time

What raises (more phases, power for another vehicle) goes by the least; what must hold (limits, fewer phases) by the most. A
vehicle that tapers takes less and less by itself, and looks like a house that does: where the load has fallen, limits count on
so much less, once for all vehicles together, and on half an ampere less than was learned of each that does not take all.

What is learned is per phase and outlives a switch of phases, which is itself the clearest observation; it ends with the visit.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from evcclib.machines.hold import Timer, first_after
from evcclib.units import ORIGIN, Instant

Doubts = tuple[float, ...]
"""How badly each of `HYPOTHESES` explains what was seen [W], the best one zero; empty: nothing was seen."""

HYPOTHESES: tuple[tuple[int, float], ...] = (
    *((3, float(current_a)) for current_a in range(33)),
    (1, float("inf")),
    (2, float("inf")),
    (3, float("inf")),
)
"""Most phases and most current per phase [A] of a vehicle; what is nearly right explains nearly all."""
ROUNDING_A = 0.5
"""A vehicle's own limit may lie so far below the hypothesis that explains it best."""
NOTHING_SEEN: Doubts = ()
BELIEVED_W = 200.0
"""Two hypotheses that differ by less are both believed: what a house does in the same seconds is often no more."""
DOUBT_MAX_W = 3000.0
CHARGING_A = 6.0
"""A vehicle that says that it charges is likely to take this much on a phase (IEC 61851-1), although nobody sees it: a battery
that nobody measures may make up for it in no time."""
CHANGE_MIN_W = 200.0
"""A smaller change of what is offered says nothing against a house's own noise; several add up to one."""
FOLLOWED_SHARE = 0.5
"""A load that has fallen by this share of what was taken away has followed; the rest may be the house."""
SHOWN_AFTER = timedelta(seconds=8)
"""A vehicle follows within 5 s (IEC 61851-1), and what a meter shows may have flowed 3 s before it was read."""
BEGUN_AFTER = timedelta(seconds=30)
"""A vehicle may take so long from its status to the current that it is offered."""
PATIENCE = timedelta(minutes=10)
"""What a load was longer ago says nothing about the house of now; a clear morning takes as long for a change that counts."""


class Offered(NamedTuple):
    """What a vehicle may draw: amperes per phase, 0 unless it charges, and on how many phases the station supplies it."""

    current_a: float
    phases: int


NOTHING = Offered(0.0, 3)


class Taken(NamedTuple):
    """What a vehicle draws [W]: measured, then all three are the same, or estimated."""

    least_w: float
    likely_w: float
    most_w: float


class Watch(NamedTuple):
    """What a vehicle is ``offered``, and from ``settles_at`` on measurements show it. ``before`` is what it was offered when the
    load was last known, None if that is not known, ``lowest_a`` the least offered since [A]. ``drift_w`` is by how much the
    load has changed since it was last learned what this vehicle takes, without anybody having been offered anything else, and
    ``dip_w`` how far below it has been meanwhile. ``lowered_at``: since when it is offered less than when the load was last
    known."""

    offered: Offered = NOTHING
    settles_at: Instant = ORIGIN
    lowest_a: float = 0.0
    before: Offered | None = None
    drift_w: float = 0.0
    dip_w: float = 0.0
    lowered_at: Timer = None

    def drifted(self, change_w: float) -> Watch:
        """With a load that has changed although nobody was offered anything else."""
        drift_w = self.drift_w + change_w
        return self._replace(drift_w=drift_w, dip_w=max(self.dip_w, -drift_w))


UNWATCHED = Watch()


def watch(before: Watch, offered: Offered, instant: Instant) -> Watch:
    """Notice that something else is offered."""
    if offered == before.offered:
        return before
    if offered.current_a == before.offered.current_a == 0:
        return before._replace(offered=offered)
    settles_at = instant + SHOWN_AFTER
    if offered.current_a > 0:
        begun_at = instant + BEGUN_AFTER if before.offered.current_a == 0 else before.settles_at
        settles_at = max(settles_at, begun_at)
    lowered_at = None
    if offered.current_a < before.offered.current_a:
        lowered_at = instant if before.lowered_at is None else before.lowered_at
    lowest_a = min(before.lowest_a, offered.current_a)
    return before._replace(offered=offered, settles_at=settles_at, lowest_a=lowest_a, lowered_at=lowered_at)


def next_change(watch: Watch, instant: Instant) -> Instant | None:
    """When `surely_taken` or `taken_of` could say something else: the vehicle has had time to follow its offer."""
    lowered_at = watch.lowered_at
    return first_after(instant, watch.settles_at, None if lowered_at is None else lowered_at + SHOWN_AFTER)


def most_power(offered: Offered, voltage_v: float) -> float:
    """All that is offered [W]."""
    return voltage_v * offered.phases * offered.current_a


def powers(offered: Offered, voltage_v: float) -> list[float]:
    """What a vehicle draws by each of `HYPOTHESES` [W]."""
    current_a, phases = offered
    return [voltage_v * min(phases, k) * min(current_a, c) for k, c in HYPOTHESES]


def taken(doubts: Doubts, offered: Offered, voltage_v: float) -> Taken:
    """What a vehicle draws of what it is offered."""
    most_w = most_power(offered, voltage_v)
    if most_w <= 0:
        return Taken(0.0, 0.0, 0.0)
    if not doubts:
        return Taken(0.0, most_w, most_w)
    by_hypothesis = powers(offered, voltage_v)
    least_w = min(power for power, doubt in zip(by_hypothesis, doubts, strict=True) if doubt <= BELIEVED_W)
    likely_w = max(power for power, doubt in zip(by_hypothesis, doubts, strict=True) if doubt == 0.0)
    return Taken(least_w, max(likely_w, voltage_v * min(offered.current_a, CHARGING_A)), most_w)


def taken_of(doubts: Doubts, watch: Watch, *, offered_a: float, voltage_v: float, instant: Instant) -> float | None:
    """What a vehicle is likely to take at least on a phase that it uses [A], where it may well take less than ``offered_a``.

    A load that has been clearly lower may have been a vehicle that tapers, and a house that takes more since hides it. Of one
    that has been lowered for so long that it must have shown, and is to be lowered still, nothing is known.
    """
    if watch.lowered_at is not None and instant - watch.lowered_at >= SHOWN_AFTER:
        return 0.0
    if not doubts:
        return None
    by_doubt = [(doubt, current_a) for (_, current_a), doubt in zip(HYPOTHESES, doubts, strict=True)]
    tapered_a = watch.dip_w / voltage_v if watch.dip_w > BELIEVED_W else 0.0
    likely_a = min(offered_a, max(current_a for doubt, current_a in by_doubt if doubt == 0.0))
    if likely_a - tapered_a >= offered_a - ROUNDING_A:
        return None
    least_a = min(current_a for doubt, current_a in by_doubt if doubt <= BELIEVED_W)
    return max(0.0, min(least_a, offered_a) - tapered_a - ROUNDING_A)


def surely_taken(doubts: Doubts, watch: Watch, metered_at: Instant, voltage_v: float) -> float:
    """What a vehicle took at least at ``metered_at`` [W], unless a load that has fallen since was its own (see `fallen`)."""
    if watch.before is None:
        return 0.0
    current_a = watch.offered.current_a if metered_at >= watch.settles_at else watch.lowest_a
    offered = watch.offered._replace(current_a=current_a)
    least_w, _, most_w = taken(doubts, offered, voltage_v)
    if least_w < most_w:
        least_w -= voltage_v * offered.phases * ROUNDING_A
    return max(0.0, least_w)


def fallen(watches: Iterable[Watch]) -> float:
    """By how much the load has fallen since it was learned what these vehicles take: so much less they may take together [W]."""
    return max([0.0, *(-watch.drift_w for watch in watches)])


def measured(power_w: float) -> Taken:
    """What is known exactly."""
    return Taken(power_w, power_w, power_w)


def unknown_offer(minimum_a: float, maximum_a: float, phases: int, voltage_v: float) -> Taken:
    """What a vehicle draws that charges while nobody knows what it is offered: hardly less than the minimum."""
    return Taken(0.0, voltage_v * phases * minimum_a, voltage_v * phases * max(minimum_a, maximum_a))


def has_followed(seen_w: float, possible_w: float) -> bool:
    """Whether a load that changed by ``seen_w`` tells of vehicles that have followed lower offers, which might have made
    ``possible_w`` less [W, negative]."""
    return seen_w <= FOLLOWED_SHARE * possible_w


def possible_change(doubts: Doubts, before: Offered, after: Offered, voltage_v: float) -> tuple[float, float]:
    """The least and the most that a vehicle may have made of a change of its offer [W]."""
    changes = [
        then - first
        for first, then, doubt in zip(
            powers(before, voltage_v), powers(after, voltage_v), doubts or (0.0,) * len(HYPOTHESES), strict=True
        )
        if doubt <= BELIEVED_W
    ]
    return min(changes), max(changes)


def learn(
    doubts: Doubts, before: Offered, after: Offered, *, seen_least_w: float, seen_most_w: float, voltage_v: float
) -> Doubts:
    """The accounts after one more observation: the change of the load that this vehicle has made lay between the two [W]."""
    found: list[float] = []
    for first, then, doubt in zip(
        powers(before, voltage_v), powers(after, voltage_v), doubts or (0.0,) * len(HYPOTHESES), strict=True
    ):
        change_w = then - first
        found.append(doubt + max(seen_least_w - change_w, change_w - seen_most_w, 0.0))
    best = min(found)
    return tuple([min(doubt - best, DOUBT_MAX_W) for doubt in found])

"""What of one sun would be each car's own, and what of the limits; it lives for one step.

Three divisions of the same sun answer three questions, each by `evcclib.laws.shares`:

* *What is a move worth?* Whoever charges, or waits for the others to make room, has its minimum by priority; equals share the
  rest. A car is counted with all positions that it could take. One whose minimum does not fit has what those before it leave.
* *Could it start?* The same, with those who would start.
* *What current?* Whoever charges holds its minimum where it is, and so does whoever waits for room, as far as it fits; the rest
  is divided by what each makes use of, within the limits.

What cars draw now, or have just been promised, is no room for another one, whatever its share.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

from evcclib.laws.account import Span
from evcclib.laws.shares import Bound, Claim, Share, divide
from evcclib.machines.limits.circuits import Room
from evcclib.model import Sharing

SUN = ""
"""Among the names of limits none is empty; so nothing but the sun stops whom no name does."""
WATT = 1.0
TAKEN_PART = 0.1
"""What sun is worth to a car that waits while others of its rank or above use it: nothing is lost but fairness."""


class Party(NamedTuple):
    """A car that follows the sun.

    ``is_on``: it charges, or is about to. ``is_coming``: it waits until the others have made room for where it goes.
    ``is_waiting``: it is off, and would start. ``is_kept``: it has its minimum whatever the sun does. ``load_w``: what it draws,
    or has been promised. ``now`` is what it can draw where it is, or goes, ``whole`` wherever it could be; ``used_w`` what it
    makes use of, which may be less than its minimum. ``got`` is what it has had of the sun so far [kWh].
    """

    priority: int
    is_on: bool
    is_coming: bool
    is_waiting: bool
    is_kept: bool
    load_w: float
    now: Span
    whole: Span
    watts_a: float
    step_a: float
    used_w: float
    got: int

    @property
    def is_content(self) -> bool:
        """Whether it charges with less than it is offered."""
        return self.is_on and not math.isinf(self.used_w)

    @property
    def spared_w(self) -> float:
        """What it does not take of its minimum."""
        return max(0.0, self.now.min_w - self.load_w) if self.is_content else 0.0

    @property
    def claimed(self) -> Span:
        """What it can draw anywhere, as far as it makes use of it."""
        if not self.is_content:
            return self.whole
        least_w = min(self.whole.min_w, self.load_w)
        return Span(least_w, max(least_w, min(self.whole.max_w, self.load_w)))

    @property
    def spare_w(self) -> float:
        """What it is left beyond what it draws, to rise again: until it does, that is the others'."""
        return max(0.0, self.used_w - self.load_w) if self.is_content else 0.0

    @property
    def rank(self) -> int:
        """Among equals those who charge come first."""
        return 0 if self.is_on else 1 if self.is_coming else 2 if self.is_waiting else 3


class _Division(NamedTuple):
    """What each has of the sun, 0: its minimum does not fit; the minimums that do, and what nobody has."""

    share_w: dict[int, float]
    minimums_w: float
    left_w: float


class Roof:
    """The sun [W] and the cars that follow it; ``others``: what of the limits is claimed by those that do not [A]."""

    def __init__(
        self,
        sun_w: float,
        parties: Mapping[int, Party],
        others: Mapping[int, Claim],
        rooms: Iterable[Room],
        sharing: Sharing,
    ) -> None:
        self.sun_w, self.parties, self.others = sun_w, dict(parties), others
        self._rooms, self._sharing = tuple(rooms), sharing
        self._load_w = sum(party.load_w for party in parties.values() if party.is_on)

    def promise(self, index: int, power_w: float) -> None:
        """From now on a car counts with so much, if that is more than it did."""
        party = self.parties[index]
        before_w = party.load_w if party.is_on else 0.0
        if power_w > before_w:
            self._load_w += power_w - before_w
            self.parties[index] = party._replace(load_w=power_w, is_on=True)

    def own_w(self, index: int) -> float:
        """The sun that would be a car's own, of which its moves are judged."""
        if len(self.parties) == 1:
            return self.sun_w
        party = self.parties[index]
        is_counted = party.is_on or party.is_coming
        granted = self._charging if is_counted else self._starting if party.is_waiting else self._everybody
        if granted.share_w[index] == 0:
            before = [each for each in self._short if each < self._place(index)] if party.is_on else []
            waived_w = sum(self.parties[place[-1]].claimed.min_w for place in before)
            return self.sun_w - granted.minimums_w - waived_w + party.spared_w
        own_w = granted.share_w[index] + granted.left_w
        if party.is_on and party.now.max_w < party.whole.max_w and not self._is_awaited:
            own_w = max(own_w, self._present[index].granted * party.watts_a + self._left_w)
        return own_w + party.spared_w

    def following_w(self, index: int) -> float:
        """The sun that a car's current is to follow: its share, but no more than it has until the others have left it that."""
        if len(self.parties) == 1:
            return self.sun_w
        party, left_w = self.parties[index], self._left_w
        if not party.is_on or (left_w < 0 and self._charging.share_w[index] == 0):
            return self.own_w(index)
        following_w = self._present[index].granted * party.watts_a + max(0.0, left_w) + party.spared_w
        return min(following_w, max(party.load_w, self.free_w(index)))

    def free_w(self, index: int) -> float:
        """What the others leave to a car as long as nobody has reduced."""
        party = self.parties[index]
        return self.sun_w - self._load_w + (party.load_w if party.is_on else 0.0)

    def worth(self, index: int) -> float:
        """How much of what would be a waiting car's own is worth its price: what nobody uses, or those who give way to it."""
        party, own_w = self.parties[index], self.own_w(index)
        used_w = self._used_w[party.priority]
        if own_w <= 0 or not used_w:
            return 1.0
        left_w = min(own_w, max(0.0, self.sun_w - used_w))
        return (left_w + TAKEN_PART * (own_w - left_w)) / own_w

    def yields(self, index: int) -> bool:
        """Whether a car's minimum is what one of higher priority waits for."""
        party = self.parties[index]
        if not party.is_on or party.is_kept or self._charging.share_w[index] > 0:
            return False
        if not any(
            each.is_coming and not each.is_on and each.priority > party.priority for each in self.parties.values()
        ):
            return False
        alone = self._admitted([each for each, other in self.parties.items() if other.is_on])
        return alone.share_w[index] > 0

    def cap(self, index: int, offered_a: float) -> Share | None:
        """The most of the limits that is a loadpoint's part [A], and which one binds; None: none does, or not even its minimum
        fits and its limit will say so. Whoever is to have less than it is ``offered_a`` has the benefit of the doubt."""
        if not self._rooms:
            return None
        share = self._present.get(index)
        if share is not None and share.bound != SUN and 0 < share.granted < offered_a:
            share = self._at_best[index]
        return share if share is not None and share.granted > 0 and share.bound != SUN else None

    # -- inside ------------------------------------------------------------------------------------------------------------

    @cached_property
    def _charging(self) -> _Division:
        return self._admitted([each for each, party in self.parties.items() if party.is_on or party.is_coming])

    @cached_property
    def _starting(self) -> _Division:
        return self._admitted([each for each, party in self.parties.items() if party.rank < 3])

    @cached_property
    def _everybody(self) -> _Division:
        return self._admitted(list(self.parties))

    @cached_property
    def _short(self) -> list[tuple[int, int, int, int]]:
        """The places of those who charge though their minimum does not fit."""
        return [
            self._place(each)
            for each, share_w in self._charging.share_w.items()
            if share_w == 0 and self.parties[each].is_on
        ]

    def _place(self, index: int) -> tuple[int, int, int, int]:
        """Equals that charge come first, and those that have got least; so who must rest is another one each time."""
        party = self.parties[index]
        return -party.priority, party.rank, 0 if self._sharing is Sharing.ORDER else party.got, index

    def _admitted(self, members: list[int]) -> _Division:
        members = sorted(members, key=self._place)
        claims = []
        for each in members:
            party = self.parties[each]
            least_w, most_w = party.claimed
            claims.append(Claim(least_w, most_w, WATT, party.priority, is_held=party.is_kept))
        sun = Bound(SUN, self.sun_w, dict.fromkeys(range(len(members)), 1.0))
        shares = divide(claims, [sun], self._sharing)
        share_w = {each: share.granted for each, share in zip(members, shares, strict=True)}
        minimums_w = sum(claim.minimum for claim, share in zip(claims, shares, strict=True) if share.granted > 0)
        return _Division(share_w, minimums_w, self.sun_w - sum(share_w.values()))

    @cached_property
    def _present(self) -> dict[int, Share]:
        return self._offers([room.left for room in self._rooms])

    @cached_property
    def _at_best(self) -> dict[int, Share]:
        return self._offers([room.left_most for room in self._rooms])

    def _offers(self, lefts: list[float]) -> dict[int, Share]:
        """What each is to be offered [A], where rooms are so large."""
        present = [each for each, party in self.parties.items() if party.is_on or party.is_coming]
        members = sorted(present, key=self._place)
        claims = []
        for each in members:
            party = self.parties[each]
            least_w = min(party.now.min_w, party.load_w) if party.is_content else party.now.min_w
            least_a, most_a = least_w / party.watts_a, party.now.max_w / party.watts_a
            used_a = party.used_w / party.watts_a
            claims.append(
                Claim(
                    least_a,
                    max(least_a, most_a),
                    party.step_a,
                    party.priority,
                    used_a,
                    party.watts_a,
                    is_held=party.is_on,
                )
            )
        at = {each: number for number, each in enumerate([*members, *self.others])}
        bounds = [Bound(SUN, self.sun_w + self._spare_w, {at[each]: self.parties[each].watts_a for each in members})]
        bounds += [
            Bound(room.limit, left, {at[each]: takes for each, takes in room.takes.items() if each in at})
            for room, left in zip(self._rooms, lefts, strict=True)
        ]
        shares = divide([*claims, *self.others.values()], bounds, self._sharing)
        return dict(zip(at, shares, strict=True))

    @cached_property
    def _is_awaited(self) -> bool:
        """Whether room is waited for that reducing does not make."""
        return any(party.is_coming and not self._present[each].granted for each, party in self.parties.items())

    @cached_property
    def _spare_w(self) -> float:
        return sum(party.spare_w for party in self.parties.values() if party.is_on)

    @cached_property
    def _used_w(self) -> dict[int, float]:
        """The same of those of a priority and above."""
        charging = [party for party in self.parties.values() if party.is_on]
        return {
            priority: sum(each.load_w for each in charging if each.priority >= priority)
            for priority in {party.priority for party in self.parties.values()}
        }

    @cached_property
    def _left_w(self) -> float:
        """What of the sun nobody gets who charges; below 0: so much is bought for minimums."""
        return (
            self.sun_w
            + self._spare_w
            - sum(
                share.granted * self.parties[each].watts_a
                for each, share in self._present.items()
                if each in self.parties
            )
        )

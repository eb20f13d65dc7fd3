"""What is to be planned for one car, as data.

**Terms.** Time is cut into slots i of any length, h_i. In a slot the car takes a power p that its charger can give,

    p = 0, or p_min <= p <= p_max of one of the `ranges_w` (one phase, three phases), and p <= `cap_w` of the slot  [W]

It may take several powers one after the other, and charge for a part of the slot only. With sun s left over by the house,
bought energy at `price` and own energy, which could have been sold, at `feed_in`, an hour at p costs

    g(p) = price x max(0, p - s) + feed_in x (sold(0) - sold(p)),   sold(p) = min(max(0, s - p), `sell_max_w`)

and with several possible suns the mean of it by their shares.

So energy e taken in a slot costs no less than the lower convex hull of the points (p h, g(p) h): c(e) where the car may
also stand still for a part of the slot, d(e) where it charges throughout, p >= the least of all p_min. Both are convex and
piecewise linear, whatever the signs of the prices, and both are reached by at most two powers one after the other.

**Starts.** A *run* is charging without a break; it may begin late in its first slot and end early in its last one. Between
them it fills its slots. Every run costs `start_cost`, but not the one that goes on from before the first slot
(`is_charging`). A break within a slot begins a new run. If `is_one_block`, there is but one run: the one that goes on, or
a later one.

    cost = sum of c(e_i) over first and last slots and slots with a break + sum of d(e_i) over the others + start_cost x runs
    sum of e_i = `need_kwh`

**Last resort.** A slot without a price is not used while the others suffice; else they are used as far as they go, and of
those without a price the latest.

**Forced.** A slot that `is_forced` is charged in with all that is possible, whatever it costs (precondition before a departure).

**Exactness.** Energies are whole watt-milliseconds and prices whole millionths: nothing is rounded while costs are added and
compared, and equal prices are equal. Of equal costs the later energy wins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from evcclib.errors import InvalidReadings


class Sun(NamedTuple):
    """Power that the house leaves over [W], and how likely it is: the shares of one slot add up to 1."""

    power_w: float
    share: float = 1.0


class Slot(NamedTuple):
    """From ``start`` to ``end``, both timezone-aware. ``price`` [unit/kWh] holds all fees and taxes; None: not known."""

    start: datetime
    end: datetime
    price: float | None = None
    feed_in: float = 0.0
    sun: tuple[Sun, ...] = ()
    cap_w: float = math.inf
    is_forced: bool = False
    sell_max_w: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """``slots`` follow one another without a gap. ``need_kwh`` is counted at the socket, losses of the car included.

    Raises `InvalidReadings` for what is no number, or runs backwards.
    """

    slots: tuple[Slot, ...]
    need_kwh: float
    ranges_w: tuple[tuple[float, float], ...]
    start_cost: float = 0.0
    is_charging: bool = False
    is_one_block: bool = False

    def __post_init__(self) -> None:
        for name, value in (("need_kwh", self.need_kwh), ("start_cost", self.start_cost)):
            if not 0 <= value < math.inf:
                raise InvalidReadings(f"Problem.{name}", value, "a finite number, 0 or more")
        if not self.ranges_w:
            raise InvalidReadings("Problem.ranges_w", self.ranges_w, "at least one range [W]")
        for number, (low, high) in enumerate(self.ranges_w):
            if not 0 <= low <= high < math.inf or high == 0:
                raise InvalidReadings(f"Problem.ranges_w[{number}]", (low, high), "a finite range that goes up [W]")
        before = None
        for number, slot in enumerate(self.slots):
            if not slot.start < slot.end or before not in (None, slot.start):
                raise InvalidReadings(f"Problem.slots[{number}]", slot, "a slot that begins where the last one ends")
            before = slot.end
            numbers = (slot.feed_in, *(number for sun in slot.sun for number in sun))
            if not (all(map(math.isfinite, numbers)) and slot.cap_w >= 0 and slot.sell_max_w >= 0):
                raise InvalidReadings(
                    f"Problem.slots[{number}]", slot, "finite feed-in and sun, and limits of 0 or more"
                )


def hourly_cost(slot: Slot, power_w: float) -> float:
    """g(p) of a slot, an unknown price left out of account."""
    price = slot.price if slot.price is not None and math.isfinite(slot.price) else 0.0
    total = 0.0
    for sun in slot.sun or (Sun(0.0),):
        sold_w, still_sold_w = (min(max(0.0, sun.power_w - each_w), slot.sell_max_w) for each_w in (0.0, power_w))
        total += sun.share * (
            price * max(0.0, power_w - max(0.0, sun.power_w)) + slot.feed_in * (sold_w - still_sold_w)
        )
    return total / 1000

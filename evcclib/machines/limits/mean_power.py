"""The mean of what is bought in a window of the clock, and what may be bought for the rest of it.

    bought so far + present power until the end <= limit x window

A quarter of an hour, or an hour, that begins on the clock: what a capacity tariff charges for is the highest mean of all. What
was saved earlier in a window is spread over a good part of it, so that nobody is let loose at its end; what was overdrawn is
made up for by its end. A little is kept back for what happens while a car takes its time to follow.

What flowed between two samples is the more that either shows; between two that lie too far apart, or before the first one, at
least the limit: whoever does not know has saved nothing. What is sold makes up for nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from evcclib.allowed import EARLIEST
from evcclib.machines.hold import Timer
from evcclib.measured import Measured
from evcclib.units import HOUR, SECOND, ZERO, Instant

KEPT_SHARE = 0.03
"""This part of what may be bought in a window is kept for its end ..."""
SPREAD_SHARE = 1 / 3
"""... and what was saved is spread over this part of a window at least."""


class Bought(NamedTuple):
    """What was bought in the window that has begun at ``begins``, up to ``at``, when ``power_w`` was read last."""

    begins: datetime
    bought_wh: float = 0.0
    power_w: float = 0.0
    at: Timer = None  # None: nothing has been read yet


class Terms(NamedTuple):
    """A limit of the mean power, and its window on the clock of ``zone``."""

    limit_w: float
    window: timedelta
    zone: tzinfo

    def begins(self, utc: datetime) -> datetime:
        """When the window of ``utc`` has begun."""
        offset = utc.astimezone(self.zone).utcoffset() or timedelta(0)
        return utc - (utc + offset - EARLIEST) % self.window

    def ends(self, utc: datetime) -> datetime:
        """When the window of ``utc`` will end."""
        return self.begins(utc) + self.window


def count(
    before: Bought | None,
    sample: Measured[float] | None,
    terms: Terms,
    *,
    age_max: timedelta,
    instant: Instant,
    utc: datetime,
) -> Bought:
    """``before`` with what was bought up to the newest ``sample`` of the power; a gap is one of more than ``age_max``."""
    begins = terms.begins(utc)
    start = instant - (utc - begins)
    now = Bought(begins) if before is None else before
    if now.begins != begins:  # a clock that has been set knows nothing of the window it finds itself in
        unknown = ZERO if now.at is None else max(now.at - start, ZERO)
        now = now._replace(begins=begins, bought_wh=terms.limit_w * (unknown / HOUR))
    if sample is None or (now.at is not None and sample.sampled_at <= now.at):
        return now
    since = start if now.at is None else max(now.at, start)
    powers_w = [0.0, sample.value, now.power_w]
    if now.at is None or sample.sampled_at - now.at > age_max:
        powers_w.append(terms.limit_w)
    more_wh = max(powers_w) * (max(sample.sampled_at - since, ZERO) / HOUR)
    return Bought(begins, now.bought_wh + more_wh, sample.value, sample.sampled_at)


def left_w(bought: Bought, terms: Terms, *, instant: Instant, utc: datetime, calmly: bool) -> float:
    """What may be bought from now on, to the end of the window; ``calmly``: if a little is kept and what was saved is spread."""
    start = instant - (utc - bought.begins)
    since = start if bought.at is None else max(bought.at, start)
    used_wh = bought.bought_wh + max(bought.power_w, 0.0) * (max(instant - since, ZERO) / HOUR)
    rest = max(start + terms.window - instant, SECOND)
    most_w = max((terms.limit_w * (terms.window / HOUR) - used_wh) / (rest / HOUR), 0.0)
    if not calmly:
        return most_w
    aim_w = terms.limit_w * (1 - KEPT_SHARE)
    saved_wh = aim_w * ((terms.window - rest) / HOUR) - used_wh
    return max(min(aim_w + saved_wh / (max(rest, terms.window * SPREAD_SHARE) / HOUR), most_w), 0.0)

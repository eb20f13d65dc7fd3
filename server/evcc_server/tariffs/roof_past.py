"""What this roof has given of a clear sky's power, hour by hour, and what that lets expect. Pure.

share     measured mean power of an hour / clear-sky mean power of the hour, of hours in which a clear sky gives enough to tell
expected  clear sky * median of the shares of the same hour of the day (UTC) in the last 30 days; p10 and p90 likewise

Clouds, shade, dirt, snow and what the owner got wrong about the roof are all in the shares. An hour of the day that is known from
too few days takes the shares of all hours; a roof without enough of those is expected to give what a clear sky does, and has no
p10 and p90.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import fmean, quantiles

from evcc_server.tariffs.price_list import Power
from evcclib.tariff import Rate

KEPT = timedelta(days=30)
DAYS_MIN = 5
"""Known from fewer days, an hour of the day tells nothing."""
TELLING_W = 50.0
"""Of clear-sky power; with less, a share says more of the horizon than of the sky."""
SHARE_MAX = 2.0
"""More than this of a clear sky is a wrong peak power, or a wrong meter."""
MINUTES_MIN = 50
"""Of an hour, with a look at the power, for the hour to count."""


@dataclass(frozen=True, slots=True)
class RoofPast:
    """Shares by the beginning of their hour, in UTC."""

    shares: Mapping[datetime, float] = field(default_factory=dict)

    def noted(self, hour: datetime, measured_w: float, clear_w: float) -> RoofPast:
        """With one more hour, if it tells something, and without what is too old."""
        kept = {time: share for time, share in self.shares.items() if time > hour - KEPT}
        if clear_w >= TELLING_W:
            kept[hour] = min(max(0.0, measured_w / clear_w), SHARE_MAX)
        return RoofPast(kept)

    def expected(self, clear: Iterable[Rate]) -> Power:
        """A clear sky's powers [W] as this roof would give them."""
        clear = tuple(clear)
        everything = _tenths(self.shares.values())
        if everything is None:
            return Power(clear)
        by_hour = {
            hour: _tenths(share for time, share in self.shares.items() if time.hour == hour) or everything
            for hour in range(24)
        }

        def scaled(which: int) -> tuple[Rate, ...]:
            return tuple(Rate(rate.start, rate.end, rate.price * by_hour[rate.start.hour][which]) for rate in clear)

        return Power(scaled(1), scaled(0), scaled(2))

    def export(self) -> dict[str, float]:
        """Plain values, for `restored`."""
        return {time.isoformat(): share for time, share in self.shares.items()}

    @classmethod
    def restored(cls, exported: Mapping[str, object]) -> RoofPast:
        """Raises `ValueError` for what `export` would not say."""
        shares: dict[datetime, float] = {}
        for text, share in exported.items():
            time = datetime.fromisoformat(text)
            if time.tzinfo is None or not isinstance(share, int | float) or not 0 <= share <= SHARE_MAX:
                raise ValueError(f"{text}: {share!r}")
            shares[time.astimezone(UTC)] = float(share)
        return cls(shares)


def _tenths(shares: Iterable[float]) -> tuple[float, float, float] | None:
    """What is undercut in one case of ten, in half of them, and in nine of ten; None: it is not known."""
    known = sorted(shares)
    if len(known) < DAYS_MIN:
        return None
    tenths = quantiles(known, n=10, method="inclusive")
    return tenths[0], tenths[4], tenths[8]


class HourMeans:
    """Looks at a power, one a minute, as means of whole hours."""

    def __init__(self) -> None:
        self._hour: datetime | None = None
        self._powers_w: list[float] = []

    def look(self, time: datetime, power_w: float | None) -> tuple[datetime, float] | None:
        """Take one look; with the first one after an hour, that hour's beginning and mean, if enough of it has been seen."""
        hour = time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        over = None
        if hour != self._hour:
            if self._hour is not None and len(self._powers_w) >= MINUTES_MIN:
                over = self._hour, fmean(self._powers_w)
            self._hour, self._powers_w = hour, []
        if power_w is not None:
            self._powers_w.append(power_w)
        return over

"""What of a site goes into the history, and the minutes of it that wait for the disk.

Powers that change their sign are kept as two series, each sample counted in one: a minute that bought and then sold the same
shows both, where the mean of the signed power would be zero. A loadpoint is known by its charger, whatever it is called and
wherever it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from evcc_server.keeping.means import Mean, MinuteMeans
from evcclib.model import Now
from evcclib.view import SiteView

GRID_IMPORT, GRID_EXPORT = "gridImport", "gridExport"
PV, HOME = "pv", "home"
BATTERY_CHARGE, BATTERY_DISCHARGE = "batteryCharge", "batteryDischarge"
BATTERY_SOC = "batterySoc"
TARIFF_GRID, TARIFF_FEED_IN, TARIFF_CO2 = "tariffGrid", "tariffFeedIn", "tariffCo2"
CHARGE_POWER, VEHICLE_SOC = "chargePower", "vehicleSoc"

WAITING_MAX = 50_000
"""Means that wait for a disk that fails, a day of a large home; then the oldest go."""
INTERVALS_HELD = 2
"""For how many intervals a sample is believed: one may come late."""


def of_loadpoint(kind: str, charger: str) -> str:
    """The name of a loadpoint's series; a kind holds no blank."""
    return f"{kind} {charger}"


def sampled(view: SiteView, chargers: Sequence[str]) -> Mapping[str, float | None]:
    """What each series is now: W, %, and prices as the tariff has them; None: unknown."""
    return dict(_sampled(view, chargers))


class SiteHistory:
    """Takes in what the loop has seen; `take_over` gives what is to be written."""

    def __init__(self, chargers: Sequence[str], interval: timedelta) -> None:
        self._chargers = chargers
        self._means = MinuteMeans(INTERVALS_HELD * interval)
        self._waiting: list[Mean] = []

    def take(self, view: SiteView, now: Now) -> None:
        """The site as it is from ``now`` on."""
        self._waiting += self._means.take(now, sampled(view, self._chargers))

    def end(self, now: Now) -> None:
        """Nobody looks from ``now`` on: the minute that is open is over, too."""
        self._waiting += self._means.end(now)

    def take_over(self) -> Sequence[Mean]:
        """What is over and not on the disk; the caller's from now on."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def give_back(self, means: Sequence[Mean]) -> None:
        """They could not be written."""
        self._waiting = [*means, *self._waiting][-WAITING_MAX:]


def _sampled(view: SiteView, chargers: Sequence[str]) -> Iterator[tuple[str, float | None]]:
    if view.has_grid:
        yield GRID_IMPORT, _positive(view.grid_power_w, 1)
        yield GRID_EXPORT, _positive(view.grid_power_w, -1)
    if view.has_pv:
        yield PV, view.pv_power_w
    yield HOME, view.home_power_w
    if view.batteries:
        powers = [battery.power_w for battery in view.batteries]
        yield BATTERY_DISCHARGE, _total(powers, 1)
        yield BATTERY_CHARGE, _total(powers, -1)
        yield BATTERY_SOC, view.battery_soc_pct
    yield TARIFF_GRID, view.tariff_grid
    yield TARIFF_FEED_IN, view.tariff_feed_in
    yield TARIFF_CO2, view.tariff_co2
    for loadpoint, charger in zip(view.loadpoints, chargers, strict=True):
        yield of_loadpoint(CHARGE_POWER, charger), loadpoint.charge_power_w
        yield of_loadpoint(VEHICLE_SOC, charger), loadpoint.vehicle_soc_pct


def _total(powers_w: Sequence[float | None], sign: int) -> float | None:
    """Of several batteries, each by its own sign: one may charge another."""
    parts = [_positive(power_w, sign) for power_w in powers_w]
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _positive(power_w: float | None, sign: int) -> float | None:
    """The part of ``power_w`` that has this sign."""
    return None if power_w is None else max(sign * power_w, 0.0)

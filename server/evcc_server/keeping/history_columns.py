"""The history as columns: spans of local time, what each series was in them, and what a day's energies say. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from evcc_server.keeping.history import Span, Sums
from evcc_server.keeping.means import MINUTE, QUARTER, floor
from evcc_server.keeping.site_history import (
    BATTERY_CHARGE,
    BATTERY_DISCHARGE,
    BATTERY_SOC,
    CHARGE_POWER,
    GRID_EXPORT,
    GRID_IMPORT,
    HOME,
    PV,
    TARIFF_CO2,
    TARIFF_FEED_IN,
    TARIFF_GRID,
    VEHICLE_SOC,
    of_loadpoint,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STEPS: Mapping[str, timedelta] = {"1m": MINUTE, "15m": QUARTER, "1h": HOUR, "1d": DAY}
POWERS = (GRID_IMPORT, GRID_EXPORT, PV, HOME, BATTERY_CHARGE, BATTERY_DISCHARGE)
KNOWN, OWN_CONSUMPTION, AUTARKY = "known", "ownConsumption", "autarky"
SAME_TIME = 0.99
"""Shares are told if the least known of their energies was known for this part of the best known one's time."""
PRICE_DIGITS = 5
"""Decimals of prices; nothing has more."""
_WS_PER_KWH = 3.6e6
_DIGITS: Mapping[str, int] = {"W": 1, "%": 1, "s": 0, "kWh": 3, "g/kWh": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One value for each span, None: unknown. ``charger`` is the device of the loadpoint it is about."""

    key: str
    unit: str
    values: Sequence[float | None]
    charger: str = ""


def stored_width(step: timedelta) -> timedelta:
    """Of the rows that spans of ``step`` are made of."""
    return MINUTE if step < QUARTER else QUARTER


def spans(start: datetime, end: datetime, step: timedelta, zone: tzinfo) -> Iterator[Span]:
    """From the one that ``start`` is in until the one before ``end``; hours and days are those of ``zone``."""
    at = _floor(start, step, zone)
    while at < end:
        after = _next_day(at, zone) if step == DAY else at + step
        yield at, after
        at = after


def columns(found: Sequence[Sums], step: timedelta, chargers: Sequence[str], currency: str) -> Iterator[Column]:
    """Of days the energies of powers, of shorter spans their means; of everything else the mean.

    Loadpoints that there are come first, in their order; then those that only the past has.
    """
    named = {name for sums in found for name in sums}
    past = sorted({name.partition(" ")[2] for name in named if " " in name} - {*chargers})
    yield Column(key=KNOWN, unit="s", values=[_known_s(sums) for sums in found])
    for name in POWERS:
        yield _power(found, step, name, name)
    price = f"{currency}/kWh"
    for name, unit in ((BATTERY_SOC, "%"), (TARIFF_GRID, price), (TARIFF_FEED_IN, price), (TARIFF_CO2, "g/kWh")):
        yield Column(key=name, unit=unit, values=_means(found, name, unit))
    if step == DAY:
        yield Column(key=OWN_CONSUMPTION, unit="%", values=[_own_consumption_pct(sums) for sums in found])
        yield Column(key=AUTARKY, unit="%", values=[_autarky_pct(sums) for sums in found])
    for charger in (*chargers, *past):
        yield _power(found, step, CHARGE_POWER, of_loadpoint(CHARGE_POWER, charger), charger)
        soc = _means(found, of_loadpoint(VEHICLE_SOC, charger), "%")
        yield Column(key=VEHICLE_SOC, unit="%", values=soc, charger=charger)


def _floor(time: datetime, step: timedelta, zone: tzinfo) -> datetime:
    local = time.astimezone(zone)
    if step == DAY:
        return _midnight(local, zone)
    offset = local.utcoffset() or timedelta(0)  # hours begin at the half where the zone is half an hour off
    return floor(time.astimezone(UTC) + offset, step) - offset


def _next_day(midnight: datetime, zone: tzinfo) -> datetime:
    return _midnight(midnight.astimezone(zone) + DAY, zone)


def _midnight(local: datetime, zone: tzinfo) -> datetime:
    return datetime(local.year, local.month, local.day, tzinfo=zone).astimezone(UTC)


def _power(found: Sequence[Sums], step: timedelta, key: str, name: str, charger: str = "") -> Column:
    if step != DAY:
        return Column(key=key, unit="W", values=_means(found, name, "W"), charger=charger)
    energies = [_rounded(_energy_ws(sums, name), "kWh", _WS_PER_KWH) for sums in found]
    return Column(key=f"{key.removesuffix('Power')}Energy", unit="kWh", values=energies, charger=charger)


def _means(found: Sequence[Sums], name: str, unit: str) -> list[float | None]:
    return [_rounded(sums[name][0], unit, sums[name][1]) if name in sums else None for sums in found]


def _rounded(value: float | None, unit: str, divisor: float) -> float | None:
    return None if value is None else round(value / divisor, _DIGITS.get(unit, PRICE_DIGITS))


def _known_s(sums: Sums) -> float:
    return round(max((seconds for _, seconds in sums.values()), default=0.0))


def _energy_ws(sums: Sums, name: str) -> float | None:
    return sums[name][0] if name in sums else None


def _together(sums: Sums, *needed: str) -> bool:
    """Whether all of these were known for the same time, nearly."""
    known = [sums[name][1] if name in sums else 0.0 for name in needed]
    return min(known) > 0.0 and min(known) >= SAME_TIME * max(known)


def _own_consumption_pct(sums: Sums) -> float | None:
    """How much of the sun was not sold."""
    if not _together(sums, PV, GRID_EXPORT):
        return None
    pv_ws, sold_ws = sums[PV][0], sums[GRID_EXPORT][0]
    return _share_pct(pv_ws - sold_ws, pv_ws)


def _autarky_pct(sums: Sums) -> float | None:
    """How much of what was consumed was not bought; what the batteries took and gave is no consumption."""
    parts = [GRID_IMPORT, GRID_EXPORT, *(name for name in (PV, BATTERY_CHARGE, BATTERY_DISCHARGE) if name in sums)]
    if not _together(sums, HOME, *parts):  # the home is known when all of the others are
        return None
    signs = {GRID_EXPORT: -1, BATTERY_CHARGE: -1}
    consumed_ws = sum(signs.get(name, 1) * sums[name][0] for name in parts)
    return _share_pct(consumed_ws - sums[GRID_IMPORT][0], consumed_ws)


def _share_pct(part: float, whole: float) -> float | None:
    return round(100 * min(max(part / whole, 0.0), 1.0), 1) if whole > 0.0 else None

"""A recording as a world: sun and household as they were, cars that come and go as they did, the charging decided anew.

Between two looks sun and household run in a straight line; where nothing is known for longer they go on as they were. Stations
and cars are what was seen of them. What was not seen is assumed, and told with the key of the scenario format that says better.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from statistics import median
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from evcc_sim.commands.record import Loadpoint, Row
from evcc_sim.recorded.csv_file import GAP, GAP_MIN_S
from evcc_sim.worlds.scenario import InvalidScenario, Scenario, from_table
from evcc_sim.worlds.variants import changed

CHARGES_W = 500.0
"""A car that draws less is not charging yet, or not any more."""
ONE_PHASE_W = 3900.0
"""Less than the smallest current on three phases, and more than 16 A on one."""
OFTEN = 0.05
"""The share of all looks that a number of phases must have to be believed, where it follows from the power alone."""
SOC_RISE_PCT, TAKEN_KWH = 10.0, 1.0
"""From such a rise on, SoC and energy tell the capacity."""
CAPACITY_KWH, SOC_PCT, EFFICIENCY = 60.0, 50.0, 0.9
"""Of a car of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """The world, and what people should know of it."""

    scenario: Scenario
    apart_s: float  # two looks, usually
    seen: tuple[str, ...]
    assumed: tuple[str, ...]


@dataclass(slots=True)
class _Notes:
    """``assumed``: by the key that would say it, from which a ``--set`` takes it away."""

    seen: list[str] = field(default_factory=list)
    assumed: dict[str, str] = field(default_factory=dict)

    def left(self, changes: Sequence[str]) -> tuple[str, ...]:
        said = [change.partition("=")[0].split(".") for change in changes]
        return tuple(
            f"{text} (--set {key}=...)"
            for key, text in self.assumed.items()
            if not any(_is_part_of(path, key.split(".")) for path in said)
        )


def _is_part_of(path: Sequence[str], key: Sequence[str]) -> bool:
    return all(one in (other, "*") for one, other in zip(path, key, strict=False))


def replayed(
    looks: Sequence[Row], *, name: str, time_zone: str = "Europe/Berlin", changes: Sequence[str] = ()
) -> Replayed:
    """The recorded site as a world, with ``changes`` to it of the form ``key.path=value``.

    Raises `InvalidScenario` for a recording that never knew the home power, or with values that cannot be.
    """
    zone = ZoneInfo(time_zone)
    start = looks[0].time.astimezone(zone).date()
    epoch = datetime.combine(start, time(0), zone).astimezone(UTC)
    seconds = [(look.time - epoch).total_seconds() for look in looks]
    apart_s = median(later - now for now, later in itertools.pairwise(seconds))
    home = _course(seconds, [look.home_w for look in looks], apart_s)
    sun = _course(seconds, [look.pv_w for look in looks], apart_s)
    if not home:
        raise InvalidScenario(f"{name}: the home power is not known in any row")
    notes = _Notes()
    notes.assumed["site.interval_s"] = "the control decides every 10 s"
    notes.assumed["site.residual_power_w"] = "its residual power is 0 W"
    count = min(len(look.loadpoints) for look in looks)
    table: dict[str, Any] = {
        "title": f"Recording {name}",
        "hours": seconds[-1] / 3600.0,
        "days": max(1, math.ceil(seconds[-1] / 86_400)),
        "site": {"start": start, "time_zone": time_zone},
        "household": {"series": home, "is_smooth": True, "has_appliances": False},
        "pv": [{"name": "recorded", "series": sun, "is_smooth": True}] if sun else [],
        "battery": _battery(looks, notes),
        "charger": [],
        "car": [],
        "action": [action for index in range(count) for action in _modes(looks, index, zone, start)],
    }
    for index in range(count):
        charger, draws = _charger(looks, index, notes)
        table["charger"].append(charger)
        for number, stay in enumerate(_stays(looks, index), len(table["car"])):
            table["car"].append({**_car(stay, f"car.{number}", notes), **draws, "visits": _visits(stay, zone, start)})
    scenario = from_table(changed(table, changes), name=name)
    return Replayed(scenario, apart_s, tuple(notes.seen), notes.left(changes))


def _course(seconds: Sequence[float], values: Sequence[float | None], apart_s: float) -> list[tuple[float, float]]:
    """Known values for straight lines; over a gap the last one holds. Nothing flows backwards."""
    known = {second: max(0.0, value) for second, value in zip(seconds, values, strict=True) if value is not None}
    last = None
    points: list[tuple[float, float]] = []
    for second, value in known.items():
        if last is not None and second - last[0] > max(GAP * apart_s, GAP_MIN_S):
            points.append((second - 1.0, last[1]))
        last = (second, value)
        points.append(last)
    return [
        point
        for number, point in enumerate(points)
        if not 0 < number < len(points) - 1 or len({value for _, value in points[number - 1 : number + 2]}) > 1
    ]  # without what is in the middle of a value that stays


def _battery(looks: Sequence[Row], notes: _Notes) -> list[dict[str, Any]]:
    powers_w = [look.battery_w for look in looks if look.battery_w]
    if not powers_w:
        return []
    notes.assumed["battery.0.capacity_kwh"] = "the battery holds 10 kWh"
    notes.assumed["battery.0.charge_max_w"] = "it charges with up to 5 kW, or what was seen"
    notes.assumed["battery.0.discharge_max_w"] = "it discharges with up to 5 kW, or what was seen"
    soc_pct = next((look.battery_soc_pct for look in looks if look.battery_soc_pct is not None), None)
    if soc_pct is None:
        notes.assumed["battery.0.soc_pct"] = f"it begins with {SOC_PCT:g} %"
    return [
        {
            "name": "battery",
            "capacity_kwh": 10.0,
            "soc_pct": SOC_PCT if soc_pct is None else soc_pct,
            "charge_max_w": max(5000.0, -min(powers_w)),
            "discharge_max_w": max(5000.0, max(powers_w)),
        }
    ]


# -- stations -----------------------------------------------------------------------------------------------------------


def _charger(looks: Sequence[Row], index: int, notes: _Notes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The station with its loadpoint, and how a car draws from it."""
    first, key = looks[0].loadpoints[index], f"charger.{index}.box"
    seen = [look.loadpoints[index] for look in looks]
    charging = [each for each in seen if (each.charge_w or 0.0) >= CHARGES_W]
    phases = _phases(charging)
    told = [each.can_switch for each in seen if each.can_switch is not None]
    can_switch = any(told) if told else {1, 3} <= phases
    most = max(phases, default=3)
    if phases:
        numbers = " and ".join(map(str, sorted(phases)))
        notes.seen.append(f"{first.title}: a car that charges on {numbers} phase{'' if phases == {1} else 's'}")
    else:
        notes.assumed[f"{key}.phases"] = f"{first.title} and its cars have three phases"
    if not told and not can_switch:
        notes.assumed[f"{key}.can_switch_phases"] = f"{first.title} cannot switch phases"
    wired = 1 if most == 1 and not can_switch else 3
    most_a = max((each.charge_w or 0.0) / 230.0 / _one_of(phases, each) for each in charging) if charging else 0.0
    current_max_a = 16.0 if most_a < 17.0 else min(80.0, max(32.0, float(math.ceil(most_a))))
    if current_max_a > 16.0:
        notes.seen.append(f"{first.title}: more than 16 A, so up to {current_max_a:g} A")
    box = {
        "name": f"station{index + 1}",
        "phases": wired,
        "can_switch_phases": can_switch,
        "current_max_a": current_max_a,
    }
    loadpoint = {"title": first.title, "mode": first.mode or "pv", "current_max_a": current_max_a}
    car_phases = most if most > 1 or wired == 1 else 3
    return {"box": box, "loadpoint": loadpoint}, {"phases": car_phases, "current_max_a": current_max_a}


def _phases(charging: Sequence[Loadpoint]) -> set[int]:
    """Numbers of phases on which a car was seen to charge; what is not told follows from its power, one or three."""
    told = {int(each.phases) for each in charging if each.phases in (1, 2, 3)}
    by_power = [1 if (each.charge_w or 0.0) < ONE_PHASE_W else 3 for each in charging]
    return told or {phases for phases in (1, 3) if by_power.count(phases) > OFTEN * len(by_power)}


def _one_of(phases: set[int], seen: Loadpoint) -> int:
    return int(seen.phases) if seen.phases in (1, 2, 3) else max(phases, default=3)


def _modes(looks: Sequence[Row], index: int, zone: ZoneInfo, start: date) -> Iterator[dict[str, Any]]:
    """Each change of the mode, as an action."""
    for before, look in itertools.pairwise(looks):
        if look.loadpoints[index].mode != before.loadpoints[index].mode:
            when = look.time.astimezone(zone)
            yield {
                "at": when.time().replace(microsecond=0),
                "day": (when.date() - start).days,
                "loadpoint": index,
                "setting": "mode",
                "value": look.loadpoints[index].mode,
            }


# -- cars ---------------------------------------------------------------------------------------------------------------


class _Stay(NamedTuple):
    """Something was plugged in at a station."""

    place: int
    times: list[datetime]  # of the looks that saw it
    seen: list[Loadpoint]
    end: datetime

    @property
    def socs_pct(self) -> list[float]:
        return [each.soc_pct for each in self.seen if each.soc_pct]


def _stays(looks: Sequence[Row], index: int) -> Iterator[_Stay]:
    """Each from the first look that saw it to the first one that does not, or a minute after the last one."""
    times, seen = [look.time for look in looks], [look.loadpoints[index] for look in looks]
    begin = 0
    for is_connected, group in itertools.groupby(seen, key=lambda each: each.connected):
        stop = begin + len(list(group))
        if is_connected:
            end = times[stop] if stop < len(times) else times[-1] + timedelta(minutes=1)
            yield _Stay(index, times[begin:stop], seen[begin:stop], end)
        begin = stop


def _car(stay: _Stay, key: str, notes: _Notes) -> dict[str, Any]:
    """Its battery, of which a recording may know little."""
    name = f"car{stay.place + 1}-{int(key.partition('.')[2]) + 1}"
    taken_kwh, socs = EFFICIENCY * _charged_kwh(stay), stay.socs_pct
    rise_pct = socs[-1] - socs[0] if socs else 0.0
    capacity_kwh = next((each.capacity_kwh for each in stay.seen if each.capacity_kwh), None)
    if capacity_kwh is None and rise_pct >= SOC_RISE_PCT and taken_kwh >= TAKEN_KWH:
        capacity_kwh = round(taken_kwh / rise_pct * 100.0, 1)
        notes.seen.append(f"{name}: {taken_kwh:.1f} kWh for {rise_pct:g} %, so {capacity_kwh:g} kWh in all")
    if capacity_kwh is None:
        room_pct = max(1.0, 100.0 - (socs[0] if socs else SOC_PCT))
        capacity_kwh = max(CAPACITY_KWH, float(math.ceil(taken_kwh / room_pct * 100.0)))
        notes.assumed[f"{key}.capacity_kwh"] = f"{name} holds {capacity_kwh:g} kWh"
    if not socs:
        notes.assumed[f"{key}.visits.0.soc_pct"] = f"{name} arrives with {SOC_PCT:g} %"
    return {"name": name, "capacity_kwh": capacity_kwh, "has_api": bool(socs)}


def _charged_kwh(stay: _Stay) -> float:
    counted = [each.energy_kwh for each in stay.seen if each.energy_kwh is not None]
    if counted:
        return max(0.0, counted[-1] - counted[0])
    spans = zip(stay.times, [*stay.times[1:], stay.end], stay.seen, strict=True)
    return sum((each.charge_w or 0.0) * (later - now).total_seconds() / 3.6e6 for now, later, each in spans)


def _visits(stay: _Stay, zone: ZoneInfo, start: date) -> list[dict[str, Any]]:
    """A stay of more than a day is one visit a day, a second apart."""
    arrive, end = stay.times[0].astimezone(zone), stay.end.astimezone(zone)
    soc = {"soc_pct": stay.socs_pct[0] if stay.socs_pct else SOC_PCT}
    visits: list[dict[str, Any]] = []
    while arrive < end:
        depart = min(end, arrive + timedelta(days=1))
        times = {"arrive": arrive.time().replace(microsecond=0), "depart": depart.time().replace(microsecond=0)}
        where = {"charger": f"station{stay.place + 1}", "days": [(arrive.date() - start).days]}
        visits.append({**where, **times, **(soc if not visits else {"used_pct": 0.0})})
        arrive = depart + timedelta(seconds=1)
    return visits

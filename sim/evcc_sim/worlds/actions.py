"""What people and grid operators do during a run, in seconds, and the request to the library that it means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from evcc_sim.timebase import Timebase
from evcc_sim.worlds.scenario import ActionSpec, InvalidScenario, Scenario
from evcclib.model import ChargeMode
from evcclib.readings import OperatorLimit
from evcclib.requests import (
    AssignVehicle,
    ChangeLoadpointSetting,
    ChangeSiteSetting,
    ChangeVehicleSetting,
    Request,
)
from evcclib.settings import SPECS, Kind, SettingValue
from evcclib.timetable.plans import PlanStrategy, VehiclePlan, WeeklyPlan
from evcclib.units import Instant


@dataclass(frozen=True, slots=True)
class Due:
    """A request at a second of the run."""

    second: float
    request: Request


@dataclass(frozen=True, slots=True)
class OperatorSpan:
    """The operator's limit is on from ``start_s``; the message is withdrawn at ``end_s`` and expires at ``expires_s``."""

    start_s: float
    end_s: float
    expires_s: float
    power_w: float


def _days(spec: ActionSpec, days: int) -> range | tuple[int]:
    return range(max(1, days)) if spec.every_day else (spec.day,)


def requests_of(scenario: Scenario, days: int) -> list[Due]:
    """Every request of the run, by time. Raises `InvalidScenario`."""
    base = scenario.base
    due = [
        Due(base.second(day, spec.at), _request(spec, base, base.second(day, spec.at), scenario.name))
        for spec in scenario.action
        if spec.operator_limit_w is None
        for day in _days(spec, days)
    ]
    return sorted(due, key=lambda item: item.second)


def operator_spans(scenario: Scenario, days: int) -> list[OperatorSpan]:
    """When the operator limits the site."""
    spans: list[OperatorSpan] = []
    for spec in scenario.action:
        if spec.operator_limit_w is not None:
            for day in _days(spec, days):
                start_s = scenario.base.second(day, spec.at)
                lasts_s = spec.lasts.total_seconds()
                if spec.lost_after is None:
                    spans.append(OperatorSpan(start_s, start_s + lasts_s, start_s + lasts_s, spec.operator_limit_w))
                else:  # nobody withdraws it: it must expire by itself
                    expires_s = start_s + spec.lost_after.total_seconds()
                    spans.append(OperatorSpan(start_s, float("inf"), expires_s, spec.operator_limit_w))
    return sorted(spans, key=lambda span: span.start_s)


def operator_limit_at(spans: list[OperatorSpan], second: float) -> OperatorLimit | None:
    """The message that is on at ``second``; the newest wins."""
    for span in reversed(spans):
        if span.start_s <= second < span.end_s:
            return OperatorLimit(power_w=span.power_w, expires_at=Instant(timedelta(seconds=span.expires_s)))
    return None


def operator_limit_w(spans: list[OperatorSpan], second: float) -> float | None:
    """What the operator allows at ``second`` [W]: the newest message's limit, unless that has expired; None: everything."""
    message = operator_limit_at(spans, second)
    if message is None or message.expires_at.total_seconds() <= second:
        return None
    return message.power_w


def _request(spec: ActionSpec, base: Timebase, second: float, name: str) -> Request:
    if spec.assign is not None:
        return AssignVehicle(spec.loadpoint or 0, spec.assign or None)
    known = SPECS[spec.scope, spec.setting]
    try:
        value = _value(known.kind, spec.value, base, second)
    except (ValueError, OverflowError) as error:
        raise InvalidScenario(f"{name}: action sets {spec.setting} to {spec.value!r}: {error}") from error
    if spec.vehicle is not None:
        return ChangeVehicleSetting(spec.vehicle, spec.setting, value)
    if spec.loadpoint is not None:
        return ChangeLoadpointSetting(spec.loadpoint, spec.setting, value)
    return ChangeSiteSetting(spec.setting, value)


def _value(kind: Kind, value: str | float | bool | None, base: Timebase, second: float) -> SettingValue:
    if value is None:
        return None
    if isinstance(value, bool) is not (kind is Kind.FLAG):
        raise ValueError("expected true or false" if kind is Kind.FLAG else "true and false are for switches")
    if isinstance(value, bool):
        return value
    if kind is Kind.MODE:
        return ChargeMode(str(value))
    if kind in (Kind.PLAN, Kind.WEEKLY_PLANS, Kind.STRATEGY):
        return _with_parts(kind, str(value).split(), base, second)
    if kind is Kind.TIME:
        return next_occurrence(time.fromisoformat(str(value)), base, second)
    if kind is Kind.DURATION:
        return timedelta(seconds=float(value))
    if kind in (Kind.INTEGER, Kind.PHASES):
        return int(float(value))
    return float(value)


WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def _with_parts(kind: Kind, words: list[str], base: Timebase, second: float) -> SettingValue:
    """``80 07:00``; ``mon fri 07:00 80 sat 10:00 100``; ``continuous 1800``."""
    if kind is Kind.PLAN:
        soc, by = words
        return VehiclePlan(int(soc), next_occurrence(time.fromisoformat(by), base, second))
    if kind is Kind.STRATEGY:
        seconds = [float(word) for word in words if word != "continuous"]
        return PlanStrategy("continuous" in words, timedelta(seconds=sum(seconds)))
    plans: list[WeeklyPlan] = []
    days: list[int] = []
    left = iter(words)
    for word in left:
        if word in WEEKDAYS:
            days.append(WEEKDAYS.index(word))
        else:
            plans.append(WeeklyPlan(tuple(days), time.fromisoformat(word), base.zone.key, int(next(left, "0"))))
            days = []
    return tuple(plans)


def next_occurrence(wall: time, base: Timebase, second: float) -> datetime:
    """UTC of the next moment at which the owner's clock shows ``wall``."""
    local = base.utc(second).astimezone(base.zone)
    day = (local.date() - base.start).days
    at_s = base.second(day, wall)
    if at_s <= second:
        at_s = base.second(day + 1, wall)
    return base.utc(at_s)

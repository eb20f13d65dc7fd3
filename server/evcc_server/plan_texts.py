"""Plans as clients write and read them, in JSON; what each may be the library judges.

What is left out of a weekly plan is the home's time zone, and that it is active; of a strategy: neither.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from evcclib.settings import Kind
from evcclib.timetable.plans import PlanStrategy, VehiclePlan, WeeklyPlan

ReadTime = Callable[[str], datetime | None]
ALLOWED: Mapping[Kind, str] = {
    Kind.PLAN: 'JSON such as {"value": 80, "time": "2035-03-07T06:00:00Z"}, 1..100 %, in the future',
    Kind.WEEKLY_PLANS: 'JSON such as [{"weekdays": [1, 5], "time": "07:00", "tz": "Europe/Berlin", "soc": 80, "active": true}]',
    Kind.STRATEGY: 'JSON such as {"continuous": true, "precondition": 1800}',
}
"""What is accepted of each kind, in words."""
_NOTHING = "nothing"
"""How a part is called that is not there, to be refused."""


def read(kind: Kind, text: str, *, read_time: ReadTime, zone: str) -> Any:
    """What ``text`` says, whatever its parts are; ``text`` itself if it is no JSON of such a shape."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return text
    match kind, data:
        case Kind.PLAN, {"value": value, "time": str(by)}:
            found = read_time(by)
            return None if found is None or value == 0 else VehiclePlan(_whole(value), found)
        case Kind.WEEKLY_PLANS, list():
            return tuple(_weekly(each, zone) for each in data)
        case Kind.STRATEGY, dict():
            precondition = _seconds(data.get("precondition", 0))
            return PlanStrategy(data.get("continuous", False), precondition)
        case _:
            return text


def value_and_time(text: str) -> tuple[Any, str] | None:
    """The two members of such a JSON object; None if it is none."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match data:
        case {"value": value, "time": str(by)}:
            return value, by
        case _:
            return None


def _weekly(data: Any, zone: str) -> Any:
    if not isinstance(data, dict):
        return data
    days = data.get("weekdays", _NOTHING)
    return WeeklyPlan(
        tuple(_whole(day) for day in days) if isinstance(days, list) else days,  # whatever is no list is to be judged
        _wall(data.get("time", _NOTHING)),
        data.get("tz", zone),
        _whole(data.get("soc", _NOTHING)),
        data.get("active", True),
    )


def _whole(value: Any) -> Any:
    """80.0 is 80, as everywhere in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _wall(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return datetime.strptime(value, "%H:%M").time()  # noqa: DTZ007  a time of day, whose zone stands beside it
    except ValueError:
        return value


def _seconds(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    try:
        return timedelta(seconds=value) if is_number else value
    except OverflowError:
        return timedelta.max if value > 0 else timedelta.min


def plan_json(plan: VehiclePlan) -> dict[str, Any]:
    """As `read` reads it; the time in UTC."""
    return {"value": plan.soc_pct, "time": plan.time.astimezone(UTC).isoformat()}


def weekly_json(plan: WeeklyPlan) -> dict[str, Any]:
    """As `read` reads it."""
    return {
        "weekdays": list(plan.weekdays),
        "time": wall_text(plan.time),
        "tz": plan.zone,
        "soc": plan.soc_pct,
        "active": plan.is_active,
    }


def strategy_json(strategy: PlanStrategy) -> dict[str, Any]:
    """As `read` reads it."""
    return {"continuous": strategy.is_continuous, "precondition": round(strategy.precondition.total_seconds())}


def wall_text(wall: time) -> str:
    """``07:00``."""
    return f"{wall:%H:%M}"

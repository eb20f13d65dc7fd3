"""What a client may change, and what it may change it to: one table for every outlet [SET-5].

A setting is one field of the settings class of its scope, and the row in it. The library judges every value against its row,
whoever brings it; the server adds to each row how files and channels spell it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from evcclib.allowed import TIME
from evcclib.errors import InvalidSetting
from evcclib.model import ChargeMode
from evcclib.timetable.plans import (
    CHEAPEST,
    WEEKLY_MAX,
    Flaw,
    PlanStrategy,
    VehiclePlan,
    WeeklyPlan,
    flaw_of_plan,
    flaw_of_strategy,
    flaw_of_weekly,
)
from evcclib.units import SECOND

NUMBER_MAX = 1e12
MIN_ABOVE_MAX = "min current must be smaller or equal than max current"
MAX_BELOW_MIN = "max current must be greater or equal than min current"

T = TypeVar("T")


class Scope(StrEnum):
    """Whom a setting belongs to."""

    SITE = "site"
    LOADPOINT = "loadpoint"
    VEHICLE = "vehicle"


class Kind(StrEnum):
    """What kind of value a setting takes."""

    MODE = "mode"
    INTEGER = "integer"
    NUMBER = "number"
    PHASES = "phases"
    TIME = "time"  # timezone-aware datetime, or None
    DURATION = "duration"
    OPTIONAL_NUMBER = "optional_number"
    FLAG = "flag"
    PLAN = "plan"  # VehiclePlan, or None
    WEEKLY_PLANS = "weekly_plans"  # tuple of WeeklyPlan
    STRATEGY = "strategy"  # PlanStrategy


SettingValue = (
    ChargeMode | float | int | datetime | timedelta | VehiclePlan | tuple[WeeklyPlan, ...] | PlanStrategy | None
)
FLAWS: Mapping[Kind, Callable[[object], Flaw | None]] = MappingProxyType(
    {Kind.PLAN: flaw_of_plan, Kind.WEEKLY_PLANS: flaw_of_weekly, Kind.STRATEGY: flaw_of_strategy}
)
"""What may be wrong with values that have parts, part by part."""


class Bound(NamedTuple):
    """A rule across fields: the name of the field whose value bounds this one, and what is wrong where it does not."""

    name: str
    problem: str


class SettingSpec(NamedTuple):
    """One writable value: its field in the settings class of its scope, kind, inclusive range and unit.

    ``quantity`` is what a sentence calls it. ``at_most`` and ``at_least`` bound it by another setting of its owner.
    """

    name: str
    scope: Scope
    kind: Kind
    default: SettingValue
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""
    quantity: str = "value"
    at_most: Bound | None = None
    at_least: Bound | None = None
    needs: str = ""  # capability without which it is refused: "battery", "battery control"
    wakes_loop: bool = False  # a change asks for an immediate step [SITE-3]

    @property
    def allowed(self) -> str:
        """What is accepted, in words."""
        match self.kind:
            case Kind.MODE:
                return ", ".join(ChargeMode)
            case Kind.PHASES:
                return "0 (automatic), 1 or 3"
            case Kind.TIME:
                return "a time with time zone, or none"
            case Kind.FLAG:
                return "true, false"
            case Kind.PLAN:
                return "a SoC of 1..100 % and a time with time zone, or none"
            case Kind.WEEKLY_PLANS:
                return f"up to {WEEKLY_MAX} plans of weekdays, time, time zone and SoC"
            case Kind.STRATEGY:
                return "in one block or not, and a precondition of 0..86400 s"
            case _:
                return self._between(self.low, self.high)

    def judged(self, value: SettingValue | str) -> SettingValue:
        """``value`` in the type of the setting, if that on its own may be. Raises `InvalidSetting`."""
        match self.kind:
            case Kind.MODE:
                return self._mode(value)
            case Kind.TIME:
                if value is None or (isinstance(value, datetime) and TIME.holds(value)):
                    return value
                raise self.refusal(value, "invalid time")
            case Kind.DURATION:
                return self._duration(value)
            case Kind.FLAG:
                if isinstance(value, bool):
                    return value
                raise self.refusal(value, "invalid value")
            case Kind.OPTIONAL_NUMBER if value is None:
                return None
            case Kind.PLAN | Kind.WEEKLY_PLANS | Kind.STRATEGY:
                return self._with_parts(value)
            case _:
                return self._number(value)

    def check_needs(self, value: object, *, batteries: int, commanded: int) -> None:
        """Raises `InvalidSetting` if the site has not got what the setting is about; ``commanded``: batteries that have modes."""
        if self.needs == "battery" and not batteries:
            raise self.refusal(value, "battery not configured", "only with a home battery")
        if self.needs == "battery control" and not commanded:
            words = "only with a home battery that can be told what to do"
            raise self.refusal(value, "battery control not available", words)

    def check_beside(self, value: SettingValue, others: object, *, limit: float = math.inf) -> None:
        """Raises `InvalidSetting` unless ``value`` fits the other settings: fields of ``others``, None where there is none.

        ``limit``: what the device allows at most."""
        if value is None or (self.at_most is None and self.at_least is None):
            return
        assert isinstance(value, int | float)
        if self.at_most is not None:
            most = getattr(others, self.at_most.name)
            if most is not None and value > most:
                raise self.refusal(value, self.at_most.problem, self._between(self.low, most))
        if self.at_least is not None:
            least = getattr(others, self.at_least.name)
            if least is not None and value < least:
                raise self.refusal(value, self.at_least.problem, self._between(least, min(self.high, limit)))

    def refusal(self, value: object, problem: str, allowed: str | None = None) -> InvalidSetting:
        """Why ``value`` cannot be; ``allowed`` if that is less than what the row allows."""
        return InvalidSetting(self.name, value, self.allowed if allowed is None else allowed, problem)

    def _between(self, low: float, high: float) -> str:
        return f"{low:.12g}..{high:.12g} {self.unit}".rstrip()

    def _mode(self, value: object) -> ChargeMode:
        if isinstance(value, str):
            try:
                return ChargeMode(value.lower())
            except ValueError:
                pass
        raise self.refusal(value, "invalid value")

    def _duration(self, value: object) -> timedelta:
        if not isinstance(value, timedelta):
            raise self.refusal(value, "invalid value")
        if not self.low <= value / SECOND <= self.high:
            raise self.refusal(value, f"{self.quantity} out of range")
        return value

    def _with_parts(self, value: Any) -> SettingValue:
        flaw = FLAWS[self.kind](value)
        if flaw is not None:
            raise self.refusal(flaw.value, flaw.problem, flaw.allowed)
        found: SettingValue = value
        return found

    def _number(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refusal(value, "invalid value")
        if not -NUMBER_MAX <= value <= NUMBER_MAX:  # nor is it a number that a float could hold
            raise self.refusal(value, f"{self.quantity} out of range")
        number = float(value)
        if self.kind is Kind.PHASES:
            if number not in (0, 1, 3):
                raise self.refusal(value, "invalid number of phases")
            return int(number)
        if not self.low <= number <= self.high:
            raise self.refusal(value, f"{self.quantity} out of range")
        if self.kind is Kind.INTEGER:
            if number != math.floor(number):
                raise self.refusal(value, "not a whole number")
            return int(number)
        return number


def _row(default: T, kind: Kind, low: float = -math.inf, high: float = math.inf, unit: str = "", **more: Any) -> T:
    """A field with its row: ``more`` is what else a `SettingSpec` says. Typed as its value, as `dataclasses.field` is."""
    return field(
        default=default, metadata={"default": default, "kind": kind, "low": low, "high": high, "unit": unit, **more}
    )


def _soc(default: T, kind: Kind = Kind.INTEGER, **more: Any) -> T:
    return _row(default, kind, 0, 100, "%", quantity="soc", **more)


def _threshold() -> float:
    return _row(0.0, Kind.NUMBER, -100_000, 100_000, "W", quantity="threshold")


def _delay(default: timedelta) -> timedelta:
    return _row(default, Kind.DURATION, 0, 86_400, "s", quantity="delay")


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDefaults:
    """Those of a site's settings that its configuration gives: clients start from them."""

    buffer_soc_pct: float = _soc(0.0, Kind.NUMBER, needs="battery")
    priority_soc_pct: float = _soc(0.0, Kind.NUMBER, needs="battery")
    residual_power_w: float = _row(0.0, Kind.NUMBER, -100_000, 100_000, "W", quantity="power")


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings(SiteDefaults):
    """The site's present values."""

    buffer_start_soc_pct: float = _soc(0.0, Kind.NUMBER, needs="battery")
    battery_discharge_control: bool = _row(False, Kind.FLAG, needs="battery control")
    battery_grid_charge_limit: float | None = _row(
        None, Kind.OPTIONAL_NUMBER, -1000, 1000, "/kWh", quantity="cost", needs="battery control"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadpointDefaults:
    """Those of a loadpoint's settings that its configuration gives: clients start from them."""

    mode: ChargeMode = _row(ChargeMode.OFF, Kind.MODE, wakes_loop=True)
    current_min_a: float = _row(
        6.0, Kind.NUMBER, 0.1, 80, "A", quantity="current", at_most=Bound("current_max_a", MIN_ABOVE_MAX)
    )
    current_max_a: float = _row(
        16.0, Kind.NUMBER, 0.1, 80, "A", quantity="current", at_least=Bound("current_min_a", MAX_BELOW_MIN)
    )
    enable_threshold_w: float = _threshold()
    disable_threshold_w: float = _threshold()
    enable_delay: timedelta = _delay(timedelta(minutes=1))
    disable_delay: timedelta = _delay(timedelta(minutes=3))
    priority: int = _row(0, Kind.INTEGER, 0, 10, quantity="priority")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadpointSettings(LoadpointDefaults):
    """A loadpoint's present values. SoC goals shown here are those in force: the active vehicle's own, if it has some."""

    phases_configured: int = _row(0, Kind.PHASES, wakes_loop=True)
    soc_min_pct: int = _soc(0, wakes_loop=True)
    soc_target_pct: int = _soc(100, wakes_loop=True)
    energy_target_kwh: float = _row(0.0, Kind.NUMBER, 0, 1000, "kWh", quantity="energy", wakes_loop=True)
    target_time: datetime | None = _row(None, Kind.TIME)
    smart_cost_limit: float | None = _row(
        None, Kind.OPTIONAL_NUMBER, -1000, 1000, "/kWh", quantity="cost", wakes_loop=True
    )
    feed_in_priority_limit: float | None = _row(
        None, Kind.OPTIONAL_NUMBER, -1000, 1000, "/kWh", quantity="price", wakes_loop=True
    )
    plan_strategy: PlanStrategy = _row(CHEAPEST, Kind.STRATEGY)


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleSettings:
    """What an owner has set for a vehicle; None: never set, its onIdentify values hold. Survives disconnecting.

    Plans are the vehicle's wherever it is, and none of the loadpoint's.
    """

    soc_min_pct: int | None = _soc(None, wakes_loop=True)
    soc_target_pct: int | None = _soc(None, wakes_loop=True)
    plan: VehiclePlan | None = _row(None, Kind.PLAN, wakes_loop=True)
    weekly_plans: tuple[WeeklyPlan, ...] = _row((), Kind.WEEKLY_PLANS, wakes_loop=True)
    plan_strategy: PlanStrategy = _row(CHEAPEST, Kind.STRATEGY, wakes_loop=True)


def _rows(scope: Scope, of: type) -> Iterator[SettingSpec]:
    for each in fields(of):
        yield SettingSpec(name=each.name, scope=scope, **each.metadata)


SETTINGS: tuple[SettingSpec, ...] = (
    *_rows(Scope.SITE, SiteSettings),
    *_rows(Scope.LOADPOINT, LoadpointSettings),
    *_rows(Scope.VEHICLE, VehicleSettings),
)
"""Every writable value. What depends on the site and on the time (the charger's own limit, phases of a fixed charger, a time in
the past) is checked where a request is fulfilled."""

SPECS = {(spec.scope, spec.name): spec for spec in SETTINGS}


def values_of(given: SiteDefaults | LoadpointDefaults) -> dict[str, Any]:
    """What a configuration gives, by name, whatever else it says."""
    kind = SiteDefaults if isinstance(given, SiteDefaults) else LoadpointDefaults
    return {each.name: getattr(given, each.name) for each in fields(kind)}

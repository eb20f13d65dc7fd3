"""How a setting is named and written in the ``settings`` table: plain text, so that an owner can read it.

Loadpoints go by their number (from 1), vehicles by their configured name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from evcc_server.plan_texts import plan_json, strategy_json, weekly_json
from evcc_server.settings import BY_NAME, Context, Owner, Setting, parse
from evcc_server.state.encode import dumps
from evcclib.config import SiteConfig
from evcclib.errors import InvalidSetting
from evcclib.events import SettingChanged
from evcclib.model import ChargeMode
from evcclib.settings import Kind, Scope, SettingValue
from evcclib.timetable.plans import PlanStrategy, VehiclePlan, WeeklyPlan
from evcclib.units import SECOND

NO_VALUE = "null"


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A stored setting, read back and checked against its range."""

    setting: Setting
    owner: Owner
    value: SettingValue


def row_key(change: SettingChanged) -> str:
    """``site.residual_power_w``, ``loadpoint.1.mode``, ``vehicle.golf.soc_min_pct``."""
    match change.owner:
        case None:
            return f"site.{change.name}"
        case int(loadpoint):
            return f"loadpoint.{loadpoint + 1}.{change.name}"
        case str(vehicle):
            return f"vehicle.{vehicle}.{change.name}"


def encode(value: SettingValue) -> str:
    """``value`` as text that `decode` reads."""
    match value:
        case None:
            return NO_VALUE
        case datetime():
            return value.astimezone(UTC).isoformat()
        case timedelta():
            return repr(value / SECOND)
        case str():
            return str(value)
        case bool():
            return "true" if value else "false"
        case VehiclePlan():
            return dumps(plan_json(value))
        case PlanStrategy():
            return dumps(strategy_json(value))
        case tuple():
            return dumps([weekly_json(each) for each in value if isinstance(each, WeeklyPlan)])
        case _:
            return repr(value)


def decode(key: str, text: str, site: SiteConfig) -> SettingRow:
    """The row behind a key and its text. Raises ValueError when it does not fit ``site`` or its range any more."""
    scope_name, _, rest = key.partition(".")
    owner: Owner = None
    name = rest
    scope = Scope(scope_name)
    if scope is not Scope.SITE:
        owner_text, _, name = rest.rpartition(".")
        owner = _owner(scope, owner_text, site)
    setting = BY_NAME.get((scope, name))
    if setting is None or setting.spec is None:
        raise ValueError("no such setting")
    if text == NO_VALUE:
        if scope is not Scope.VEHICLE and setting.spec.kind not in (Kind.TIME, Kind.OPTIONAL_NUMBER):
            raise ValueError("a value is needed")
        return SettingRow(setting, owner, None)
    try:
        value = parse(setting, text, Context(site=site))
    except InvalidSetting as error:
        raise ValueError(str(error)) from error
    if isinstance(value, str) and not isinstance(value, ChargeMode):
        raise ValueError("not a value")
    return SettingRow(setting, owner, value)


def _owner(scope: Scope, text: str, site: SiteConfig) -> Owner:
    if scope is Scope.VEHICLE:
        if text not in site.vehicle_by_name():
            raise ValueError("no such vehicle")
        return text
    loadpoint = int(text) - 1
    if not 0 <= loadpoint < len(site.loadpoints):
        raise ValueError("no such loadpoint")
    return loadpoint

"""Every value that a client can write, once. Loops over `TABLE` make the file's keys, REST routes, MQTT topics, OpenAPI, the
state document and its schema, and persistence.

`evcclib.settings` says what each is and alone judges values; this table adds how each channel spells the setting and how its
text is read [R-4]. What depends on other values (minimum above maximum current, a time in the past, the phases of a fixed
charger) is judged when the request is submitted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from types import MappingProxyType

from evcc_server import plan_texts
from evcclib.commands import BatteryMode
from evcclib.config import SiteConfig
from evcclib.errors import InvalidSetting
from evcclib.model import ChargeMode
from evcclib.requests import (
    AssignVehicle,
    ChangeLoadpointSetting,
    ChangeSiteSetting,
    ChangeVehicleSetting,
    Request,
)
from evcclib.settings import FLAWS, SPECS, Kind, Scope, SettingSpec, SettingValue

NO_VALUE_WORDS = frozenset({"null", "none", "nil", "-"})
"""How a text channel says "unset" [API-39]."""
FLAGS: Mapping[str, bool] = MappingProxyType(
    {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
)
"""How text says yes and no [API-11]."""
VEHICLES = "a vehicle's number, name or title"
"""What stands for one."""
OPERATOR_LIMIT = "operatorLimit"
BATTERY_MODE = "batteryMode"
OPERATOR_LIMIT_MAX_W = 1_000_000.0
OPERATOR_LIMIT_LASTS = timedelta(hours=2)
"""How long a limit of the grid operator stands that is given without a time."""
OPERATOR_LIMIT_LASTS_MAX = timedelta(days=31)

PLAN_ENERGY = "planEnergy"
ENERGY_PLAN_KEYS = (PLAN_ENERGY, "planTime", "targetEnergy", "targetTime")
"""Where an energy and its time are shown."""

Parsed = SettingValue | str
Owner = int | str | None
"""Whose setting: the 0-based loadpoint, the vehicle's configured name, or None for the site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One writable value and its spellings.

    ``paths`` are below ``/api``, ``/api/loadpoints/<id>`` or ``/api/vehicles/<name>``; the value follows as one more
    segment. ``clear_paths`` take DELETE. ``topics`` are below ``<root>/site`` or ``<root>/loadpoints/<id>``; ``/set``
    follows [M-1]. ``value_topics`` also take ``<spelling>/<value>/set`` [M-2]. ``state_topics`` are those of the
    topics on which the value is published besides ``key``. ``document_keys`` are where the state document shows it, first of all
    under ``key``. ``file_key`` is its place in the ``site`` section or in one of ``loadpoints``, if a file can give it.
    ``today_key`` is what today's clients call ``key``, if that is something else.
    ``is_repeated``: published with every control cycle, like a measurement.
    """

    name: str
    scope: Scope
    key: str
    spec: SettingSpec | None
    summary: str
    example: str
    paths: tuple[str, ...] = ()
    clear_paths: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    value_topics: tuple[str, ...] = ()
    state_topics: tuple[str, ...] = ()
    document_keys: tuple[str, ...] = ()
    file_key: str | None = None
    today_key: str | None = None
    is_repeated: bool = False

    @property
    def allowed(self) -> str:
        """What is accepted, in words."""
        if self.spec is None:
            return VEHICLES
        if self.spec.kind is Kind.TIME:
            return "an RFC 3339 time in the future"
        return plan_texts.ALLOWED.get(self.spec.kind, self.spec.allowed)


def _site(
    name: str,
    key: str,
    summary: str,
    example: str,
    path: str,
    *,
    clear_paths: tuple[str, ...] = (),
    file_key: str | None = None,
) -> Setting:
    return Setting(
        name=name,
        scope=Scope.SITE,
        key=key,
        spec=SPECS[Scope.SITE, name],
        summary=summary,
        example=example,
        paths=(path,),
        clear_paths=clear_paths,
        topics=(key,),
        document_keys=(key,),
        file_key=file_key,
    )


def _loadpoint(
    name: str,
    key: str,
    summary: str,
    example: str,
    *paths: str,
    clear_paths: tuple[str, ...] = (),
    slashed: str | None = None,
    takes_value_in_topic: bool = False,
    aliases: tuple[str, ...] = (),
    also_shown_as: tuple[str, ...] = (),
    file_key: str | None = None,
    today_key: str | None = None,
    is_repeated: bool = False,
) -> Setting:
    slashed_topics = (slashed,) if slashed else ()
    return Setting(
        name=name,
        scope=Scope.LOADPOINT,
        key=key,
        spec=SPECS[Scope.LOADPOINT, name],
        summary=summary,
        example=example,
        paths=paths,
        clear_paths=clear_paths,
        topics=(key, *slashed_topics, *aliases),
        value_topics=(key, *slashed_topics) if takes_value_in_topic else (),
        state_topics=slashed_topics,
        document_keys=(key, *also_shown_as),
        file_key=file_key,
        today_key=today_key,
        is_repeated=is_repeated,
    )


def _vehicle(name: str, key: str, summary: str, *paths: str, example: str = "80") -> Setting:
    return Setting(
        name=name,
        scope=Scope.VEHICLE,
        key=key,
        spec=SPECS[Scope.VEHICLE, name],
        summary=summary,
        example=example,
        paths=paths,
        topics=(key,),
        document_keys=("plan" if name == "plan" else key,),
    )


_STRATEGY = '{"continuous": true, "precondition": 1800}'
_BY_SEVEN = '[{"weekdays": [1, 2, 3, 4, 5], "time": "07:00", "tz": "Europe/Berlin", "soc": 30, "active": true}]'


TABLE: tuple[Setting, ...] = (
    _site(
        "buffer_soc_pct",
        "bufferSoc",
        "Home battery may be used for charging above this SoC",
        "80",
        "buffersoc",
        file_key="bufferSoc",
    ),
    _site(
        "buffer_start_soc_pct",
        "bufferStartSoc",
        "Home battery may start charging above this SoC",
        "95",
        "bufferstartsoc",
    ),
    _site(
        "priority_soc_pct",
        "prioritySoc",
        "Home battery has priority below this SoC",
        "40",
        "prioritysoc",
        file_key="prioritySoc",
    ),
    _site(
        "residual_power_w",
        "residualPower",
        "Grid set point: positive aims at that much export, negative tolerates import",
        "100",
        "residualpower",
        file_key="residualPower",
    ),
    _site(
        "battery_discharge_control",
        "batteryDischargeControl",
        "Hold the home battery while a vehicle charges fast or by plan",
        "true",
        "batterydischargecontrol",
    ),
    _site(
        "battery_grid_charge_limit",
        "batteryGridChargeLimit",
        "Charge the home battery from the grid while the planner tariff is at or below this price",
        "0.1",
        "batterygridchargelimit",
        clear_paths=("batterygridchargelimit",),
    ),
    _loadpoint("mode", "mode", "Charge mode", "pv", "mode", file_key="mode", is_repeated=True),
    _loadpoint(
        "soc_min_pct",
        "minSoc",
        "Charge at full power below this vehicle SoC; 0 turns it off",
        "20",
        "minsoc",
    ),
    _loadpoint(
        "soc_target_pct",
        "targetSoc",
        "Stop at this vehicle SoC; 0 and 100 mean no limit",
        "80",
        "target/soc",
        "limitsoc",
        slashed="target/soc",
        takes_value_in_topic=True,
        aliases=("limitSoc",),
        today_key="limitSoc",
    ),
    _loadpoint(
        "energy_target_kwh",
        "targetEnergy",
        "Stop after this energy; 0 means none; acts without a vehicle or with one whose SoC is unknown",
        "10.5",
        "target/energy",
        "limitenergy",
        slashed="target/energy",
        takes_value_in_topic=True,
        aliases=("limitEnergy",),
        today_key="limitEnergy",
    ),
    _loadpoint(
        "target_time",
        "targetTime",
        "Time by which the goal is to be reached",
        "2035-03-07T06:00:00Z",
        "target/time",
        clear_paths=("target/time",),
        slashed="target/time",
        takes_value_in_topic=True,
        today_key="planTime",
    ),
    _loadpoint(
        "phases_configured",
        "phasesConfigured",
        "Phases to charge with; 0 lets the server choose (switchable charger only)",
        "3",
        "phases",
        aliases=("phases",),
        also_shown_as=("phases",),
        file_key="phases",
    ),
    _loadpoint(
        "current_min_a", "minCurrent", "Lowest charge current per phase", "6", "mincurrent", file_key="minCurrent"
    ),
    _loadpoint(
        "current_max_a", "maxCurrent", "Highest charge current per phase", "16", "maxcurrent", file_key="maxCurrent"
    ),
    _loadpoint(
        "enable_threshold_w",
        "enableThreshold",
        "Grid power at which charging from surplus starts; negative is export",
        "-1300",
        "enable/threshold",
        slashed="enable/threshold",
        takes_value_in_topic=True,
        file_key="enable.threshold",
    ),
    _loadpoint(
        "disable_threshold_w",
        "disableThreshold",
        "Grid power at which charging from surplus stops",
        "200",
        "disable/threshold",
        slashed="disable/threshold",
        takes_value_in_topic=True,
        file_key="disable.threshold",
    ),
    _loadpoint(
        "enable_delay",
        "enableDelay",
        "How long the enable threshold must hold",
        "60",
        "enable/delay",
        slashed="enable/delay",
        file_key="enable.delay",
    ),
    _loadpoint(
        "disable_delay",
        "disableDelay",
        "How long the disable threshold must hold",
        "180",
        "disable/delay",
        slashed="disable/delay",
        file_key="disable.delay",
    ),
    _loadpoint(
        "priority", "priority", "Share of the surplus: higher is served first", "1", "priority", file_key="priority"
    ),
    _loadpoint(
        "smart_cost_limit",
        "smartCostLimit",
        "Charge at full power while the planner tariff is at or below this price",
        "0.15",
        "smartcostlimit",
        clear_paths=("smartcostlimit",),
    ),
    _loadpoint(
        "feed_in_priority_limit",
        "smartFeedInPriorityLimit",
        "Sell the sun rather than charge with it while feed-in pays at least this price",
        "0.12",
        "smartfeedinprioritylimit",
        clear_paths=("smartfeedinprioritylimit",),
    ),
    _loadpoint("plan_strategy", "planStrategy", "How a plan for the target of this loadpoint lies in time", _STRATEGY),
    Setting(
        name="vehicle",
        scope=Scope.LOADPOINT,
        key="vehicle",
        spec=None,
        summary="Vehicle at this loadpoint",
        example="1",
        paths=("vehicle",),
        clear_paths=("vehicle",),
        topics=("vehicle",),
        document_keys=("vehicleName", "vehicleTitle"),
    ),
    _vehicle("soc_min_pct", "minSoc", "Charge at full power below this SoC whenever this vehicle is active", "minsoc"),
    _vehicle("soc_target_pct", "limitSoc", "Stop at this SoC whenever this vehicle is active", "limitsoc"),
    _vehicle(
        "plan",
        "planSoc",
        "SoC that this vehicle is to have by a time, once; kept while it is away",
        example='{"value": 80, "time": "2035-03-07T06:00:00Z"}',
    ),
    _vehicle(
        "weekly_plans", "repeatingPlans", "SoC that this vehicle is to have by times of the week", example=_BY_SEVEN
    ),
    _vehicle("plan_strategy", "planStrategy", "How plans of this vehicle lie in time", example=_STRATEGY),
)

BY_NAME: Mapping[tuple[Scope, str], Setting] = MappingProxyType({(row.scope, row.name): row for row in TABLE})
BY_TOPIC: Mapping[tuple[Scope, str], Setting] = MappingProxyType(
    {(row.scope, topic): row for row in TABLE for topic in row.topics}
)
"""Every spelling below ``site`` or ``loadpoints/<id>`` (without ``/set``) to its setting [M-1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What reading a text needs to know. ``has_unset_words``: this channel (MQTT) also takes Unix seconds for times and
    clears by ``null``, ``none``, ``nil`` or ``-``; REST has DELETE for that. The zero time clears on both."""

    site: SiteConfig
    has_unset_words: bool = False


def parse(setting: Setting, text: str, context: Context) -> Parsed:
    """Read ``text`` as a value of ``setting``, in range; raises `InvalidSetting` with a sentence for the client."""
    text = text.strip()
    if setting.spec is None:
        return find_vehicle(text, context)
    batteries = context.site.batteries
    setting.spec.check_needs(text, batteries=len(batteries), commanded=sum(bool(each.modes) for each in batteries))
    if setting.spec.kind in FLAWS:
        return _parse_parts(setting.spec, text, context)
    try:
        return setting.spec.judged(_read(setting.spec, text, context))
    except InvalidSetting as error:
        raise InvalidSetting(setting.name, text, setting.allowed, error.problem) from None


def _parse_parts(spec: SettingSpec, text: str, context: Context) -> SettingValue:
    """A value that has parts; what is refused is the part that is wrong."""
    if spec.kind is Kind.PLAN and context.has_unset_words and text.lower() in NO_VALUE_WORDS:
        return None
    zone = context.site.time_zone
    value = plan_texts.read(
        spec.kind,
        text,
        read_time=lambda by: parse_time("time", by, zone),
        zone=str(zone),
    )
    if value is text:
        raise InvalidSetting(spec.name, text, plan_texts.ALLOWED[spec.kind], "invalid value")
    return spec.judged(value)


def _read(spec: SettingSpec, text: str, context: Context) -> SettingValue | str:
    """What ``text`` says; the text itself if it says nothing."""
    match spec.kind:
        case Kind.MODE:
            return ChargeMode.PV if text.lower() == "smart" else text  # what `pv` is called since evcc 0.316
        case Kind.TIME:
            return _read_time(spec, text, context)
        case Kind.DURATION:
            seconds = number_in(text)
            return text if seconds is None else _duration(seconds)
        case Kind.FLAG:
            return FLAGS.get(text.lower(), text)
        case Kind.OPTIONAL_NUMBER if context.has_unset_words and text.lower() in NO_VALUE_WORDS:
            return None
        case _:
            number = number_in(text)
            return text if number is None else number


def request(setting: Setting, owner: Owner, value: Parsed) -> Request:
    """What to submit for a parsed ``value``; ``owner`` as in `Owner`."""
    match setting.scope:
        case Scope.SITE:
            return ChangeSiteSetting(setting.name, _plain(value))
        case Scope.LOADPOINT:
            if not isinstance(owner, int):
                raise TypeError("a loadpoint's setting needs its number")
            if setting.spec is None:
                return AssignVehicle(owner, value if isinstance(value, str) else None)
            return ChangeLoadpointSetting(owner, setting.name, _plain(value))
        case Scope.VEHICLE:
            if not isinstance(owner, str):
                raise TypeError("a vehicle's setting needs its name")
            return ChangeVehicleSetting(owner, setting.name, _plain(value))


def energy_plan(loadpoint: int, energy_kwh: float, by: datetime | None) -> tuple[Request, ...]:
    """What to submit for so much energy by a time; for none, or no time: that there is neither."""
    if energy_kwh == 0 or by is None:
        energy_kwh, by = 0.0, None
    return (
        ChangeLoadpointSetting(loadpoint, "target_time", by),
        ChangeLoadpointSetting(loadpoint, "energy_target_kwh", energy_kwh),
    )


def energy_plan_in(loadpoint: int, text: str, context: Context) -> tuple[Request, ...]:
    """What to submit for a text: JSON with a value [kWh] and a time, or a word for none. Raises `InvalidSetting`."""
    if text.lower() in NO_VALUE_WORDS:
        return energy_plan(loadpoint, 0.0, None)
    found = plan_texts.value_and_time(text)
    if found is None:
        words = 'JSON such as {"value": 10.5, "time": "2035-03-07T06:00:00Z"}, or none'
        raise InvalidSetting(PLAN_ENERGY, text, words, "invalid value")
    energy_kwh = SPECS[Scope.LOADPOINT, "energy_target_kwh"].judged(found[0])
    assert isinstance(energy_kwh, float)
    return energy_plan(loadpoint, energy_kwh, parse_time("time", found[1], context.site.time_zone))


def parse_flag(name: str, text: str) -> bool:
    """A truth value [API-11]; raises `InvalidSetting`."""
    flag = FLAGS.get(text.strip().lower())
    if flag is None:
        raise InvalidSetting(name, text, "true, false", "invalid value")
    return flag


def parse_battery_mode(text: str) -> BatteryMode | None:
    """What the batteries are to do; None: nothing in particular. Raises `InvalidSetting`."""
    word = text.strip().lower()
    if word in NO_VALUE_WORDS | {"unknown"}:
        return None
    try:
        return BatteryMode(word)
    except ValueError:
        raise InvalidSetting(BATTERY_MODE, text, ", ".join(BatteryMode), "invalid value") from None


def parse_operator_limit(text: str) -> tuple[float, timedelta]:
    """A limit of the grid operator [W] and how long it stands: ``4200``, ``4200/900`` with seconds. Raises `InvalidSetting`."""
    power, slash, seconds = text.strip().partition("/")
    lasts_s, longest_s = OPERATOR_LIMIT_LASTS.total_seconds(), OPERATOR_LIMIT_LASTS_MAX.total_seconds()
    power_w = _number_between(OPERATOR_LIMIT, power, 0, OPERATOR_LIMIT_MAX_W, "W")
    if slash:
        lasts_s = _number_between("seconds", seconds, 1, longest_s, "s")
    return power_w, timedelta(seconds=lasts_s)


def _number_between(name: str, text: str, low: float, high: float, unit: str) -> float:
    number, allowed = number_in(text.strip()), f"{low:.12g}..{high:.12g} {unit}"
    if number is None:
        raise InvalidSetting(name, text, allowed, f"{name}: invalid value")
    if not low <= number <= high:
        raise InvalidSetting(name, text, allowed, f"{name} out of range")
    return number


def find_vehicle(text: str, context: Context) -> str | None:
    """The configured name behind a number (from 1), a name or a title; None: remove, where the channel can say so."""
    vehicles = context.site.vehicles
    if context.has_unset_words and (text.lower() in NO_VALUE_WORDS or re.fullmatch(r"-\d+|0+", text)):
        return None
    if re.fullmatch(r"[0-9]{1,6}", text) and 1 <= int(text) <= len(vehicles):
        return vehicles[int(text) - 1].name
    for vehicle in vehicles:
        if text == vehicle.name:
            return vehicle.name
    for vehicle in vehicles:
        if text and text.lower() in (vehicle.title.lower(), vehicle.name.lower()):
            return vehicle.name
    raise InvalidSetting("vehicle", text, VEHICLES, "vehicle not found")


def number_in(text: str) -> float | None:
    """The finite decimal number, with a point and an exponent if need be, that ``text`` is, if it is one."""
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        return None
    number = float(text)
    return number + 0.0 if math.isfinite(number) else None  # -0 is 0


def _duration(seconds: float) -> timedelta:
    """The longest there is, if there is none so long."""
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        return timedelta.max if seconds > 0 else timedelta.min


_TIME = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
    r"(:(?P<second>[0-9]{2})([.,](?P<fraction>[0-9]{1,18}))?)?"
    r"(?P<zone>[Zz]|[ +-][0-9]{2}:?[0-9]{2})?"
)


_NO_TIME = datetime(1, 1, 1, tzinfo=UTC)
"""What an unset time looks like to clients of 2023, and how they unset one."""


def parse_time(name: str, text: str, zone: tzinfo) -> datetime | None:
    """A time in one of the forms that docs/api.md lists, in UTC; local to ``zone`` when it names none. Raises `InvalidSetting`.

    None: ``0001-01-01T00:00:00``, no time, in whatever zone. A blank before the offset is what a ``+`` in a query string
    decodes to.
    """
    invalid = InvalidSetting(name, text, "an RFC 3339 time", "invalid time")
    found = _TIME.fullmatch(text)
    if found is None:
        raise invalid
    fraction = (found["fraction"] or "").ljust(6, "0")[:6]
    try:
        naive = datetime.fromisoformat(
            f"{found['date']}T{int(found['hour']):02}:{found['minute']}:{found['second'] or '00'}.{fraction}"
        )
        if naive == datetime.min:
            return None
        time = naive.replace(tzinfo=_offset(found["zone"], zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid from None
    if time == _NO_TIME:
        return None
    if not 1970 <= time.year <= 9998:
        raise invalid
    return time


def _offset(text: str | None, zone: tzinfo) -> tzinfo:
    if text is None:
        return zone
    if text in "Zz":
        return UTC
    digits = text[1:].replace(":", "")
    minutes = int(digits[2:])
    if minutes > 59:
        raise ValueError(text)
    offset = timedelta(hours=int(digits[:2]), minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


def _read_time(spec: SettingSpec, text: str, context: Context) -> datetime | None:
    if context.has_unset_words:
        if text.lower() in NO_VALUE_WORDS:
            return None
        if re.fullmatch(r"[0-9]{1,11}", text):
            return datetime.fromtimestamp(int(text), UTC)
    return parse_time(spec.name, text, context.site.time_zone)


def _plain(value: Parsed) -> SettingValue:
    if isinstance(value, str) and not isinstance(value, ChargeMode):
        raise TypeError(f"not a setting's value: {value!r}")
    return value

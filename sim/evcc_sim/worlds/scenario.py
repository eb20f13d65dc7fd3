"""A scenario: a site, its plants, its weather, what people do and what goes wrong, read from a small TOML file.

Every table is a dataclass; unknown keys and wrong types are errors that name the key. Times of day are written "17:30", durations
as seconds or "10m", "2h". docs/scenarios.md describes the format.
"""

from __future__ import annotations

import difflib
import itertools
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import Enum
from functools import cache
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

from evcc_server.profiles.profile import load as load_profile
from evcc_server.profiles.profile import names as profile_names
from evcc_sim.plants.battery import BatterySpec
from evcc_sim.plants.car import CarSpec
from evcc_sim.plants.faults import CONTROL, READ_BACKS, Fault, FaultKind, ReadBack
from evcc_sim.plants.household import HouseholdSpec
from evcc_sim.plants.meter import MeterSpec
from evcc_sim.plants.prices import TariffSpec
from evcc_sim.plants.sky import Sky
from evcc_sim.plants.sunshine import PvSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.recorded.csv_file import FIRST_YEAR, LAST_YEAR, OwnFile, WrongFile
from evcc_sim.recorded.own_data import anchored, filled
from evcc_sim.timebase import Timebase
from evcc_sim.worlds.allowed_values import OneOf, params_of, problems
from evcc_sim.worlds.card_ids import misfit
from evcclib.model import ChargeMode, Planner, Sharing
from evcclib.settings import SPECS, Kind, LoadpointDefaults, Scope, SiteDefaults

LONGEST_S = 3660 * 86_400.0


class InvalidScenario(ValueError):
    """A scenario file cannot be used; the message names the file and the key."""


NO_KEY: Mapping[str, bool] = {"is_key": False}
"""Metadata of a field that no file has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSpec(SiteDefaults):
    """The grid connection and the site's settings. ``fuse_a`` is the main fuse of the house, for each phase; ``law`` as in
    `evcc_sim.worlds.laws`."""

    latitude: float = 48.14
    longitude: float = 11.58
    time_zone: str = "Europe/Berlin"
    start: date = date(2026, 6, 15)
    law: str = "classic"
    sharing: Sharing = Sharing.FAIR
    planner: Planner = Planner.CLASSIC
    interval_s: float = 10.0
    voltage_v: float = 230.0  # what the control assumes
    true_voltage_v: float | None = None  # what the grid delivers
    fuse_a: float = 35.0
    grid_supply_max_while_battery_charges_w: float = 0.0
    has_grid_meter: bool = True
    sees_pv: bool = True  # False: the pv is there, but not configured
    has_zero_feed_in: bool = False  # the control is told that the inverters export nothing
    skew_s: float = 0.0  # way 1: devices answer within so long after they are asked


@dataclass(frozen=True, slots=True, kw_only=True)
class GridMeterSpec:
    """The meter at the grid connection."""

    profile: str = "eastron-sdm630"
    meter: MeterSpec = field(default_factory=MeterSpec)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadpointSpec(LoadpointDefaults):
    """A loadpoint's configuration; names and defaults as in `evcclib.config.LoadpointConfig`, but for the mode.

    Goals are no part of a configuration: an action sets them.
    """

    title: str = ""
    vehicle: str | None = None
    circuit: str | None = None
    mode: ChargeMode = ChargeMode.PV
    phases: int = 0
    guard_duration_s: float = 300.0
    reset_on_disconnect: bool = False
    estimates_soc: bool = True
    poll_mode: str = "charging"
    poll_interval_s: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerSpec:
    """A charging station and the loadpoint that controls it."""

    box: WallboxSpec = field(default_factory=WallboxSpec)
    loadpoint: LoadpointSpec = field(default_factory=LoadpointSpec)


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitSpec:
    """As in `evcclib.config.CircuitConfig`."""

    name: str
    parent: str | None = None
    current_max_a: float | None = None
    power_max_w: float | None = None
    unbalance_max_a: float | None = None
    mean_power_max_w: float | None = None
    mean_window_minutes: int = 15
    has_meter: bool = False
    uses_grid_meter: bool = False
    safe_current_a: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherSpec:
    """``dimming``: what reaches the roof even between clouds, 1.0 is a clear sky. ``forecast``: way 1 tells the control this part
    of a clear sky as the sun of each hour of today and tomorrow; None: nothing."""

    sky: Sky = Sky.CLEAR
    dimming: float = 1.0
    forecast: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSpec:
    """A fault by the wall clock. ``every_day``: on each day of the run. ``of``: see `evcc_sim.plants.faults.ReadBack`."""

    kind: FaultKind
    device: str
    at: time
    day: int = 0
    lasts: timedelta = timedelta(minutes=10)
    every_day: bool = False
    of: ReadBack | None = None
    params: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """What a person changes: a setting of `evcclib.settings` by its name, at a loadpoint (0-based), a vehicle or the site.

    ``value`` is a mode, a number, true or false, or for ``target_time`` a wall-clock time (its next occurrence); for a ``plan`` a
    SoC and such a time (``80 07:00``), for ``weekly_plans`` days, a time and a SoC, over and over (``mon fri 07:00 80``), for a
    ``plan_strategy`` ``continuous``, seconds of precondition, or both.
    ``operator_limit_w``, if set, is a limit of the grid operator instead, for ``lasts``.
    """

    at: time
    day: int = 0
    every_day: bool = False
    loadpoint: int | None = None
    vehicle: str | None = None
    setting: str = ""
    value: str | float | bool | None = None
    assign: str | None = None  # assign this vehicle to the loadpoint; "" makes it a guest
    operator_limit_w: float | None = None
    lasts: timedelta = timedelta(hours=1)
    lost_after: timedelta | None = (
        None  # the operator's heartbeat is lost after this time: the limit must expire by itself
    )

    @property
    def scope(self) -> Scope:
        """Whose setting it changes."""
        if self.vehicle is not None:
            return Scope.VEHICLE
        return Scope.SITE if self.loadpoint is None else Scope.LOADPOINT


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A world and what happens in it."""

    name: str
    title: str = ""
    description: str = ""
    rows: tuple[int, ...] = ()  # of the table of field problems
    days: int = 1
    hours: float | None = None  # shorter than a day
    seed: int = 1
    allowed: tuple[str, ...] = ()  # invariants that are not kept here (yet); docs/scenarios.md says why
    site: SiteSpec = field(default_factory=SiteSpec)
    grid: GridMeterSpec = field(default_factory=GridMeterSpec)
    household: HouseholdSpec = field(default_factory=HouseholdSpec)
    weather: WeatherSpec = field(default_factory=WeatherSpec)
    pv: tuple[PvSpec, ...] = ()
    battery: tuple[BatterySpec, ...] = ()
    charger: tuple[ChargerSpec, ...] = ()
    car: tuple[CarSpec, ...] = ()
    circuit: tuple[CircuitSpec, ...] = ()
    tariff: TariffSpec = field(default_factory=TariffSpec)
    fault: tuple[FaultSpec, ...] = ()
    action: tuple[ActionSpec, ...] = ()
    files: Mapping[str, OwnFile] = field(
        default_factory=dict, metadata=NO_KEY
    )  # where recorded values are from, by place
    origin: Origin | None = field(default=None, compare=False, repr=False, metadata=NO_KEY)

    @property
    def base(self) -> Timebase:
        """Seconds to wall clock and back."""
        return Timebase(self.site.start, ZoneInfo(self.site.time_zone))

    def length_s(self, days: int | None = None) -> float:
        """How long it runs [s]; days have 23 or 25 hours where the wall clock says so. Raises `InvalidScenario` if a file that
        it goes by ends earlier."""
        is_in_hours = days is None and self.hours is not None
        length_s = (
            (self.hours or 0.0) * 3600.0 if is_in_hours else self.base.day_second(self.days if days is None else days)
        )
        for file in self.files.values():
            if file.ends_s < length_s:
                raise InvalidScenario(
                    f"{file.path}: ends {file.ends_s / 3600:g} hours after the beginning of the run, which takes "
                    f"{length_s / 3600:g}; expected more rows, or a shorter run (hours, --days)"
                )
        return length_s

    def faults(self, days: int | None = None) -> tuple[Fault, ...]:
        """All faults of a run, in seconds."""
        base, count = self.base, max(1, self.days if days is None else days)
        return tuple(
            Fault(
                kind=spec.kind,
                device=spec.device,
                start_s=base.second(day, spec.at),
                duration_s=spec.lasts.total_seconds(),
                of=spec.of,
                params=spec.params,
            )
            for spec in self.fault
            for day in (range(count) if spec.every_day else (spec.day,))
        )

    def with_changes(self, **changes: typing.Any) -> Scenario:
        """A variant."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Origin:
    """What finds a world again: what a command calls it, the changes to it (``key.path=value``), what it was then, and further
    words of the command that are part of it."""

    text: str
    changes: tuple[str, ...]
    world: Scenario
    options: tuple[str, ...] = ()


def found_by(scenario: Scenario, text: str, changes: Sequence[str] = ()) -> Scenario:
    """``scenario``, which knows how it is found again. Whoever changes it later leaves `Origin.world` as it was."""
    return replace(scenario, origin=Origin(text, tuple(changes), replace(scenario, origin=None)))


# -- reading ------------------------------------------------------------------------------------------------------------


REPEAT_MAX = 1000


def load(name_or_path: str | Path) -> Scenario:
    """A scenario of the library by its name, or any file by its path. Raises `InvalidScenario`."""
    path = Path(name_or_path)
    name = path.stem if path.suffix == ".toml" else str(name_or_path)
    return found_by(from_table(table_of(name_or_path), name=name), str(name_or_path))


def table_of(name_or_path: str | Path) -> dict[str, typing.Any]:
    """The table of a scenario of the library or of a file; files that it names go by its folder. Raises `InvalidScenario`."""
    path = Path(name_or_path)
    table: dict[str, typing.Any] = anchored(_tables_in(text_of(name_or_path), str(name_or_path)), path.parent)
    return table


def text_of(name_or_path: str | Path) -> str:
    """What stands in a scenario of the library or in a file. Raises `InvalidScenario`."""
    path = Path(name_or_path)
    if path.suffix != ".toml":
        if str(name_or_path) not in names():
            raise InvalidScenario(f"unknown scenario {str(name_or_path)!r}; known: {', '.join(names())}")
        entry = resources.files("evcc_sim.worlds").joinpath("scenarios", f"{name_or_path}.toml")
        return entry.read_text(encoding="utf-8")
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidScenario(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidScenario(f"{path}: not UTF-8 text: {error.reason}") from error


def names() -> tuple[str, ...]:
    """The scenarios of the library."""
    folder = resources.files("evcc_sim.worlds").joinpath("scenarios")
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")))


def parse(text: str, *, name: str) -> Scenario:
    """A scenario from its text. Raises `InvalidScenario`."""
    return from_table(_tables_in(text, name), name=name)


def _tables_in(text: str, where: str) -> dict[str, typing.Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidScenario(f"{where}: {error}") from error


def from_table(table: Mapping[str, typing.Any], *, name: str) -> Scenario:
    """A scenario from a parsed file, in which ``repeat = n`` in a charger or car stands for n of them, ``{n}`` for its number.

    Raises `InvalidScenario`.
    """
    table = {"name": name, **table}
    for key in ("charger", "car"):
        entries = table.get(key)
        if isinstance(entries, list) and all(isinstance(entry, Mapping) for entry in entries):
            table[key] = [copy for entry in entries for copy in _repeated(entry, f"{name}.{key}")]
    site: SiteSpec = _convert(SiteSpec, table.get("site", {}), f"{name}.site")
    for problem in _wrong_site(site, name):
        raise InvalidScenario(problem)
    try:
        table, files = filled(table, Timebase(site.start, ZoneInfo(site.time_zone)))
    except WrongFile as error:
        raise InvalidScenario(str(error)) from error
    scenario: Scenario = build(Scenario, table, name)
    return checked(replace(scenario, files=files))


def _repeated(entry: Mapping[str, typing.Any], where: str) -> list[typing.Any]:
    count = entry.get("repeat")
    if count is None:
        return [entry]
    if type(count) is not int or not 1 <= count <= REPEAT_MAX:
        raise InvalidScenario(f"{where}.repeat: {count!r} is not allowed, only 1 to {REPEAT_MAX}")
    rest = {key: value for key, value in entry.items() if key != "repeat"}
    return [_numbered(rest, number) for number in range(1, count + 1)]


def _numbered(value: typing.Any, number: int) -> typing.Any:
    if isinstance(value, str):
        return value.replace("{n}", str(number))
    if isinstance(value, Mapping):
        return {key: _numbered(item, number) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbered(item, number) for item in value]
    return value


def checked(scenario: Scenario) -> Scenario:
    """``scenario``, whoever has made it. Raises `InvalidScenario`: values that cannot be, and names that refer to nothing."""
    for problem in (*problems(scenario, scenario.name), *_contradictions(scenario)):
        raise InvalidScenario(problem)
    return scenario


def _contradictions(scenario: Scenario) -> Iterator[str]:
    """What each value on its own could be, but not together."""
    where = scenario.name
    yield from _wrong_site(scenario.site, where)
    yield from _wrong_series(scenario, where)
    if abs(sum(scenario.household.split) - 1.0) > 1e-6:
        yield f"{where}.household.split: {scenario.household.split} must add up to 1"
    yield from _wrong_names(scenario, where)
    yield from _wrong_profiles(scenario, where)
    yield from _wrong_cards(scenario, where)
    yield from _wrong_circuits(scenario.circuit, where)
    for index, battery in enumerate(scenario.battery):
        if battery.soc_min_pct > battery.soc_max_pct:
            yield f"{where}.battery[{index}]: soc_min_pct {battery.soc_min_pct:g} is above soc_max_pct {battery.soc_max_pct:g}"
    for index, car in enumerate(scenario.car):
        if car.current_min_a > car.current_max_a:
            yield f"{where}.car[{index}]: current_min_a {car.current_min_a:g} is above current_max_a {car.current_max_a:g}"
    for index, charger in enumerate(scenario.charger):
        box, loadpoint = charger.box, charger.loadpoint
        if loadpoint.current_min_a > loadpoint.current_max_a:
            yield (
                f"{where}.charger[{index}].loadpoint: current_min_a {loadpoint.current_min_a:g} is above "
                f"current_max_a {loadpoint.current_max_a:g}"
            )
        yield from _wrong_rotation(box.phase_rotation, f"{where}.charger[{index}].box.phase_rotation")
        yield from _wrong_rotation(box.meter.rotation, f"{where}.charger[{index}].box.meter.rotation")
    yield from _wrong_rotation(scenario.grid.meter.rotation, f"{where}.grid.meter.rotation")


def _wrong_site(site: SiteSpec, where: str) -> Iterator[str]:
    if not is_time_zone(site.time_zone):
        yield f"{where}.site.time_zone: {site.time_zone!r} is no time zone, expected for example 'Europe/Berlin'"
    if not FIRST_YEAR <= site.start.year <= LAST_YEAR:
        yield f"{where}.site.start: {site.start} is not allowed, only {FIRST_YEAR} to {LAST_YEAR}"


def _wrong_series(scenario: Scenario, where: str) -> Iterator[str]:
    """Seconds that do not rise, and rows of two kinds."""
    every: list[tuple[str, Sequence[tuple[float, ...]]]] = [("household", scenario.household.series)]
    every += [(f"pv[{index}]", spec.series) for index, spec in enumerate(scenario.pv)]
    every += [(f"tariff.{kind.name.lower()}", spec.series) for kind, spec in scenario.tariff.lists]
    for path, series in every:
        for index, (row, later) in enumerate(itertools.pairwise(series), 1):
            if later[0] <= row[0]:
                yield f"{where}.{path}.series[{index}]: second {later[0]:g} is not after {row[0]:g}, as expected"
            if len(later) != len(row):
                yield f"{where}.{path}.series[{index}]: {len(later)} values after a row of {len(row)}, expected as many"


def _wrong_rotation(phases: tuple[int, ...], where: str) -> Iterator[str]:
    if sorted(phases) != [1, 2, 3]:
        yield f"{where}: {list(phases)} is not 1, 2 and 3 in some order"


def _wrong_names(scenario: Scenario, where: str) -> Iterator[str]:
    chargers = [charger.box.name for charger in scenario.charger]
    cars = [car.name for car in scenario.car]
    roofs, batteries = [spec.name for spec in scenario.pv], [spec.name for spec in scenario.battery]
    circuits = [spec.name for spec in scenario.circuit]
    devices = [*chargers, *cars, *roofs, *batteries, *circuits, *RESERVED]
    twice = sorted({name for name in devices if devices.count(name) > 1})
    if twice:
        yield f"{where}: names of devices, cars and circuits must be unique, {twice[0]!r} is not"
    for index, car in enumerate(scenario.car):
        for visit in car.visits:
            if visit.charger not in chargers:
                yield f"{where}.car[{index}]: car {car.name!r} visits unknown charger {visit.charger!r}"
    for index, fault in enumerate(scenario.fault):
        if fault.device not in devices:
            yield f"{where}.fault[{index}]: fault at unknown device {fault.device!r}"
        if (fault.device == "site") is not (fault.kind in CONTROL):
            whose = "of the device 'site' alone" if fault.kind in CONTROL else "of no device 'site'"
            yield f"{where}.fault[{index}].device: {fault.kind.value} is a fault {whose}, got {fault.device!r}"
        yield from _wrong_read_back(fault, chargers, f"{where}.fault[{index}]")
        yield from _wrong_params(fault, cars, f"{where}.fault[{index}]")
    for index, charger in enumerate(scenario.charger):
        loadpoint = charger.loadpoint
        if loadpoint.vehicle is not None and loadpoint.vehicle not in cars:
            yield f"{where}.charger[{index}].loadpoint.vehicle: there is no car {loadpoint.vehicle!r}"
        if loadpoint.circuit is not None and loadpoint.circuit not in circuits:
            yield f"{where}.charger[{index}].loadpoint.circuit: there is no circuit {loadpoint.circuit!r}"
    for index, battery in enumerate(scenario.battery):
        if battery.circuit is not None and battery.circuit not in circuits:
            yield f"{where}.battery[{index}].circuit: there is no circuit {battery.circuit!r}"
    for index, action in enumerate(scenario.action):
        if action.loadpoint is not None and action.loadpoint >= len(chargers):
            yield f"{where}.action[{index}].loadpoint: {action.loadpoint} is not allowed, there are {len(chargers)}, from 0 on"
        known = {name for scope, name in SPECS if scope is action.scope}
        if action.assign is None and action.operator_limit_w is None and action.setting not in known:
            yield (
                f"{where}.action[{index}].setting: unknown {action.scope.value} setting {action.setting!r}; "
                f"known: {', '.join(sorted(known))}"
            )
        for car_name in (action.vehicle, action.assign):
            if car_name and car_name not in cars:
                yield f"{where}.action[{index}]: there is no car {car_name!r}"


RESERVED = ("grid", "site", "cars")
"""Devices that every world may have; no other may be called so."""


def _wrong_circuits(circuits: Sequence[CircuitSpec], where: str) -> Iterator[str]:
    parents = {circuit.name: circuit.parent for circuit in circuits}
    for index, circuit in enumerate(circuits):
        above, name = {circuit.name}, circuit.parent
        while name is not None:
            if name not in parents:
                yield f"{where}.circuit[{index}].parent: there is no circuit {name!r}"
                break
            if name in above:
                yield f"{where}.circuit[{index}].parent: {circuit.name!r} is below itself"
                break
            above.add(name)
            name = parents[name]


def _wrong_profiles(scenario: Scenario, where: str) -> Iterator[str]:
    used = [(scenario.grid.profile, "grid", f"{where}.grid")]
    used += [(spec.profile, "pv", f"{where}.pv[{index}]") for index, spec in enumerate(scenario.pv)]
    used += [(spec.profile, "battery", f"{where}.battery[{index}]") for index, spec in enumerate(scenario.battery)]
    used += [(c.box.profile, "charger", f"{where}.charger[{index}].box") for index, c in enumerate(scenario.charger)]
    for profile, part, place in used:
        parts = _parts(profile)
        if not parts:
            known = [name for name in profile_names() if part in _parts(name)]
            near = difflib.get_close_matches(profile, known, n=3, cutoff=0.0)
            yield f"{place}.profile: there is no device {profile!r}, but for example {', '.join(near)}"
        elif part not in parts:
            yield f"{place}.profile: {profile!r} cannot be a {part}, only {', '.join(sorted(parts))}"


def _wrong_cards(scenario: Scenario, where: str) -> Iterator[str]:
    """An id that a station has no room for would be another one on the wire."""
    profiles = {charger.box.name: charger.box.profile for charger in scenario.charger}
    for index, car in enumerate(scenario.car):
        visited = {profiles.get(visit.charger, "") for visit in car.visits}
        for profile in sorted(name for name in visited if "charger" in _parts(name)):
            words = misfit(load_profile(profile), car.rfid)
            if words is not None:
                yield f"{where}.car[{index}].rfid: {car.rfid!r} is not allowed, a card at {profile!r} has {words}"


@cache
def _parts(profile: str) -> frozenset[str]:
    """What a device of the server's can be in a site; empty for an unknown one."""
    try:
        found = load_profile(profile)
    except KeyError:
        return frozenset()
    return frozenset(map(str, found.usages)) | ({"charger"} if found.charger is not None else frozenset())


def _wrong_read_back(fault: FaultSpec, chargers: Sequence[str], where: str) -> Iterator[str]:
    """Only stations have settings to read back, and only what lags may lack ``of``."""
    if fault.kind not in READ_BACKS:
        if fault.of is not None:
            yield f"{where}: {fault.kind.value} has no 'of'"
        return
    if fault.of not in (None, ReadBack.POWER) and fault.device not in chargers:
        yield f"{where}: {fault.kind.value} of {fault.of} at {fault.device!r}, which is no charger"
    if fault.of is None and fault.kind is not FaultKind.READ_BACK_LAG:
        yield f"{where}.of: {fault.kind.value} needs one of {', '.join(ReadBack)}"
    if fault.kind is FaultKind.READ_BACK_STUCK and fault.of is not None and "shows" not in fault.params:
        yield f"{where}.params: 'shows' is missing"


def _wrong_params(fault: FaultSpec, cars: Sequence[str], where: str) -> Iterator[str]:
    """A fault is told only what it heeds."""
    known = params_of(fault.kind, fault.of, is_at_car=fault.device in cars)
    for name, value in fault.params.items():
        if name not in known:
            yield f"{where}.params: unknown {name!r}; {fault.kind.value} knows {', '.join(sorted(known)) or 'none'}"
        elif not known[name].holds(value):
            yield f"{where}.params.{name}: {value!r} is not allowed, only {known[name]}"


def build(cls: typing.Any, table: Mapping[str, typing.Any], path: str) -> typing.Any:
    """An instance of a dataclass from a table, checked key by key. Raises `InvalidScenario`."""
    kinds, known = _kinds(cls), keys_of(cls)
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise InvalidScenario(f"{path}: unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}")
    required = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]
    for key in required:
        if key not in table:
            raise InvalidScenario(f"{path}: {key!r} is missing")
    return cls(**{known[key]: _convert(kinds[known[key]], value, f"{path}.{key}") for key, value in table.items()})


@cache
def keys_of(cls: type) -> dict[str, str]:
    """The keys of a table of the format, and the field of each: the same, but for a setting that is a duration, where the key
    ends in the unit as those of all others do."""
    found = (each for each in fields(cls) if each.metadata.get("is_key", True))
    return {f"{each.name}_s" if each.metadata.get("kind") is Kind.DURATION else each.name: each.name for each in found}


@cache
def _kinds(cls: type) -> dict[str, typing.Any]:
    return typing.get_type_hints(cls)


def _convert(kind: typing.Any, value: typing.Any, path: str) -> typing.Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _convert_union(arguments, value, path)
    if origin is tuple:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise InvalidScenario(f"{path}: expected a list, got {value!r}")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_convert(arguments[0], item, f"{path}[{index}]") for index, item in enumerate(value))
        if len(arguments) != len(value):
            raise InvalidScenario(f"{path}: expected {len(arguments)} values, got {len(value)}")
        return tuple(
            _convert(k, item, f"{path}[{i}]") for i, (k, item) in enumerate(zip(arguments, value, strict=True))
        )
    if origin is not None and issubclass(origin, Mapping):
        return {str(key): _convert(arguments[1], item, f"{path}.{key}") for key, item in value.items()}
    if is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise InvalidScenario(f"{path}: expected a table, got {value!r}")
        return build(kind, value, path)
    return _convert_scalar(kind, value, path)


def _convert_union(kinds: tuple[typing.Any, ...], value: typing.Any, path: str) -> typing.Any:
    if value is None:
        return None
    problem = ""
    for kind in kinds:
        if kind is type(None):
            continue
        try:
            return _convert(kind, value, path)
        except InvalidScenario as error:
            problem = str(error)
    raise InvalidScenario(problem)


def _convert_scalar(kind: typing.Any, value: typing.Any, path: str) -> typing.Any:
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(value)
        except ValueError:
            known = OneOf(tuple(each.value for each in kind))
            raise InvalidScenario(f"{path}: {value!r} is not allowed, only {known}") from None
    try:
        if kind is time:
            return value if isinstance(value, time) else wall_time(value)
        if kind is date and not isinstance(value, datetime):
            return value if isinstance(value, date) else date.fromisoformat(value)
        if kind is timedelta:
            return timedelta(seconds=seconds_of(value))
    except (TypeError, ValueError) as error:
        raise InvalidScenario(f"{path}: {value!r}: {error}") from error
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if kind in (int, str, bool) and type(value) is kind:
        return value
    raise InvalidScenario(f"{path}: expected {getattr(kind, '__name__', kind)}, got {value!r}")


def is_time_zone(name: str) -> bool:
    """Whether there is one of this name."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def wall_time(text: str) -> time:
    """A time of day by the owner's clock. Raises ValueError."""
    found = time.fromisoformat(text)
    if found.tzinfo is not None:
        raise ValueError("expected a time of day by the owner's clock, without a time zone")
    return found


def seconds_of(value: float | str) -> float:
    """Seconds of a duration: a number of them, or "90s", "10m", "2h". Raises ValueError."""
    if isinstance(value, (int, float)):
        return _a_length(float(value))
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    try:
        seconds = float(value[:-1]) * units[value[-1:]]
    except (KeyError, ValueError) as error:
        raise ValueError("expected a number of seconds, or for example '10m'") from error
    return _a_length(seconds)


def _a_length(seconds: float) -> float:
    if not 0 <= seconds <= LONGEST_S:
        raise ValueError(f"expected a length of time from 0 to {LONGEST_S / 86_400:g} days")
    return seconds

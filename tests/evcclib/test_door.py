"""Whatever is put in any place of what the library is given is refused there by its path, or is truly fine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, time, timedelta, timezone
from enum import Enum
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import pytest
from bench import NOON, Bench, S, loadpoint, site_config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evcclib import (
    ABSENT,
    Actions,
    AssignVehicle,
    BatteryReading,
    Cause,
    ChangeLoadpointSetting,
    ChangeSiteSetting,
    ChangeVehicleSetting,
    ChargeMode,
    ChargerReading,
    ChargerStatus,
    DemandRemotely,
    DetectVehicle,
    Disable,
    Enable,
    IncompatibleState,
    InvalidConfig,
    InvalidReadings,
    InvalidSetting,
    Measured,
    MeterReading,
    Missing,
    Now,
    OperatorLimit,
    Outcome,
    Rate,
    Rates,
    Readings,
    Refused,
    RemoteDemand,
    Request,
    Result,
    SetCurrent,
    Site,
    SiteConfig,
    TariffKind,
    UnknownTarget,
    VehicleFeature,
    VehicleReading,
    Warned,
    WarningCode,
    apply,
    initial,
    step,
)
from evcclib.allowed import INSTANT_MAX
from evcclib.config import BatteryConfig, ChargerConfig, CircuitConfig, LoadpointConfig, PollConfig, VehicleConfig
from evcclib.errors import shown
from evcclib.fixed_tariff import FixedTariff, Zone, fixed_tariff
from evcclib.laws.by_name import LAWS
from evcclib.laws.classic import Memory
from evcclib.machines.phases import Scaling
from evcclib.machines.surplus import Elapsed, Waiting
from evcclib.machines.unmetered import HYPOTHESES
from evcclib.model import PollMode, PvAction
from evcclib.pipeline.check_config import TABLE, check
from evcclib.pipeline.check_state import IN_STATE
from evcclib.pipeline.observe_loadpoint import OUTCOME_DUE
from evcclib.pipeline.snapshot import TRANSIENT, exported
from evcclib.pipeline.state import LoadpointState, SiteState
from evcclib.settings import SETTINGS
from evcclib.timetable.plans import WeeklyPlan
from evcclib.units import ORIGIN, TICK, Instant

FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
BERLIN = ZoneInfo("Europe/Berlin")


class Liar:
    """Nothing that anybody expects, and rude when asked for its name."""

    def __repr__(self) -> str:
        raise RuntimeError("none of your business")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("none of your business")

    __hash__ = None  # type: ignore[assignment]


PLAIN: list[Any] = [
    *(None, True, False, 0, 1, 3, 7, 99, -1, 10**400, -(10**5000)),
    *(0.0, -0.0, 0.5, 6.0, -5.0, 1e308, -1e308, float("nan"), float("inf"), float("-inf")),
    *("", "off", "quick", "pv", "C", "car", "main", "Europe/Berlin", "x" * 10_000, b"off"),
    *(
        (),
        [],
        {},
        set(),
        frozenset(),
        (1, 2, 3),
        (3, 2),
        [1, 2, 3],
        (6.0, 6.0, 6.0),
        (6.0, float("nan"), 1e308),
        {"a": 1},
    ),
    *(
        ChargeMode.PV,
        ChargeMode.NOW,
        ChargerStatus.C,
        PollMode.ALWAYS,
        Cause.INTERVAL,
        VehicleFeature.OFFLINE,
        Result.DONE,
    ),
    *(timedelta(0), 5 * S, -5 * S, timedelta.max, timedelta.min, timedelta(days=100_001), UTC, BERLIN),
    *(
        NOON,
        NOON.replace(tzinfo=None),
        datetime.max,
        datetime.min,
        datetime.max.replace(tzinfo=timezone(-12 * 3600 * S)),
    ),
    *(datetime.min.replace(tzinfo=timezone(12 * 3600 * S)), NOON.replace(year=9999), NOON.replace(tzinfo=BERLIN)),
    *(object(), Liar(), int, lambda: None, Measured(1.0, 0 * S), Missing(), Actions(), ChargerConfig(), Rates(())),
]
numbers = st.integers() | st.floats() | st.integers(-5, 100)
simple: st.SearchStrategy[Any] = st.sampled_from(PLAIN) | numbers | st.text(max_size=5)
wild: st.SearchStrategy[Any] = (
    simple
    | st.builds(Measured, simple, simple)
    | st.builds(Missing, simple)
    | st.tuples(simple)
    | st.lists(simple, max_size=3)
)


def whole_config() -> SiteConfig:
    """A site with something of everything."""
    return site_config(
        loadpoint(vehicle="car", circuit="inner", can_switch_phases=True, has_energy_total=True, has_identity=True, has_soc=True),
        loadpoint(current_max_a=16.0, has_power=False, has_duration=True),
        pv_count=1,
        aux_count=1,
        batteries=(BatteryConfig(capacity_kwh=10.0, phases=3, charge_power_w=3000.0),),
        vehicles=(
            VehicleConfig(
                name="car", capacity_kwh=50.0, has_soc=True, has_soc_limit=True, has_range=True, has_odometer=True,
                has_status=True, has_climate=True, on_identify=Actions(mode=ChargeMode.PV, soc_min_pct=10),
            ),
        ),
        circuits=(
            CircuitConfig(name="main", current_max_a=50.0, unbalance_max_a=40.0, mean_power_max_w=30_000.0, uses_grid_meter=True),
            CircuitConfig(name="inner", parent="main", power_max_w=20_000.0, has_meter=True),
        ),
    )  # fmt: skip


def whole_readings(at: Instant, outcomes: tuple[Outcome, ...] = ()) -> Readings:
    """Readings of it, all that there can be."""
    triple = Measured((6.0, 6.0, 6.0), at)
    power = Measured(-3000.0, at)
    meter = MeterReading(
        power_w=power, powers_w=triple, currents_a=triple, voltages_v=triple,
        energy_import_kwh=Measured(5.0, at), energy_export_kwh=Measured(5.0, at),
    )  # fmt: skip
    charger = ChargerReading(
        status=Measured(ChargerStatus.C, at), is_enabled=Measured(True, at), power_w=Measured(4000.0, at),
        currents_a=triple, voltages_v=triple, energy_total_kwh=Measured(7.0, at), energy_session_kwh=Measured(1.0, at),
        charge_duration=Measured(5 * S, at), identity=Measured("x", at), soc_pct=Measured(40.0, at),
        current_offered_a=Measured(6.0, at), phases=Measured(3, at),
    )  # fmt: skip
    car = VehicleReading(
        soc_pct=Measured(40.0, at), soc_limit_pct=Measured(90.0, at), range_km=Measured(200.0, at),
        odometer_km=Measured(9000.0, at), status=Measured(ChargerStatus.C, at), is_climating=Measured(False, at),
    )  # fmt: skip
    return Readings(
        grid=meter, pv=(meter,), aux=(meter,),
        batteries=(
            BatteryReading(
                power_w=power, soc_pct=Measured(50.0, at),
                energy_discharged_kwh=Measured(5.0, at), energy_charged_kwh=Measured(5.0, at),
            ),
        ),
        chargers=(charger, charger), vehicles={"car": car}, circuits={"inner": meter},
        tariffs={TariffKind.GRID: Rates((Rate(NOON, NOON + 3600 * S, 0.3),))}, outcomes=outcomes,
        operator_limit=OperatorLimit(power_w=50_000.0, expires_at=1000 * S),
    )  # fmt: skip


def now_at(at: Instant) -> Now:
    return Now(at, NOON + at)


def live(site: Site, make: Callable[[Instant], Readings], origin: Instant = ORIGIN) -> None:
    """Everything that can be done with a site, for a while."""
    for number, cause in enumerate([Cause.START, Cause.INTERVAL, Cause.SAMPLE, Cause.REQUEST, *[Cause.INTERVAL] * 9]):
        now = now_at(origin + number * 10 * S)
        site.step(make(now.instant), now=now, cause=cause)
        json.dumps(site.export(now=now), allow_nan=False)
        site.view(now=now)
    for index in range(len(site.config.loadpoints)):
        site.plan(index, now=now, target_time=now.utc + 3600 * S)
    Site.restore(site.config, json.loads(json.dumps(site.export(now=now))), now=now)


PARTS: list[tuple[str, type, Callable[[SiteConfig, Any], SiteConfig]]] = [
    ("", SiteConfig, lambda _, part: part),
    ("batteries[0].", BatteryConfig, lambda site, part: replace(site, batteries=(part,))),
    ("vehicles[0].", VehicleConfig, lambda site, part: replace(site, vehicles=(part,))),
    (
        "vehicles[0].on_identify.",
        Actions,
        lambda site, part: replace(site, vehicles=(replace(site.vehicles[0], on_identify=part),)),
    ),
    ("circuits[1].", CircuitConfig, lambda site, part: replace(site, circuits=(site.circuits[0], part))),
    ("loadpoints[0].", LoadpointConfig, lambda site, part: replace(site, loadpoints=(part, site.loadpoints[1]))),
    (
        "loadpoints[1].charger.",
        ChargerConfig,
        lambda site, part: replace(site, loadpoints=(site.loadpoints[0], replace(site.loadpoints[1], charger=part))),
    ),
    (
        "loadpoints[0].poll.",
        PollConfig,
        lambda site, part: replace(site, loadpoints=(replace(site.loadpoints[0], poll=part), site.loadpoints[1])),
    ),
]
SPEAK_OF_OTHERS = {
    ("SiteConfig", "has_grid"): "circuits[0].uses_grid_meter",
    ("SiteConfig", "vehicles"): "loadpoints[0].vehicle",
    ("SiteConfig", "circuits"): "loadpoints[0].circuit",
    ("VehicleConfig", "name"): "loadpoints[0].vehicle",
    ("CircuitConfig", "name"): "loadpoints[0].circuit",
    ("CircuitConfig", "uses_grid_meter"): "circuits[1].has_meter",
    ("LoadpointConfig", "current_max_a"): "loadpoints[0].current_min_a",
    ("ChargerConfig", "current_max_a"): "loadpoints[1].current_min_a",
    ("ChargerConfig", "current_step_a"): "loadpoints[1].current_min_a",
    ("Actions", "current_max_a"): "vehicles[0].on_identify.current_min_a",
}
"""Fields whose value may be right by itself and yet not fit another one, which is named then."""


def part_of(site: SiteConfig, path: str) -> Any:
    return eval(f"site.{path}"[:-1], {"site": site}) if path else site


@pytest.mark.rule("DEF-7")
@pytest.mark.parametrize("path", [path for path, _, _ in PARTS])
@FUZZ
@given(data=st.data())
def test_any_value_in_any_field_of_a_configuration_is_refused_by_name_or_fine(path: str, data: st.DataObject) -> None:
    whole = whole_config()
    kind, rebuild = next((kind, rebuild) for each, kind, rebuild in PARTS if each == path)
    name = data.draw(st.sampled_from([field.name for field in fields(kind)]))
    site = rebuild(whole, replace(part_of(whole, path), **{name: data.draw(wild)}))
    try:
        check(site)
    except InvalidConfig as error:
        assert error.where.startswith(f"{path}{name}") or error.where == SPEAK_OF_OTHERS.get((kind.__name__, name))
        assert str(error).startswith(f"{error.where}: ") and f"expected {error.allowed}" in str(error)
        return
    live(Site(site, now=now_at(0 * S)), fitting(site))


def fitting(config: SiteConfig) -> Callable[[Instant], Readings]:
    """Readings of what there is of it."""

    def make(at: Instant) -> Readings:
        whole = whole_readings(at)
        return replace(
            whole,
            grid=whole.grid if config.has_grid else None,
            pv=whole.pv * config.pv_count,
            batteries=whole.batteries * len(config.batteries),
            aux=whole.aux * config.aux_count,
            chargers=whole.chargers[:1] * len(config.loadpoints),
            vehicles={vehicle.name: whole.vehicles["car"] for vehicle in config.vehicles},
            circuits={circuit.name: whole.circuits["inner"] for circuit in config.circuits if circuit.has_meter},
        )

    return make


@pytest.mark.rule("DEF-48", "N-2")
@pytest.mark.parametrize(
    "kind", [MeterReading, BatteryReading, ChargerReading, VehicleReading, OperatorLimit, Readings]
)
@FUZZ
@given(data=st.data())
def test_any_value_in_any_field_of_readings_is_refused_by_name_or_fine(kind: Any, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([field.name for field in fields(kind)]))
    value: Any = data.draw(wild | st.builds(Measured, simple, st.just(0 * S)))

    def make(at: Instant) -> Readings:
        changed: dict[str, Any] = {name: value}
        if isinstance(value, Measured) and type(value.sampled_at) is timedelta and value.sampled_at == 0 * S:
            changed = {name: Measured(value.value, at)}  # a new sample each time
        whole = whole_readings(at)
        if kind is Readings:
            return replace(whole, **changed)
        if kind is MeterReading:
            meter = replace(whole.pv[0], **changed)
            return replace(whole, grid=meter, pv=(meter,), aux=(meter,), circuits={"inner": meter})
        if kind is BatteryReading:
            return replace(whole, batteries=(replace(whole.batteries[0], **changed),))
        if kind is ChargerReading:
            charger = replace(whole.chargers[0], **changed)
            return replace(whole, chargers=(charger, charger))
        if kind is VehicleReading:
            return replace(whole, vehicles={"car": replace(whole.vehicles["car"], **changed)})
        return replace(whole, operator_limit=replace(whole.operator_limit, **changed))  # type: ignore[type-var]

    config = whole_config()
    try:
        live(Site(config, now=now_at(0 * S)), make)
    except InvalidReadings as error:
        assert f"{kind.__name__}.{name}" in error.where
        assert str(error).startswith(f"{error.where}: ")


@FUZZ
@given(data=st.data())
def test_any_time_cause_and_readings_of_a_step_are_refused_by_name_or_fine(data: st.DataObject) -> None:
    config = whole_config()
    site = Site(config, now=now_at(0 * S))
    which = data.draw(st.sampled_from(["readings", "now", "cause", "Now.instant", "Now.utc"]))
    value = data.draw(wild)
    given_now: Any = now_at(0 * S)
    before = json.dumps(site.export(now=given_now))
    try:
        if which.startswith("Now."):
            given_now = Now(**{"instant": 0 * S, "utc": NOON, which[4:]: value})
        elif which == "now":
            given_now = value
        site.step(
            value if which == "readings" else whole_readings(0 * S),
            now=given_now,
            cause=value if which == "cause" else Cause.START,
        )
        site.view(now=given_now)
        site.export(now=given_now)
        site.plan(0, now=given_now)
        site.submit(DetectVehicle(0), now=given_now)
        Site(config, now=given_now)
    except InvalidReadings as error:
        assert which in error.where
        assert json.dumps(site.export(now=now_at(0 * S))) == before


@pytest.mark.rule("DEF-41", "SET-1")
@FUZZ
@given(data=st.data())
def test_any_value_of_a_request_is_refused_or_fine(data: st.DataObject) -> None:
    site = Site(whole_config(), now=now_at(0 * S))
    site.step(whole_readings(0 * S), now=now_at(0 * S), cause=Cause.START)
    spec = data.draw(st.sampled_from(SETTINGS))
    makers: list[Callable[[Any], Any]] = [
        {
            "site": lambda value: ChangeSiteSetting(spec.name, value),
            "loadpoint": lambda value: ChangeLoadpointSetting(0, spec.name, value),
            "vehicle": lambda value: ChangeVehicleSetting("car", spec.name, value),
        }[spec.scope.value],
        lambda value: ChangeSiteSetting(value, 5),
        lambda value: ChangeLoadpointSetting(value, "mode", ChargeMode.PV),
        lambda value: ChangeLoadpointSetting(0, value, ChargeMode.PV),
        lambda value: ChangeVehicleSetting(value, "soc_min_pct", 5),
        lambda value: AssignVehicle(value, "car"),
        lambda value: AssignVehicle(0, value),
        DetectVehicle,
        lambda value: DemandRemotely(value, RemoteDemand.SOFT, "x"),
        lambda value: DemandRemotely(0, value, "x"),
        lambda value: DemandRemotely(0, RemoteDemand.SOFT, value),
        lambda value: value,
    ]
    make = makers[0] if data.draw(st.booleans()) else data.draw(st.sampled_from(makers))
    before = json.dumps(site.export(now=now_at(0 * S)))
    try:
        site.submit(make(data.draw(wild)), now=now_at(0 * S))
    except (InvalidSetting, UnknownTarget) as error:
        assert str(error)
        assert json.dumps(site.export(now=now_at(0 * S))) == before
        return
    live(site, whole_readings, origin=10 * S)


@FUZZ
@given(data=st.data())
def test_any_target_of_a_plan_is_refused_or_fine(data: st.DataObject) -> None:
    site = Site(whole_config(), now=now_at(0 * S))
    site.step(whole_readings(0 * S), now=now_at(0 * S), cause=Cause.START)
    try:
        site.plan(data.draw(st.just(0) | wild), now=now_at(0 * S), target_time=data.draw(wild))
    except (InvalidSetting, UnknownTarget) as error:
        assert str(error)


@pytest.mark.rule("DEF-15", "DEF-39", "TAR-5")
@pytest.mark.parametrize("kind", ["Rate", "Rates", "Zone", "FixedTariff", "fixed_tariff", "rates"])
@FUZZ
@given(data=st.data())
def test_any_value_in_a_price_list_is_refused_by_name_or_fine(kind: str, data: st.DataObject) -> None:
    value = data.draw(wild)
    hour = Rate(NOON, NOON + 3600 * S, 0.3)
    name = ""
    try:
        if kind == "Rate":
            name = data.draw(st.sampled_from(["start", "end", "price"]))
            rates = Rates((hour, replace(hour, **{name: value})))
        elif kind == "Rates":
            name = data.draw(st.sampled_from(["rates", "unit", "is_outdated"]))
            rates = replace(Rates((hour,)), **{name: value})
        elif kind == "Zone":
            name = data.draw(st.sampled_from([field.name for field in fields(Zone)]))
            zone = Zone(**{"price": 0.1, name: value})
            rates = FixedTariff(price=0.3, zones=(zone,)).rates(NOON, BERLIN)
        elif kind == "FixedTariff":
            name = data.draw(st.sampled_from(["price", "zones", "unit"]))
            rates = FixedTariff(**{"price": 0.3, name: value}).rates(NOON, BERLIN)
        elif kind == "fixed_tariff":
            position = data.draw(st.integers(0, 2))
            zone_text: list[Any] = [0.1, "Mo", "0-5"]
            zone_text[position] = value
            name = ("price", "days", "hours")[position]
            rates = fixed_tariff(0.3, [tuple(zone_text)]).rates(NOON, BERLIN)
        else:
            name = data.draw(st.sampled_from(["now", "time_zone"]))
            arguments: Any = {"now": NOON, "time_zone": BERLIN, name: value}
            rates = fixed_tariff(0.3).rates(**arguments)
    except (InvalidReadings, InvalidConfig) as error:
        assert name in error.where or (kind == "Zone" and "minute" in error.where)
        return
    site = Site(whole_config(), now=now_at(0 * S))
    live(site, lambda at: replace(whole_readings(at), tariffs={TariffKind.GRID: rates, TariffKind.PLANNER: rates}))


def test_every_field_of_a_configuration_has_a_row() -> None:
    for _, kind, _ in PARTS:
        assert set(TABLE[kind]) == {field.name for field in fields(kind)}, kind


SITE = Site(whole_config(), now=now_at(0 * S))
ENTRANCES: dict[str, Callable[[Any], object]] = {
    "step: config": lambda it: step(it, SITE.state, whole_readings(0 * S), now=now_at(0 * S), cause=Cause.START),
    "step: state": lambda it: step(SITE.config, it, whole_readings(0 * S), now=now_at(0 * S), cause=Cause.START),
    "step: readings": lambda it: step(SITE.config, SITE.state, it, now=now_at(0 * S), cause=Cause.START),
    "step: now": lambda it: step(SITE.config, SITE.state, whole_readings(0 * S), now=it, cause=Cause.START),
    "step: cause": lambda it: step(SITE.config, SITE.state, whole_readings(0 * S), now=now_at(0 * S), cause=it),
    "apply: config": lambda it: apply(it, SITE.state, now=now_at(0 * S)),
    "apply: state": lambda it: apply(SITE.config, it, now=now_at(0 * S)),
    "apply: request": lambda it: apply(SITE.config, SITE.state, it, now=now_at(0 * S)),
    "apply: now": lambda it: apply(SITE.config, SITE.state, now=it),
    "initial: config": lambda it: initial(it, now=now_at(0 * S)),
    "initial: now": lambda it: initial(SITE.config, now=it),
    "check": check,
    "Site.restore: config": lambda it: Site.restore(it, SITE.export(now=now_at(0 * S)), now=now_at(0 * S)),
    "Site.restore: exported": lambda it: Site.restore(SITE.config, it, now=now_at(0 * S)),
    "Site.restore: now": lambda it: Site.restore(SITE.config, SITE.export(now=now_at(0 * S)), now=it),
    "Site.prepare": lambda it: SITE.prepare(it, now=now_at(0 * S)),
    "Site.take": SITE.take,
    "Site.view": lambda it: SITE.view(now=it),
    "Site.plan: loadpoint": lambda it: SITE.plan(it, now=now_at(0 * S)),
    "Site.plan: now": lambda it: SITE.plan(0, now=it),
    "Site.rates": SITE.rates,
    "Site.export": lambda it: SITE.export(now=it),
    "Now.after": now_at(0 * S).after,
}


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize("given_instead", [None, 7, "x", (), {}, Liar()], ids=["None", "7", "x", "()", "{}", "Liar"])
def test_what_is_nothing_of_the_kind_is_refused_at_every_entrance(entrance: str, given_instead: object) -> None:
    before = SITE.state
    with pytest.raises((Refused, UnknownTarget), match=r"is not allowed, expected|^no (loadpoint|tariff) "):
        ENTRANCES[entrance](given_instead)
    assert SITE.state is before


@pytest.mark.parametrize("name", [field.name for field in fields(Readings)])
@pytest.mark.parametrize("nothing", [None, 7, "x", (None,), {"car": None}], ids=str)
def test_a_part_of_readings_that_is_nothing_of_the_kind_is_refused_by_its_name(name: str, nothing: Any) -> None:
    parts: dict[str, Any] = {name: nothing}
    if nothing is None and name in ("grid", "operator_limit"):
        assert Readings(**parts) == Readings()  # there is none
        return
    with pytest.raises(InvalidReadings, match=rf"Readings\.{name}.* is not allowed, expected "):
        Readings(**parts)


# -- what is exported comes back, or is refused -------------------------------------------------------------------------

JSON_LIKE: list[Any] = [
    *(None, True, False, 0, 1, 2, 99, -1, 10**400, -(10**20), 0.5, -0.5, 1e308, float("nan"), float("inf")),
    *("", "elapsed", "off", "C", "quick", "car", NOON.isoformat(), "0001-01-01T00:00:00+00:00", "2023-06-01T12:00:00"),
    *([], {}, [1], [None], {"a": 1}, [[]], "9999-12-31T23:59:59-12:00"),
]


def places(node: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every value, those with something inside included."""
    if path:
        yield path
    items: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def lived_in() -> Site:
    site = Site(whole_config(), now=now_at(0 * S))
    site.submit(ChangeVehicleSetting("car", "soc_target_pct", 85), now=now_at(0 * S))
    live(site, whole_readings)
    site.submit(ChangeLoadpointSetting(0, "target_time", NOON + 3600 * 8 * S), now=now_at(200 * S))
    site.step(whole_readings(210 * S), now=now_at(210 * S), cause=Cause.INTERVAL)
    return site


EXPORTED = json.dumps(lived_in().export(now=now_at(210 * S)))


@pytest.mark.rule("SITE-22")
@settings(FUZZ, max_examples=1000)
@given(data=st.data())
def test_a_snapshot_with_nonsense_is_refused_by_its_path_or_goes_on(data: st.DataObject) -> None:
    exported = json.loads(EXPORTED)
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(list(places(exported))))
        parent = exported
        for key in path[:-1]:
            parent = parent[key]
        if data.draw(st.integers(0, 9)) == 0:
            del parent[path[-1]]
        else:
            parent[path[-1]] = data.draw(st.sampled_from(JSON_LIKE))
    now = now_at(300 * S)
    try:
        site = Site.restore(whole_config(), exported, now=now)
    except IncompatibleState as error:
        assert str(error).startswith(error.where) and error.allowed
        return
    live(site, whole_readings, origin=now.instant)


@pytest.mark.parametrize("exported", [None, 5, "state", [], [1], b"x"])
def test_what_is_no_snapshot_at_all_is_refused(exported: Any) -> None:
    with pytest.raises(IncompatibleState, match=r"^state: .+ is not allowed, expected a mapping$"):
        Site.restore(whole_config(), exported, now=now_at(0 * S))


WRONG: list[Any] = [0, -1, 99, 10**400, 1e308, "", "elapsed", [], None]


@pytest.mark.rule("SITE-22")
def test_every_place_of_a_snapshot_is_looked_at() -> None:
    """One wrong value in every place: refused by that path, or gone on with."""
    refused = 0
    for path in places(json.loads(EXPORTED)):
        for wrong in WRONG:
            exported = json.loads(EXPORTED)
            parent = exported
            for key in path[:-1]:
                parent = parent[key]
            parent[path[-1]] = wrong
            try:
                site = Site.restore(whole_config(), exported, now=now_at(300 * S))
            except IncompatibleState as error:
                assert next(key for key in reversed(path) if isinstance(key, str)) in error.where
                refused += 1
                continue
            for number, cause in enumerate([Cause.START, Cause.INTERVAL]):
                site.step(whole_readings((300 + 10 * number) * S), now=now_at((300 + 10 * number) * S), cause=cause)
            site.view(now=now_at(310 * S))
    assert refused > 1500


# -- the same, with something in every place of it that there can be ------------------------------------------------------

INNER = {
    (LoadpointState, "vehicle"): "car",
    (LoadpointState, "doubts"): (0.0,) * len(HYPOTHESES),
    (WeeklyPlan, "zone"): "Europe/Berlin",
}
"""What fits no other place."""


def parts_of(kind: type) -> dict[str, Any]:
    """The fields of a class of the state that are exported, with their types."""
    names = [each.name for each in fields(kind) if each.init] if is_dataclass(kind) else kind._fields  # type: ignore[attr-defined]
    hints = get_type_hints(kind)
    return {name: hints[name] for name in names if (kind, name) not in TRANSIENT and name != "pending"}


def is_class_of_state(kind: Any) -> bool:
    return isinstance(kind, type) and (is_dataclass(kind) or hasattr(kind, "_fields"))


def filled(kind: Any, truth: bool, value: Any = float) -> Any:
    """An example of a type with nothing left out, every truth being ``truth``; ``value``: the type of what a `Measured` holds."""
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        return filled(next(each for each in arguments if each is not type(None)), truth)
    if is_class_of_state(origin):
        return origin(
            **{
                name: INNER[origin, name] if (origin, name) in INNER else filled(inner, truth, *arguments[:1])
                for name, inner in parts_of(origin).items()
                if truth or name != "agreed_at"  # of these one that is open, one that is not
            }
        )
    if origin in (tuple, frozenset):
        return origin([filled(arguments[0], truth)] * (2 if arguments[0] is LoadpointState else 1))
    if origin is Mapping:
        return {"car": filled(arguments[1], truth)}
    if isinstance(origin, type) and issubclass(origin, Enum):
        return list(origin)[-1 if truth else 0]
    plain = {
        bool: truth,
        int: 1,
        float: 1.0,
        str: "x",
        timedelta: 200 * S,
        Instant: 200 * S,
        datetime: NOON,
        time: NOON.time(),
    }
    return plain[value if isinstance(kind, TypeVar) else kind]


def filled_site(truth: bool) -> SiteState:
    """`filled`, with what its law remembers."""
    state: SiteState = filled(SiteState, truth)
    state.law = "classic"
    for each in state.loadpoints:
        timer = Waiting(PvAction.ENABLE, 200 * S) if truth else Elapsed(PvAction.DISABLE)
        each.memory = Memory(timer, filled(Scaling, truth))
    return state


FILLED = [json.dumps(exported(filled_site(truth), now=now_at(210 * S))) for truth in (True, False)]


def leaves(node: object) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The way to every value that has nothing inside, and the value."""
    for path in places(node):
        value: Any = node
        for key in path:
            value = value[key]
        if not isinstance(value, dict | list):
            yield path, value


def mangled(value: object) -> list[Any]:
    """What may have become of a value of a snapshot."""
    if isinstance(value, bool) or value is None:
        return [-1, "x"]
    if isinstance(value, int | float):
        numbers: list[Any] = [-1, -value - 2, -0.5, 1e9, 1e308, 10**400, float("nan"), float("inf"), float("-inf")]
        return [*numbers, str(value), True, None]
    assert isinstance(value, str)
    return [value.replace("+00:00", ""), "", "elapsed", -1, None]


def changing(at: Instant) -> Readings:
    """Readings of chargers that report this now, that then, or nothing."""
    whole, turn = whole_readings(at), at // (10 * S) % 4
    reading = replace(
        whole.chargers[0],
        status=Missing(at) if turn == 3 else Measured(ChargerStatus.B if turn % 2 else ChargerStatus.C, at),
        is_enabled=Measured(turn < 2, at),
        phases=Measured(1 + 2 * (turn % 2), at),
        current_offered_a=Measured(6.0 + turn, at),
    )
    return replace(whole, chargers=(reading, replace(reading, power_w=ABSENT, currents_a=ABSENT, is_enabled=ABSENT)))


@pytest.mark.rule("SITE-22")
@pytest.mark.parametrize("whole", FILLED, ids=["true", "false"])
def test_a_whole_snapshot_is_restored_and_goes_on(whole: str) -> None:
    site = Site.restore(whole_config(), json.loads(whole), now=now_at(300 * S))
    live(site, changing, origin=300 * S)


@pytest.mark.rule("SITE-22")
@settings(FUZZ, max_examples=2000)
@given(data=st.data())
def test_a_mangled_value_anywhere_in_a_whole_snapshot_is_refused_there_or_gone_on_with(data: st.DataObject) -> None:
    exported = json.loads(data.draw(st.sampled_from([EXPORTED, *FILLED])))
    path, value = data.draw(st.sampled_from(list(leaves(exported))))
    parent = exported
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = data.draw(st.sampled_from(mangled(value)) | numbers)
    try:
        site = Site.restore(whole_config(), exported, now=now_at(300 * S))
    except IncompatibleState as error:
        assert next(key for key in reversed(path) if isinstance(key, str)) in error.where
        assert str(error).startswith(f"{error.where}: ") and f"expected {error.allowed}" in str(error)
        return
    live(site, changing, origin=300 * S)


@pytest.mark.rule("SITE-22")
@pytest.mark.parametrize(
    ("path", "most"),
    [
        (("loadpoints", 0, "charger", "number"), 10**9),
        (("loadpoints", 0, "charger", "phases_disagreement", "repeats"), 10**9),
        (("loadpoints", 0, "ledger", "counted_kwh"), 1e12),
        (("loadpoints", 0, "session", "shared_kwh"), 1e12),
        (("loadpoints", 0, "session", "price"), 1e12),
        (("loadpoints", 0, "timer", "duration"), INSTANT_MAX // TICK),
        (("loadpoints", 0, "connected_at"), -(INSTANT_MAX // TICK)),
    ],
)
def test_what_has_outgrown_what_is_allowed_stays_there(path: tuple[str | int, ...], most: float) -> None:
    whole = json.loads(FILLED[0])
    parent = whole["site"]
    for key in path[:-1]:
        parent = parent[key]
    assert path[-1] in parent
    parent[path[-1]] = most
    live(Site.restore(whole_config(), whole, now=now_at(300 * S)), changing, origin=300 * S)


def numbers_without_a_row() -> set[tuple[str, str]]:
    """Fields of a state that are, or hold, a number or a duration, and of which nobody has said what they may be."""
    laws = LAWS.values()
    found: set[tuple[str, str]] = set()
    seen: set[type] = set()
    to_see: list[type] = [
        SiteState,
        *[type(each) for law in laws for each in (law.fresh, law.fresh_site) if each is not None],
    ]
    rows = {**IN_STATE, **{kind: table for law in laws for kind, table in law.allowed.items()}}
    while to_see:
        kind = to_see.pop()
        seen.add(kind)
        for name, hint in parts_of(kind).items():
            inside = list(inner_types(hint))
            if set(inside) & {int, float, timedelta, TypeVar}:
                found |= {(kind.__name__, name)} - {(kind.__name__, each) for each in rows.get(kind, {})}
            to_see += [each for each in inside if is_class_of_state(each) and each not in seen]
    return found


def inner_types(hint: Any) -> Iterator[Any]:
    """``hint`` and all that stands in it; what a `Measured` holds is looked at there."""
    origin = get_origin(hint) or hint
    yield TypeVar if isinstance(hint, TypeVar) else origin
    for each in () if origin is Measured else get_args(hint):
        yield from inner_types(each)


@pytest.mark.rule("SITE-22")
def test_every_number_of_a_state_has_a_row_of_what_it_may_be() -> None:
    for_sentences = {("Reason", "params"), ("BatteryReason", "params")}  # whichever they are
    assert numbers_without_a_row() == for_sentences


@pytest.mark.rule("SITE-22", "SYN-2")
@pytest.mark.parametrize(
    ("path", "wrong", "words"),
    [
        (
            ("loadpoints", 0, "charger", "enabled_disagreement", "repeats"),
            -1,
            "charger.enabled_disagreement.repeats: -1 is not allowed, expected an integer, 0..1000000000",
        ),
        (("loadpoints", 0, "charger", "refusals"), -1, "charger.refusals: -1 is not allowed, expected an integer"),
        (("loadpoints", 0, "idle_switches"), -3, "idle_switches: -3 is not allowed, expected an integer"),
        (("loadpoints", 0, "timer", "duration"), -5_000_000, "timer.duration: -5 s is not allowed, expected a timedelta"),
        (("loadpoints", 0, "doubts"), [0.0, 1.0], "doubts: (0.0, 1.0) is not allowed, expected 36 numbers of 0..3000 W"),
        (("loadpoints", 0, "soc", "moved_pct"), -1.0, "soc.moved_pct: -1.0 is not allowed, expected a number, 0..100 %"),
        (
            ("loadpoints", 0, "ledger", "session_start_kwh"),
            1e12,
            "ledger.session_start_kwh and total_kwh: (1000000000000.0, 1.0) is not allowed, expected the first to be no more",
        ),
        (
            ("loadpoints", 0, "charger", "current_range_a"),
            [16.0, 6.0],
            "current_range_a.least_a and most_a: (16.0, 6.0) is not allowed, expected the first to be no more than the second",
        ),
        (
            ("loadpoints", 0, "charger", "rounding", "heard"),
            [],
            "rounding.heard and told_at: ((), 200 s) is not allowed, expected both or neither",
        ),
        (("loadpoints", 0, "power", "sampled_at"), "elapsed", "power.sampled_at: 'elapsed' is not allowed, expected a time"),
        (("last_success",), "2023-06-01T12:00:00", "last_success: '2023-06-01T12:00:00' is not allowed, expected a datetime"),
        (("savings", "green_share"), float("nan"), "savings.green_share: nan is not allowed, expected a number, -1e+12..1e+12"),
    ],
)  # fmt: skip
def test_a_mangled_number_is_refused_with_its_path_and_what_would_be_allowed(
    path: tuple[str | int, ...], wrong: object, words: str
) -> None:
    exported = json.loads(FILLED[0])
    parent = exported["site"]
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = wrong
    with pytest.raises(IncompatibleState, match=re.escape(words)):
        Site.restore(whole_config(), exported, now=now_at(300 * S))


# -- examples, with their words ------------------------------------------------------------------------------------------


def refusal(make: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        make()
    return f"{type(refused.value).__name__}: {refused.value}"


@pytest.mark.rule("N-5", "DEF-48")
def test_what_is_no_reading_is_refused_where_it_is_made() -> None:
    at = 0 * S
    something: Any
    for something, words in [
        (
            lambda: MeterReading(power_w=-7000.0),  # type: ignore[arg-type]
            "MeterReading.power_w: -7000.0 is not allowed, expected Measured (with a number, -1e+09..1e+09) or Missing",
        ),
        (
            lambda: MeterReading(power_w=Measured(1e308, at)),
            "MeterReading.power_w.value: 1e+308 is not allowed, expected a number, -1e+09..1e+09",
        ),
        (
            lambda: MeterReading(power_w=Measured(True, at)),
            "MeterReading.power_w.value: True is not allowed, expected a number, -1e+09..1e+09",
        ),
        (
            lambda: MeterReading(power_w=Measured(1.0, 5)),  # type: ignore[arg-type]
            "MeterReading.power_w.sampled_at: 5 is not allowed, expected a timedelta of at most 100000 days since or before the "
            "clock's origin",
        ),
        (
            lambda: ChargerReading(status=Measured("C", at)),  # type: ignore[arg-type]
            "ChargerReading.status.value: 'C' is not allowed, expected a ChargerStatus: one of A, B, C, E, F",
        ),
        (
            lambda: ChargerReading(status=ABSENT, currents_a=Measured([6.0, 6.0, 6.0], at)),  # type: ignore[arg-type]
            "ChargerReading.currents_a.value: a list is not allowed, expected a tuple of three of a number, -1e+09..1e+09",
        ),
        (
            lambda: OperatorLimit(power_w=float("nan"), expires_at=at),
            "OperatorLimit.power_w: nan is not allowed, expected a number, 0..1e+09 W",
        ),
        (
            lambda: Now(at, NOON.replace(tzinfo=None)),
            "Now.utc: 2023-06-01 12:00:00 is not allowed, expected a datetime with time zone, 1970..2999",
        ),
        (
            lambda: Outcome(0, 1, "done", 1),  # type: ignore[arg-type]
            "Outcome.result: 'done' is not allowed, expected a Result: one of done, failed, unknown",
        ),
        (
            lambda: Rates((Rate(NOON.replace(tzinfo=None), NOON, 0.3),)),
            "Rates.rates[0].start: 2023-06-01 12:00:00 is not allowed, expected a datetime with time zone, 1970..2999",
        ),
        (
            lambda: Readings(pv=(MeterReading(power_w=ABSENT), 5.0)),  # type: ignore[arg-type]
            "Readings.pv[1]: 5.0 is not allowed, expected a MeterReading",
        ),
    ]:
        assert refusal(something) == f"InvalidReadings: {words}"


@pytest.mark.rule("CUT-4", "DEF-48")
def test_what_does_not_fit_the_site_is_refused_by_the_step() -> None:
    site = Site(whole_config(), now=now_at(0 * S))
    whole = whole_readings(0 * S)
    charger = whole.chargers[0]
    for readings, words in [
        (
            replace(whole, chargers=(charger,)),
            "len(Readings.chargers): 1 is not allowed, expected 2, as configured, or none",
        ),
        (replace(whole, pv=whole.pv * 2), "len(Readings.pv): 2 is not allowed, expected 1, as configured, or none"),
        (
            replace(whole, vehicles={"zoe": VehicleReading()}),
            "a key of Readings.vehicles: 'zoe' is not allowed, expected one of car",
        ),
        (
            replace(whole, circuits={"cellar": whole.pv[0]}),
            "a key of Readings.circuits: 'cellar' is not allowed, expected one of inner, main",
        ),
        (
            replace(whole, outcomes=(Outcome(2, 1, Result.DONE, 1),)),
            "Readings.outcomes[0].loadpoint: 2 is not allowed, expected one of 2, from 0 on",
        ),
        (
            replace(whole, outcomes=(Outcome(0, 7, Result.DONE, 1),)),
            "Readings.outcomes[0].number: 7 is not allowed, expected a batch that was issued, 1..0",
        ),
    ]:

        def try_it(readings: Readings = readings) -> None:
            site.step(readings, now=now_at(0 * S), cause=Cause.START)

        assert refusal(try_it) == f"InvalidReadings: {words}"
    none = Site(replace(whole_config(), has_grid=False, circuits=(), loadpoints=(loadpoint(),)), now=now_at(0 * S))
    assert refusal(lambda: none.step(Readings(grid=whole.grid), now=now_at(0 * S), cause=Cause.START)).startswith(
        "InvalidReadings: Readings.grid: a MeterReading is not allowed"
    )
    site.step(Readings(), now=now_at(0 * S), cause=Cause.START)  # before the first round nothing has been read


@pytest.mark.rule("CUT-4")
def test_more_applied_than_there_were_commands_is_refused_and_what_is_late_changes_nothing() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.NOW, phases=3)))
    bench.box.status, bench.answers_at_once = ChargerStatus.B, False
    assert bench.at(0) == (SetCurrent(16.0), Enable())
    bench.outcomes = [Outcome(0, 1, Result.FAILED, 3)]
    assert refusal(lambda: bench.at(10)) == (
        "InvalidReadings: Readings.outcomes[0].applied: 3 is not allowed, expected 0..2, the commands of that batch"
    )
    bench.outcomes = [Outcome(0, 1, Result.DONE, 2)]
    bench.at(10)
    before = bench.lp.charger
    bench.outcomes = [Outcome(0, 1, Result.FAILED, 0)]
    bench.at(20)
    assert bench.lp.charger == before


@pytest.mark.rule("DEF-41")
def test_a_refused_request_says_what_and_what_would_be_allowed() -> None:
    site = Site(whole_config(), now=now_at(0 * S))
    requests: list[tuple[Request, str]] = [
        (ChangeLoadpointSetting(0, "priority", 99), "priority out of range: 99 (allowed: 0..10)"),
        (
            ChangeLoadpointSetting(0, "current_max_a", 10**400),
            "current out of range: an integer of 1329 bits (allowed: 0.1..80 A)",
        ),
        (
            ChangeLoadpointSetting(0, "target_time", NOON.replace(tzinfo=None)),
            "invalid time: 2023-06-01 12:00:00 (allowed: a time with time zone, or none)",
        ),
        (ChangeLoadpointSetting(0, "mode", "quick"), "invalid value: quick (allowed: off, now, minpv, pv)"),  # type: ignore[arg-type]
    ]
    for request, words in requests:
        assert refusal(lambda request=request: site.submit(request, now=now_at(0 * S))) == f"InvalidSetting: {words}"  # type: ignore[misc]


@pytest.mark.rule("N-5")
def test_a_time_in_another_zone_is_the_same_time() -> None:
    now = Now(0 * S, datetime(2023, 3, 26, 1, 30, tzinfo=BERLIN))
    assert now.utc.tzinfo is UTC
    assert now.after(3600 * S).utc.astimezone(BERLIN).hour == 3  # the clocks change in between


@pytest.mark.rule("DEF-48")
def test_a_number_that_is_none_is_missing_from_the_door_on() -> None:
    nan = float("nan")
    charger = ChargerReading(
        status=ABSENT,
        power_w=Measured(nan, 5 * S),
        currents_a=Measured((nan, nan, float("inf")), 5 * S),
        voltages_v=Measured((230.0, nan, nan), 5 * S),
        current_offered_a=Measured(float("inf"), 5 * S),
        phases=Measured(255, 5 * S),
    )
    assert charger.power_w == charger.currents_a == charger.current_offered_a == Missing(5 * S)
    assert isinstance(charger.voltages_v, Measured)  # one phase is known
    assert charger.phases == Measured(255, 5 * S)


@pytest.mark.rule("CUT-6")
def test_a_state_of_another_site_is_refused() -> None:
    here = Site(whole_config(), now=now_at(0 * S))
    other = replace(here.config, loadpoints=here.config.loadpoints[:1])
    for config, words in [
        (other, "IncompatibleState: loadpoints: 2 is not allowed, expected 1, as configured"),
        (
            replace(here.config, voltage_v=-1.0),
            "InvalidConfig: voltage_v: -1.0 is not allowed, expected a number, 50..500 V",
        ),
        (
            replace(here.config, vehicles=(), loadpoints=(loadpoint(), loadpoint())),
            "IncompatibleState: loadpoints[0].vehicle: 'car' is not allowed, expected a vehicle that is configured",
        ),
    ]:

        def try_it(config: SiteConfig = config) -> None:
            step(config, here.state, Readings(), now=now_at(0 * S), cause=Cause.START)

        assert refusal(try_it) == words


def test_what_is_shown_of_a_value_is_short_and_never_fails() -> None:
    assert shown(Liar()) == "a Liar"
    assert shown("x" * 1000) == repr("x" * 60) + "..."
    assert shown(10**5000) == "an integer of 16610 bits"
    assert [shown(each) for each in (None, True, 5, 0.5, -5 * S, ChargeMode.PV, (1, 2), [1], object())] == [
        *("None", "True", "5", "0.5", "-5 s", "ChargeMode.PV", "(1, 2)", "a list", "an object")
    ]


# -- forgotten outcomes --------------------------------------------------------------------------------------------------


@pytest.mark.rule("CUT-4", "SITE-1")
def test_an_outcome_that_nobody_reports_counts_as_unknown_and_is_said_once() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.NOW, phases=3)))
    bench.box.status, bench.answers_at_once = ChargerStatus.B, False
    sent = {}
    for second in range(0, 300, 10):
        if commands := bench.at(second):
            sent[second] = commands
        assert (
            bench.decision is not None and bench.decision.wake_at == (second + 10) * S
        )  # so the time is not slept through
    again = (SetCurrent(16.0), Enable())
    assert OUTCOME_DUE == 60 * S
    assert sent == {0: again, 60: again, 120: again, 180: again, 240: again}
    assert [event.code for event in bench.found(Warned)] == [WarningCode.OUTCOME_MISSING]
    bench.outcomes = [Outcome(0, 5, Result.DONE, 2)]
    bench.at(295, Cause.OUTCOME)
    assert [event.params for event in bench.found(Warned)[1:]] == [{"code": "outcome_missing"}]
    assert bench.lp.charger.is_enabled


@pytest.mark.rule("CUT-4")
def test_an_outcome_in_time_is_not_given_up() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.NOW, phases=3)))
    bench.box.status, bench.answers_at_once = ChargerStatus.B, False
    bench.at(0)
    bench.box.is_enabled = True
    bench.outcomes = [Outcome(0, 1, Result.DONE, 2)]
    bench.at(60)
    assert bench.lp.charger.is_enabled and not bench.found(Warned)


@pytest.mark.rule("CUT-4")
def test_what_a_forgotten_batch_may_have_switched_on_is_switched_off_explicitly() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.NOW, phases=3)))
    bench.box.status, bench.answers_at_once = ChargerStatus.B, False
    bench.at(0)
    bench.set("mode", ChargeMode.OFF)
    sent = {second: commands for second in range(10, 80, 10) if (commands := bench.at(second))}
    assert sent == {60: (Disable(),)}

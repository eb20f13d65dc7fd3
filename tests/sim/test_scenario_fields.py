"""Every field of the scenario format is read by somebody, in process and through the whole server: none goes unheard.

A world that has everything runs both ways with tables that note who looks at them. Judges, reports and the tables' own methods do
not count.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from typing import Any, get_args, get_type_hints

import pytest
from docs_code import ROOT

from evcc_sim.plants.battery import BatterySpec
from evcc_sim.plants.car import CarSpec, Visit
from evcc_sim.plants.faults import FaultKind, ReadBack
from evcc_sim.plants.household import HouseholdSpec
from evcc_sim.plants.meter import MeterSpec
from evcc_sim.plants.prices import PriceSpec, TariffSpec
from evcc_sim.plants.sunshine import PvSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.runs.fullstack import run_scenario
from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.allowed_values import params_of
from evcc_sim.worlds.scenario import (
    ActionSpec,
    ChargerSpec,
    CircuitSpec,
    FaultSpec,
    GridMeterSpec,
    LoadpointSpec,
    Scenario,
    SiteSpec,
    keys_of,
)
from evcclib.model import ChargeMode

ABOUT_THE_FILE = {"Scenario.name", "Scenario.title", "Scenario.description", "Scenario.rows", "Scenario.allowed"}
"""For people and judges."""
ON_THE_WIRE = {f"{table}.profile" for table in ("GridMeterSpec", "PvSpec", "BatterySpec", "WallboxSpec")}
"""What is spoken: in process nobody speaks."""
IN_PROCESS_ONLY = {"SiteSpec.skew_s", "WallboxSpec.has_wakeup"}
"""How late devices answer and whether stations wake cars: on the wire they answer as late as they do, and the profile says."""
NOT_COUNTED = (
    "invariants",
    "result.py",
    "report.py",
    "plots.py",
    "dataclasses.py",
    "test_scenario_fields.py",
    "<string>",
)

Seen = set[str]


def everything() -> Scenario:
    """Forty minutes in which everything happens that a field could be about."""
    return Scenario(
        name="everything",
        hours=0.7,
        site=SiteSpec(start=date(2026, 6, 15)),
        grid=GridMeterSpec(meter=MeterSpec(refresh_s=1.0)),
        household=HouseholdSpec(),
        pv=(
            PvSpec(name="sun", ac_limit_w=5000.0),
            PvSpec(name="lamp", constant_w=6000.0),
            PvSpec(name="steps", steps=((time(0), 1000.0),)),
            PvSpec(name="recorded", series=((0.0, 500.0), (1800.0, 900.0)), is_smooth=True),
            PvSpec(name="follower", constant_w=100.0, zero_feed_in=True),
        ),
        battery=(BatterySpec(name="cellar", dc_coupled=True, circuit="main"),),
        circuit=(
            CircuitSpec(name="main", current_max_a=40.0, mean_power_max_w=30_000.0, uses_grid_meter=True),
            CircuitSpec(name="branch", parent="main", power_max_w=20_000.0, has_meter=True),
        ),
        charger=(
            ChargerSpec(
                box=WallboxSpec(
                    name="garage", profile="amperfied", can_switch_phases=True, watchdog_s=15.0, has_wakeup=True
                ),
                loadpoint=LoadpointSpec(vehicle="blue", circuit="branch", mode=ChargeMode.NOW),
            ),
            ChargerSpec(box=WallboxSpec(name="carport", phase_rotation=(2, 3, 1)), loadpoint=LoadpointSpec()),
        ),
        car=(
            CarSpec(
                name="blue",
                rfid="04A1B2C3",
                soc_pct=60.0,
                phase_pause_min_s=60.0,
                climate=((time(0, 10), time(0, 20)),),
                has_soc_limit=True,
                has_status=True,
                has_climate=True,
                has_wakeup=True,
                visits=(Visit(charger="garage", arrive=time(0, 2), depart=time(0, 38), soc_pct=60.0),),
            ),
            CarSpec(
                name="red",
                capacity_kwh=20.0,
                sleep_after_s=60.0,
                climate=((time(0, 10), time(0, 40)),),
                visits=(Visit(charger="carport", arrive=time(0, 1), depart=time(5), soc_pct=98.0),),
            ),
        ),
        tariff=TariffSpec(
            grid=PriceSpec(zones=((time(0), 0.3), (time(5), 0.2))),
            feed_in=PriceSpec(),
            planner=PriceSpec(noise=0.1, day_ahead=True),
            planner_is_co2=True,
        ),
        action=(
            ActionSpec(at=time(0, 8), loadpoint=0, setting="phases_configured", value=1),
            ActionSpec(at=time(0, 9), loadpoint=1, setting="mode", value="now"),
            ActionSpec(at=time(0, 10), loadpoint=1, assign="red"),
            ActionSpec(at=time(0, 11), vehicle="blue", setting="soc_min_pct", value=20.0),
            ActionSpec(at=time(0, 12), operator_limit_w=4200.0, lasts=timedelta(minutes=3)),
        ),
        fault=(
            FaultSpec(kind=FaultKind.READ_BACK_LAG, device="carport", at=time(0, 15), params={"lag_s": 3.0}),
            FaultSpec(kind=FaultKind.REBOOT, device="garage", at=time(0, 25), lasts=timedelta(seconds=20)),
            FaultSpec(kind=FaultKind.SILENCE, device="garage", at=time(0, 30), lasts=timedelta(seconds=200)),
        ),
    )


def spied(value: Any, seen: Seen) -> Any:
    """A copy of a table, and of all tables in it, that writes into ``seen`` which of its fields are looked at."""
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(spied(each, seen) for each in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    kind = type(value)
    names = {field.name for field in fields(kind)}

    def look(self: Any, name: str) -> Any:
        caller = sys._getframe(1).f_code.co_filename
        if name in names and not any(part in caller for part in NOT_COUNTED):
            seen.add(f"{kind.__name__}.{name}")
        return object.__getattribute__(self, name)

    spy: Any = type(kind.__name__, (kind,), {"__slots__": (), "__getattribute__": look})
    copy = object.__new__(spy)
    for name in names:
        object.__setattr__(copy, name, spied(object.__getattribute__(value, name), seen))
    return copy


def every_field(kind: type) -> Iterator[str]:
    """``Table.field`` of a table and of all that can be in it."""
    for table in _tables(kind):
        yield from (f"{table.__name__}.{key}" for key in keys_of(table).values())


def _tables(kind: type) -> list[type]:
    found: list[type] = []
    waiting: list[Any] = [kind]
    while waiting:
        each = waiting.pop()
        if isinstance(each, type) and is_dataclass(each):
            if each not in found:
                found.append(each)
                kinds = get_type_hints(each)
                waiting.extend(kinds[name] for name in keys_of(each).values())
        else:
            waiting.extend(get_args(each))
    return found


def unread(seen: Seen, excused: set[str]) -> list[str]:
    return sorted(set(every_field(Scenario)) - seen - excused)


def test_all_tables_are_known() -> None:
    names = {name.partition(".")[0] for name in every_field(Scenario)}
    assert {
        "Scenario",
        "SiteSpec",
        "WallboxSpec",
        "LoadpointSpec",
        "CarSpec",
        "Visit",
        "MeterSpec",
        "PriceSpec",
    } <= names


def test_in_process_every_field_is_read() -> None:
    seen: Seen = set()
    simulate(spied(everything(), seen))
    assert unread(seen, ABOUT_THE_FILE | ON_THE_WIRE) == []


@pytest.mark.day
def test_through_the_whole_server_every_field_is_read() -> None:
    seen: Seen = set()
    run_scenario(spied(everything(), seen))
    assert unread(seen, ABOUT_THE_FILE | IN_PROCESS_ONLY) == []


ROW = re.compile(r"^\|[^|]*\| ([A-Z]\w+) \|(.*)\|$", re.MULTILINE)


def test_every_key_of_the_format_stands_in_the_docs_and_no_other() -> None:
    page = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8").partition("### Every key")[2]
    rows = {table: {*re.findall(r"`(\w+)`", keys)} - {"repeat"} for table, keys in ROW.findall(page)}
    assert rows == {table.__name__: set(keys_of(table)) for table in _tables(Scenario)}


def test_every_parameter_of_a_fault_stands_in_the_docs() -> None:
    page = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8").partition("told in `params`")[2]
    rows = re.findall(r"^\| ([^|]*) \| ([^|]*) \|$", page, re.MULTILINE)
    told = {kind: {*re.findall(r"`(\w+)`", params)} for kinds, params in rows for kind in re.findall(r"`(\w+)`", kinds)}
    known = {
        kind.value: {
            *params_of(kind, ReadBack.STATUS, is_at_car=False),
            *params_of(kind, ReadBack.STATUS, is_at_car=True),
        }
        for kind in FaultKind
    }
    assert told == {kind: params for kind, params in known.items() if params}


def test_what_nobody_has_looked_at_is_unread() -> None:
    seen: Seen = set()
    site = spied(SiteSpec(), seen)
    assert site.fuse_a == 35.0  # this file does not count
    assert seen == set() and "SiteSpec.fuse_a" in unread(seen, set())

"""The table of settings: whatever has a row is shown, described, stored, read from the file and documented, by the row alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import timedelta
from math import isfinite
from pathlib import Path
from typing import Any

import pytest
from api_home import EPOCH, SITE
from trio_test import in_virtual_time

from evcc_server.blocking import inline
from evcc_server.config.load import parse_config
from evcc_server.http.plan_routes import VEHICLE
from evcc_server.http.state_schema import state_schema
from evcc_server.keeping.restore import restored_site
from evcc_server.keeping.store import Store
from evcc_server.settings import TABLE, Context, Owner, Setting, parse, request
from evcc_server.state.document import Labels, document
from evcclib import Site
from evcclib.commands import BatteryMode
from evcclib.config import BatteryConfig
from evcclib.events import SettingChanged
from evcclib.model import Now
from evcclib.settings import FLAWS, SETTINGS, Kind, LoadpointDefaults, Scope, SettingValue, SiteDefaults
from evcclib.units import Instant

NOW = Now(Instant(timedelta(seconds=10)), EPOCH)
HOME = replace(
    SITE,
    loadpoints=(replace(SITE.loadpoints[0], vehicle=None),),
    batteries=(BatteryConfig(modes=frozenset(BatteryMode)),),
)
"""With all that a setting can need, and no vehicle whose goals would be the loadpoint's."""
OWNERS: Mapping[Scope, Owner] = {Scope.SITE: None, Scope.LOADPOINT: 0, Scope.VEHICLE: "golf"}
ROWS = [row for row in TABLE if row.spec is not None]
DOCS = Path(__file__).parents[1] / "docs"
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.scope}-{row.name}")


def present(site: Site, row: Setting) -> object:
    view = site.view(now=NOW)
    settings = {
        Scope.SITE: view.settings,
        Scope.LOADPOINT: view.loadpoints[0].settings,
        Scope.VEHICLE: view.vehicle_settings["golf"],
    }
    return getattr(settings[row.scope], row.name)


def another(site: Site, row: Setting) -> SettingValue:
    """A value that the setting has not got."""
    texts = (row.example, "now") if row.name == "mode" else (row.example, "7")
    values = (parse(row, text, Context(site=HOME)) for text in texts)
    return next(value for value in values if value != present(site, row))  # type: ignore[return-value]  # it has a spec


def shown(site: Site) -> Mapping[Scope, Mapping[str, Any]]:
    found = document(site.view(now=NOW), Labels(version="1", time_zone=HOME.time_zone), NOW)
    return {Scope.SITE: found.site, Scope.LOADPOINT: found.loadpoints[0], Scope.VEHICLE: found.vehicles["golf"]}


def test_every_setting_of_the_library_has_one_row() -> None:
    assert sorted((row.scope, row.name) for row in ROWS) == sorted((spec.scope, spec.name) for spec in SETTINGS)


def test_every_number_has_a_range() -> None:
    words = (Kind.MODE, Kind.PHASES, Kind.TIME, Kind.FLAG, *FLAWS)
    assert [spec.name for spec in SETTINGS if spec.kind not in words and not isfinite(spec.high - spec.low)] == []


@each_row
def test_a_setting_is_shown_and_described(row: Setting) -> None:
    site = Site(HOME, now=NOW)
    before = shown(site)[row.scope]
    site.submit(request(row, OWNERS[row.scope], another(site, row)), now=NOW)
    after = shown(site)[row.scope]
    schema: Any = state_schema()
    described = {
        Scope.SITE: schema,
        Scope.LOADPOINT: schema["properties"]["loadpoints"]["items"],
        Scope.VEHICLE: VEHICLE,
    }[row.scope]
    assert row.document_keys[0] == ("plan" if row.name == "plan" else row.key)  # today's name of its topic is another
    for key in row.document_keys:
        assert after[key] != before[key]
        assert key in described["required"]


@each_row
@in_virtual_time
async def test_a_setting_is_stored_and_comes_back(row: Setting) -> None:
    async with Store.open(None, inline) as store:
        site = Site(HOME, now=NOW)
        value = another(site, row)
        events = site.submit(request(row, OWNERS[row.scope], value), now=NOW)
        await store.save(settings=[event for event in events if isinstance(event, SettingChanged)])
        assert present(await restored_site(HOME, store, NOW, keeps_settings=True), row) == value


# -- the file -----------------------------------------------------------------------------------------------------------------

IN_FILE = [row for row in ROWS if row.file_key is not None]
FILE = (
    "meters: [{{name: grid, type: custom, power: {{source: const, value: 1}}}}]\n"
    "chargers: [{{name: box, type: template, template: keba-modbus, host: h}}]\n"
    "site: {{meters: {{grid: grid}}, {site}}}\nloadpoints: [{{charger: box, {loadpoint}}}]\n"
)


def test_the_file_gives_what_a_configuration_holds() -> None:
    held = {(Scope.SITE, each.name) for each in fields(SiteDefaults)}
    held |= {(Scope.LOADPOINT, each.name) for each in fields(LoadpointDefaults)} | {
        (Scope.LOADPOINT, "phases_configured")  # `phases`: what the wiring makes of it is the setting
    }
    assert {(row.scope, row.name) for row in IN_FILE} == held


@pytest.mark.parametrize("row", IN_FILE, ids=lambda row: row.file_key)
def test_a_setting_is_read_from_the_file(row: Setting) -> None:
    assert row.spec is not None and row.file_key is not None
    text = {"mode": "now", "phases_configured": "3"}.get(row.name, "7s" if row.spec.unit == "s" else "7")
    outer, _, key = row.file_key.rpartition(".")
    entry = f"{outer}: {{{key}: {text}}}" if outer else f"{key}: {text}"
    config = parse_config(FILE.format(**{"site": "", "loadpoint": "", row.scope.value: entry}))
    read = config.site if row.scope is Scope.SITE else config.loadpoints[0]
    value = getattr(read, "phases" if row.name == "phases_configured" else row.name)
    assert value == row.spec.judged(timedelta(seconds=7) if row.spec.unit == "s" else _number_or_word(text))


def _number_or_word(text: str) -> float | str:
    return float(text) if text.isdecimal() else text


# -- the manual ---------------------------------------------------------------------------------------------------------------


def named_in(page: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", (DOCS / page).read_text(encoding="utf-8"))


@each_row
def test_a_setting_is_documented(row: Setting) -> None:
    """Its routes. Topics: `tests/mqtt/test_topics.py`; file and default: `tests/config/test_manual.py`; the scenario format:
    `tests/sim/test_scenario_fields.py`."""
    routes = named_in("api.md")
    for path in row.paths:
        assert any(re.search(rf"(^|[ /]){path}($|/)", route) for route in routes), f"docs/api.md lacks {path}"

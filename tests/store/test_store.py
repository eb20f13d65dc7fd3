"""The database: what was stored comes back, what no longer fits is dropped, old and foreign files are adopted."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sqlite3
import sys
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from api_home import BERLIN, SITE, START, served
from hypothesis import given, settings
from hypothesis import strategies as st
from trio_test import in_real_time, in_virtual_time

from evcc_server.blocking import in_thread, inline
from evcc_server.errors import ForeignDatabase, NewerDatabase, StoreError
from evcc_server.keeping import schema
from evcc_server.keeping.setting_rows import SettingRow, decode, encode
from evcc_server.keeping.store import Snapshot, Store
from evcc_server.loop.operator_limits import OperatorLimits
from evcc_server.settings import TABLE, Context, Setting, parse
from evcc_server.state.document import LimitInForce, LimitReason
from evcclib.commands import BatteryMode
from evcclib.config import BatteryConfig
from evcclib.events import SessionRecord, SettingChanged
from evcclib.model import ChargeMode
from evcclib.settings import FLAWS, Scope
from evcclib.timetable.plans import PlanStrategy, VehiclePlan, WeeklyPlan

SESSION = SessionRecord(
    key="lp1-1",
    created=datetime(2023, 3, 5, 21, 4, 11, 123456, tzinfo=UTC),
    finished=None,
    loadpoint="Carport",
    identifier="rfid",
    vehicle="golf",
    odometer_km=None,
    meter_start_kwh=1.25,
    meter_stop_kwh=None,
    energy_charged_kwh=1.5,
    solar_pct=50.0,
    price=0.3,
)
CHANGES = (
    SettingChanged(Scope.SITE, None, "residual_power_w", -100.5),
    SettingChanged(Scope.LOADPOINT, 0, "mode", ChargeMode.MINPV),
    SettingChanged(Scope.LOADPOINT, 1, "soc_target_pct", 80),
    SettingChanged(Scope.LOADPOINT, 0, "target_time", datetime(2023, 3, 7, 6, 0, 0, 500, tzinfo=UTC)),
    SettingChanged(Scope.LOADPOINT, 0, "enable_delay", timedelta(seconds=90.25)),
    SettingChanged(Scope.LOADPOINT, 0, "smart_cost_limit", None),
    SettingChanged(Scope.VEHICLE, "golf", "soc_min_pct", 20),
)


def opened(path: Path | None = None) -> AbstractAsyncContextManager[Store]:
    return Store.open(path, inline)


@pytest.mark.api("P-1", "P-2")
@in_virtual_time
async def test_settings_come_back_as_they_were(tmp_path: Path) -> None:
    async with opened(tmp_path / "deep" / "evcc.db") as store:
        await store.save(settings=CHANGES)
        await store.save(settings=[SettingChanged(Scope.LOADPOINT, 1, "soc_target_pct", 75)])
        await store.save()
    async with opened(tmp_path / "deep" / "evcc.db") as store:
        rows = {(row.owner, row.setting.name): row.value for row in await store.load_settings(SITE)}
    assert rows == {(change.owner, change.name): change.value for change in CHANGES} | {(1, "soc_target_pct"): 75}


@pytest.mark.api("P-4")
@in_virtual_time
async def test_what_does_not_fit_any_more_is_dropped_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "evcc.db"
    foreign = {
        "loadpoint.1.mode": "fast",
        "loadpoint.1.soc_min_pct": "101",
        "loadpoint.9.mode": "pv",
        "loadpoint.x.mode": "pv",
        "loadpoint.1.colour": "red",
        "loadpoint.1.mode.x": "pv",
        "loadpoint.2.current_min_a": "null",
        "vehicle.trabant.soc_min_pct": "20",
        "vehicle.golf.soc_min_pct": "nan",
        "site.residual_power_w": "",
        "savings.gridCharged": "12",
        "loadpoint.2.mode": "now",
    }
    async with opened(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany("INSERT INTO settings VALUES (?, ?)", foreign.items())
        connection.commit()
    with caplog.at_level(logging.WARNING):
        async with opened(path) as store:
            rows = await store.load_settings(SITE)
    assert [(row.owner, row.setting.name, row.value) for row in rows] == [(1, "mode", ChargeMode.NOW)]
    assert len(caplog.records) == 10
    assert "loadpoint.1.mode = fast" in caplog.text


@given(st.sampled_from([setting for setting in TABLE if setting.spec is not None]), st.data())
@settings(deadline=None)
def test_every_accepted_value_is_read_back_equal(setting: Setting, data: st.DataObject) -> None:
    low, high = setting.spec.low or 0, setting.spec.high or 3  # type: ignore[union-attr]  # rows without spec are left out
    text = data.draw(
        st.sampled_from(["off", "pv", "NOW"])
        if setting.name == "mode"
        else st.sampled_from(["0", "1", "3"])
        if setting.name == "phases_configured"
        else st.sampled_from(["2035-03-07T06:00:00.25Z", "2035-03-07 06:00"])
        if setting.name == "target_time"
        else st.sampled_from(["true", "F", "1"])
        if setting.spec.kind == "flag"  # type: ignore[union-attr]  # as above
        else st.just(setting.example)
        if setting.spec.kind in FLAWS  # type: ignore[union-attr]  # as above
        else st.integers(int(low), int(high)).map(str)
        if setting.spec.kind == "integer" or low == int(low)  # type: ignore[union-attr]  # as above
        else st.floats(low, high).map(repr)
    )
    home = replace(SITE, batteries=(BatteryConfig(modes=frozenset(BatteryMode)),))
    value = parse(setting, text, Context(site=home))
    assert not isinstance(value, str) or isinstance(value, ChargeMode)
    key = {
        Scope.SITE: f"site.{setting.name}",
        Scope.LOADPOINT: f"loadpoint.1.{setting.name}",
        Scope.VEHICLE: f"vehicle.golf.{setting.name}",
    }[setting.scope]
    assert decode(key, encode(value), home).value == value


def test_vehicle_names_may_hold_dots() -> None:
    site = replace(SITE, vehicles=(replace(SITE.vehicles[0], name="vw.golf"),))
    row = decode("vehicle.vw.golf.soc_min_pct", "20", site)
    assert isinstance(row, SettingRow)
    assert row.owner == "vw.golf"


@pytest.mark.api("P-1")
@in_virtual_time
async def test_a_session_is_one_row_however_often_it_is_saved() -> None:
    async with opened() as store:
        await store.save(sessions=[SESSION])
        finished = replace(SESSION, finished=SESSION.created + timedelta(hours=1), energy_charged_kwh=7.0)
        await store.save(sessions=[finished])
        (stored,) = await store.sessions(zone=BERLIN)
        assert stored.session == finished
        assert stored.session_id == 1


@in_virtual_time
async def test_flags_and_snapshots() -> None:
    async with opened() as store:
        assert await store.load_flag("telemetry") is None
        await store.save_flag("telemetry", True)
        assert await store.load_flag("telemetry") is True
        assert await store.load_snapshot("site") is None
        await store.save(snapshots=[Snapshot("site", {"version": 1, "deep": [1.5, None, "ü"]}, SESSION.created)])
        await store.save(snapshots=[Snapshot("site", {"version": 2}, SESSION.created)])
        assert await store.load_snapshot("site") == ({"version": 2}, SESSION.created)


@pytest.mark.api("P-1")
@pytest.mark.parametrize(
    ("created", "finished"),
    [
        ("2023-03-05 22:04:11.123456789+01:00", "0001-01-01 00:00:00+00:00"),
        ("2023-03-05 22:04:11.123456789 +0100 CET", "0001-01-01 00:00:00 +0000 UTC"),
        ("2023-03-05 22:04:11.123456789 +0100 CET m=+1234.5", "0001-01-01 00:00:00 +0000 UTC"),
        ("2023-03-05T21:04:11.123456Z", ""),
        ("2023-03-05 21:04:11.123456", None),
    ],
)
@in_virtual_time
async def test_a_database_of_evcc_is_adopted_with_its_history(
    tmp_path: Path, created: str, finished: str | None
) -> None:
    path = tmp_path / "evcc.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE settings (key text PRIMARY KEY, value text)")
        connection.execute(
            "CREATE TABLE sessions (id integer PRIMARY KEY AUTOINCREMENT, created datetime, finished datetime, loadpoint text,"
            " identifier text, vehicle text, odometer real, meter_start_kwh real, meter_end_kwh real, charged_kwh real)"
        )
        connection.execute("INSERT INTO settings VALUES ('telemetry', 'true')")
        connection.execute(
            "INSERT INTO sessions VALUES (7, ?, ?, 'Carport', '', 'e-Golf', 12345.6, 1, 2, 3)", (created, finished)
        )
        connection.commit()
    async with opened(path) as store:
        assert await store.load_flag("telemetry") is True
        (stored,) = await store.sessions(zone=BERLIN)
        assert stored.session_id == 7
        assert stored.session.created == datetime(2023, 3, 5, 21, 4, 11, 123456, tzinfo=UTC)
        assert stored.session.finished is None
        await store.save(sessions=[SESSION])
        assert {each.session.key for each in await store.sessions(zone=BERLIN)} == {"imported-7", "lp1-1"}


@pytest.mark.api("P-6")
@in_virtual_time
async def test_what_a_person_has_corrected_is_not_written_over(tmp_path: Path) -> None:
    later = replace(
        SESSION, finished=SESSION.created + timedelta(hours=1), vehicle="zoe", odometer_km=77.0, energy_charged_kwh=7.0
    )
    async with opened(tmp_path / "evcc.db") as store:
        await store.save(sessions=[SESSION])
        assert await store.update_session(1, {"vehicle": "Grandma's"})
        assert await store.update_session(1, {"odometer": None})
        await store.save(sessions=[later])
        (stored,) = await store.sessions(zone=BERLIN)
        assert stored.session == replace(later, vehicle="Grandma's", odometer_km=None)
        assert not await store.update_session(2, {"vehicle": ""})


@pytest.mark.api("P-6")
@in_virtual_time
async def test_a_deleted_session_is_not_written_again(tmp_path: Path) -> None:
    async with opened(tmp_path / "evcc.db") as store:
        await store.save(sessions=[SESSION])
        assert await store.delete_session(1)
        assert not await store.delete_session(1)
    async with opened(tmp_path / "evcc.db") as store:
        await store.save(sessions=[SESSION, replace(SESSION, key="lp1-2")])
        assert [each.session.key for each in await store.sessions(zone=BERLIN)] == ["lp1-2"]


@in_virtual_time
async def test_what_is_saved_together_is_saved_together_or_not_at_all(tmp_path: Path) -> None:
    """The last of it is what the database refuses."""
    async with opened(tmp_path / "evcc.db") as store:
        with closing(sqlite3.connect(tmp_path / "evcc.db")) as owner:
            refuse = "BEFORE INSERT ON snapshots BEGIN SELECT RAISE(ABORT, 'refused'); END"
            owner.execute(f"CREATE TRIGGER refusing {refuse}")
        with pytest.raises(StoreError, match="refused"):
            await store.save(
                settings=CHANGES,
                sessions=[SESSION],
                snapshots=[Snapshot("site", {"version": 1}, SESSION.created)],
            )
        assert await store.load_settings(SITE) == ()
        assert await store.sessions(zone=BERLIN) == []


@in_virtual_time
async def test_a_database_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "evcc.db", isolation_level=None)) as connection:
        for statement in schema.STEPS[0]:
            schema._run(connection, statement)
        connection.execute("PRAGMA user_version = 1")
        connection.execute(
            "INSERT INTO sessions (created, charged_kwh, vehicle) VALUES ('2023-03-05 21:04:11', 5, 'golf')"
        )
    async with opened(tmp_path / "evcc.db") as store:
        assert await store.update_session(1, {"vehicle": "zoe"})
        (stored,) = await store.sessions(zone=BERLIN)
        assert (stored.session.vehicle, stored.session.energy_charged_kwh) == ("zoe", 5)


@in_virtual_time
async def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "evcc.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(NewerDatabase, match=rf"evcc\.db: the database has version {schema.VERSION + 1}, this program"):
        async with opened(path):
            raise AssertionError


OWN = [statement for step in schema.STEPS for statement in step]
FOREIGN = {
    "version -1": [*OWN, "PRAGMA user_version = -1"],
    "version -1 and nothing in it": ["PRAGMA user_version = -1"],
    "our version, but nothing in it": [f"PRAGMA user_version = {schema.VERSION}"],
    "our version, other tables": ["CREATE TABLE places (id)", "PRAGMA user_version = 1"],
    "other tables": ["CREATE TABLE places (id)", "INSERT INTO places VALUES (7)"],
    "other tables, with a log": ["PRAGMA journal_mode = WAL", "CREATE TABLE places (id)"],
    "a table of the same name": ["CREATE TABLE settings (id, name, content)", "CREATE TABLE sessions (id, user)"],
    "newer, but not of ours": ["CREATE TABLE places (id)", "PRAGMA user_version = 17"],
}


@pytest.mark.api("P-1")
@pytest.mark.parametrize("statements", FOREIGN.values(), ids=FOREIGN)
@in_virtual_time
async def test_a_database_of_another_program_is_left_as_it_is(tmp_path: Path, statements: list[str]) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    before = path.read_bytes()
    with pytest.raises(
        ForeignDatabase, match=r"^.*theirs\.db: this is no database of evcc-server or evcc \(version .*\)$"
    ):
        async with opened(path):
            raise AssertionError
    assert path.read_bytes() == before


@in_virtual_time
async def test_a_database_of_another_program_is_left_as_it_is_while_that_runs(tmp_path: Path) -> None:
    """What lies in its log is not written into the file by us either."""
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as theirs:
        theirs.execute("PRAGMA journal_mode = WAL")
        theirs.execute("CREATE TABLE places (id)")
        files = {each: each.read_bytes() for each in (path, tmp_path / "theirs.db-wal")}
        assert len(files[tmp_path / "theirs.db-wal"]) > 0
        with pytest.raises(ForeignDatabase, match=r"tables: places"):
            async with opened(path):
                raise AssertionError
        assert {each: each.read_bytes() for each in files} == files


@in_virtual_time
async def test_our_own_database_is_known_again_after_a_kill(tmp_path: Path) -> None:
    """What was written last may still lie in the log only."""
    async with opened(tmp_path / "evcc.db") as store:
        await store.save_flag("telemetry", True)
        (tmp_path / "killed").mkdir()
        for name in ("evcc.db", "evcc.db-wal"):
            shutil.copy(tmp_path / name, tmp_path / "killed" / name)
    async with opened(tmp_path / "killed" / "evcc.db") as again:
        assert await again.load_flag("telemetry") is True


@in_virtual_time
async def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    path = tmp_path / "evcc.db"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError, match=r"evcc\.db"):
        async with opened(path):
            raise AssertionError
    with pytest.raises(StoreError):
        async with opened(path / "below"):
            raise AssertionError


def test_a_failed_migration_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, ("CREATE TABLE extra (a)", "NONSENSE")))
        monkeypatch.setattr(schema, "VERSION", len(schema.STEPS))
        with pytest.raises(sqlite3.OperationalError):
            schema.migrate(connection)
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)


@in_real_time
async def test_a_failed_write_changes_nothing(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "evcc.db", in_thread()) as store:
        await store.save_flag("telemetry", False)
    with pytest.raises(StoreError):
        await store.save_flag("telemetry", True)
    async with opened(tmp_path / "evcc.db") as again:
        assert await again.load_flag("telemetry") is False


ASKED = (
    "residualpower/-120",
    "buffersoc/81",
    "prioritysoc/41",
    "bufferstartsoc/91",
    "loadpoints/1/mode/minpv",
    "loadpoints/1/phases/1",
    "loadpoints/1/maxcurrent/20",
    "loadpoints/1/mincurrent/7.5",
    "loadpoints/1/enable/threshold/-1300",
    "loadpoints/1/disable/threshold/200",
    "loadpoints/1/enable/delay/45",
    "loadpoints/1/disable/delay/190",
    "loadpoints/1/priority/2",
    "loadpoints/1/minsoc/21",
    "loadpoints/1/target/soc/82",
    "loadpoints/1/target/energy/10.5",
    "loadpoints/1/target/time/2023-03-07T06:00:00Z",
    "loadpoints/1/smartcostlimit/0.15",
    "vehicles/golf/plan/soc/85/2023-03-07T06:00:00Z",
    'vehicles/model3/plan/repeating [{"weekdays": [0, 6], "time": "10:30", "soc": 90}]',
    'vehicles/model3/plan/strategy {"continuous": true}',
    'loadpoints/1/plan/strategy {"precondition": 900}',
    "telemetry/true",
    "operatorlimit/4200/3600",
)
"""One of each setting, some with a body."""


@pytest.mark.wire
@pytest.mark.api("P-2")
@in_real_time
async def test_every_setting_survives_kill_9_right_after_its_answer(tmp_path: Path) -> None:
    """A process of its own serves the home; it is killed as soon as the last answer has arrived."""
    database = tmp_path / "evcc.db"
    program = Path(__file__).parent / "serve_home.py"
    process = await trio.lowlevel.open_process(
        [sys.executable, str(program), str(database), *ASKED],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    await process.wait()
    assert process.returncode == -signal.SIGKILL
    async with opened(database) as store:
        rows = {(row.owner, row.setting.key): row.value for row in await store.load_settings(SITE)}
        assert await store.load_flag("telemetry") is True
        limit = (await OperatorLimits.restored(store, {}, START)).in_force(START.instant)
        assert limit == LimitInForce(4200, "rest", LimitReason.GIVEN, START.instant + timedelta(hours=1))
    site = {"residualPower": -120, "bufferSoc": 81, "prioritySoc": 41, "bufferStartSoc": 91}
    loadpoint = {
        "mode": ChargeMode.MINPV,
        "phasesConfigured": 1,
        "maxCurrent": 20,
        "minCurrent": 7.5,
        "enableThreshold": -1300,
        "disableThreshold": 200,
        "enableDelay": timedelta(seconds=45),
        "disableDelay": timedelta(seconds=190),
        "priority": 2,
        "minSoc": 21,
        "targetSoc": 82,
        "targetEnergy": 10.5,
        "targetTime": datetime(2023, 3, 7, 6, tzinfo=UTC),
        "smartCostLimit": 0.15,
        "planStrategy": PlanStrategy(precondition=timedelta(minutes=15)),
    }
    golf = {"minSoc": 21, "limitSoc": 82, "planSoc": VehiclePlan(85, datetime(2023, 3, 7, 6, tzinfo=UTC))}
    model3 = {
        "repeatingPlans": (WeeklyPlan((0, 6), time(10, 30), "Europe/Berlin", 90),),
        "planStrategy": PlanStrategy(is_continuous=True),
    }
    owned: dict[object, dict[str, Any]] = {None: site, 0: loadpoint, "golf": golf, "model3": model3}
    assert rows == {(owner, key): value for owner, values in owned.items() for key, value in values.items()}


@pytest.mark.api("P-2")
@in_real_time
async def test_a_refused_setting_is_not_stored() -> None:
    async with served() as api:
        assert api.store is not None
        await api.post("/api/loadpoints/1/mincurrent/17")
        assert await api.store.load_settings(SITE) == ()

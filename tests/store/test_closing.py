"""The database is closed on every path. SQLite takes its log away when the last connection is closed: that shows it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import trio
from anyio.abc import ByteStream
from trio_test import in_real_time, in_virtual_time
from watched_home import SITE, House

from evcc_server.app import open_server
from evcc_server.blocking import RunBlocking, in_thread, inline
from evcc_server.config.load import parse_config
from evcc_server.config.options import Options
from evcc_server.config.sources import ModbusAddress
from evcc_server.devices.plugin.http import HttpClient
from evcc_server.keeping.store import Store

WIRED = """
site: {meters: {grid: grid}}
meters: [{name: grid, type: custom, power: {source: const, value: 1}}]
chargers: [{name: box, type: template, template: keba-modbus, host: h}]
loadpoints: [{charger: box}]
"""


class NeverCloses(httpx.MockTransport):
    """A connection to the house that cannot be closed."""

    async def aclose(self) -> None:
        await trio.sleep_forever()


@pytest.mark.parametrize("run_blocking", [inline, in_thread()])
@in_real_time
async def test_whoever_is_cancelled_leaves_the_database_closed(tmp_path: Path, run_blocking: RunBlocking) -> None:
    with trio.CancelScope() as scope:
        async with Store.open(tmp_path / "evcc.db", run_blocking) as store:
            await store.save_flag("telemetry", True)
            assert [each.name for each in tmp_path.glob("*-wal")] == ["evcc.db-wal"]
            scope.cancel()
            await trio.sleep_forever()
    assert not [*tmp_path.glob("*-wal")]


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(database=str(tmp_path / "evcc.db"))


@in_virtual_time
async def test_devices_that_cannot_be_closed_do_not_keep_the_database_open(options: Options, tmp_path: Path) -> None:
    config, http = parse_config(SITE, environment={}), HttpClient(NeverCloses(House()))
    async with open_server(config, options=options, run_blocking=inline, http=http) as server:
        await server.devices.charger("box").read()
        assert [*tmp_path.glob("*-wal")]
    assert not [*tmp_path.glob("*-wal")]


@in_virtual_time
async def test_a_start_that_is_broken_off_leaves_the_database_closed(options: Options, tmp_path: Path) -> None:
    opened: list[Path] = []

    async def connect(address: ModbusAddress) -> ByteStream:
        opened.extend(tmp_path.glob("*-wal"))
        return await trio.sleep_forever()

    with trio.move_on_after(1):
        async with open_server(parse_config(WIRED), options=options, run_blocking=inline, opener=connect):
            raise AssertionError
    assert opened
    assert not [*tmp_path.glob("*-wal")]

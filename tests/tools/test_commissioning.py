"""The commissioning tools against emulated devices on real loopback sockets."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest
import trio
from trio_test import in_real_time

from evcc_server import cli
from evcc_server.tools import commands
from evcc_sim.devices.site_devices import Extras, evcc_yaml
from evcc_sim.runs.wire import World, running_world, serve_on_pty
from evcc_sim.worlds import scenario

pytestmark = pytest.mark.wire

HOME = """
title = "A home that stands still"
household = { constant_w = 700.0 }
pv = [{ name = "roof", constant_w = 4200.0 }]
[[charger]]
box = { name = "keba", profile = "keba-p30", current_step_a = 0.001, can_switch_phases = true }
loadpoint = { vehicle = "blue" }
[[car]]
name = "blue"
soc_pct = 40
has_api = true
visits = [{ charger = "keba", arrive = "00:00", depart = "23:00" }]
"""
SECRET = "s3cret-of-the-broker"
EXTRAS = Extras(
    sections={
        "auth": {"token": SECRET},
        "tariffs": {"grid": {"type": "fixed", "price": 0.3}},
        "database": {"dsn": ":memory:"},
        "operatorlimit": {"name": "relay", "active": True, "limit": 4200},
    }
)
Tool = Callable[..., Awaitable[int]]


def with_home(test: Callable[[Tool, World, Path], Awaitable[None]], tmp_path: Path) -> None:
    """Run ``test`` beside a simulated home; ``tool("meter", "grid")`` runs a tool on its configuration."""

    @in_real_time
    async def run() -> None:
        async with running_world(scenario.parse(HOME, name="home")) as world:
            file = tmp_path / "evcc.yaml"
            file.write_text(evcc_yaml(world.house.scenario, world.addresses, EXTRAS), encoding="utf-8")

            async def tool(command: str, *arguments: str, has_config: bool = True) -> int:
                whole = [command, *arguments, *(["-c", str(file)] if has_config else [])]
                return await trio.to_thread.run_sync(cli.main, whole)

            with trio.fail_after(30):
                await test(tool, world, file)

    run()


def test_check_reads_every_device_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def test(tool: Tool, world: World, file: Path) -> None:
        assert await tool("check") == 0
        printed = capsys.readouterr().out
        assert printed.startswith("evcc.yaml: valid")
        assert re.search(r"^meter grid +yes +power +-3500 W$", printed, re.MULTILINE)
        assert re.search(r"^meter roof +yes +power +4200 W$", printed, re.MULTILINE)
        assert re.search(r"^charger keba +yes +status +B$", printed, re.MULTILINE)
        assert re.search(r"^vehicle blue +yes +soc +20 %$", printed, re.MULTILINE)
        assert re.search(r"^limit relay +yes +limit +4200 W$", printed, re.MULTILINE)
        assert re.search(r"^tariff grid +yes +0\.3 EUR/kWh now", printed, re.MULTILINE)
        assert "Not confirmed by anybody" in printed
        assert "charger keba: " in printed.split("Not confirmed")[1]
        assert printed.rstrip().endswith("all is well")
        assert SECRET not in printed

    with_home(test, tmp_path)


def test_check_names_the_device_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def test(tool: Tool, world: World, file: Path) -> None:
        port = str(world.addresses["grid"].port)
        file.write_text(file.read_text(encoding="utf-8").replace(f'"port": {port}', '"port": 9'), encoding="utf-8")
        assert await tool("check") == 1
        printed = capsys.readouterr().out
        assert re.search(r"^meter grid +no +127\.0\.0\.1:9: cannot connect: Connection refused$", printed, re.MULTILINE)
        assert re.search(r"^charger keba +yes", printed, re.MULTILINE)
        assert printed.rstrip().endswith("problems: meter grid")

    with_home(test, tmp_path)


def test_a_wrong_unit_id_is_said_to_be_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def test(tool: Tool, world: World, file: Path) -> None:
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(r'("name": "grid".*"id": )1\b', r"\g<1>77", text), encoding="utf-8")
        assert await tool("meter", "grid") == 1
        assert "unit 77" in capsys.readouterr().err
        file.write_text(re.sub(r'("name": "roof".*"id": )1\b', r"\g<1>77", text), encoding="utf-8")
        assert await tool("meter", "roof") == 1
        said = capsys.readouterr().err
        assert re.search(r"no SunSpec map at .* \(unit 77: .*gateway got no response from the device", said)

    with_home(test, tmp_path)


def test_meter_reads_all_or_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def test(tool: Tool, world: World, file: Path) -> None:
        assert await tool("meter", "grid") == 0
        printed = capsys.readouterr().out
        assert printed.startswith("grid\n")
        assert "roof" not in printed
        assert re.search(r"voltages +230 / 230 / 230 V", printed)
        assert await tool("meter") == 0
        assert {"grid", "roof"} <= set(capsys.readouterr().out.splitlines())
        assert await tool("meter", "grit") == 2
        assert "meter 'grit' does not exist, did you mean grid?" in capsys.readouterr().err

    with_home(test, tmp_path)


def test_charger_writes_only_when_confirmed_and_shows_what_came_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(tool: Tool, world: World, file: Path) -> None:
        (box,) = world.house.wallboxes
        assert await tool("charger") == 0
        assert re.search(r"status +B", capsys.readouterr().out)
        before = box.pilot_a
        assert await tool("charger", "keba", "--enable", "--current", "10") == 2  # no terminal, no --yes
        captured = capsys.readouterr()
        assert "add --yes" in captured.err
        assert "nothing was written" in captured.err
        assert "not confirmed by anybody" in captured.err
        assert box.pilot_a == before
        assert await tool("charger", "keba", "--enable", "--current", "10", "--yes") == 0
        printed = capsys.readouterr().out
        assert "keba: done: limit the current to 10 A, then enable charging" in printed
        assert "keba: its watchdog is armed" in printed
        assert box.pilot_a == 10
        assert await tool("charger", "keba", "--disable", "--yes") == 0
        assert box.pilot_a == 0
        assert await tool("charger", "keba", "--phases", "1", "--yes") == 0
        assert box.is_switching_phases or box.phases == 1

    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with_home(test, tmp_path)


@pytest.mark.parametrize("current", ["0", "-6", "33", "nan", "inf"])
def test_charger_refuses_impossible_currents(tmp_path: Path, capsys: pytest.CaptureFixture[str], current: str) -> None:
    async def test(tool: Tool, world: World, file: Path) -> None:
        assert await tool("charger", "keba", f"--current={current}", "--yes") == 2
        assert "keba takes more than 0 to 32 A; nothing was written" in capsys.readouterr().err

    with_home(test, tmp_path)


def test_scan_finds_the_units_of_a_host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def test(tool: Tool, world: World, file: Path) -> None:
        address = world.addresses["roof"]
        where = f"{address.host}:{address.port}"
        assert await tool("scan", where, "--units", "1-3", "--timeout", "0.2", has_config=False) == 0
        printed = capsys.readouterr().out
        assert re.search(r"^unit 1: SunSpec: ", printed, re.MULTILINE)
        assert printed.endswith("1 of 3 units answer\n")
        grid = world.addresses["grid"]
        assert await tool("scan", f"{grid.host}:{grid.port}", "--rtu", "--units", "1", has_config=False) == 0
        assert "unit 1: " in capsys.readouterr().out
        for target, options, hint in [
            (grid, (), "a gateway that passes serial frames through (transparent, raw) wants --rtu"),
            (address, ("--rtu",), "a gateway that speaks Modbus TCP itself wants no --rtu"),
        ]:
            place = f"{target.host}:{target.port}"
            assert await tool("scan", place, *options, "--units", "1", "--timeout", "0.2", has_config=False) == 1
            assert capsys.readouterr().err.endswith(f"evcc-server: {hint}\n")
        assert await tool("scan", "127.0.0.1:9", "--units", "1", has_config=False) == 1
        said = capsys.readouterr().err
        assert "127.0.0.1:9: cannot connect" in said
        assert "--rtu" not in said

    with_home(test, tmp_path)


def test_check_says_that_the_broker_and_the_database_are_out_of_reach(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(tool: Tool, world: World, file: Path) -> None:
        text = file.read_text(encoding="utf-8").replace('dsn: ":memory:"', f"dsn: {tmp_path}")
        file.write_text(text + "mqtt: {broker: '127.0.0.1:9'}\n", encoding="utf-8")
        assert await tool("check") == 1
        printed = capsys.readouterr().out
        assert "mqtt broker 127.0.0.1:9: not connected" in printed
        assert f"database: {tmp_path} is a folder" in printed
        assert printed.rstrip().endswith("problems: mqtt broker, database")

    monkeypatch.setattr(commands, "MQTT_SETTLE_S", 0.3)
    with_home(test, tmp_path)


def test_a_device_on_a_serial_bus_is_found_and_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def test(tool: Tool, world: World, file: Path) -> None:
        async with anyio.create_task_group() as tasks:
            port = serve_on_pty(tasks, world.devices["grid"])
            text = file.read_text(encoding="utf-8")
            old = re.search(r'"modbus": "rs485tcpip", "host": "[^"]*", "port": \d+', text)
            assert old is not None
            file.write_text(text.replace(old[0], f'"modbus": "rs485serial", "device": "{port}"'), encoding="utf-8")
            assert await tool("meter", "grid") == 0
            assert re.search(r"power +-3500 W", capsys.readouterr().out)
            assert await tool("scan", port, "--units", "1-2", has_config=False) == 0
            assert "1 of 2 units answer" in capsys.readouterr().out
            assert await tool("scan", port, "--units", "2", "--timeout", "0.2", has_config=False) == 1
            assert "9600 baud 8N1: the device may want other --baudrate or --comset" in capsys.readouterr().err
            tasks.cancel_scope.cancel()

    with_home(test, tmp_path)


def test_trace_shows_frames_in_hex_and_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def test(tool: Tool, world: World, file: Path) -> None:
        assert await tool("trace", "grid") == 0
        lines = capsys.readouterr().out.splitlines()
        assert re.match(r"\d\d:\d\d:\d\d\.\d{3} 127\.0\.0\.1:\d+ -> 01 04 .* unit 1: read input registers 0", lines[0])
        assert re.match(r".* <- 01 04 .* unit 1: read input registers: \[", lines[1])

    with_home(test, tmp_path)

"""Emulated devices over real sockets and a real pseudo terminal, read by programs that are not ours."""

import os
import re
import shutil
import subprocess
from functools import partial

import anyio
import pytest
import trio
from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.framer import FramerType
from trio_test import in_real_time

from evcc_server.config.sources import SerialAddress
from evcc_server.devices.template.modbus_meter import ModbusMeter
from evcc_server.modbus.link import Link
from evcc_server.modbus.wire import Framing
from evcc_server.profiles.profile import load
from evcc_server.wiring.factory import open_stream
from evcc_sim.devices.modbus_server import Wrapping
from evcc_sim.runs.wire import World, running_world, serve_on_pty
from evcc_sim.worlds import scenario

pytestmark = pytest.mark.wire

SITE = """
title = "A home that stands still"
household = { constant_w = 700.0 }
pv = [{ name = "roof", constant_w = 4200.0 }]
[[charger]]
box = { name = "keba", profile = "keba-p30", current_step_a = 0.001 }
[[charger]]
box = { name = "heidelberg", profile = "heidelberg-ec", current_step_a = 0.1 }
"""


def read_with_pymodbus(world: World, name: str, address: int, datatype: str, *, input_register: bool = False) -> float:
    """pymodbus's own blocking client, its own conversion."""
    device, where = world.devices[name].emulator, world.addresses[name]
    framer = FramerType.SOCKET if device.framing is Wrapping.TCP else FramerType.RTU
    with ModbusTcpClient(where.host, port=where.port, framer=framer, timeout=5) as client:
        kind = client.DATATYPE[datatype]
        read = client.read_input_registers if input_register else client.read_holding_registers
        answer = read(address, count=kind.value[1], device_id=device.unit_id)
        assert not answer.isError()
        value = client.convert_from_registers(answer.registers, kind)
        assert isinstance(value, (int, float))
        return value


@in_real_time
async def test_pymodbus_reads_the_plants_values() -> None:
    async with running_world(scenario.parse(SITE, name="still")) as world:

        async def read(name: str, address: int, datatype: str, *, input_register: bool = False) -> float:
            call = partial(read_with_pymodbus, world, name, address, datatype, input_register=input_register)
            return await trio.to_thread.run_sync(call)

        await trio.sleep(0)
        grid_w = await read("grid", 52, "FLOAT32", input_register=True)
        assert grid_w == pytest.approx(world.house.bus.grid.power_w, abs=1.0)
        assert await read("grid", 0, "FLOAT32", input_register=True) == 230.0
        assert await read("roof", 40072 + 12, "INT16") == 4200
        assert await read("keba", 1004, "UINT32") in (0, 1, 3)
        assert await read("heidelberg", 5, "UINT16", input_register=True) in (2, 3)
        assert await read("heidelberg", 257, "UINT16") == 15_000


async def mbpoll(*arguments: str) -> list[str]:
    finished = await trio.run_process(
        ["mbpoll", "-0", "-1", "-q", *arguments], capture_stdout=True, stderr=subprocess.STDOUT, check=False
    )
    text = finished.stdout.decode()
    assert finished.returncode == 0, text
    return re.findall(r"^\[\d+\]:\s+(\S+)", text, re.MULTILINE)


needs_mbpoll = pytest.mark.skipif(shutil.which("mbpoll") is None, reason="mbpoll is not installed")


@needs_mbpoll
@in_real_time
async def test_mbpoll_reads_the_plants_values_over_tcp() -> None:
    async with running_world(scenario.parse(SITE, name="still")) as world:
        roof, keba = world.addresses["roof"], world.addresses["keba"]
        values = await mbpoll("-p", str(roof.port), "-t", "4", "-r", "40072", "-c", "14", roof.host)
        assert values[12] == "4200"
        await mbpoll("-p", str(keba.port), "-a", "255", "-t", "4:int", "-B", "-r", "1100", "-c", "1", keba.host)


@needs_mbpoll
@in_real_time
async def test_mbpoll_reads_rtu_over_a_serial_line() -> None:
    async with running_world(scenario.parse(SITE, name="still")) as world, anyio.create_task_group() as tasks:
        path = serve_on_pty(tasks, world.devices["grid"])
        values = await mbpoll(
            "-m", "rtu", "-b", "9600", "-P", "none", "-a", "1", "-t", "3:float", "-B", "-r", "52", "-c", "1", path
        )
        assert float(values[0]) == pytest.approx(world.house.bus.grid.power_w, abs=1.0)
        tasks.cancel_scope.cancel()


@in_real_time
async def test_pymodbus_reads_rtu_over_a_serial_line_twice() -> None:
    def read(path: str) -> list[int]:
        with ModbusSerialClient(path, framer=FramerType.RTU, baudrate=19200, timeout=5) as client:
            return list(client.read_input_registers(0, count=2, device_id=1).registers)

    async with running_world(scenario.parse(SITE, name="still")) as world, anyio.create_task_group() as tasks:
        path = serve_on_pty(tasks, world.devices["grid"])
        for _ in range(2):
            assert await trio.to_thread.run_sync(read, path) == [0x4366, 0x0000]  # 230.0
        tasks.cancel_scope.cancel()


@in_real_time
async def test_a_port_in_use_is_an_os_error() -> None:
    async with running_world(scenario.parse(SITE, name="still")) as world:
        port = world.addresses["grid"].port
        with pytest.raises(BaseExceptionGroup) as problem:
            async with running_world(scenario.parse(SITE, name="still"), first_port=port):
                pass
        assert problem.group_contains(OSError)


def test_the_serial_line_is_a_character_device() -> None:
    @in_real_time
    async def run() -> None:
        async with running_world(scenario.parse(SITE, name="still")) as world, anyio.create_task_group() as tasks:
            path = serve_on_pty(tasks, world.devices["grid"])
            assert os.path.exists(path)
            tasks.cancel_scope.cancel()

    run()


@in_real_time
async def test_our_own_driver_reads_rtu_over_a_serial_line() -> None:
    async with running_world(scenario.parse(SITE, name="still")) as world, anyio.create_task_group() as tasks:
        path = serve_on_pty(tasks, world.devices["grid"])
        address = SerialAddress(device=path, baudrate=9600, comset="8N1")
        link = Link(partial(open_stream, address), Framing.RTU)
        values = await ModbusMeter(load("eastron-sdm630"), link, 1, usage="grid").read()
        assert values.power_w == pytest.approx(world.house.bus.grid.power_w, abs=1.0)
        assert values.voltages_v == (230.0, 230.0, 230.0)
        await link.aclose()
        tasks.cancel_scope.cancel()

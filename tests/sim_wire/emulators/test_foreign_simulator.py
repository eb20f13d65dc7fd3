"""Our driver reads pymodbus's own server and simulator, filled with plain numbers: no encoder and no server of ours."""

import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
import anyio.from_thread
import pytest
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from trio_test import in_real_time

from evcc_server.config.load import parse_config
from evcc_server.devices.template.modbus_charger import ModbusCharger
from evcc_server.devices.template.modbus_meter import ModbusMeter
from evcc_server.errors import DeviceError
from evcc_server.modbus import wire
from evcc_server.modbus.link import Link
from evcc_server.profiles.profile import load
from evcc_server.wiring.factory import build
from evcclib.model import ChargerStatus

pytestmark = pytest.mark.wire


@contextmanager
def pymodbus_server(device: SimDevice, framer: FramerType) -> Iterator[int]:
    """pymodbus's asyncio server on a free port, in a thread of its own."""
    with anyio.from_thread.start_blocking_portal("asyncio") as portal:

        async def start() -> ModbusTcpServer:
            server = ModbusTcpServer(device, framer=framer, address=("127.0.0.1", 0))
            await server.serve_forever(background=True)
            return server

        server = portal.call(start)
        try:
            assert server.transport is not None
            yield server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # an asyncio.Server
        finally:
            portal.call(server.shutdown)


@asynccontextmanager
async def link_to(port: int, framing: wire.Framing) -> AsyncIterator[Link]:
    async def connect() -> anyio.abc.ByteStream:
        return await anyio.connect_tcp("127.0.0.1", port)

    link = Link(connect, framing)
    try:
        yield link
    finally:
        await link.aclose()


def floats(address: int, *values: float) -> SimData:
    return SimData(address, values=list(values), datatype=DataType.FLOAT32)


@in_real_time
async def test_a_meter_of_floats_over_rtu() -> None:
    meter = SimDevice(
        1,
        [
            floats(0, 230.5, 229.0, 231.25, 5.0, -2.5, 0.25, 1152.5, -572.5, 57.75),
            floats(52, 637.75),
            floats(72, 1234.5, 987.25),
        ],
    )
    with pymodbus_server(meter, FramerType.RTU) as port:
        async with link_to(port, wire.Framing.RTU) as link:
            values = await ModbusMeter(load("eastron-sdm630"), link, 1, usage="grid").read()
    assert values.power_w == 637.75
    assert values.powers_w == (1152.5, -572.5, 57.75)
    assert values.currents_a == (5.0, -2.5, 0.25)
    assert values.voltages_v == (230.5, 229.0, 231.25)
    assert (values.energy_import_kwh, values.energy_export_kwh) == (1234.5, 987.25)


@in_real_time
async def test_a_sunspec_inverter_in_integers() -> None:
    words = [0x5375, 0x6E53, 1, 66, *[0] * 66, 103, 50, *[0xFFFF] * 50, 0xFFFF, 0]
    model = 2 + 2 + 66 + 2
    words[model + 1 : model + 5] = [912, 913, 914, 0xFFFE]  # 9.12 A, 9.13 A, 9.14 A; factor -2
    words[model + 8 : model + 12] = [2305, 2290, 2312, 0xFFFF]  # tenths of volts; factor -1
    words[model + 12 : model + 14] = [6240, 0]
    words[model + 22 : model + 25] = [0x010D, 0x6B71, 0]  # 17656689 Wh
    inverter = SimDevice(1, [SimData(40000, values=words, datatype=DataType.REGISTERS)])
    with pymodbus_server(inverter, FramerType.SOCKET) as port:
        async with link_to(port, wire.Framing.SOCKET) as link:
            values = await ModbusMeter(load("sunspec-inverter"), link, 1, usage="pv").read()
    assert values.power_w == 6240.0
    assert values.currents_a == pytest.approx((9.12, 9.13, 9.14))
    assert values.voltages_v == pytest.approx((230.5, 229.0, 231.2))
    assert values.energy_import_kwh == pytest.approx(17656.689)


@in_real_time
async def test_a_station_takes_the_current_that_was_meant() -> None:
    registers = {
        1000: 2,
        1004: 7,
        1016: 304010,
        1020: 0,
        1036: 0,
        1100: 16000,
        1110: 32000,
        1550: 0,
        1552: 1,
        1600: 0,
        1602: 0,
    }
    zeros = {
        1006: 0,
        1008: 0,
        1010: 0,
        1012: 0,
        1014: 0,
        1018: 0,
        1040: 230,
        1042: 230,
        1044: 230,
        1046: 0,
        1500: 0,
        1502: 0,
    }
    blocks = [SimData(a, values=[v], datatype=DataType.UINT32) for a, v in sorted((registers | zeros).items())]
    writable = [5004, 5010, 5012, 5014, 5016, 5018, 5020, 5050, 5052]
    written: list[tuple[int, int]] = []

    async def note(
        function: int,
        _start: int,
        address: int,
        _count: int,
        _registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> None:
        if values is not None:
            written.append((address, int(values[0])))

    blocks += [SimData(a, values=[0], datatype=DataType.UINT16) for a in writable]
    with pymodbus_server(SimDevice(255, blocks, action=note), FramerType.SOCKET) as port:
        async with link_to(port, wire.Framing.SOCKET) as link:
            charger = ModbusCharger(load("keba-p30"), link, 255)
            await charger.start()
            values = await charger.read()
            await charger.set_current(13.5)
            await charger.enable()
            await charger.disable()
    assert values.status is ChargerStatus.B
    orders = [(address, value) for address, value in written if address in (5004, 5014)]
    assert (5004, 13_500) in orders
    assert [value for address, value in orders if address == 5014] == [1, 0]


def test_the_numbers_above_are_what_they_claim() -> None:
    assert struct.unpack(">I", struct.pack(">HH", 0x010D, 0x6B71))[0] == 17_656_689


SECTION_14A = """
site: {{meters: {{grid: grid}}}}
meters: [{{name: grid, type: custom, power: 0}}]
chargers: [{{name: box, type: custom, status: A, enabled: false, enable: '', maxcurrent: ''}}]
loadpoints: [{{charger: box}}]
operatorlimit:
  name: control box
  contacts:
  - {{closed: {{source: modbus, uri: "127.0.0.1:{port}", id: 1, register: {{address: 0, type: coil}}}}, limit: 4200}}
  - {{open: {{source: modbus, uri: "127.0.0.1:{port}", id: 1, register: {{address: 3, type: discrete}}}}, limit: 0}}
  interval: 1s
  fallback: 4200
"""


@pytest.mark.parametrize(("closed", "power_w"), [((0, 1), None), ((1, 1), 4200.0), ((0, 0), 0.0), ((1, 0), 0.0)])
@in_real_time
async def test_contacts_of_a_control_box(closed: tuple[int, int], power_w: float | None) -> None:
    """A relay at a coil, and another one at a discrete input that opens to limit; then the box is gone."""
    coils = [SimData(0, values=[bool(closed[0])] + [False] * 15, datatype=DataType.BITS)]
    inputs = [SimData(0, values=[False] * 3 + [bool(closed[1])] + [False] * 12, datatype=DataType.BITS)]
    words = [SimData(0, values=[0], datatype=DataType.REGISTERS)]
    with pymodbus_server(SimDevice(1, (coils, inputs, words, words)), FramerType.SOCKET) as port:
        devices = build(parse_config(SECTION_14A.format(port=port), environment={}))
        try:
            assert await devices.limits["control box"].read() == power_w
        finally:
            await devices.aclose()
    with pytest.raises(DeviceError):
        await devices.limits["control box"].read()

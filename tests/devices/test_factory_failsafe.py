"""A charger below a circuit falls back to the circuit's safe current when the server is gone."""

from __future__ import annotations

import anyio
import pytest
from anyio.abc import ByteStream
from fake_device import FakeDevice
from trio_test import in_virtual_time

from evcc_server.config.load import parse_config
from evcc_server.config.sources import ModbusAddress
from evcc_server.modbus.wire import Framing
from evcc_server.wiring.factory import build

SITE = """
site: {{meters: {{grid: grid}}}}
meters: [{{name: grid, type: custom, power: 0}}]
chargers: [{{name: box, type: template, template: heidelberg, modbus: rs485tcpip, host: box.test}}]
circuits: {circuits}
loadpoints: [{{charger: box{loadpoint}}}]
"""
FAILSAFE = 262  # 0.1 A; 0 stops charging
CASES = [
    ("[]", "", 60),  # its own minimum
    ("[{name: a, maxCurrent: 20, safeCurrent: 10}]", ", circuit: a", 100),
    ("[{name: a, maxCurrent: 20}]", ", circuit: a", 0),
    ("[{name: a, maxCurrent: 20, safeCurrent: 4}]", ", circuit: a", 0),
    (
        "[{name: a, maxCurrent: 20, safeCurrent: 7}, {name: b, maxPower: 1, parent: a, safeCurrent: 9}]",
        ", circuit: b",
        70,
    ),
]


@pytest.mark.parametrize(("circuits", "loadpoint", "expected"), CASES)
def test_fail_safe_current(circuits: str, loadpoint: str, expected: int) -> None:
    @in_virtual_time
    async def run() -> None:
        fake = FakeDevice(Framing.RTU)
        for address in range(4, 20):
            fake.put(1, "input", address, 0)
        for address in range(257, 263):
            fake.put(1, "holding", address, 0)
        fake.put(1, "holding", FAILSAFE, 160)  # set by hand to the maximum

        async def open_fake(_: ModbusAddress) -> ByteStream:
            return await fake.connect()

        async with anyio.create_task_group() as group:
            fake.link(group)
            config = parse_config(SITE.format(circuits=circuits, loadpoint=loadpoint), environment={})
            devices = build(config, opener=open_fake)
            await devices.charger("box").start()
            assert fake.get(1, "holding", FAILSAFE) == expected
            await devices.aclose()
            group.cancel_scope.cancel()

    run()

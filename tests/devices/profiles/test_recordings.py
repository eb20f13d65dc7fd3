"""A second witness: what the devices hold and what must go over the wire, worked out from the vendors' facts.

The bytes in ``recordings/`` were computed from addresses, types and scales without our codec. The driver must send exactly
these requests and read exactly these values; whole frames include their checksums.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from fake_device import FakeDevice
from ruamel.yaml import YAML
from trio_test import in_virtual_time

from evcc_server.devices.template.modbus_charger import ModbusCharger
from evcc_server.devices.template.modbus_meter import ModbusMeter
from evcc_server.modbus.link import Link
from evcc_server.modbus.wire import Exchange, Framing, Request
from evcc_server.profiles.profile import load

FOLDER = Path(__file__).parent / "recordings"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
EVERY = pytest.mark.parametrize("name", NAMES)


def recording(name: str) -> dict[str, Any]:
    data: dict[str, Any] = YAML(typ="safe").load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return data


def plain(pdu: bytes | str) -> str:
    return pdu.hex() if isinstance(pdu, bytes) else pdu.replace(" ", "")


def device(data: dict[str, Any]) -> FakeDevice:
    fake = FakeDevice(Framing(data["framing"]), ascii_start=data.get("ascii_start", ":").encode())
    for place, words in data["registers"].items():
        unit, space, address = place.split()
        fake.put(int(unit), space, int(address), *(int(word, 16) for word in words.split()))
    return fake


def driver(data: dict[str, Any], link: Link) -> ModbusMeter | ModbusCharger:
    profile, units = load(data["profile"]), data.get("units")
    if profile.charger is not None:
        return ModbusCharger(profile, link, data["unit"], units=units)
    return ModbusMeter(profile, link, data["unit"], usage=data["usage"], units=units)


def number(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value


def writes(fake: FakeDevice) -> list[str]:
    return [pdu.hex() for _, pdu in fake.requests if pdu[0] in (5, 6, 15, 16)]


async def call(target: object, text: str) -> None:
    name, *arguments = text.split()
    values = [argument if name == "set_mode" else float(argument) for argument in arguments]
    await getattr(target, name)(*values)


@EVERY
@in_virtual_time
async def test_the_driver_asks_and_understands_as_the_facts_say(name: str) -> None:
    data = recording(name)
    fake = device(data)
    async with anyio.create_task_group() as group:
        link = fake.link(group)
        target = driver(data, link)
        if isinstance(target, ModbusCharger):
            await target.start()
            assert writes(fake) == [plain(pdu) for pdu in data["start"]]
            for key, value in data["config"].items():
                assert getattr(target.config, key) == value, key
        fake.requests.clear()
        values = dataclasses.asdict(await target.read())
        assert Counter(pdu.hex() for _, pdu in fake.requests) == Counter(plain(pdu) for pdu in data["asks"])
        for key, value in data["values"].items():
            expected = pytest.approx(tuple(value)) if isinstance(value, list) else value
            expected = pytest.approx(value) if isinstance(value, float) else expected
            assert number(values[key]) == expected, key
        for command in data.get("commands", ()):
            fake.requests.clear()
            await call(target, command["call"])
            assert writes(fake) == [plain(pdu) for pdu in command["sends"]], command["call"]
        await link.aclose()
        group.cancel_scope.cancel()


@EVERY
def test_whole_frames_with_checksums(name: str) -> None:
    data = recording(name)
    framing = Framing(data["framing"])
    for frame in data.get("frames", ()):
        sent, received = bytes.fromhex(frame["sent"]), bytes.fromhex(frame["received"])
        transaction = int.from_bytes(sent[:2], "big") if framing is Framing.SOCKET else 0
        exchange = Exchange(framing, request_in(framing, sent), transaction)
        assert exchange.frame() == sent
        assert exchange.feed(received[:3]) is None
        answer = exchange.feed(received[3:])
        assert answer is not None
        assert list(answer.values) == frame["words"]


def request_in(framing: Framing, frame: bytes) -> Request:
    if framing is Framing.ASCII:
        frame = bytes.fromhex(frame[1:-2].decode())
    unit, pdu = (frame[6], frame[7:]) if framing is Framing.SOCKET else (frame[0], frame[1:])
    function, address, last = pdu[0], int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big")
    if function in (3, 4):
        return Request(unit=unit, function=function, address=address, count=last)
    words = [last] if function == 6 else [int.from_bytes(pdu[6 + 2 * n : 8 + 2 * n], "big") for n in range(last)]
    return Request(unit=unit, function=function, address=address, values=tuple(words))

"""A network in memory: connecting to a device's name gives a byte stream with the device at its other end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import trio
from anyio.abc import ByteStream

from evcc_sim.memory_stream import memory_pair
from evcc_sim.modbus_server import serve_stream
from evcc_sim.site_devices import Address, Device

DOMAIN = ".sim"


class HasHost(Protocol):
    """A network address as the server's configuration has it."""

    @property
    def host(self) -> str: ...


class VirtualNetwork:
    """Connections live in ``nursery``; each has a task that answers for the device."""

    def __init__(self, devices: Mapping[str, Device], nursery: trio.Nursery) -> None:
        self._devices = devices
        self._nursery = nursery

    def addresses(self) -> dict[str, Address]:
        """Where each device is to be found."""
        return {name: Address(name + DOMAIN) for name in self._devices}

    async def open(self, address: HasHost) -> ByteStream:
        """A new connection. Raises `ConnectionRefusedError` for a device that refuses them, `OSError` for unknown names."""
        await trio.lowlevel.checkpoint()
        device = self._devices.get(address.host.removesuffix(DOMAIN))
        if device is None:
            raise OSError(f"{address.host}: unknown host")
        if device.faults.refuses_connections:
            raise ConnectionRefusedError(f"{address.host}: connection refused")
        ours, theirs = memory_pair()
        emulator = device.emulator
        self._nursery.start_soon(serve_stream, theirs, emulator.core, emulator.framing, device.faults)
        return ours

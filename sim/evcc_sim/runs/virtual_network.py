"""A network in memory: connecting to a device's name gives a byte stream with the device at its other end."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping

import trio
from anyio.abc import ByteStream

from evcc_sim.devices.memory_stream import MemoryStream, memory_pair
from evcc_sim.devices.modbus_server import serve_stream
from evcc_sim.devices.site_devices import Address, Device

DOMAIN = ".sim"
_SECOND = struct.Struct(">d")


class VirtualNetwork:
    """Connections live in ``nursery``; each has a task that answers for the device."""

    def __init__(self, devices: Mapping[str, Device], nursery: trio.Nursery) -> None:
        self._devices = devices
        self._nursery = nursery
        self._digest = hashlib.sha256()
        self._time = trio.lowlevel.current_clock().current_time
        self._open: set[MemoryStream] = set()
        self._is_cut = False
        self.connections = 0
        self.bytes = 0

    def addresses(self) -> dict[str, Address]:
        """Where each device is to be found."""
        return {name: Address(name + DOMAIN) for name in self._devices}

    async def open(self, address: object) -> ByteStream:
        """A new connection to ``address.host``. Raises `OSError` for unknown names and for devices that refuse."""
        await trio.lowlevel.checkpoint()
        if self._is_cut:
            raise OSError("no network")
        host = str(getattr(address, "host", address))
        device = self._devices.get(host.removesuffix(DOMAIN))
        if device is None:
            raise OSError(f"{host}: unknown host")
        if device.faults.refuses_connections:
            raise ConnectionRefusedError(f"{host}: connection refused")
        ours, theirs = memory_pair(self._heard, self._heard)
        self.connections += 1
        self._nursery.start_soon(self._serve, theirs, device)
        return ours

    async def _serve(self, stream: MemoryStream, device: Device) -> None:
        self._open.add(stream)
        try:
            await serve_stream(stream, device.emulator.core, device.emulator.framing, device.faults.hook)
        finally:
            self._open.discard(stream)

    def _heard(self, data: bytes) -> None:
        self.bytes += len(data)
        self._digest.update(_SECOND.pack(self._time()) + data)

    def digest(self) -> str:
        """A hash over every byte on every line, both ways, with its time and in its order."""
        return self._digest.hexdigest()

    def cut(self) -> None:
        """Tear every line and let nobody connect: for the client the world is gone, and it for the world."""
        self._is_cut = True
        for stream in self._open:
            stream.tear()

    def restore(self) -> None:
        """Let clients connect again."""
        self._is_cut = False

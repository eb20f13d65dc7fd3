"""Reads a SunSpec point for a plugin: the first of several candidates that the device has."""

from __future__ import annotations

from collections.abc import Sequence

from evcc_server.devices.template.device_registers import DeviceRegisters
from evcc_server.devices.template.polled import keys_of
from evcc_server.errors import DeviceImplausible
from evcc_server.modbus.link import Port
from evcc_server.profiles.sunspec_points import all_models, point_key, point_scale


class SunspecPoints:
    """One value, by the names ``points`` in order of preference; the models are discovered at the first read."""

    def __init__(self, port: Port, points: Sequence[str], *, subdevice: int = 0) -> None:
        self._models = all_models(subdevice)
        self._registers = DeviceRegisters(self._models, port)
        self._keys = [key for key in map(point_key, points) if key is not None]
        self._points = ", ".join(points)

    async def read(self) -> float | None:
        """The value in the standard's unit; None: not available just now. Raises `DeviceError`."""
        wanted = keys_of(self._models, self._keys)
        now = await self._registers.read(wanted)
        for key in self._keys:
            value = now.value(key)
            if value is not None:
                return value / point_scale(key)
        if all(now.raw(key) is None for key in self._keys):
            raise DeviceImplausible(f"{self._registers.port.link.name}: the device does not offer {self._points}")
        return None

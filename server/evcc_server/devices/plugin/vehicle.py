"""Vehicles whose state plugins read, asked rarely: answers are kept, errors are followed by growing pauses [VEH-20]."""

from __future__ import annotations

from datetime import timedelta

import anyio

from evcc_server.config.model import VehicleEntry
from evcc_server.devices import plausible
from evcc_server.devices.contract import VehicleValues
from evcc_server.devices.plugin.charger import status_of
from evcc_server.devices.plugin.meter import number, number_of, optional_reader, value_of
from evcc_server.devices.plugin.sources import Plugins
from evcc_server.errors import DeviceError, DeviceImplausible, DeviceSilent
from evcc_server.texts.values import as_truth

BACKOFF = timedelta(seconds=5)
BACKOFF_MAX = timedelta(hours=1)
DISTANCE_KM = (0.0, 10_000_000.0)


class PluginVehicle:
    """A `Vehicle` over `VehicleEntry`.

    An answer is good for ``cache``. After an error no request is made for 5 s * 2**n, at most an hour, not even when a fresh
    value is asked for; meanwhile `read` fails with the last error.
    """

    def __init__(self, entry: VehicleEntry, plugins: Plugins) -> None:
        self._name = entry.name
        self._cache_s = entry.cache.total_seconds()
        self._soc = optional_reader(entry.soc, plugins)
        self._soc_limit = optional_reader(entry.soc_limit, plugins)
        self._range = optional_reader(entry.range_km, plugins)
        self._odometer = optional_reader(entry.odometer, plugins)
        self._status = optional_reader(entry.status, plugins)
        self._climater = optional_reader(entry.climater, plugins)
        self._wakeup = None if entry.wakeup is None else plugins.writer(entry.wakeup, "wakeup")
        self._values: VehicleValues | None = None
        self._read_at_s = 0.0
        self._failures = 0
        self._retry_at_s = 0.0
        self._error: DeviceError = DeviceSilent(f"{entry.name}: not read yet")
        self._lock = anyio.Lock()

    async def read(self, *, is_fresh: bool = False) -> VehicleValues:
        """See `Vehicle.read`. ``is_fresh`` passes over the cache, not over the pause after an error."""
        async with self._lock:
            now_s = anyio.current_time()
            if self._values is not None and not is_fresh and now_s - self._read_at_s < self._cache_s:
                return self._values
            if now_s < self._retry_at_s:
                raise self._error
            try:
                values = await self._ask()
            except DeviceError as error:
                pause_s = min(BACKOFF.total_seconds() * 2.0 ** min(self._failures, 30), BACKOFF_MAX.total_seconds())
                self._failures += 1
                self._retry_at_s = anyio.current_time() + pause_s
                self._error = error
                self._values = None
                raise
            self._failures, self._retry_at_s = 0, 0.0
            self._values, self._read_at_s = values, anyio.current_time()
            return values

    async def wake(self) -> None:
        """See `Vehicle.wake`."""
        if self._wakeup is None:
            raise DeviceImplausible(f"{self._name}: cannot be woken, wakeup is not configured")
        await self._wakeup(True)

    async def _ask(self) -> VehicleValues:
        soc: float | None = None
        if self._soc is not None:
            soc = number_of(await self._soc(), self._name)
            if soc is not None and plausible.within(soc, plausible.SOC_PCT) is None:
                raise DeviceImplausible(f"{self._name}: a SoC of {soc:g} % cannot be")  # [DEF-43]
        return VehicleValues(
            soc_pct=soc,
            soc_limit_pct=await number(self._soc_limit, plausible.SOC_PCT),
            range_km=await number(self._range, DISTANCE_KM),
            odometer_km=await number(self._odometer, DISTANCE_KM),
            status=None if self._status is None else status_of(await value_of(self._status)),
            is_climating=as_truth(await value_of(self._climater)),
        )

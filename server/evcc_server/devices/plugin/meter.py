"""A meter made of plugin sources."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import anyio

from evcc_server.config.model import CustomMeter
from evcc_server.config.sources import Source, Triple
from evcc_server.devices import plausible
from evcc_server.devices.blanks import is_blank
from evcc_server.devices.contract import MeterValues
from evcc_server.devices.plugin.sources import Plugins, Read
from evcc_server.errors import DeviceError, DeviceImplausible
from evcc_server.json_path import JsonValue
from evcc_server.quoting import quoted
from evcc_server.texts.values import as_number, is_truth, says_otherwise
from evcclib.model import PhaseTriple

POWER_AGE_MAX = timedelta(minutes=1)
"""How old an MQTT message with a power or current may be where its source names no ``timeout``."""


class PluginMeter:
    """A `Meter` over `CustomMeter`. Without a power the poll fails; any other value may be missing."""

    def __init__(self, name: str, meter: CustomMeter, plugins: Plugins) -> None:
        self._name = name
        self._blank = plausible.BlankAnswers()
        self._power = plugins.reader(meter.power, max_age=POWER_AGE_MAX)
        self._powers = triple_reader(meter.powers, plugins)
        self._currents = triple_reader(meter.currents, plugins)
        self._voltages = triple_reader(meter.voltages, plugins)
        self._energy_import = optional_reader(meter.energy_import, plugins)
        self._energy_export = optional_reader(meter.energy_export, plugins)
        self._soc = optional_reader(meter.soc, plugins)

    @property
    def quantities(self) -> frozenset[str]:
        """See `Meter.quantities`."""
        offered = {
            "powers_w": self._powers,
            "currents_a": self._currents,
            "voltages_v": self._voltages,
            "energy_import_kwh": self._energy_import,
            "energy_export_kwh": self._energy_export,
            "soc_pct": self._soc,
        }
        return frozenset({"power_w", *(name for name, reader in offered.items() if reader)})

    async def read(self) -> MeterValues:
        """See `Meter.read`. All zeros from a meter that has counted before are a failure."""
        found = MeterValues(
            power_w=await self._power_w(),
            powers_w=await triple(self._powers, plausible.POWER_W),
            currents_a=await triple(self._currents, plausible.CURRENT_A),
            voltages_v=await triple(self._voltages, plausible.VOLTAGE_V),
            energy_import_kwh=await number(self._energy_import, plausible.ENERGY_KWH),
            energy_export_kwh=await number(self._energy_export, plausible.ENERGY_KWH),
            soc_pct=await number(self._soc, plausible.SOC_PCT),
        )
        if is_blank(found, self._blank):
            raise DeviceImplausible(f"{self._name}: all zeros, the counters too, after it has counted")
        return found

    async def _power_w(self) -> float | None:
        """Raises `DeviceImplausible` for what says why there is no power, such as ``unavailable`` or a page to log in."""
        value = await self._power()
        if says_otherwise(value):
            raise DeviceImplausible(f"{self._name}: {quoted(value)} is no number")
        return plausible.within(number_of(value, self._name), plausible.POWER_W)


def optional_reader(source: Source | None, plugins: Plugins, *, max_age: timedelta | None = None) -> Read | None:
    """How to read ``source``, if there is one."""
    return None if source is None else plugins.reader(source, max_age=max_age)


def triple_reader(sources: Triple | None, plugins: Plugins) -> tuple[Read, ...]:
    """How to read three phases; empty when there are none."""
    return tuple(plugins.reader(source, max_age=POWER_AGE_MAX) for source in sources or ())


async def value_of(reader: Read | None) -> JsonValue:
    """What ``reader`` brings; a failure makes an optional value missing, not the device."""
    if reader is None:
        return None
    try:
        return await reader()
    except DeviceError:
        await anyio.lowlevel.checkpoint()
        return None


def number_of(value: JsonValue, name: str) -> float | None:
    """A number that the device cannot do without. Raises `DeviceImplausible` for true and false; what else is none is missing."""
    if is_truth(value):
        raise DeviceImplausible(f"{name}: {quoted(value)} is no number")
    return as_number(value)


async def number(reader: Read | None, bounds: tuple[float, float]) -> float | None:
    """As `value_of`, a number within ``bounds``."""
    return plausible.within(as_number(await value_of(reader)), bounds)


async def triple(readers: Sequence[Read], bounds: tuple[float, float]) -> PhaseTriple | None:
    """As `number`, for three phases."""
    if not readers:
        return None
    return plausible.triple([await number(reader, bounds) for reader in readers], bounds)

"""A charger made of plugin sources."""

from __future__ import annotations

from datetime import timedelta

import anyio

from evcc_server.config.model import CustomCharger
from evcc_server.devices import plausible
from evcc_server.devices.blanks import without_blanks
from evcc_server.devices.contract import ChargerValues
from evcc_server.devices.plugin.meter import POWER_AGE_MAX, number, optional_reader, triple, triple_reader, value_of
from evcc_server.devices.plugin.sources import Plugins
from evcc_server.errors import DeviceImplausible
from evcc_server.json_path import JsonValue
from evcc_server.texts.values import as_text, as_truth
from evcclib.config import ChargerConfig
from evcclib.model import ChargerStatus


class PluginCharger:
    """A `Charger` over `CustomCharger`. Whatever the plugin's device does when nobody talks to it is up to the device."""

    def __init__(self, name: str, charger: CustomCharger, plugins: Plugins) -> None:
        self._name = name
        self._status = plugins.reader(charger.status)
        self._enabled = plugins.reader(charger.enabled)
        self._power = optional_reader(charger.power, plugins, max_age=POWER_AGE_MAX)
        self._energy = optional_reader(charger.energy, plugins)
        self._currents = triple_reader(charger.currents, plugins)
        self._voltages = triple_reader(charger.voltages, plugins)
        self._identify = optional_reader(charger.identify, plugins)
        self._soc = optional_reader(charger.soc, plugins)
        self._enable = plugins.writer(charger.enable, "enable")
        self._is_fine = charger.set_current_fine is not None
        if charger.set_current_fine is not None:
            self._set_current = plugins.writer(charger.set_current_fine, "maxcurrentmillis")
        else:
            self._set_current = plugins.writer(charger.set_current, "maxcurrent")
        self._set_phases = None if charger.set_phases is None else plugins.writer(charger.set_phases, "phases")
        self._wakeup = None if charger.wakeup is None else plugins.writer(charger.wakeup, "wakeup")
        self._blank = plausible.BlankAnswers()
        self._config = ChargerConfig(
            current_step_a=charger.current_step_a if self._is_fine else 1.0,
            can_switch_phases=self._set_phases is not None,
            has_power=self._power is not None,
            has_energy_total=self._energy is not None,
            has_identity=self._identify is not None,
            has_soc=self._soc is not None,
            has_wakeup=self._wakeup is not None,
            is_integrated=charger.is_integrated,
            icon=charger.icon,
        )

    @property
    def config(self) -> ChargerConfig:
        """See `Charger.config`."""
        return self._config

    async def start(self) -> None:
        """Nothing is known that would have to be prepared."""
        await anyio.lowlevel.checkpoint()

    async def read(self) -> ChargerValues:
        """See `Charger.read`. Status and enabled must be readable, the rest may be missing."""
        status = status_of(await self._status())
        is_enabled = as_truth(await self._enabled())
        found = ChargerValues(
            status=status,
            is_enabled=is_enabled,
            power_w=await number(self._power, plausible.POWER_W),
            currents_a=await triple(self._currents, plausible.CURRENT_A),
            voltages_v=await triple(self._voltages, plausible.VOLTAGE_V),
            energy_total_kwh=await number(self._energy, plausible.ENERGY_KWH),
            identity=None if self._identify is None else as_text(await value_of(self._identify)),
            soc_pct=await number(self._soc, plausible.SOC_PCT),
        )
        return without_blanks(found, self._blank)

    async def enable(self) -> None:
        """See `Charger.enable`."""
        await self._enable(True)

    async def disable(self) -> None:
        """See `Charger.disable`."""
        await self._enable(False)

    async def set_current(self, current_a: float) -> None:
        """See `Charger.set_current`; whole amperes unless ``maxcurrentmillis`` is configured."""
        await self._set_current(current_a if self._is_fine else int(current_a))

    async def switch_phases(self, phases: int) -> None:
        """See `Charger.switch_phases`."""
        if self._set_phases is None:
            text = f"{self._name}: cannot switch phases, phases1p3p is not configured"
            raise DeviceImplausible(text, left_unchanged=True)
        await self._set_phases(phases)

    async def wake(self) -> None:
        """See `Charger.wake`."""
        if self._wakeup is None:
            text = f"{self._name}: cannot wake the vehicle, wakeup is not configured"
            raise DeviceImplausible(text, left_unchanged=True)
        await self._wakeup(True)

    async def release(self) -> None:
        """Leave the charger as it is."""
        await anyio.lowlevel.checkpoint()

    @property
    def keepalive(self) -> timedelta | None:
        """None: nothing is known of a watchdog."""
        return None

    async def kick(self) -> None:
        """Nothing to do."""
        await anyio.lowlevel.checkpoint()


def status_of(value: JsonValue) -> ChargerStatus | None:
    """An IEC 61851 letter, also with its number: C1 and D1 offer no power, D is C [DEF-29]. Raises `DeviceImplausible`."""
    if value is None:
        return None
    text = (as_text(value) or "").upper()
    if text in ("C1", "D1"):
        return ChargerStatus.B
    letter = "C" if text[:1] == "D" else text[:1]
    if letter not in ChargerStatus.__members__ or (len(text) > 1 and not text[1:].isdigit()):
        raise DeviceImplausible(f"status {text[:20]!r} is none of A, B, C, D, E, F")
    return ChargerStatus(letter)

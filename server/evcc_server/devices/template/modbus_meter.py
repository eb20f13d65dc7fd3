"""Meters, inverters and batteries over Modbus: one driver for every profile.

Energies: ``energy_import_kwh`` counts while the power of the sign rule is positive (bought, generated, discharged),
``energy_export_kwh`` while it is negative (fed in, charged).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import anyio

from evcc_server.devices import plausible
from evcc_server.devices.blanks import is_blank
from evcc_server.devices.contract import MeterValues
from evcc_server.devices.template.device_registers import DeviceRegisters
from evcc_server.devices.template.polled import keys_of
from evcc_server.devices.template.profile_values import formulas_of, port_for, read_triple
from evcc_server.errors import DeviceError, DeviceImplausible, DeviceRefused
from evcc_server.modbus.link import Link
from evcc_server.profiles.formula import names_in
from evcc_server.profiles.profile import Profile, Step

_FIELDS: Mapping[str, str] = {
    "power": "power_w",
    "powers": "powers_w",
    "currents": "currents_a",
    "voltages": "voltages_v",
    "energy_import": "energy_import_kwh",
    "energy_export": "energy_export_kwh",
    "soc": "soc_pct",
}


class ModbusMeter:
    """A `Meter` for one ``usage`` of a profile, and a `BatteryControl` where the profile has modes."""

    def __init__(
        self,
        profile: Profile,
        link: Link,
        unit: int | None = None,
        *,
        usage: str,
        params: Mapping[str, float] | None = None,
        units: Mapping[int, int] | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Raises `ValueError` when the profile has no such usage."""
        found = {str(name): values for name, values in profile.usages.items()}.get(usage)
        if found is None:
            raise ValueError(
                f"{profile.id} cannot be used as {usage}, only as {', '.join(profile.usages) or 'charger'}"
            )
        self.profile = profile
        self.usage = usage
        self._values = found
        port = port_for(profile, link, unit, timeout_s=timeout_s)
        self._registers = DeviceRegisters(profile, port, params=params, units=units)
        self._keys = keys_of(profile, formulas_of(found), found.measured_when)
        names = [name for formula in formulas_of(found) if formula for name in names_in(formula)]
        self._params_used = [name for name in names if name.startswith("$")]
        # what a mode would overwrite is read before: it is what normal has to bring back
        kept = profile.left_by_modes
        self._params_kept = [f"${name}" for name, each in profile.params.items() if each.register in kept]
        self._blank = plausible.BlankAnswers()
        self._commands = anyio.Lock()
        self._mode = "normal"  # told last, of what may have arrived
        self._is_own = True  # certainly in no mode of ours

    @property
    def quantities(self) -> frozenset[str]:
        """Names of the fields of `MeterValues` that this device can fill."""
        return frozenset(name for field, name in _FIELDS.items() if getattr(self._values, field) is not None)

    async def read(self) -> MeterValues:
        """Read everything once. Raises `DeviceError`, also when all of it is zero though it has counted before."""
        if self._params_used:
            await self._registers.resolve_params(self._params_used)
        now = await self._registers.read(self._keys, must_have_any=True)
        values = self._values
        found = MeterValues(
            power_w=plausible.within(now.source(values.power), plausible.POWER_W),
            powers_w=read_triple(now, values.powers, plausible.POWER_W),
            currents_a=read_triple(now, values.currents, plausible.CURRENT_A),
            voltages_v=read_triple(now, values.voltages, plausible.VOLTAGE_V),
            energy_import_kwh=plausible.within(now.source(values.energy_import), plausible.ENERGY_KWH),
            energy_export_kwh=plausible.within(now.source(values.energy_export), plausible.ENERGY_KWH),
            soc_pct=plausible.within(now.source(values.soc), plausible.SOC_PCT),
        )
        if not is_blank(found, self._blank):
            return found
        if self.usage == "pv":  # an inverter without sun may answer zeros; its counters are no readings then
            return replace(found, energy_import_kwh=None, energy_export_kwh=None)
        raise DeviceImplausible(f"{self.profile.id}: all zeros, the counters too, after it has counted")

    @property
    def modes(self) -> tuple[str, ...]:
        """What `set_mode` takes; empty when the battery cannot be controlled."""
        if self.profile.battery is None or self.usage != "battery":
            return ()
        return tuple(str(mode) for mode in self.profile.battery.modes)

    @property
    def mode(self) -> str:
        """The newest mode that it may have been told; ``normal`` before."""
        return self._mode

    async def set_mode(self, mode: str) -> None:
        """Write one of `modes`. Raises `DeviceError`, also for a mode that this battery does not have."""
        steps = self._steps(mode)
        async with self._commands:
            before = self._mode, self._is_own
            try:
                with self._registers.command():
                    await self._check_requirements()
                    await self._registers.resolve_params(self._params_kept)
                    await self._tell(mode, steps)
            except DeviceError as error:
                if error.left_unchanged:
                    self._mode, self._is_own = before
                raise

    async def _tell(self, mode: str, steps: Sequence[Step]) -> None:
        # From the first write on the newest mode is what is repeated, and what was begun must be undone.
        self._mode = mode
        self._is_own = self._is_own and mode == "normal"
        await self._registers.run(steps)
        self._is_own = mode == "normal"

    async def _check_requirements(self) -> None:
        battery = self.profile.battery
        if battery is not None and battery.requires:
            now = await self._registers.read(keys_of(self.profile, [], battery.requires))
            if not now.holds(battery.requires):
                keys = ", ".join(condition.register for condition in battery.requires)
                raise DeviceRefused(f"{self.profile.id}: the device does not allow control from outside ({keys})")

    def _steps(self, mode: str) -> Sequence[Step]:
        battery = self.profile.battery
        for name, steps in (battery.modes if battery is not None and self.usage == "battery" else {}).items():
            if name == mode:
                return steps
        raise DeviceImplausible(f"{self.profile.id} has no battery mode {mode}")

    @property
    def keepalive(self) -> timedelta | None:
        """How often `kick` must be called now, so that the device keeps the mode; None: it stays by itself."""
        battery = self.profile.battery
        if battery is None or battery.repeat_s is None or self._is_own:
            return None
        if battery.repeat_only and self._mode not in (*battery.repeat_only, "normal"):
            return None
        return timedelta(seconds=battery.repeat_s)

    async def kick(self) -> None:
        """Write the present mode again; ``normal`` until it has been confirmed."""
        async with self._commands:
            if not self._is_own:
                await self._tell(self._mode, self._steps(self._mode))

    async def release(self) -> None:
        """Give the battery back to itself: write ``normal`` if another mode was ever begun."""
        async with self._commands:
            if not self._is_own:
                await self._tell("normal", self._steps("normal"))

"""Charging stations over Modbus: one driver for every profile.

No setpoint leaves it above the profile's maximum, above what the device reports as its own maximum, or between the device's
steps (it is floored). A command whose answer is lost may have been carried out: what is repeated to keep a watchdog calm then is
the lower of what may stand (`told`). At start the watchdog is armed: with the time-out that the device has, or the profile's when
it is off, and a fail-safe current that is not above the safe one. When the server ends the station keeps at most the minimum
current, and the watchdog is put back as it was found.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
import msgspec

from evcc_server.devices import plausible
from evcc_server.devices.blanks import without_blanks
from evcc_server.devices.contract import ChargerValues
from evcc_server.devices.template.device_registers import DeviceRegisters
from evcc_server.devices.template.polled import Polled, keys_of
from evcc_server.devices.template.profile_values import formulas_of, port_for, read_triple
from evcc_server.devices.template.told import Told
from evcc_server.errors import DeviceError, DeviceImplausible
from evcc_server.modbus.link import Link
from evcc_server.modbus.turns import Priority
from evcc_server.profiles.profile import Charger, Condition, PhaseSwitch, Profile, Step
from evcc_server.profiles.registers import truncate
from evcclib.config import ChargerConfig
from evcclib.model import ChargerStatus


class ModbusCharger:
    """A `Charger` for a profile. ``max_a`` lowers the profile's maximum, ``safe_a`` [A] is the fail-safe current allowed."""

    def __init__(
        self,
        profile: Profile,
        link: Link,
        unit: int | None = None,
        *,
        connector: int | None = None,
        max_a: float | None = None,
        safe_a: float | None = None,
        params: Mapping[str, float] | None = None,
        units: Mapping[int, int] | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Raises `ValueError` when the profile is no charging station, or ``max_a`` is below what one can charge with."""
        if profile.charger is None:
            raise ValueError(f"{profile.id} is not a charging station")
        if max_a is not None and max_a < profile.charger.min_a:
            raise ValueError(
                f"{profile.id} cannot charge with {max_a:g} A, only with {profile.charger.min_a:g} A or more"
            )
        self.profile = profile
        connectors = profile.connectors
        if connectors is not None and connectors.by_unit and connector in (None, connectors.first):
            connector = max(connectors.first, profile.connection.unit_id if unit is None else unit)
        self.facts = self._base = _of_connector(profile.charger, connector)
        port = port_for(profile, link, unit, timeout_s=timeout_s)
        self._registers = DeviceRegisters(profile, port, connector=connector, params=params, units=units)
        self._owner_max_a = math.inf if max_a is None else max_a
        self._max_a = min(self.facts.max_a, self._owner_max_a)
        self._safe_a = self.facts.min_a if safe_a is None else safe_a
        self._told = Told(current_a=self.facts.min_a, current_most_a=self.facts.min_a)
        self._commands = anyio.Lock()
        self._commanded = 0  # how often
        self._blank = plausible.BlankAnswers()
        self._waking_until = 0.0
        self._is_seen_enabled = False
        self._polled_at_s = -math.inf
        self._is_started = False
        self._is_measured = True
        self._knows_identity = self.facts.identity is not None
        self._can_switch = self.facts.phase_switch is not None
        self._timeout_found_s: float | None = None  # what the watchdog had before it was armed
        self._timeout_s = self.facts.watchdog.default_s if self.facts.watchdog else 0.0
        self._keys, self._needed = self._keys_to_poll(), self._keys_needed()

    @property
    def config(self) -> ChargerConfig:
        """What it can do; what only this very station can tell is known after `start`."""
        values = self.facts.values
        return ChargerConfig(
            current_step_a=self.facts.step_a,
            current_max_a=self._max_a,
            can_switch_phases=self._can_switch,
            has_power=values.power is not None and self._is_measured,
            has_energy_total=values.energy_total is not None and self._is_measured,
            has_energy_session=values.energy_session is not None and self._is_measured,
            has_duration=values.charge_duration is not None,
            has_identity=self._knows_identity,
            has_soc=values.soc is not None,
            has_wakeup=bool(self.facts.wake),
        )

    async def start(self) -> None:
        """Learn what this station has, run its start steps, arm its watchdog. Raises `DeviceError`.

        Also to be called after the station was lost: it may have restarted. What was commanded before is kept.
        """
        self._registers.forget()
        async with self._commands:
            await self._registers.run(self._base.configure)
        self.facts = await self._variant(self._base)
        await self._require()
        facts, switch = self.facts, self.facts.phase_switch
        once: list[Condition] = [*facts.values.measured_when, *facts.identity_when]
        once += (*switch.ready, *switch.ready_on_one) if switch is not None else ()
        offered = [facts.max_current] if facts.max_current is not None else []
        current = self._readable_current()
        keys = keys_of(self.profile, offered, [*once, *facts.enable.state, *facts.enable.known_when]) | (
            {current} if current else set()
        )
        now = await self._registers.read(frozenset(keys), priority=Priority.CONTROL)
        # A meter that was seen once is there: after a power cut it may wake up later than its station.
        was_measured = self._is_started and self._is_measured
        self._is_measured = was_measured or now.holds(facts.values.measured_when)
        self._knows_identity = facts.identity is not None and now.holds(facts.identity_when)
        could_switch = self._is_started and self._can_switch  # in the midst of a switch it may look as if it had none
        self._can_switch = switch is not None and (could_switch or _is_ready(switch, now))
        own_max_a = now.source(facts.max_current)
        self._max_a = min(facts.max_a, self._owner_max_a)
        if own_max_a is not None and own_max_a >= facts.min_a:
            self._max_a = min(self._max_a, own_max_a)
        self._told = self._told.within(self._max_a)
        if not self._is_started and not self._commanded:
            self._adopt(now.value(current) if current else None, self._enabled(now, None))
        async with self._commands:
            await self._registers.run(facts.start)
            await self._arm()
        self._keys, self._needed = self._keys_to_poll(), self._keys_needed()
        self._is_started = True

    async def _variant(self, facts: Charger) -> Charger:
        """``facts`` as they are for this very station."""
        conditions = [condition for variant in facts.variants for condition in variant.when]
        if not conditions:
            return facts
        now = await self._registers.read(keys_of(self.profile, [], conditions), priority=Priority.CONTROL)
        return next((facts.as_variant(variant) for variant in facts.variants if now.holds(variant.when)), facts)

    async def _require(self) -> None:
        """Raises `DeviceImplausible` unless the owner has set the station up for control from outside."""
        now = await self._registers.read(keys_of(self.profile, [], self.facts.requires), priority=Priority.CONTROL)
        for condition in self.facts.requires:
            if not now.holds([condition]):
                raise DeviceImplausible(
                    f"{self.profile.id}: {condition.register} reads {now.raw(condition.register)}, "
                    "with which the station cannot be controlled; it is left alone"
                )

    def _readable_current(self) -> str | None:
        """The register that holds the current as such, if it can be read."""
        current = self.facts.current
        if current.value is not None:
            return None
        return current.register if "r" in self.profile.register(current.register).access else None

    def _adopt(self, current_a: float | None, is_enabled: bool | None) -> None:
        """What a station was found with counts as if we had told it."""
        if current_a is not None and current_a >= self.facts.min_a:
            self._told = self._told.with_current(current_a).within(self._max_a)
        self._told = self._told.with_enabled(is_enabled)

    async def _arm(self) -> None:
        watchdog = self.facts.watchdog
        if watchdog is None:
            return
        keys = {key for key in (watchdog.timeout, watchdog.failsafe) if key is not None}
        now = await self._registers.read(frozenset(keys), priority=Priority.CONTROL)
        failsafe_a = now.value(watchdog.failsafe) if watchdog.failsafe else None
        if failsafe_a is not None and failsafe_a > self._safe_a and watchdog.failsafe_write is not None:
            await self._registers.write(watchdog.failsafe_write, self._safe_a)
        found_s = self._seconds(watchdog.timeout, now)
        if found_s is not None and found_s > 0:
            self._timeout_s = found_s
        elif found_s == 0 and watchdog.zero_is_off and watchdog.timeout_write is not None:
            self._timeout_found_s = 0.0  # to be put back from now on: the answer may be lost
            await self._registers.write(
                watchdog.timeout_write, self._in_unit_of(watchdog.timeout_write, watchdog.default_s)
            )

    def _seconds(self, key: str | None, now: Polled) -> float | None:
        value = now.value(key) if key is not None else None
        if key is None or value is None:
            return None
        assert self.facts.watchdog is not None
        if self.facts.watchdog.codes:
            return self.facts.watchdog.codes.get(int(value), 0.0)
        return value / _PER_SECOND.get(self.profile.register(key).unit, 1.0)

    def _in_unit_of(self, key: str, seconds: float) -> float:
        return seconds * _PER_SECOND.get(self.profile.register(key).unit, 1.0)

    def _keys_to_poll(self) -> frozenset[str]:
        facts = self.facts
        conditions: list[Condition] = [*facts.enable.state, *facts.enable.known_when]
        conditions += [condition for rule in facts.status.rules for condition in rule.when]
        conditions += [condition for repair in facts.repairs for condition in repair.when]
        values = facts.values
        unmeasured = [values.current_offered, values.charge_duration, values.soc]
        formulas = formulas_of(values) if self._is_measured else unmeasured
        keys = set(keys_of(self.profile, formulas, conditions))
        if facts.status.register is not None:
            keys.add(facts.status.register)
        if facts.identity is not None and self._knows_identity:
            keys.update((facts.identity.register, *facts.identity.registers))
            keys.update(condition.register for condition in facts.identity.when)
        if facts.phase_switch is not None and facts.phase_switch.state is not None and self._can_switch:
            keys.add(facts.phase_switch.state)
        return frozenset(keys)

    async def read(self) -> ChargerValues:
        """Read everything once, and get the station out of states it cannot leave by itself. Raises `DeviceError`."""
        asked_at_s = anyio.current_time()
        commanded = self._commanded
        now = await self._registers.read(self._keys, needed=self._needed)
        self._polled_at_s = asked_at_s
        status = await self._repair(now, commanded) or self._status(now)
        if self._is_waking and status in (ChargerStatus.E, ChargerStatus.F):
            status = ChargerStatus.B
        is_enabled = self._enabled(now, status)
        self._is_seen_enabled = bool(is_enabled)
        values = self.facts.values
        power_w = plausible.within(now.source(values.power), plausible.POWER_W)
        currents_a = read_triple(now, values.currents, plausible.CURRENT_A)
        if values.lingers and status is not ChargerStatus.C:
            is_known = status is not None  # else it may be charging, or show what it once did
            power_w = 0.0 if is_known and power_w is not None else None
            currents_a = (0.0, 0.0, 0.0) if is_known and currents_a is not None else None
        duration_s = plausible.within(now.source(values.charge_duration), plausible.DURATION_S)
        found = ChargerValues(
            status=status,
            is_enabled=is_enabled,
            power_w=power_w,
            currents_a=currents_a,
            voltages_v=read_triple(now, values.voltages, plausible.VOLTAGE_V),
            energy_total_kwh=plausible.within(now.source(values.energy_total), plausible.ENERGY_KWH),
            energy_session_kwh=plausible.within(now.source(values.energy_session), plausible.ENERGY_KWH),
            charge_duration=timedelta(seconds=duration_s) if duration_s is not None else None,
            identity=self._identity(now),
            soc_pct=plausible.within(now.source(values.soc), plausible.SOC_PCT),
            current_offered_a=plausible.within(now.source(values.current_offered), plausible.CURRENT_A),
            phases=self._phases(now),
        )
        return without_blanks(found, self._blank)

    def _keys_needed(self) -> frozenset[str]:
        facts = self.facts.status
        rules = {condition.register for rule in facts.rules for condition in rule.when}
        return frozenset(rules | ({facts.register} if facts.register is not None else set()))

    async def _repair(self, now: Polled, commanded: int) -> ChargerStatus | None:
        for repair in self.facts.repairs:
            if now.holds(repair.when) and not self._is_waking:
                async with self._commands:
                    if self._commanded != commanded:  # what was read may be what that command has changed since
                        return None
                    await self._registers.run(repair.steps)
                return ChargerStatus(repair.status) if repair.status is not None else None
        return None

    def _status(self, now: Polled) -> ChargerStatus | None:
        facts = self.facts.status
        if any(now.raw(condition.register) is None for rule in facts.rules for condition in rule.when):
            return None
        for rule in facts.rules:
            if now.holds(rule.when):
                return ChargerStatus(rule.status)
        raw = now.raw(facts.register) if facts.register is not None else None
        if isinstance(raw, int) and facts.mask is not None:
            raw &= facts.mask
        if isinstance(raw, str) and facts.first_letter:
            raw = raw[:1]
        letter = facts.map.get(raw) if raw is not None else None
        return ChargerStatus(letter) if letter is not None else None

    def _enabled(self, now: Polled, status: ChargerStatus | None) -> bool | None:
        facts = self.facts.enable
        is_known = all(now.raw(condition.register) is not None for condition in facts.state)
        if facts.state and is_known and now.holds(facts.known_when):
            return now.holds(facts.state)
        if status is ChargerStatus.C:
            return True
        return self._told.is_enabled if self._told.is_certain else None

    def _identity(self, now: Polled) -> str | None:
        facts = self.facts.identity
        if facts is None or not self._knows_identity:
            return None
        counting = (facts.register, *facts.registers) if now.holds(facts.when) else facts.registers
        texts = [self._identity_in(now, key) for key in counting]
        known = [text for text in texts if text is not None]
        return next(filter(None, known), "") if known else None

    def _identity_in(self, now: Polled, key: str) -> str | None:
        facts, raw = self.facts.identity, now.raw(key)
        if facts is None or raw is None:
            return None
        if isinstance(raw, int):
            digits = 4 * self.profile.register(key).count
            raw = f"{raw:0{digits}x}" if facts.format == "hex" else str(raw)
        return "" if raw in facts.none else raw

    def _phases(self, now: Polled) -> int | None:
        switch = self.facts.phase_switch
        if switch is None or switch.state is None or not self._can_switch:
            return None
        raw = now.raw(switch.state)
        return switch.states.get(raw) if isinstance(raw, int) else None

    async def enable(self) -> None:
        """Allow charging with the remembered current. Raises `DeviceError`."""
        async with self._command():
            await self._enable()

    @asynccontextmanager
    async def _command(self) -> AsyncIterator[None]:
        """One at a time. What it asks for counts as told unless it has certainly changed nothing."""
        async with self._commands:
            self._commanded += 1
            before = self._told
            try:
                with self._registers.command():
                    yield
            except DeviceError as error:
                if error.left_unchanged:
                    self._told = before
                raise

    @property
    def _numbers(self) -> dict[str, float]:
        """What steps around enabling may use."""
        return {"current": self._told.current_a, "phases": float(self._told.phases)}

    async def _enable(self) -> None:
        facts = self.facts.enable
        self._told = self._told.asking_to_enable()
        await self._registers.run(facts.on_steps, **self._numbers)
        if facts.register is not None:
            await self._registers.write_raw(facts.register, facts.enabled_raw)
        elif facts.pause_raw is not None:
            await self._write_current(self._told.current_a)
        await self._registers.run(facts.on_steps_after, **self._numbers)
        self._told = self._told.with_enabled(True)

    async def disable(self) -> None:
        """Pause charging. Raises `DeviceError`."""
        async with self._command():
            await self._disable()

    async def _disable(self) -> None:
        facts = self.facts.enable
        self._told = self._told.asking_to_disable()
        await self._registers.run(facts.off_steps, **self._numbers)
        if facts.register is not None:
            await self._registers.write_raw(facts.register, facts.disabled_raw)
        elif facts.pause_raw is not None:
            for key in (self.facts.current.register, *self.facts.current.registers):
                await self._registers.write_raw(key, facts.pause_raw)
        await self._registers.run(facts.off_steps_after, **self._numbers)
        self._told = self._told.with_enabled(False)

    async def set_current(self, current_a: float) -> None:
        """Set the limit [A], floored to the station's step and kept within its range.

        A station that pauses by its current register only remembers it while disabled. Raises `DeviceError`; `ValueError`
        for what is no number.
        """
        if not math.isfinite(current_a):
            raise ValueError(f"{current_a} is not a current")
        async with self._command():
            await self._set_current(self._fit(current_a))

    async def _set_current(self, current_a: float) -> None:
        if self.facts.enable.pause_raw is None or self._told.is_enabled is not False:
            await self._write_current(current_a)
        self._told = self._told.with_current(current_a)

    def _fit(self, current_a: float) -> float:
        step = self.facts.step_a
        bounded = min(max(current_a, self.facts.min_a), self._max_a)
        return max(truncate(bounded / step) * step, self.facts.min_a)

    async def _write_current(self, current_a: float) -> None:
        facts = self.facts.current
        self._told = self._told.asking_current(current_a)
        if facts.value is not None:
            steps = [Step(write=key, value=facts.value) for key in (facts.register, *facts.registers)]
            await self._registers.run(steps, current=current_a, phases=float(self._told.phases))
        else:
            for key in (facts.register, *facts.registers):
                await self._registers.write(key, current_a)
        self._told = self._told.with_current(current_a)

    async def switch_phases(self, phases: int) -> None:
        """Follow the station's own procedure. Raises `DeviceError`; `DeviceImplausible` where it cannot switch."""
        switch = self.facts.phase_switch
        if switch is None or not self._can_switch or phases not in (1, 3):
            raise DeviceImplausible(f"{self.profile.id} cannot switch to {phases} phases", left_unchanged=True)
        async with self._command():
            told = self._told.is_enabled
            was_enabled = told if told is not None else self._is_seen_enabled
            if switch.pause_s is not None and was_enabled:
                await self._disable()
                await anyio.sleep(switch.pause_s)
            self._told = self._told.asking_phases(phases)
            await self._registers.run(switch.one if phases == 1 else switch.three, current=self._told.current_a)
            self._told = self._told.with_phases(phases)
            if switch.pause_s is not None and was_enabled:
                await anyio.sleep(switch.resume_s)
                await self._enable()

    async def wake(self) -> None:
        """Wake a sleeping vehicle. Raises `DeviceError`."""
        self._waking_until = math.inf
        try:
            async with self._command():
                await self._registers.run(self.facts.wake)
        finally:
            self._waking_until = anyio.current_time() + self.facts.wake_s

    @property
    def _is_waking(self) -> bool:
        return anyio.current_time() < self._waking_until

    async def release(self) -> None:
        """Not above the minimum current, the profile's own last steps, and the watchdog as it was found."""
        async with self._command():
            if self._told.is_enabled is False and not self._told.is_certain:
                await self._disable()
            elif self._told.may_be_enabled and self._told.current_most_a > self.facts.min_a:
                await self._set_current(self.facts.min_a)
            await self._registers.run(self.facts.release)
            watchdog = self.facts.watchdog
            if watchdog is not None and watchdog.timeout_write is not None and self._timeout_found_s is not None:
                await self._registers.write(watchdog.timeout_write, self._timeout_found_s)
                self._timeout_found_s = None

    @property
    def keepalive(self) -> timedelta | None:
        """How often `kick` must be called so that the watchdog stays quiet; None: there is none."""
        watchdog = self.facts.watchdog
        if watchdog is None or self._timeout_s <= 0:
            return None
        if watchdog.period_s is not None:
            return timedelta(seconds=watchdog.period_s)
        return timedelta(seconds=max(watchdog.least_s, self._timeout_s * watchdog.share))

    async def kick(self) -> None:
        """Tell the station that somebody is there. Raises `DeviceError`."""
        watchdog = self.facts.watchdog
        if watchdog is None:
            return
        match watchdog.kick:
            case "steps":
                await self._registers.run(watchdog.steps)
            case "rewrite":
                await self._rewrite()
            case "any" if not self._was_polled_lately():
                await self._registers.read(self._keys_of_status(), priority=Priority.KEEPALIVE)

    def _was_polled_lately(self) -> bool:
        """Whether a kick can be left to the next one: even then not half of the watchdog's time will have passed since a poll."""
        keepalive = self.keepalive
        if keepalive is None:
            return False
        unheard_s = anyio.current_time() - self._polled_at_s + keepalive.total_seconds()
        return unheard_s <= self._timeout_s / 2

    async def _rewrite(self) -> None:
        async with self._commands:  # else an old setpoint could overtake a new one
            if self._told.is_enabled is False:
                await self._disable()
            elif self._told.is_enabled:
                await self._write_current(self._told.current_a)

    def _keys_of_status(self) -> frozenset[str]:
        key = self.facts.status.register or min(self._keys)
        return frozenset({key})


def _of_connector(facts: Charger, connector: int | None) -> Charger:
    """``facts`` with the status register of this connector, where each has its own."""
    own = facts.status.by_connector.get(1 if connector is None else connector)
    if own is None:
        return facts
    return msgspec.structs.replace(facts, status=msgspec.structs.replace(facts.status, register=own))


def _is_ready(switch: PhaseSwitch, now: Polled) -> bool:
    return now.holds(switch.ready) or (bool(switch.ready_on_one) and now.holds(switch.ready_on_one))


_PER_SECOND: Mapping[str, float] = {"s": 1.0, "ms": 1000.0, "min": 1 / 60}

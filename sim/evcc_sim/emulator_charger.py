"""Charging stations for clients to talk to: status words, current and enable writes, phase relay, watchdog, card reader.

What a client writes goes to the plant; what it reads comes from the plant. The tables say which raw number means what; the few
devices whose state is spread over several registers are in `SPREAD_STATUS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pymodbus.constants import ExcCodes

from evcc_server.devices.profile import Charger, Condition, Profile, Step, Watchdog, load
from evcc_sim import layout
from evcc_sim.emulator import Emulator, Sync, bind, emulator
from evcc_sim.images import Value
from evcc_sim.quantities import of_meter
from evcc_sim.register_map import Sink, Source, Unit
from evcc_sim.wallbox import Wallbox, WallboxSpec, WriteRefused
from evcclib.model import ChargerStatus, PhaseTriple

Statuses = Callable[[Wallbox], Mapping[str, float]]


def _keba(box: Wallbox) -> Mapping[str, float]:
    letter, is_enabled = box.status, box.enabled
    if letter in (ChargerStatus.E, ChargerStatus.F):
        return {"cable_state": 7, "charging_state": 4}
    if letter is ChargerStatus.A:
        return {"cable_state": 1, "charging_state": 1 if not is_enabled else 2}
    if letter is ChargerStatus.C and is_enabled:
        return {"cable_state": 7, "charging_state": 3}
    return {"cable_state": 7, "charging_state": 2 if is_enabled else 5}


def _openwb(box: Wallbox) -> Mapping[str, float]:
    return {"plugged": int(box.status is not ChargerStatus.A), "charging": int(box.status is ChargerStatus.C)}


def _pulsares(box: Wallbox) -> Mapping[str, float]:
    return {
        "connection": int(box.status is not ChargerStatus.A),
        "charge_state": 3 if box.status is ChargerStatus.C else 1,
    }


def _vestel(box: Wallbox) -> Mapping[str, float]:
    charging = box.status is ChargerStatus.C
    plugged = box.status is not ChargerStatus.A
    return {
        "cable_state": 3 if plugged else 0,
        "charging_state": int(charging),
        "charge_point_state": 2 if charging else int(plugged),
    }


SPREAD_STATUS: Mapping[str, Statuses] = {
    "keba-p30": _keba,
    "keba-p40": _keba,
    "openwb-series2": _openwb,
    "pulsares": _pulsares,
    "vestel-evc04": _vestel,
}
"""Stations whose IEC 61851 state is spread over several registers."""

FALLBACKS: Mapping[ChargerStatus, tuple[ChargerStatus, ...]] = {
    ChargerStatus.E: (ChargerStatus.F,),
    ChargerStatus.F: (ChargerStatus.E,),
}
"""What a station shows that has no word for a state."""


def charger_emulator(
    name: str, box: Wallbox, sync: Sync, *, unit_id: int | None = None, connector: int = 1
) -> Emulator:
    """The station ``box`` as a device of profile ``name``. Raises `KeyError` for a name without profile."""
    profile = load(name)
    charger = profile.charger
    if charger is None:
        raise KeyError(f"{name} is no charger")
    units = layout.units(profile, unit_id=unit_id, connector=connector)
    _Station(profile, charger, box, units).wire()
    return emulator(profile, units, sync)


class _Terminals:
    """The station seen as a meter: what flows at its terminals."""

    def __init__(self, box: Wallbox) -> None:
        self._box = box

    @property
    def power_w(self) -> float:
        return self._box.power_w

    @property
    def powers_w(self) -> PhaseTriple:
        return self._box.powers_w

    @property
    def currents_a(self) -> PhaseTriple:
        return self._box.currents_a

    @property
    def voltages_v(self) -> PhaseTriple:
        return self._box.voltages_v

    @property
    def energy_import_kwh(self) -> float:
        return self._box.energy_total_kwh

    @property
    def energy_export_kwh(self) -> float:
        return 0.0


@dataclass(frozen=True, slots=True)
class _Procedure:
    """Writes that mean one thing once the last of them has been made."""

    writes: tuple[tuple[str, float], ...]
    do: Callable[[], None]


class _Station:
    """Binds one profile to one plant."""

    def __init__(self, profile: Profile, charger: Charger, box: Wallbox, units: Sequence[Unit]) -> None:
        self.profile = profile
        self.charger = charger
        self.box = box
        self.units = units
        self.registers = profile.register_by_key
        self.written: dict[str, float] = {}
        self.procedures: list[_Procedure] = []

    def wire(self) -> None:
        """Bind every register that the plant has something to say about, and every one that it listens to."""
        sources = of_meter(_Terminals(self.box))
        sources |= self._own_values()
        sources |= self._status_sources()
        sources |= self._setting_sources()
        bind(self.units, sources)
        self._listen()

    # -- what it shows --------------------------------------------------------------------------------------------------

    def _own_values(self) -> dict[str, Source]:
        box = self.box
        values: dict[str, Source] = {
            "energy_total": lambda: box.energy_total_kwh,
            "energy_session": lambda: box.energy_session_kwh,
            "charge_duration": lambda: box.charge_duration_s,
            "session_duration": lambda: box.charge_duration_s,
            "applied_current": self._offered_a,
        }
        offered, most = self.charger.values.current_offered, self.charger.max_current
        if offered is not None and offered in self.registers:
            values[offered] = self._offered_a
        if most is not None and most in self.registers:
            values[most] = lambda: box.spec.current_max_a
        identity = self.charger.identity
        if identity is not None and identity.register in self.registers:
            values[identity.register] = self._identity
        return values

    def _offered_a(self) -> float:
        return self.box.current_limit_a if self.box.enabled else 0.0

    def _identity(self) -> Value:
        identity = self.charger.identity
        assert identity is not None
        text = self.box.identity
        if self.registers[identity.register].type == "string":
            return text
        return int(text or "0", 16 if identity.format == "hex" else 10)

    def _status_sources(self) -> dict[str, Source]:
        spread = SPREAD_STATUS.get(self.profile.id)
        if spread is not None:
            return {key: self._part(spread, key) for key in spread(self.box)}
        register = self.charger.status.register
        if register is None:
            raise KeyError(f"{self.profile.id}: nothing is known about its status registers")
        return {register: lambda: self._status_word(register)}

    def _part(self, spread: Statuses, key: str) -> Source:
        return lambda: spread(self.box)[key]

    def _status_word(self, register: str) -> Value:
        """A raw word that means the present state; of several the one that fits enabled or paused."""
        shown = self.box.status
        words = self.charger.status.map
        for letter in (shown, *FALLBACKS.get(shown, ())):
            candidates = [raw for raw, meaning in words.items() if meaning == letter.value]
            if candidates:
                return self._fitting(candidates, register)
        return next(iter(words))

    def _fitting(self, candidates: list[int | str], register: str) -> int | str:
        conditions = [c for c in self.charger.enable.state if c.register == register]
        for raw in candidates:
            if all(holds(c, raw) for c in conditions) == self.box.enabled:
                return raw
        return candidates[0]

    def _setting_keys(self) -> tuple[str, ...]:
        current = self.charger.current
        return (current.register, *current.registers)

    def _setting_sources(self) -> dict[str, Source]:
        """Settings that can be read back show what the plant has made of them."""
        box, charger = self.box, self.charger
        sources: dict[str, Source] = {}
        for key in self._setting_keys():
            sources[key] = lambda: None if charger.enable.register is None and not box.enabled else box.current_limit_a
            if charger.enable.register is None:
                sources[key] = self._current_or_pause(key)
        if charger.enable.register is not None:
            on, off = charger.enable.enabled_raw, charger.enable.disabled_raw
            sources[charger.enable.register] = lambda: on if box.enabled else off
        switch = charger.phase_switch
        if switch is not None and switch.state is not None:
            raw_of = {phases: raw for raw, phases in switch.states.items()}
            sources[switch.state] = lambda: raw_of.get(box.phases_shown, 0)
        if switch is not None and not box.spec.can_switch_phases:
            for condition in switch.ready:
                if condition.among and not condition.register.startswith("voltage"):
                    other = 0 if 0 not in condition.among else 1
                    sources[condition.register] = _constant(other)
        return sources

    def _current_or_pause(self, key: str) -> Source:
        """The current while enabled, the pause word otherwise."""
        register = self.registers[key]
        pause = (self.charger.enable.pause_raw or 0) * register.scale

        def value() -> float:
            return self.box.current_limit_a if self.box.enabled else pause

        return value

    # -- what it listens to -----------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        charger = self.charger
        sinks: dict[str, Sink] = {}
        for key in self._setting_keys():
            sinks[key] = self._take_current
        if charger.enable.register is not None:
            sinks[charger.enable.register] = self._take_enable
        self._watch_phases()
        if charger.wake:
            self._watch(charger.wake, self.box.wake_up)
        self._watch_watchdog(sinks)
        for unit in self.units:
            for placed in unit.placed:
                if placed.register.access != "r":
                    unit.sinks[placed.key] = self._sink(placed.key, sinks.get(placed.key))

    def _sink(self, key: str, own: Sink | None) -> Sink:
        """Remember what was written, let the register's own listener act, then the procedures that end here."""

        def take(value: float) -> ExcCodes | None:
            self.written[key] = value
            try:
                refusal = None if own is None else own(value)
                if refusal is not None:
                    return refusal
                for procedure in self.procedures:
                    if procedure.writes[-1][0] == key and self._is_complete(procedure):
                        procedure.do()
            except WriteRefused:
                return ExcCodes.ILLEGAL_VALUE
            return None

        return take

    def _is_complete(self, procedure: _Procedure) -> bool:
        last = dict(procedure.writes)
        return all(self.written.get(key) == value for key, value in last.items())

    def _watch(self, steps: Iterable[Step], do: Callable[[], None]) -> None:
        writes = tuple(
            (step.write, float(step.value))
            for step in steps
            if step.write is not None and isinstance(step.value, (int, float))
        )
        if writes:
            self.procedures.append(_Procedure(writes, do))

    def _take_current(self, value: float) -> ExcCodes | None:
        enable = self.charger.enable
        register = self.registers[self.charger.current.register]
        if enable.register is None:
            pause = (enable.pause_raw or 0) * register.scale
            if value <= pause + 1e-9 or value < self.charger.min_a - 1e-9:
                self.box.disable()
                return None
            self.box.set_current(value)
            self.box.enable()
            return None
        self.box.set_current(value)
        return None

    def _take_enable(self, value: float) -> ExcCodes | None:
        if value == self.charger.enable.enabled_raw:
            self.box.enable()
        elif value == self.charger.enable.disabled_raw:
            self.box.disable()
        else:
            return ExcCodes.ILLEGAL_VALUE
        return None

    def _watch_phases(self) -> None:
        switch = self.charger.phase_switch
        if switch is not None:
            self._watch(switch.one, lambda: self.box.switch_phases(1))
            self._watch(switch.three, lambda: self.box.switch_phases(3))

    def _watch_watchdog(self, sinks: dict[str, Sink]) -> None:
        """The plant's own watchdog, with the time and the current that the registers hold."""
        watchdog = self.charger.watchdog
        if watchdog is None:
            return
        box, registers = self.box, self.registers
        timeouts = {key for key in (watchdog.timeout, watchdog.timeout_write) if key is not None}
        failsafes = {key for key in (watchdog.failsafe, watchdog.failsafe_write) if key is not None}
        seconds = 0.001 if any(registers[key].unit == "ms" for key in timeouts) else 1.0
        if box.spec.watchdog_s == 0:
            box.spec = self._power_on_watchdog(watchdog, seconds)
            box.kick()

        def arm(value: float) -> ExcCodes | None:
            box.spec = replace(box.spec, watchdog_s=value * seconds)
            box.kick()
            return None

        def fail_safe(value: float) -> ExcCodes | None:
            box.spec = replace(box.spec, failsafe_a=value)
            box.kick()
            return None

        shown: dict[str, Source] = {key: lambda: box.spec.watchdog_s / seconds for key in timeouts}
        shown |= {key: lambda: box.spec.failsafe_a for key in failsafes}
        for key in timeouts:
            sinks[key] = arm
        for key in failsafes:
            sinks[key] = fail_safe
        bind(self.units, shown)
        if watchdog.kick == "any":
            for unit in self.units:
                unit.heard = lambda _function: box.kick()
        elif watchdog.kick == "steps":
            for step in watchdog.steps:
                if step.write is not None and step.write not in sinks:
                    sinks[step.write] = self._kick

    def _power_on_watchdog(self, watchdog: Watchdog, seconds: float) -> WallboxSpec:
        """The plant's specification with the time-out and the fail-safe current that a new station has."""
        spec = self.box.spec
        timeout_s = watchdog.default_s if watchdog.timeout is None else self._default(watchdog.timeout) * seconds
        failsafe_a = spec.failsafe_a if watchdog.failsafe is None else self._default(watchdog.failsafe)
        return replace(spec, watchdog_s=timeout_s, failsafe_a=failsafe_a)

    def _default(self, key: str) -> float:
        """What the register holds when the station is new, in its unit."""
        register = self.registers[key]
        return float(register.default or 0) * register.scale

    def _kick(self, _value: float) -> ExcCodes | None:
        self.box.kick()
        return None


def holds(condition: Condition, raw: float | str) -> bool:
    """Whether a raw number (or text) meets ``condition``."""
    value: float | str = raw
    if not isinstance(value, str):
        number = int(value)
        if condition.mask is not None:
            number &= condition.mask
        number //= condition.divide
        if condition.modulo is not None:
            number %= condition.modulo
        value = number
        if condition.at_least is not None and value < condition.at_least:
            return False
        if condition.below is not None and value >= condition.below:
            return False
    if condition.among is not None and value not in condition.among:
        return False
    return condition.not_among is None or value not in condition.not_among


def _constant(value: float) -> Source:
    return lambda: value

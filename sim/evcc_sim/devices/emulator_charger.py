"""Charging stations for clients to talk to: status words, current and enable writes, phase relay, watchdog, card reader.

What a client writes goes to the plant; what it reads comes from the plant. The tables say which raw number means what; the few
devices whose state is spread over several registers are in `SPREAD_STATUS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pymodbus.constants import ExcCodes

from evcc_server.profiles.profile import (
    Charger,
    Condition,
    Current,
    Enable,
    Identity,
    PhaseSwitch,
    Profile,
    Step,
    Watchdog,
    load,
)
from evcc_sim.devices import register_places
from evcc_sim.devices.charger_quirks import QUIRKS
from evcc_sim.devices.charger_status import FALLBACKS, SPREAD_STATUS, Statuses
from evcc_sim.devices.conditions import failing, fitting, holds, meeting
from evcc_sim.devices.emulator import Emulator, Sync, bind, emulator
from evcc_sim.devices.images import Value
from evcc_sim.devices.quantities import of_meter
from evcc_sim.devices.register_map import Sink, Source, Unit
from evcc_sim.plants.wallbox import Wallbox, WallboxSpec, WriteRefused
from evcclib.model import ChargerStatus, PhaseTriple

SECOND_PLACES = ("_wallbe",)
"""Ends of names of registers that show again, at another place, what a register without this end shows."""


def charger_emulator(
    name: str, box: Wallbox, sync: Sync, *, unit_id: int | None = None, connector: int = 1
) -> Emulator:
    """The station ``box`` as a device of profile ``name``. Raises `KeyError` for a name without profile."""
    profile = load(name)
    charger = profile.charger
    if charger is None:
        raise KeyError(f"{name} is no charger")
    units = register_places.units(profile, unit_id=unit_id, connector=connector)
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


@dataclass(frozen=True, slots=True)
class _Section:
    """One way in which the station may be set up: the base of the profile, or a variant filled up from it."""

    when: tuple[Condition, ...]
    current: Current
    enable: Enable
    phase_switch: PhaseSwitch | None
    identity: Identity | None

    @property
    def current_keys(self) -> tuple[str, ...]:
        return (self.current.register, *self.current.registers)


def _sections(charger: Charger) -> tuple[_Section, ...]:
    """The variants in their order, then the base, which always applies."""
    base = _Section((), charger.current, charger.enable, charger.phase_switch, charger.identity)
    variants = tuple(
        _Section(
            variant.when,
            variant.current or charger.current,
            variant.enable or charger.enable,
            variant.phase_switch or charger.phase_switch,
            variant.identity or charger.identity,
        )
        for variant in charger.variants
    )
    return (*variants, base)


class _Station:
    """Binds one profile to one plant."""

    def __init__(self, profile: Profile, charger: Charger, box: Wallbox, units: Sequence[Unit]) -> None:
        self.profile = profile
        self.charger = charger
        self.box = box
        self.units = units
        self.registers = profile.register_by_key
        self.sections = _sections(charger)
        self.sources: dict[str, Source] = {}
        self.written: dict[str, float] = {}
        self.procedures: list[_Procedure] = []
        self.status_words: dict[tuple[str, ChargerStatus, bool], int | str] = {}

    def wire(self) -> None:
        """Bind every register that the plant has something to say about, and every one that it listens to."""
        if self._shows_meter():
            self.sources |= of_meter(_Terminals(self.box)) | self._own_energies()
        self.sources |= self._own_values()
        self.sources |= self._status_sources()
        self.sources |= self._setting_sources()
        for key, source in self._fitting_facts().items():
            self.sources.setdefault(key, source)
        for key in self.registers:
            if key.endswith(SECOND_PLACES):
                same = self.sources.get(key.rpartition("_")[0])
                if same is not None:
                    self.sources.setdefault(key, same)
        quirk = QUIRKS.get(self.profile.id)
        sources, sinks = ({}, {}) if quirk is None else quirk(self.box)
        self.sources |= sources
        bind(self.units, self.sources)
        self._listen(sinks)

    @property
    def section(self) -> _Section:
        """What applies now."""
        return next(section for section in self.sections if all(map(self._holds, section.when)))

    def _holds(self, condition: Condition) -> bool:
        register = self.registers.get(condition.register)
        if register is None:
            return False
        raw: Value = register.default or 0
        if condition.register in self.written:
            raw = round(self.written[condition.register] / register.scale)
        elif condition.register in self.sources:
            raw = self.sources[condition.register]()
            if isinstance(raw, float):
                raw = round(raw / register.scale)
        return raw is not None and holds(condition, raw)

    # -- what it shows --------------------------------------------------------------------------------------------------

    def _shows_meter(self) -> bool:
        """Whether it has something to measure with; a kind whose meter is no option always has."""
        return self.box.spec.has_meter or not self.charger.values.measured_when

    def _own_energies(self) -> dict[str, Source]:
        box = self.box
        return {"energy_total": lambda: box.energy_total_kwh, "energy_session": lambda: box.energy_session_kwh}

    def _own_values(self) -> dict[str, Source]:
        box = self.box
        values: dict[str, Source] = {
            "charge_duration": lambda: box.charge_duration_s,
            "session_duration": lambda: box.charge_duration_s,
            "applied_current": self._offered_a,
        }
        offered, most = self.charger.values.current_offered, self.charger.max_current
        if offered is not None and offered in self.registers:
            values[offered] = self._offered_a
        if most is not None and most in self.registers:
            values[most] = lambda: box.spec.current_max_a
        for section in self.sections:
            if section.identity is not None:
                for key in (section.identity.register, *section.identity.registers):
                    values[key] = self._identity_source(section.identity, key)
        return values

    def _offered_a(self) -> float:
        return self.box.current_limit_a if self.box.enabled else 0.0

    def _identity_source(self, identity: Identity, key: str) -> Source:
        is_text = self.registers[key].type == "string"
        base = 16 if identity.format == "hex" else 10

        def value() -> Value:
            text = self.box.identity
            return text if is_text else int(text or "0", base)

        return value

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
        state = (register, self.box.status, self.box.enabled)
        word = self.status_words.get(state)
        if word is None:
            word = self.status_words[state] = self._word_for(register, self.box.status)
        return word

    def _word_for(self, register: str, shown: ChargerStatus) -> int | str:
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

    def _setting_sources(self) -> dict[str, Source]:
        """Settings that can be read back show what the plant has made of them."""
        sources: dict[str, Source] = {}
        for section in self.sections:
            enable, switch = section.enable, section.phase_switch
            for key in section.current_keys:
                sources[key] = self._offered if enable.register is not None else self._current_or_pause(key, enable)
            if enable.register is not None:
                sources[enable.register] = self._either(enable.enabled_raw, enable.disabled_raw)
            if switch is not None and switch.state is not None:
                sources[switch.state] = self._phases_word(switch)
        return sources

    def _offered(self) -> float:
        return self.box.current_limit_a

    def _either(self, enabled: Value, disabled: Value) -> Source:
        return lambda: enabled if self.box.enabled else disabled

    def _phases_word(self, switch: PhaseSwitch) -> Source:
        raw_of = {phases: raw for raw, phases in switch.states.items()}
        return lambda: raw_of.get(self.box.phases_shown, 0)

    def _current_or_pause(self, key: str, enable: Enable) -> Source:
        """The current while enabled, the pause word otherwise."""
        pause = (enable.pause_raw or 0) * self.registers[key].scale
        return lambda: self.box.current_limit_a if self.box.enabled else pause

    def _fitting_facts(self) -> dict[str, Source]:
        """Registers that tell whether it is enabled, or that must hold so that it can be used as it is built."""
        facts = self._fitted_options()
        for section in self.sections:
            for condition in section.enable.state:
                on, off = meeting(condition), failing(condition)
                facts[condition.register] = self._either(
                    self._shown(condition.register, on), self._shown(condition.register, off)
                )
            for condition in section.phase_switch.ready if section.phase_switch is not None else ():
                raw = meeting(condition) if self.box.spec.can_switch_phases else failing(condition)
                facts[condition.register] = _constant(self._shown(condition.register, raw))
        return facts

    def _fitted_options(self) -> dict[str, Source]:
        """Registers that tell how the station was built and set up: open for control, its meter, its card reader.

        One number may tell several of these at once, as a product code does.
        """
        charger, has_meter = self.charger, self._shows_meter()
        wanted: dict[str, dict[Condition, bool]] = {}
        for condition in (*charger.identity_when, *charger.requires):
            wanted.setdefault(condition.register, {})[condition] = True
        of_variants = (variant.values for variant in charger.variants if variant.values is not None)
        for values in (charger.values, *of_variants):
            for condition in values.measured_when:
                wanted.setdefault(condition.register, {})[condition] = has_meter
        return {
            key: _constant(self._shown(key, fitting(self.registers[key], conditions)))
            for key, conditions in wanted.items()
            if key not in self.sources
        }

    def _shown(self, key: str, raw: int | str | None) -> Value:
        """A raw number as the value of its register, in its unit."""
        register = self.registers[key]
        return raw if raw is None or isinstance(raw, str) or register.scale == 1 else raw * register.scale

    # -- what it listens to -----------------------------------------------------------------------------------------------

    def _listen(self, quirks: Mapping[str, Sink]) -> None:
        sinks: dict[str, Sink] = {}
        for section in self.sections:
            for key in section.current_keys:
                sinks[key] = self._current_sink(key)
            if section.enable.register is not None:
                sinks[section.enable.register] = self._take_enable
            if section.phase_switch is not None:
                self._watch(section.phase_switch.one, lambda: self.box.switch_phases(1))
                self._watch(section.phase_switch.three, lambda: self.box.switch_phases(3))
        if self.charger.wake:
            self._watch(self.charger.wake, self.box.wake_up)
        self._watch_watchdog(sinks)
        sinks |= quirks
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
        """Let ``do`` follow those of ``steps`` that are always made."""
        writes = tuple(
            (step.write, float(step.value))
            for step in steps
            if step.write is not None and isinstance(step.value, (int, float)) and not step.when
        )
        if writes:
            self.procedures.append(_Procedure(writes, do))

    def _current_sink(self, key: str) -> Sink:
        def take(value: float) -> ExcCodes | None:
            section = self.section
            if key in section.current_keys:
                self._take_current(value, section.enable, self.registers[key].scale)
            return None

        return take

    def _take_current(self, value: float, enable: Enable, scale: float) -> None:
        if enable.register is not None:
            self.box.set_current(value)
            return
        pause = (enable.pause_raw or 0) * scale
        if abs(value - pause) < scale / 2 or value < self.charger.min_a - 1e-6:
            self.box.disable()
        else:
            self.box.set_current(value)
            self.box.enable()

    def _take_enable(self, value: float) -> ExcCodes | None:
        enable = self.section.enable
        if value == enable.enabled_raw:
            self.box.enable()
        elif value == enable.disabled_raw:
            self.box.disable()
        else:
            return ExcCodes.ILLEGAL_VALUE
        return None

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
            box.spec = replace(box.spec, watchdog_s=self._timeout_s(watchdog, value, seconds))
            box.kick()
            return None

        def fail_safe(value: float) -> ExcCodes | None:
            box.spec = replace(box.spec, failsafe_a=value)
            box.kick()
            return None

        code_of = {code_s: code for code, code_s in watchdog.codes.items()}
        shown: dict[str, Source] = {
            key: lambda: code_of.get(box.spec.watchdog_s, 0) if code_of else box.spec.watchdog_s / seconds
            for key in timeouts
        }
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
        timeout_s = watchdog.default_s
        if watchdog.timeout is not None:
            timeout_s = self._timeout_s(watchdog, self._default(watchdog.timeout), seconds)
        failsafe_a = spec.failsafe_a if watchdog.failsafe is None else self._default(watchdog.failsafe)
        return replace(spec, watchdog_s=timeout_s, failsafe_a=failsafe_a)

    def _timeout_s(self, watchdog: Watchdog, value: float, seconds: float) -> float:
        """What the register of the time-out means with this ``value``: a time, or a code for one."""
        return watchdog.codes.get(int(value), 0.0) if watchdog.codes else value * seconds

    def _default(self, key: str) -> float:
        """What the register holds when the station is new, in its unit."""
        register = self.registers[key]
        return float(register.default or 0) * register.scale

    def _kick(self, _value: float) -> ExcCodes | None:
        self.box.kick()
        return None


def _constant(value: Value) -> Source:
    return lambda: value

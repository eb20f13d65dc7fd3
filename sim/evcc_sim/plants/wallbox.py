"""A charging station: IEC 61851 states, pilot, contactor, phase relay, watchdog, counters.

Sources of the defaults: IEC 61851-1 (6 A minimum, states A-F, contactor opens at the latest 3 s after state C has ended,
under load 6 s after the pilot is gone); data sheets of common stations (16 A, 1 A steps or finer, 5-10 s for a change of
phases with the pilot off, fail-safe current after some 30-120 s without communication).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil, floor
from typing import NamedTuple

import simpy

from evcc_sim.plants.bus import NOTHING, Tap
from evcc_sim.plants.car import Car, Socket
from evcc_sim.plants.faults import READ_BACKS, FaultKind, FaultTable, ReadBack
from evcc_sim.plants.meter import Meter, MeterSpec
from evcc_sim.timebase import Timer
from evcclib.model import ChargerStatus, PhaseTriple

WRONG_LOW_A, WRONG_HIGH_A = 6.0, 16.0
"""What a station shows that never shows the current it offers."""


class WriteRefused(Exception):
    """The station answers a command with an error."""


class Rounds(StrEnum):
    """What a station makes of a current between two of its steps."""

    DOWN = "down"
    NEAREST = "nearest"
    UP = "up"


@dataclass(frozen=True, slots=True, kw_only=True)
class WallboxSpec:
    """A station. ``phase_rotation`` is the grid phase (1..3) behind each of its terminals.

    ``current_step_a`` is the step that the control believes in, ``true_step_a`` the one it really has, 0: the same.
    """

    name: str = "charger"
    profile: str = "alfen-ng9xx"
    current_max_a: float = 16.0
    current_step_a: float = 0.001
    true_step_a: float = 0.0
    rounds: Rounds = Rounds.DOWN
    phases: int = 3  # wired
    can_switch_phases: bool = False
    phase_switch_s: float = 8.0  # pilot off while the relay changes
    phase_switch_pauses: bool = True  # False: the relay switches at once, whatever flows
    contactor_s: float = 0.3
    phase_rotation: tuple[int, int, int] = (1, 2, 3)
    watchdog_s: float = 0.0  # 0: none
    failsafe_a: float = 6.0
    power_on_enabled: bool = False
    power_on_current_a: float = 6.0
    energy_total_kwh: float = 1234.0
    rfid_delay_s: float = 5.0
    has_meter: bool = True
    has_wakeup: bool = False  # in process; on the wire the profile says so
    meter: MeterSpec = field(default_factory=MeterSpec)

    @property
    def coarsest_step_a(self) -> float:
        """What lies between two currents that it can offer when told with the step that is believed [A]."""
        return max(self.true_step_a, self.current_step_a)


class _Shown(NamedTuple):
    second: float
    status: ChargerStatus
    is_enabled: bool
    current_limit_a: float
    phases: int


class Wallbox(Socket):
    """Commands act at once on the pilot; the car follows in its own time. Shown values lag when a fault says so."""

    def __init__(
        self,
        env: simpy.Environment,
        tap: Tap,
        spec: WallboxSpec,
        voltages_v: PhaseTriple,
        *,
        faults: FaultTable | None = None,
        seed: int = 0,
    ) -> None:
        self.env = env
        self.tap = tap
        self.spec = spec
        self.voltage_v = voltages_v[spec.phase_rotation[0] - 1]
        self.car: Car | None = None
        self.pilot_a = 0.0
        self.phases = spec.phases  # connected by the relay
        self.is_supplied = False  # contactor closed
        self.requests = False  # the car asks for power
        self.switches = 0  # of the contactor
        self.phase_switches = 0
        self.switched_under_load: list[float] = []  # seconds at which the phase relay moved with current flowing
        self.resets: list[float] = []
        self._voltages_v = voltages_v
        self._faults = faults or FaultTable(())
        self._has_faults = bool(self._faults.of(spec.name))
        self._enabled = spec.power_on_enabled
        self._limit_a = spec.power_on_current_a
        self._is_down = False  # rebooting
        self._is_failed_safe = False
        self._switching_to: int | None = None
        self._switch_timer: Timer | None = None
        self._switch_waits_until = 0.0
        self._contactor: Timer | None = None
        self._watchdog: Timer | None = None
        self._heard_at = float(env.now)  # of the last communication
        self._plugged_at = 0.0
        self._energy_start_kwh = 0.0
        self._charging_s = 0.0
        self._charging_since: float | None = None
        self._total_offset_kwh = spec.energy_total_kwh
        read_backs = [f for f in self._faults.of(spec.name) if f.kind in READ_BACKS and f.of is not ReadBack.POWER]
        self._is_misread = bool(read_backs)
        self._lag_s = max((f.lag_s for f in read_backs), default=0.0)
        self._history: deque[_Shown] = deque()
        meter_spec = spec.meter
        if meter_spec.rotation == (1, 2, 3) and spec.phase_rotation != (1, 2, 3):
            meter_spec = MeterSpec(
                refresh_s=meter_spec.refresh_s,
                lag_s=meter_spec.lag_s,
                noise_w=meter_spec.noise_w,
                resolution_w=meter_spec.resolution_w,
                counter_resolution_kwh=meter_spec.counter_resolution_kwh,
                rotation=spec.phase_rotation,
            )
        self.meter = Meter(env, spec.name, tap, voltages_v, spec=meter_spec, faults=self._faults, seed=seed)
        for fault in self._faults.of(spec.name):
            self._schedule_fault(fault.kind, fault.start_s, fault.end_s)
        self._arm_watchdog()
        self._remember()

    # -- commands --------------------------------------------------------------------------------------------------

    def set_current(self, current_a: float) -> None:
        """Offer ``current_a``, rounded to its steps and cut down to its maximum. Raises `WriteRefused`."""
        if self._accepts():
            self._limit_a = min(self.spec.current_max_a, self._rounded(max(0.0, current_a)))
            self._update()

    def enable(self) -> None:
        """Give the pilot. Raises `WriteRefused`."""
        if self._accepts():
            self._enabled = True
            self._update()

    def disable(self) -> None:
        """Take the pilot away. Raises `WriteRefused`."""
        if self._accepts():
            self._enabled = False
            self._update()

    def switch_phases(self, phases: int) -> None:
        """Connect 1 or 3 phases: it takes the pilot away, waits for the current to end, moves the relay, and pauses.

        Raises `WriteRefused`, also when it has no relay.
        """
        if phases not in (1, 3) or not self.spec.can_switch_phases:
            raise WriteRefused(f"{self.spec.name}: cannot connect {phases} phases")
        if not self._accepts() or phases == (self._switching_to or self.phases):
            return
        self._switching_to = phases
        if not self.spec.phase_switch_pauses:
            self._move_relay()
            return
        self._switch_waits_until = float(self.env.now) + 6.0
        self._update()
        self._try_switch()

    def wake_up(self) -> None:
        """Interrupt the pilot to wake the car. Raises `WriteRefused`."""
        if self._accepts() and self.car is not None:
            self.car.wake_by_charger()

    def kick(self) -> None:
        """Any valid communication: the watchdog is content for another period."""
        if self.spec.watchdog_s > 0:
            self._heard_at = float(self.env.now)
            self._arm_watchdog()
            if self._is_failed_safe:
                self._is_failed_safe = False
                self._update()

    # -- what it is and shows --------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def status(self) -> ChargerStatus:
        """The IEC 61851 state as shown."""
        return self._shown().status

    @property
    def enabled(self) -> bool:
        """Whether it would give a pilot, as shown."""
        return self._shown().is_enabled

    @property
    def current_limit_a(self) -> float:
        """The current it offers when enabled, as shown [A]."""
        return self._shown().current_limit_a

    @property
    def phases_shown(self) -> int:
        """Phases that its relay connects, as shown."""
        return self._shown().phases

    def settings_shown(self) -> tuple[ChargerStatus, bool, float, int]:
        """Status, enabled, current limit [A] and phases as shown, all at once."""
        if self._is_misread:
            shown = self._shown()
            return shown.status, shown.is_enabled, shown.current_limit_a, shown.phases
        return self.true_status, self._enabled, self._limit_a, self.phases

    @property
    def true_status(self) -> ChargerStatus:
        """The IEC 61851 state now."""
        if self.car is None:
            return ChargerStatus.A
        if (
            self._has_faults
            and self._faults.active(self.name, FaultKind.CHARGER_ERROR, float(self.env.now)) is not None
        ):
            return ChargerStatus.F
        return ChargerStatus.C if self.requests and (self.is_supplied or self.pilot_a > 0) else ChargerStatus.B

    @property
    def true_enabled(self) -> bool:
        """Whether it would give a pilot now."""
        return self._enabled

    @property
    def true_current_limit_a(self) -> float:
        """The current it offers when enabled [A]."""
        return self._limit_a

    @property
    def is_switching_phases(self) -> bool:
        return self._switching_to is not None

    @property
    def power_w(self) -> float:
        return self.meter.power_w

    @property
    def powers_w(self) -> PhaseTriple:
        return self.meter.powers_w

    @property
    def currents_a(self) -> PhaseTriple:
        """Currents at its terminals [A]."""
        return self.meter.currents_a

    @property
    def voltages_v(self) -> PhaseTriple:
        """Voltages at its terminals; those behind an open relay show 0 [V]."""
        v = self.meter.voltages_v
        return v if self.phases == 3 else (v[0], 0.0, 0.0)

    @property
    def energy_total_kwh(self) -> float:
        """Its counter [kWh]."""
        return self._total_offset_kwh + self.meter.energy_import_kwh

    def total_of(self, metered_kwh: float) -> float:
        """What its counter shows when its meter has counted ``metered_kwh`` [kWh]."""
        return self._total_offset_kwh + metered_kwh

    @property
    def energy_session_kwh(self) -> float:
        """Since the car was plugged in [kWh]."""
        return max(0.0, self.tap.energy_in_kwh - self._energy_start_kwh)

    @property
    def charge_duration_s(self) -> float:
        """Time in state C since the car was plugged in [s]."""
        running = 0.0 if self._charging_since is None else float(self.env.now) - self._charging_since
        return self._charging_s + running

    @property
    def identity(self) -> str:
        """The tag that was presented, some seconds after plugging in; "" without."""
        if self.car is None or self.env.now - self._plugged_at < self.spec.rfid_delay_s:
            return ""
        return self.car.spec.rfid

    # -- the car ---------------------------------------------------------------------------------------------------

    def plug_in(self, car: Car) -> None:
        """A car is connected."""
        self.car = car
        self._plugged_at = float(self.env.now)
        self._energy_start_kwh = self.tap.energy_in_kwh
        self._charging_s = 0.0
        self._charging_since = None
        car.plug_in(self)
        self._update()

    def unplug(self) -> None:
        """The car leaves."""
        if self.car is not None:
            self.car.unplug()
        self.car = None
        self.requests = False
        self.tap.set(NOTHING)
        self._set_contactor(False)
        self._remember()

    def hosts(self, car: Car) -> bool:
        """Whether ``car`` is plugged in here."""
        return self.car is car

    def request(self, wants: bool) -> None:
        self.requests = wants
        if not wants:
            self._set_contactor(False)
        self._update()

    def draw(self, current_a: float, phases: int) -> None:
        if not self.is_supplied:
            current_a = 0.0
        rotation = self.spec.phase_rotation
        powers = [0.0, 0.0, 0.0]
        for terminal in range(phases):
            grid_phase = rotation[terminal] - 1
            powers[grid_phase] = current_a * self._voltages_v[grid_phase]
        self.tap.set((powers[0], powers[1], powers[2]))
        if self._switching_to is not None and current_a == 0:
            self._try_switch()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _rounded(self, current_a: float) -> float:
        step_a = self.spec.true_step_a or self.spec.current_step_a
        steps = current_a / step_a
        match self.spec.rounds:
            case Rounds.DOWN:
                return floor(steps + 1e-9) * step_a
            case Rounds.NEAREST:
                return floor(steps + 0.5) * step_a
            case Rounds.UP:
                return ceil(steps - 1e-9) * step_a

    def _accepts(self) -> bool:
        now = float(self.env.now)
        self.kick()
        if self._faults.active(self.name, FaultKind.REFUSED_WRITES, now) is not None:
            raise WriteRefused(f"{self.name}: illegal data value")
        return not self._is_down and self._faults.active(self.name, FaultKind.IGNORED_WRITES, now) is None

    def _update(self) -> None:
        """Pilot and contactor follow settings and faults."""
        now = float(self.env.now)
        limit_a = min(self._limit_a, self.spec.failsafe_a) if self._is_failed_safe else self._limit_a
        is_off = self._is_down or self._switching_to is not None or not self._enabled
        has_error = self._faults.active(self.name, FaultKind.CHARGER_ERROR, now) is not None
        pilot_a = 0.0 if is_off or has_error or limit_a < 6.0 - 1e-9 else limit_a
        if pilot_a != self.pilot_a:
            self.pilot_a = pilot_a
            if pilot_a == 0 and self.is_supplied and self._contactor is None:
                self._contactor = Timer(self.env, 6.0, self._open_under_load)
            if self.car is not None:
                self.car.pilot_changed()
        if self.requests and self.pilot_a > 0 and not self.is_supplied and self._contactor is None:
            self._contactor = Timer(self.env, self.spec.contactor_s, self._close)
        self._remember()

    def _close(self) -> None:
        self._contactor = None
        if self.requests and self.pilot_a > 0 and self.car is not None:
            self._set_contactor(True)
            self._remember()

    def _open_under_load(self) -> None:
        self._contactor = None
        if self.pilot_a == 0:
            self._set_contactor(False)
            self._remember()

    def _set_contactor(self, closed: bool) -> None:
        if self._contactor is not None:
            self._contactor.cancel()
            self._contactor = None
        now = float(self.env.now)
        if closed == self.is_supplied:
            return
        if self._faults.active(self.name, FaultKind.STUCK_CONTACTOR, now) is not None:
            return
        self.is_supplied = closed
        self.switches += 1
        if self.car is not None:
            self.car.supply_changed()
        if not closed:
            self.tap.set(NOTHING)

    def _catch_up(self) -> None:
        """The contactor moves again: it goes where it has long been told to."""
        if self.is_supplied and not (self.requests and self.pilot_a > 0):
            self._set_contactor(False)
        self._update()

    def _try_switch(self) -> None:
        """Once the current has ended, or the car has ignored the missing pilot for 6 s, the relay moves."""
        if self._switching_to is None or self._switch_timer is not None:
            return
        if self.tap.power_w == 0 or self.env.now >= self._switch_waits_until:
            self._set_contactor(False)
            self._switch_timer = Timer(self.env, self.spec.phase_switch_s, self._move_relay)
        else:
            Timer(self.env, 0.5, self._try_switch)

    def _move_relay(self) -> None:
        self._switch_timer = None
        if self._switching_to is None:
            return
        if self.tap.power_w > 0:
            self.switched_under_load.append(float(self.env.now))
        self.phases = self._switching_to
        self._switching_to = None
        self.phase_switches += 1
        if self.car is not None:
            self.car.pilot_changed()
        self._update()

    def _arm_watchdog(self) -> None:
        """It looks when it may be due: a kick, of which there are thousands a day, costs no event."""
        if self.spec.watchdog_s > 0:
            due_s = self._heard_at + self.spec.watchdog_s
            if self._watchdog is not None and self._watchdog.at <= due_s:
                return
            if self._watchdog is not None:
                self._watchdog.cancel()
            self._watchdog = Timer(self.env, due_s - float(self.env.now), self._starve)

    def _starve(self) -> None:
        self._watchdog = None
        if self.spec.watchdog_s <= 0:
            return  # it has been switched off meanwhile
        if float(self.env.now) < self._heard_at + self.spec.watchdog_s:
            self._arm_watchdog()
            return
        self._is_failed_safe = True
        self._update()

    def _schedule_fault(self, kind: FaultKind, start_s: float, end_s: float) -> None:
        now = float(self.env.now)
        match kind:
            case FaultKind.REBOOT:
                Timer(self.env, start_s - now, self._go_down)
                Timer(self.env, end_s - now, self._come_up)
            case FaultKind.CHARGER_ERROR:
                Timer(self.env, start_s - now, self._update)
                Timer(self.env, end_s - now + 1e-3, self._update)
            case FaultKind.COUNTER_RESET:
                Timer(self.env, start_s - now, self._reset_counter)
            case FaultKind.STUCK_CONTACTOR:
                Timer(self.env, end_s - now, self._catch_up)
            case _:
                pass

    def _reset_counter(self) -> None:
        self._total_offset_kwh = 0.0
        self._energy_start_kwh = self.tap.energy_in_kwh
        self.resets.append(float(self.env.now))

    def _go_down(self) -> None:
        self._is_down = True
        self._switching_to = None
        self._update()

    def _come_up(self) -> None:
        self._is_down = False
        self._enabled = self.spec.power_on_enabled
        self._limit_a = self.spec.power_on_current_a
        self._energy_start_kwh = self.tap.energy_in_kwh
        self._update()

    def _remember(self) -> None:
        status = self.true_status
        now = float(self.env.now)
        if status is ChargerStatus.C:
            if self._charging_since is None:
                self._charging_since = now
        elif self._charging_since is not None:
            self._charging_s += now - self._charging_since
            self._charging_since = None
        if self._lag_s > 0:
            self._history.append(_Shown(now, status, self._enabled, self._limit_a, self.phases))
            while len(self._history) > 1 and self._history[1].second <= now - self._lag_s:
                self._history.popleft()

    def _shown(self) -> _Shown:
        now = float(self.env.now)
        true = _Shown(now, self.true_status, self._enabled, self._limit_a, self.phases)
        if not self._is_misread:
            return true
        return _Shown(
            now,
            self._read_back(ReadBack.STATUS, true).status,
            self._read_back(ReadBack.ENABLED, true).is_enabled,
            self._read_back(ReadBack.CURRENT, true).current_limit_a,
            self._read_back(ReadBack.PHASES, true).phases,
        )

    def _read_back(self, of: ReadBack, true: _Shown) -> _Shown:
        """What is shown, as far as the value ``of`` is concerned."""
        fault = self._faults.reads_back(self.name, of, true.second)
        if fault is None:
            return true
        if fault.kind is FaultKind.READ_BACK_LAG:
            then = true.second - fault.lag_s
            return next((shown for shown in reversed(self._history) if shown.second <= then), self._history[0])
        if fault.kind is FaultKind.READ_BACK_WRONG:
            return _opposite(true)
        shows = fault.params["shows"]
        status = (ChargerStatus.A, ChargerStatus.B, ChargerStatus.C)[int(shows) if of is ReadBack.STATUS else 0]
        return _Shown(true.second, status, shows > 0, shows, int(shows))


def _opposite(true: _Shown) -> _Shown:
    """Everything wrong: charging for waiting, enabled for disabled, another current, other phases; a car stays a car."""
    statuses = {ChargerStatus.B: ChargerStatus.C, ChargerStatus.C: ChargerStatus.B}
    return _Shown(
        true.second,
        statuses.get(true.status, true.status),
        not true.is_enabled,
        WRONG_HIGH_A if true.current_limit_a < WRONG_HIGH_A else WRONG_LOW_A,
        1 if true.phases == 3 else 3,
    )

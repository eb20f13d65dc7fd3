"""openWB 2's law for one cycle: its mode PV, all charge points at once.

The ids in brackets are those of docs/rivals.md, which says what is left out. Grid power > 0 is import, battery power > 0 is
discharge. Times are seconds of any clock that only rises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from math import inf

PERIOD_S = 10.0  # [O1]
SETPOINT_W = 115.0  # the middle of the control range [O8]
CONTROL_RANGE_W = (0.0, 230.0)  # in which a current stays as it is [O27]
CALM_A = 1.0  # 230 W [O27]
METER_GRACE_S = 60.0  # [O7]
METERED_FROM_A = 0.5  # a current below is none
SLOW_CAR_S = 60.0  # after so long what a car leaves is given to others [O24, O28]
WINDOW_A, STEP_A = 6.0, 5.0  # how far a current may be from what the car draws [O27]
CATCH_UP_A = 2.0  # what a station may offer above what its car draws [O29]
PHASES = (0, 1, 2)


class Control(IntEnum):
    """Where a charge point is [O4]."""

    NOT_ALLOWED = 0
    PHASE_DELAY = 1
    SWITCHING = 2
    WAITING_FOR_PHASES = 3
    ALLOWED = 4
    OFF_DELAY = 5
    ON_DELAY = 6
    PHASES_AWAITED = 7


CHARGING = (
    Control.PHASE_DELAY,
    Control.WAITING_FOR_PHASES,
    Control.ALLOWED,
    Control.OFF_DELAY,
    Control.PHASES_AWAITED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargePoint:
    """Settings of a charge point with its car [O3]."""

    can_switch_phases: bool = False
    car_phases: int = 3
    connected_phases: int = 3
    is_preferred: bool = False
    min_a: float = 6.0
    max_a_1p: float = 16.0
    max_a_3p: float = 16.0
    nominal_difference_a: float = 1.0
    keep_charge_active_s: float = 40.0

    @property
    def phases_max(self) -> int:
        return min(self.car_phases, self.connected_phases)

    def max_a(self, phases: int) -> float:
        return self.max_a_1p if phases == 1 else self.max_a_3p


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the owner has set, for the site and each charge point [O3]."""

    charge_points: tuple[ChargePoint, ...]
    on_threshold_w: float = 1500.0  # for each phase
    on_delay_s: float = 30.0
    off_threshold_w: float = 0.0
    off_delay_s: float = 60.0
    phase_buffer_s: float = 420.0
    retries_phase_switches: bool = False
    counts_slow_cars_fully: bool = False
    power_max_w: float = 24_000.0
    currents_max_a: tuple[float, float, float] = (35.0, 35.0, 35.0)
    fallback_w: float = 7000.0
    voltage_v: float = 230.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """What a station says."""

    is_plugged: bool
    is_charging: bool
    power_w: float
    currents_a: tuple[float, float, float]
    phases_in_use: int
    offered_a: float
    imported_wh: float
    is_switching: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a cycle begins with [O2]. Grid values None: the meter is in error."""

    grid_w: float | None
    grid_currents_a: tuple[float, float, float] | None
    stations: tuple[Station, ...]
    battery_w: float = 0.0


Command = tuple[str, float]
"""("phases", n), ("current", A); the current comes in every cycle, 0 is a stop."""


@dataclass(slots=True)
class State:
    """What is remembered of a charge point [O4], and what a cycle makes of it."""

    control: Control = Control.NOT_ALLOWED
    phases: int = 0
    phases_to_use: int = 0
    current_a: float = 0.0
    previous_a: float = 0.0
    timer: float | None = None
    phase_timer: float | None = None
    last_switch: float = -inf
    charge_start: float | None = None
    failed: int = 0
    is_current_limited: bool = False
    plugged_at: float | None = None
    imported_at_plug_wh: float | None = None
    imported_wh: float = 0.0  # since plugged
    # of this cycle only [O5]
    is_new: bool = False  # plugged since the last one
    required_a: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    required_w: float = 0.0
    target_a: float = 0.0


@dataclass(frozen=True, slots=True)
class _Plugged:
    """A charge point with a car, in a cycle."""

    index: int
    config: ChargePoint
    state: State
    station: Station
    drawn_a: float

    @property
    def used(self) -> list[int]:
        """The phases on which a current is required; after a decision for fewer phases those are still all."""
        return [phase for phase in PHASES if self.state.required_a[phase] > 0]


class OpenWb:
    """The law with its memory. ``settings`` may be changed between two cycles."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.states = [State() for _ in settings.charge_points]
        self.reserved_w = 0.0
        self.released_w = 0.0
        self._bad_since: float | None = None
        self._grid_w = 0.0
        self._grid_currents_a = (0.0, 0.0, 0.0)
        self._charge_w = 0.0  # charging of the battery
        self._left_w = 0.0
        self._left_a = [0.0, 0.0, 0.0]
        self._now = 0.0

    def cycle(self, inputs: Inputs, *, now: float) -> list[list[Command]]:
        """The commands to all charge points, each in order."""
        self._now, self._charge_w = now, -inputs.battery_w
        self._look_at_grid(inputs)
        everybody = zip(self.settings.charge_points, self.states, inputs.stations, strict=True)
        plugged: list[_Plugged] = []
        for index, (config, state, station) in enumerate(everybody):
            if station.is_plugged:
                cp = _Plugged(index, config, state, station, drawn_a(station.currents_a))
                self._update(cp)
                plugged.append(cp)
            else:
                self.states[index] = self._forgotten(config, state, station)
        idle = (Control.WAITING_FOR_PHASES, Control.ALLOWED, Control.PHASES_AWAITED)
        if all(cp.state.control in idle for cp in plugged):  # nobody waits for it [O13]
            self.reserved_w = self.released_w = 0.0
        for cp in plugged:
            self._scale_phases(cp)
        in_turn = sorted(plugged, key=lambda cp: not cp.config.is_preferred)
        for cp in in_turn:
            self._switch_on_and_off(cp)
        self._give_minimum(in_turn)
        self._give_surplus(in_turn)
        return self._commands(plugged)

    # -- what there is -----------------------------------------------------------------------------------------------

    def _look_at_grid(self, inputs: Inputs) -> None:
        settings = self.settings
        is_first_error = False
        if inputs.grid_w is None or inputs.grid_currents_a is None:
            is_first_error = self._bad_since is None
            self._bad_since = self._now if self._bad_since is None else self._bad_since
        else:
            self._bad_since = None
            self._grid_w, self._grid_currents_a = inputs.grid_w, inputs.grid_currents_a
        if self._bad_since is not None and not is_first_error:  # [O7]
            self._left_a = [settings.fallback_w / settings.voltage_v / 3] * 3
            self._left_w = settings.fallback_w
            if self._is_over(self._bad_since, METER_GRACE_S):
                self._grid_w = 0.0
            return
        left_a = [
            settings.currents_max_a[phase]
            - (self._grid_currents_a[phase] - sum(station.currents_a[phase] for station in inputs.stations))
            for phase in PHASES
        ]
        self._left_a = [max(each, 0.0) for each in left_a] if min(left_a) < 0 else left_a  # [O6]
        self._left_w = settings.power_max_w - (self._grid_w - sum(station.power_w for station in inputs.stations))

    @property
    def _raw_w(self) -> float:
        """What is left for cars above the set point [O8]."""
        return self._left_w - self.settings.power_max_w + self._charge_w + SETPOINT_W

    @property
    def _usable_w(self) -> float:
        """What flows out and is promised to nobody [O8]."""
        return -(self._grid_w - self._charge_w) + self.released_w - self.reserved_w

    def _is_over(self, since: float | None, delay_s: float) -> bool:
        return since is not None and self._now - delay_s > since  # strictly [O4]

    def _watts(self, current_a: float, phases: int) -> float:
        return current_a * phases * self.settings.voltage_v

    # -- each charge point -------------------------------------------------------------------------------------------

    def _forgotten(self, config: ChargePoint, state: State, station: Station) -> State:
        """Of a charge point without a car [O9]."""
        if state.control is Control.SWITCHING:
            self.reserved_w -= self._switch_reserve_w(config, state.phases)
        if state.control is Control.PHASE_DELAY and state.phases == 1:
            self.reserved_w -= self._up_reserve_w(config)
        phases_to_use = station.phases_in_use if state.plugged_at is not None else state.phases_to_use
        return State(phases_to_use=phases_to_use)

    def _update(self, cp: _Plugged) -> None:
        config, state, station = cp.config, cp.state, cp.station
        state.is_new = state.plugged_at is None
        if state.plugged_at is None:
            state.plugged_at = self._now
        state.phases = self._phases(cp)
        state.required_a = [config.min_a if phase < state.phases else 0.0 for phase in PHASES]  # [O11]
        state.required_w = sum(each * self.settings.voltage_v for each in state.required_a)
        if state.control is Control.SWITCHING and not station.is_switching:  # [O12]
            self.reserved_w -= self._switch_reserve_w(config, state.phases_to_use)
            state.control = Control.WAITING_FOR_PHASES
        elif state.control is Control.WAITING_FOR_PHASES and self._is_over(
            state.charge_start, config.keep_charge_active_s
        ):
            if config.can_switch_phases and station.is_switching:
                return
            if config.can_switch_phases:
                state.control = Control.PHASES_AWAITED
            if state.phases_to_use != station.phases_in_use:
                state.failed += 1
            if not config.can_switch_phases or not needs_switch(state, station):
                state.control = Control.ALLOWED

    def _phases(self, cp: _Plugged) -> int:
        """[O10]"""
        config, state, station = cp.config, cp.state, cp.station
        if not config.can_switch_phases and station.is_charging:
            phases = station.phases_in_use
        elif state.control is Control.SWITCHING:
            phases = state.phases_to_use
        elif station.is_charging:
            phases = station.phases_in_use
        elif config.can_switch_phases:
            phases = 1
        else:
            phases = state.phases_to_use or config.connected_phases
        phases = min(phases, config.phases_max)
        return phases if config.can_switch_phases else station.phases_in_use

    def _switch_reserve_w(self, config: ChargePoint, phases: int) -> float:
        return self._watts(config.max_a_1p, 1 if phases == 1 else 3)

    def _up_reserve_w(self, config: ChargePoint) -> float:
        return max(0.0, self._watts(config.min_a, config.phases_max) - self._watts(config.max_a_1p, 1))

    # -- phases ------------------------------------------------------------------------------------------------------

    def _may_switch_phases(self, cp: _Plugged) -> bool:
        failures = 2 if self.settings.retries_phase_switches else 0
        return (
            cp.config.can_switch_phases
            and cp.station.is_charging
            and cp.state.control in (Control.ALLOWED, Control.PHASE_DELAY)
            and cp.state.failed <= failures
        )

    def _scale_phases(self, cp: _Plugged) -> None:
        if not self._may_switch_phases(cp):
            return
        config, state = cp.config, cp.state
        if state.phases == 1:  # [O14]
            reserve_w, wait_s = self._up_reserve_w(config), self.settings.on_delay_s
            phases, current_a = config.phases_max, config.min_a
        else:
            reserve_w, wait_s = 0.0, self.settings.off_delay_s
            phases, current_a = 1, config.max_a_1p
        is_waiting = state.control is Control.PHASE_DELAY
        surplus_w = self._usable_w + (reserve_w if is_waiting else 0.0)
        is_wanted = self._wants_other_phases(cp, surplus_w)
        if not is_waiting:  # [O17]
            state.phase_timer = self._now if is_wanted else None
            if is_wanted:
                self.reserved_w += reserve_w
                state.control = Control.PHASE_DELAY
        elif not is_wanted:
            self.reserved_w -= reserve_w
            state.control, state.phase_timer = Control.ALLOWED, None
        elif self._is_buffer_over(state, wait_s):
            self.reserved_w -= reserve_w
            state.control, state.phase_timer, state.phases = Control.PHASES_AWAITED, None, phases
            state.required_a[:phases] = [current_a] * phases

    def _wants_other_phases(self, cp: _Plugged, surplus_w: float) -> bool:
        """[O15]"""
        config, state = cp.config, cp.state
        if state.phases > 1:
            return cp.drawn_a < config.min_a + config.nominal_difference_a and surplus_w <= 0
        is_full = cp.drawn_a > config.max_a_1p - config.nominal_difference_a or state.is_current_limited
        return is_full and surplus_w > self._watts(config.min_a, config.car_phases) - cp.station.power_w

    def _is_buffer_over(self, state: State, wait_s: float) -> bool:
        """[O16]"""
        assert state.phase_timer is not None
        rest_s = self.settings.phase_buffer_s - (state.phase_timer - state.last_switch)
        if rest_s < wait_s:
            return self._is_over(state.phase_timer, wait_s)
        return self._is_over(state.last_switch, self.settings.phase_buffer_s)

    # -- on and off --------------------------------------------------------------------------------------------------

    def _switch_on_and_off(self, cp: _Plugged) -> None:
        config, state, settings = cp.config, cp.state, self.settings
        if state.is_new:  # [O18]
            state.required_a = [0.0, 0.0, 0.0]
            return
        if not (self._may_switch_phases(cp) and cp.station.phases_in_use != 1):  # else fewer phases come first [O19]
            self._watch_shortage(cp)
        if state.control is Control.OFF_DELAY and self._is_over(state.timer, settings.off_delay_s):  # [O21]
            state.timer = None
            self.released_w -= state.required_w
            state.control = Control.NOT_ALLOWED
        if state.control is Control.ON_DELAY and self._is_over(state.timer, settings.on_delay_s):  # [O22]
            state.timer = None
            self.reserved_w -= settings.on_threshold_w * state.phases
            state.control = Control.WAITING_FOR_PHASES
            if config.can_switch_phases and self._usable_w > self._watts(config.min_a, config.car_phases):
                state.phases = config.car_phases
        if state.control not in CHARGING:  # [O23]
            state.required_a = [0.0, 0.0, 0.0]

    def _watch_shortage(self, cp: _Plugged) -> None:
        """[O20]"""
        config, state = cp.config, cp.state
        bought_w = self._grid_w - self._charge_w - self.released_w
        if state.control is Control.OFF_DELAY:
            if bought_w + state.required_w < self.settings.off_threshold_w:
                state.timer = None
                self.released_w -= state.required_w
                state.control = Control.ALLOWED
        elif (
            state.control is Control.ALLOWED
            and bought_w > self.settings.off_threshold_w
            and cp.drawn_a <= config.min_a + config.nominal_difference_a
        ):
            if not cp.station.is_charging:
                state.control = Control.NOT_ALLOWED
            else:
                state.timer = self._now
                self.released_w += state.required_w
                state.control = Control.OFF_DELAY

    # -- currents ----------------------------------------------------------------------------------------------------

    def _give_minimum(self, in_turn: Sequence[_Plugged]) -> None:
        """One loop in turn: each sees what those before have booked [O24, O25]."""
        for cp in in_turn:
            state = cp.state
            state.current_a = 0.0
            state.is_current_limited = False
            if max(state.required_a) > 0:
                missing = [cp.config.min_a if each > 0 else 0.0 for each in state.required_a]
                share_a = self._share(cp, missing, [1, 1, 1], cp.config.min_a, self._left_w)
                if share_a >= cp.config.min_a:
                    state.current_a = cp.config.min_a
                    booked_a = self._booked_a(cp, cp.config.min_a)
                    for phase in cp.used:
                        self._left_a[phase] -= booked_a
                        self._left_w -= booked_a * self.settings.voltage_v
            else:
                self._wait_for_sun(state)
            state.target_a = state.current_a
            maximum_a = cp.config.max_a(state.phases)
            state.required_a = [maximum_a if each > 0 else 0.0 for each in state.required_a]

    def _wait_for_sun(self, state: State) -> None:
        """[O25]"""
        wanted_w = self.settings.on_threshold_w * state.phases
        surplus_w = self._raw_w - self.reserved_w
        if state.control is Control.ON_DELAY:
            if surplus_w + wanted_w <= wanted_w:
                state.timer = None
                self.reserved_w -= wanted_w
                state.control = Control.NOT_ALLOWED
        elif state.control is Control.NOT_ALLOWED and surplus_w >= wanted_w:
            state.timer = self._now
            self.reserved_w += wanted_w
            state.control = Control.ON_DELAY

    def _share(self, cp: _Plugged, missing: list[float], count: list[int], wanted_a: float, left_w: float) -> float:
        """What limits and ``left_w`` leave of ``wanted_a`` [O24, O26]."""
        available = [min(each, left_a) for each, left_a in zip(missing, self._left_a, strict=True)]
        if available != missing:
            cp.state.is_current_limited = True
        total = sum(available)
        if total > 0 and total * self.settings.voltage_v > left_w:
            scale_w = max(left_w, 0.0)
            available = [each / total * scale_w / self.settings.voltage_v for each in available]
        cut = [phase for phase in cp.used if available[phase] != missing[phase]]
        return min([wanted_a, *(available[phase] / count[phase] for phase in cut)])

    def _booked_a(self, cp: _Plugged, current_a: float) -> float:
        """A car that draws less is counted with what it draws [O24, O28]."""
        is_slow = current_a - cp.config.nominal_difference_a > cp.drawn_a
        may_count = not self.settings.counts_slow_cars_fully and self._is_over(cp.state.charge_start, SLOW_CAR_S)
        return cp.drawn_a if is_slow and may_count else current_a

    def _give_surplus(self, in_turn: Sequence[_Plugged]) -> None:
        surplus_w = self._raw_w
        if surplus_w <= 0:  # everybody keeps the minimum [O26]
            return
        for is_preferred in (True, False):
            group = [cp for cp in in_turn if cp.config.is_preferred is is_preferred]
            group.sort(key=lambda cp: (max(cp.state.required_a), cp.state.imported_wh, cp.state.plugged_at, cp.index))
            group = [cp for cp in group if cp.state.target_a > 0 and cp.station.is_charging]
            for position, cp in enumerate(group):
                surplus_w -= self._give_one(cp, group[position:], surplus_w)
        for cp in in_turn:  # [O29]
            state = cp.state
            if state.control in CHARGING and state.current_a != state.previous_a:
                ahead_a = min(cp.station.offered_a - cp.drawn_a, CATCH_UP_A)
                state.current_a = min(state.current_a + ahead_a, cp.config.max_a(state.phases))

    def _give_one(self, cp: _Plugged, rest: Sequence[_Plugged], surplus_w: float) -> float:
        """Raises the current of one car; what of the surplus that takes [W]."""
        config, state = cp.config, cp.state
        missing, count = [0.0, 0.0, 0.0], [0, 0, 0]
        for other in rest:
            for phase in other.used:
                missing[phase] += other.state.required_a[phase] - other.state.target_a
                count[phase] += 1
        wanted_a = max(state.required_a) - state.target_a
        share_a = self._share(cp, missing, count, wanted_a, surplus_w)
        low_w, high_w = CONTROL_RANGE_W
        if low_w <= self._grid_w <= high_w and abs(share_a + state.target_a - state.previous_a) <= CALM_A:  # [O27]
            share_a = min(state.previous_a - state.target_a, share_a)
        new_a = state.target_a + share_a
        if not cp.drawn_a - WINDOW_A < new_a < cp.drawn_a + WINDOW_A:
            new_a = cp.drawn_a - STEP_A if new_a < cp.drawn_a else cp.drawn_a + STEP_A
            new_a = max(new_a, config.min_a, state.target_a)
        state.current_a = new_a
        booked_a = max(self._booked_a(cp, new_a) - config.min_a, 0.0)  # [O28]
        for phase in cp.used:
            self._left_a[phase] -= booked_a
        return sum(booked_a * self.settings.voltage_v for _ in cp.used)

    # -- commands ----------------------------------------------------------------------------------------------------

    def _commands(self, plugged: Sequence[_Plugged]) -> list[list[Command]]:
        commands: list[list[Command]] = [[] for _ in self.states]
        for cp in plugged:
            state = cp.state
            if state.control is Control.NOT_ALLOWED and state.current_a == 0:
                state.charge_start = None
            else:
                commands[cp.index] += self._process(cp)
        for index, state in enumerate(self.states):
            commands[index].append(("current", state.current_a))  # said again in every cycle [O32]
            state.previous_a = state.current_a
        return commands

    def _process(self, cp: _Plugged) -> list[Command]:
        """[O31]"""
        config, state, station = cp.config, cp.state, cp.station
        commands: list[Command] = []
        if state.imported_at_plug_wh is None:
            state.imported_at_plug_wh = station.imported_wh
        state.imported_wh = station.imported_wh - state.imported_at_plug_wh
        state.phases_to_use = state.phases_to_use or state.phases
        if config.can_switch_phases:
            if needs_switch(state, station):
                is_starting = state.control is Control.WAITING_FOR_PHASES and station.is_charging
                if state.control is not Control.SWITCHING and not is_starting:
                    commands.append(("phases", state.phases))
                    self.reserved_w += self._switch_reserve_w(config, state.phases)
                    state.last_switch, state.phases_to_use = self._now, state.phases
                    state.control = Control.SWITCHING
            elif state.control is Control.PHASES_AWAITED:
                state.control = Control.ALLOWED
        if state.control is Control.SWITCHING:
            state.current_a = 0.0
        if state.control is Control.NOT_ALLOWED and state.current_a != 0:
            state.control = Control.WAITING_FOR_PHASES
        if state.current_a == 0:
            state.charge_start = None
        else:
            if state.previous_a == 0:
                state.charge_start = self._now
            rounded_a = round(state.current_a, 2)
            state.current_a = min(max(rounded_a, config.min_a), config.max_a(state.phases))
        return commands


def needs_switch(state: State, station: Station) -> bool:
    """Whether the phases that are wanted are others than those in use [O30]."""
    wants_current = state.current_a != 0
    if state.control is Control.WAITING_FOR_PHASES and wants_current and state.previous_a != 0:
        return False
    has_worked = state.failed == 0
    is_otherwise = (
        state.control in (Control.PHASES_AWAITED, Control.OFF_DELAY)
        and differ(state.phases_to_use, station.phases_in_use)
        and has_worked
    ) or (differ(state.phases_to_use, state.phases) and state.control in CHARGING)
    if is_otherwise and (not wants_current or station.is_charging or state.previous_a == 0):
        return True
    return (
        state.control is Control.NOT_ALLOWED
        and wants_current
        and not station.is_charging
        and differ(state.phases_to_use, station.phases_in_use if has_worked else state.phases)
    )


def differ(one: int, other: int) -> bool:
    """Whether one is a single phase and the other is not [O30]."""
    return (one == 1) is not (other == 1) and 0 not in (one, other)


def drawn_a(currents_a: tuple[float, float, float]) -> float:
    """The mean of what flows [A]."""
    flowing = [abs(each) for each in currents_a if abs(each) >= METERED_FROM_A]
    return sum(flowing) / len(flowing) if flowing else 0.0

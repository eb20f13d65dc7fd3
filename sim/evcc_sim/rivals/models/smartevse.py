"""SmartEVSE 3.5's law for one step of two seconds: its mode Solar with automatic phases, alone or as master of one node.

The ids in brackets are those of docs/rivals.md, which says what is left out. Currents are whole tenths of an ampere (dA), import
is positive. Node: the other EVSE, whose own law is not part of this.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

STEP_S = 2
FIRST_REGULATION = 5  # the second of it; then every second one [S2]
LOOKS = 100  # at the pilot, each second [S19]
STEADY_LOOKS = 50  # a car's request must last so long [S7]
PILOT_OFF_S = 5  # [S6]
DELAY_S, DELAY_B1_S, DELAY_C1_S = 60, 3, 15  # before a start [S6, S8, S17]
METER_S = 11  # [S4]
BATTERY_S = 60  # [S1]
STOP_HARD_S, STOP_HARD_FROM_DA = 30, 60  # on three phases with so much import [S13]
STOP_NOW_S = 2  # of the stop timer [S13]
UP_S, UP_NOW_S, UP_NEAR_DA = 63, 3, 8  # to three phases [S14]
SETTLING_S = 40  # a car that has just begun gets the minimum [S15]
SET_MAX_DA = 800  # [S10]
LIMITS_MAX = 2  # shortages before an error [S2]


class State(StrEnum):
    """A none, B offered, C charging, C1 told to stop, B1 connected but not offered; of a node also its requests."""

    A = "A"
    B = "B"
    C = "C"
    C1 = "C1"
    B1 = "B1"
    ASKS_B = "COMM_B"
    ASKS_C = "COMM_C"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the owner has set [S3]."""

    min_a: int = 6
    max_a: int = 13
    mains_max_a: int = 25
    circuit_max_a: int = 16
    start_a: int = 4
    stop_min: int = 10
    import_a: int = 0
    node_max_da: int | None = None  # None: there is no node

    @property
    def is_master(self) -> bool:
        return self.node_max_da is not None

    @property
    def min_da(self) -> int:
        return 10 * self.min_a

    @property
    def max_da(self) -> int:
        return 10 * self.max_a


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What comes in a step [S1]. ``mains_da`` None: no reading. ``battery_da`` > 0 charges, None: nobody tells.

    ``pilot_v``: 12 no car, 9 a car, 6 it wants power.
    """

    mains_da: tuple[int, int, int] | None
    pilot_v: int
    battery_da: int | None = None
    node: State | None = None  # what the node reports


@dataclass(slots=True)
class Evse:
    """What is known of an EVSE, the own one or a node."""

    max_da: int
    state: State = State.A
    set_da: int = 0
    charging_s: int = 0
    lacks_sun: bool = False  # the error LESS_6A
    lacks_meter: bool = False  # the error CT_NOCOMM

    @property
    def is_charging(self) -> bool:
        return self.state is State.C

    @property
    def errors(self) -> int:
        return self.lacks_sun + 2 * self.lacks_meter


@dataclass(slots=True)
class SmartEvse:
    """The law with its memory [S0]."""

    settings: Settings
    own: Evse = field(init=False)
    node: Evse | None = field(init=False)
    phases: int = 3
    wanted_phases: int = 0  # 0: as they are
    set_da: int = 0  # for all together
    sum_da: int = 0
    largest_da: int = 0
    stop_timer_s: int = 0
    delay_s: int = 0
    shortages: int = 0
    _second: int = 0
    _has_reading: bool = False
    _meter_s: int = 0
    _battery_da: int = 0
    _battery_s: int = 0
    _steady_looks: int = 0
    _pilot_off_s: int = 0

    def __post_init__(self) -> None:
        self.own = Evse(self.settings.max_da)
        self.node = None if self.settings.node_max_da is None else Evse(self.settings.node_max_da)

    def step(self, inputs: Inputs) -> None:
        """Two seconds; then see ``own``, ``phases`` and ``wanted_phases``."""
        self._take(inputs)
        for _ in range(STEP_S):
            self._live(inputs.pilot_v)

    def _take(self, inputs: Inputs) -> None:
        """[S1]"""
        if inputs.battery_da is not None:
            self._battery_da, self._battery_s = inputs.battery_da, BATTERY_S
        if inputs.mains_da is not None:
            third = abs(self._battery_da) // 3 * (1 if self._battery_da > 0 else -1) if self._battery_s > 0 else 0
            mains_da = [each - third for each in inputs.mains_da]
            self.sum_da, self.largest_da = sum(mains_da), max(mains_da)
            self._has_reading, self._meter_s = True, METER_S
            self.own.lacks_meter = False  # [S4]
        if self.node is not None and inputs.node is not None:
            self.node.state = inputs.node  # [S18]

    def _live(self, pilot_v: int) -> None:
        """A second, in the order of [S19]."""
        self._second += 1
        for _ in range(LOOKS):
            before = self.own.state, self.own.errors, self._steady_looks
            if self._pilot_off_s == 0:
                self._look(pilot_v)
            if before == (self.own.state, self.own.errors, self._steady_looks):
                break  # all further looks are the same
        self._run_stop_timer()
        self._pilot_off_s = max(0, self._pilot_off_s - 1)
        for evse in self._evses:
            if evse.is_charging:
                evse.charging_s += 1
        is_regulation = self._second >= FIRST_REGULATION and self._second % STEP_S == FIRST_REGULATION % STEP_S
        if is_regulation and not self.settings.is_master:
            self._regulate_all()
        self.delay_s = max(0, self.delay_s - 1)
        self._battery_s = max(0, self._battery_s - 1)
        if self.own.lacks_sun and self._is_available():  # [S8]
            self.own.lacks_sun = False
        if self.delay_s > 0 and not self.own.lacks_sun and not self._is_available():
            self.own.lacks_sun = True
        self._watch_meter()
        if self.own.lacks_sun:
            self._stop()
            self.delay_s = DELAY_S
        if is_regulation and self.settings.is_master:  # the node has answered meanwhile
            self._regulate_all()

    @property
    def _evses(self) -> tuple[Evse, ...]:
        return (self.own,) if self.node is None else (self.own, self.node)

    # -- states ------------------------------------------------------------------------------------------------------

    def _look(self, pilot_v: int) -> None:
        """At the pilot [S6, S7, S17]."""
        own = self.own
        if pilot_v == 12 and own.state is not State.A:
            own.state, own.lacks_sun = State.A, False
        elif pilot_v == 9:
            self._look_at_car()
        elif pilot_v == 6 and own.state is State.B:
            self._steady_looks += 1
            if self._steady_looks > STEADY_LOOKS and not own.errors and self.delay_s == 0:
                self._start()

    def _look_at_car(self) -> None:
        own = self.own
        self._steady_looks = 0
        if own.state is State.C1:
            self._enter_b1()
        elif own.state in (State.A, State.B1):
            if own.errors or self.delay_s > 0:
                if own.state is State.A:
                    self._enter_b1()
            elif self._is_available():
                own.set_da, own.state, self.wanted_phases = self.settings.min_da, State.B, 0  # [S17]
            else:
                own.lacks_sun = True

    def _start(self) -> None:
        """[S7]"""
        if not self._is_available():
            self.own.lacks_sun = True
            return
        self.own.set_da = self.settings.min_da
        self._regulate(is_new=True)
        self.own.state, self.own.charging_s = State.C, 0
        self.phases, self.wanted_phases = self.wanted_phases or self.phases, 0  # [S17]
        self.stop_timer_s = 0

    def _enter_b1(self) -> None:
        self.own.state = State.B1
        self.delay_s = self.delay_s or DELAY_B1_S
        self._pilot_off_s = PILOT_OFF_S

    def _enter_c1(self) -> None:
        self.own.state, self.delay_s = State.C1, DELAY_C1_S

    def _stop(self) -> None:
        """[S4, S8]"""
        if self.own.is_charging:
            self._enter_c1()
        elif self.own.state is State.B:
            self._enter_b1()

    def _run_stop_timer(self) -> None:
        """[S17]"""
        if self.stop_timer_s > 0:
            self.stop_timer_s -= 1
            if self.stop_timer_s == 0:
                if self.own.is_charging:
                    self._enter_c1()
                self.own.lacks_sun = True

    def _watch_meter(self) -> None:
        """[S4]"""
        if self._meter_s > 0:
            self._meter_s -= 1
        elif not self.own.lacks_meter:
            self.own.lacks_meter = True
            self._stop()

    # -- sun ---------------------------------------------------------------------------------------------------------

    def _is_available(self) -> bool:
        """Whether one more could charge [S5]."""
        settings, low_da = self.settings, self.settings.min_da
        charging = [evse for evse in self._evses if evse.is_charging]
        count, total_da = len(charging), sum(evse.set_da for evse in charging)
        if not charging and self.sum_da >= -10 * settings.start_a:
            return False
        if count * low_da > total_da or (charging and self.sum_da > 10 * settings.import_a + total_da - count * low_da):
            return False
        least_da = (count + 1) * low_da
        if settings.is_master and least_da > 10 * settings.circuit_max_a:
            return False
        return least_da + self.largest_da - total_da <= 10 * settings.mains_max_a

    def _regulate_all(self) -> None:
        """[S2]"""
        if self.node is not None:
            self._serve(self.node)
        self._regulate()
        if self.shortages > LIMITS_MAX or self.largest_da > 20 * self.settings.mains_max_a:
            self.own.lacks_sun, self.shortages = True, 0

    def _serve(self, node: Evse) -> None:
        """What the master answers [S18]."""
        if node.lacks_sun and self._is_available():
            node.lacks_sun = False
        node.lacks_meter |= self.own.lacks_meter
        if node.state in (State.ASKS_B, State.ASKS_C):
            if not self._is_available():
                node.lacks_sun = True
            elif node.state is State.ASKS_B:
                node.set_da, node.state = self.settings.min_da, State.B
            else:
                node.set_da, node.state, node.charging_s = 0, State.C, 0
                self._regulate(is_new=True)
        elif node.state is State.B1 and not self._is_available():
            node.lacks_sun = True

    def _regulate(self, *, is_new: bool = False) -> None:
        """The current for all [S9 to S16]; ``is_new``: a car has just asked."""
        settings, own = self.settings, self.own
        charging = [evse for evse in self._evses if evse.is_charging]
        total_da = sum(evse.set_da for evse in charging)
        base_da = self.largest_da - total_da
        room_da = 10 * settings.mains_max_a - self.largest_da
        surplus_da = self.sum_da - 10 * settings.import_a
        if own.state is State.B:  # [S9]
            self._want_phases()
        if not is_new and self._has_reading and room_da <= 0:  # [S10]
            self.set_da += room_da
        self.set_da = min(max(self.set_da, 0), SET_MAX_DA)
        if charging and room_da > 0 and self._has_reading:
            self.set_da += _change_da(surplus_da, room_da)  # [S11]
        limit_da = 10 * settings.mains_max_a - base_da  # [S12]
        if settings.is_master:
            limit_da = min(limit_da, 10 * settings.circuit_max_a)
        self.set_da = min(self.set_da, limit_da)
        if charging and self._has_reading:
            if self.set_da < len(charging) * settings.min_da:
                self._too_little(len(charging), surplus_da, limit_da)
            else:
                self._enough()
            self._share_out(charging, total_da)
        if not charging:  # [S16]
            self.stop_timer_s = self.shortages = 0
        self._has_reading = False

    def _want_phases(self) -> None:
        wanted = 3 if -self.sum_da >= 3 * self.settings.min_da + 30 else 1
        if wanted != self.phases:
            self.wanted_phases = wanted

    def _too_little(self, count: int, surplus_da: int, limit_da: int) -> None:
        """[S13]"""
        settings, own = self.settings, self.own
        self.set_da = count * settings.min_da
        is_three = own.is_charging and self.phases == 3
        is_buying = self.sum_da > 10 * (settings.min_a * count - settings.start_a)
        if surplus_da <= 0 or not (is_buying or is_three):
            self.stop_timer_s = 0
        elif self.stop_timer_s == 0:
            is_hard = is_three and surplus_da >= STOP_HARD_FROM_DA
            self.stop_timer_s = STOP_HARD_S if is_hard else 60 * settings.stop_min
        if is_three and 0 < self.stop_timer_s <= STOP_NOW_S:
            self.wanted_phases, self.stop_timer_s = 1, 0
            self._enter_c1()
        if self.set_da > limit_da and self.wanted_phases != 1:
            self.shortages += 1

    def _enough(self) -> None:
        """[S14]"""
        settings, own = self.settings, self.own
        if self.phases != 1 or not own.is_charging or self.set_da + UP_NEAR_DA < settings.max_da:
            self.stop_timer_s = self.shortages = 0
            return
        spare_a = 3 * (settings.min_a + 1) - settings.max_a
        if -self.sum_da <= 10 * (3 if spare_a < 0 else spare_a):
            self.stop_timer_s = 0
        elif self.stop_timer_s == 0:
            self.stop_timer_s = UP_S
        elif self.stop_timer_s <= UP_NOW_S:
            self.wanted_phases, self.stop_timer_s = 3, 0
            self._enter_c1()

    def _share_out(self, charging: list[Evse], total_da: int) -> None:
        """[S15]"""
        self.set_da = min(self.set_da, sum(evse.max_da for evse in charging))
        rest_da, number = self.set_da, len(charging)
        unset = [evse for evse in charging if evse.is_charging]  # not who was told to stop just now
        while True:
            for evse in unset:
                if evse.charging_s < SETTLING_S:
                    evse.set_da, self.set_da = self.settings.min_da, total_da
                elif evse.max_da <= rest_da // number:
                    evse.set_da = evse.max_da
                else:
                    continue
                break
            else:
                break
            unset.remove(evse)
            rest_da -= evse.set_da
            number -= 1
        for evse in unset:
            evse.set_da = rest_da // number
            rest_da -= evse.set_da
            number -= 1


def _change_da(surplus_da: int, room_da: int) -> int:
    """[S11]"""
    if surplus_da < 0:
        return 5 if surplus_da < -10 and room_da > 10 else 1
    if surplus_da > 20:
        return -(surplus_da // 2)
    if surplus_da > 10:
        return -5
    return -1 if surplus_da > 3 else 0

"""OpenEMS's EVSE cluster for one cycle: its mode SURPLUS, all charge points at once.

The ids in brackets are those of docs/rivals.md, which says what is left out. Grid power > 0 is import, battery power > 0 is
discharge. Times are seconds of any clock that only rises. Phases are never switched [P10].
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil, floor
from struct import pack, unpack
from typing import NamedTuple

PERIOD_S = 1.0  # [P1]
VOLTAGE_V = 230
KEPT_S = 300.0  # history [P3]
FULL_BELOW_W = 500.0  # a car that draws no more for so long [P3]
RISE_PER_S = 0.03  # [P8]
CAR_W = {1: (1380, 3680), 3: (4140, 11040)}  # what cars can do [P2]


class Step(StrEnum):
    """Where a charge point is [P9]."""

    UNDEFINED = "UNDEFINED"
    NOT_CONNECTED = "EV_NOT_CONNECTED"
    CONNECTED = "EV_CONNECTED"
    CHARGING = "CHARGING"
    FINISHED = "FINISHED_EV_STOP"


class Hysteresis(StrEnum):
    """What the history forbids [P4]."""

    INACTIVE = "INACTIVE"
    KEEP_ZERO = "KEEP_ZERO"
    KEEP_CHARGING = "KEEP_CHARGING"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargePoint:
    """A station with its car: what it takes [in ``unit_a`` ampere], and what its car can [W]."""

    phases: int = 3
    unit_a: float = 1.0
    low: int = 6
    high: int = 16
    car_w: tuple[int, int] = CAR_W[3]

    low_w: int = field(init=False)
    high_w: int = field(init=False)
    step_w: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "low_w", max(self.watts(self.low), self.car_w[0]))
        object.__setattr__(self, "high_w", min(self.watts(self.high), self.car_w[1]))
        object.__setattr__(self, "step_w", max(self.watts(1), 1))

    def watts(self, value: int) -> int:
        """In single precision, as there [P2]."""
        current_a = single(value * self.unit_a)
        return floor(single(single(current_a * self.phases) * VOLTAGE_V) + 0.5)

    def value(self, power_w: int) -> int:
        """What is sent for ``power_w`` [P2]."""
        milliamps = floor(power_w * 1000 // self.phases / VOLTAGE_V + 0.5)
        return milliamps if self.unit_a == 0.001 else milliamps // 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """What a station says."""

    is_connected: bool
    is_ready: bool
    power_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """``sent``: None sends nothing. ``power_w`` is what has been decided, whatever is sent."""

    sent: int | None
    power_w: int


class Entry(NamedTuple):
    """Of the history: ``set_w`` is what was really sent [P3]."""

    time: float
    power_w: float
    set_w: int
    is_ready: bool


class History:
    """The last entries of a charge point, and how many of them are of a kind [P3]."""

    def __init__(self) -> None:
        self.is_initialized = False
        self._entries: deque[Entry] = deque()
        self._charging_times: deque[float] = deque()  # of the run of equal set points that ends now
        self._not_ready = self._zero = self._drawing = 0

    @property
    def last(self) -> Entry | None:
        return self._entries[-1] if self._entries else None

    @property
    def has_zero(self) -> bool:
        return self._zero > 0

    @property
    def is_idle(self) -> bool:
        """No power in any entry."""
        return self._drawing == 0

    @property
    def hysteresis(self) -> Hysteresis:
        """[P4]"""
        last = self.last
        if last is None:
            return Hysteresis.INACTIVE
        if self._not_ready:
            return Hysteresis.KEEP_CHARGING
        if last.set_w == 0:
            return Hysteresis.INACTIVE if self._zero == len(self._entries) else Hysteresis.KEEP_ZERO
        return Hysteresis.INACTIVE if self._zero == 0 else Hysteresis.KEEP_CHARGING

    @property
    def rising_since(self) -> float:
        """When the car began to draw what it is told now [P8]."""
        return self._charging_times[0] if self._charging_times else self._entries[-1].time

    def add(self, entry: Entry) -> None:
        """Appends, then drops what is too old."""
        if self._entries and self._entries[-1].set_w != entry.set_w:
            self._charging_times.clear()
        if entry.power_w > 0 and entry.is_ready:
            self._charging_times.append(entry.time)
        self._entries.append(entry)
        self._count(entry, 1)
        while entry.time - self._entries[0].time > KEPT_S:
            dropped = self._entries.popleft()
            self._count(dropped, -1)
            if self._charging_times and self._charging_times[0] == dropped.time:
                self._charging_times.popleft()
            self.is_initialized = True

    def _count(self, entry: Entry, by: int) -> None:
        self._not_ready += by * (not entry.is_ready)
        self._zero += by * (entry.set_w == 0)
        self._drawing += by * (entry.power_w != 0)


class _Memory:
    """What is remembered of a charge point."""

    def __init__(self) -> None:
        self.step = Step.UNDEFINED
        self.history = History()
        self.appears_full = False


class OpenEms:
    """The law with its memory. ``by_priority``: the first charge points take all they can, else all get the same [P1]."""

    def __init__(self, charge_points: Sequence[ChargePoint], *, by_priority: bool = False) -> None:
        self.charge_points = tuple(charge_points)
        self.by_priority = by_priority
        self.memories = [_Memory() for _ in charge_points]

    def cycle(self, *, grid_w: float, battery_w: float, stations: Sequence[Station], now: float) -> tuple[Output, ...]:
        """What is sent to each charge point."""
        for memory, station in zip(self.memories, stations, strict=True):
            last = memory.history.last
            if last is not None and last.is_ready is not station.is_ready:  # [P3]
                memory.appears_full = False
        powers_w = self._distribute(grid_w, battery_w, stations)
        return tuple(
            self._send(index, station, self._limited_w(index, power_w, now), now)
            for index, (station, power_w) in enumerate(zip(stations, powers_w, strict=True))
        )

    # -- how much ----------------------------------------------------------------------------------------------------

    def _distribute(self, grid_w: float, battery_w: float, stations: Sequence[Station]) -> list[int]:
        """What each charge point is to get, before its rise is limited [W]."""
        rest_w = int(max(0.0, sum(station.power_w for station in stations) - grid_w - battery_w))  # [P5]
        powers_w: list[int] = []
        served: list[int] = []
        for index, (cp, memory, station) in enumerate(zip(self.charge_points, self.memories, stations, strict=True)):
            if not station.is_ready or memory.appears_full:  # lets a car preheat [P7]
                powers_w.append(cp.low_w)
                continue
            hysteresis = memory.history.hysteresis
            is_kept = hysteresis is Hysteresis.KEEP_CHARGING
            is_served = hysteresis is not Hysteresis.KEEP_ZERO and (is_kept or cp.low_w <= rest_w)
            powers_w.append(cp.low_w if is_served else 0)
            if is_served:
                rest_w -= cp.low_w
                served.append(index)
        share = self._in_turn if self.by_priority else self._equally
        share(powers_w, served, rest_w)
        self._whole_steps(powers_w, served)
        return powers_w

    def _equally(self, powers_w: list[int], served: list[int], rest_w: int) -> None:
        """[P6]"""
        has_moved = True
        while has_moved:
            below = [index for index in served if powers_w[index] < self.charge_points[index].high_w]
            share_w = int(rest_w / len(below)) if below else 0
            has_moved = False
            for index in below:
                gain_w = self._clamped(index, powers_w[index] + share_w) - powers_w[index]
                powers_w[index] += gain_w
                rest_w -= gain_w
                has_moved |= gain_w != 0

    def _in_turn(self, powers_w: list[int], served: list[int], rest_w: int) -> None:
        """[P6]"""
        for index in served:
            gain_w = self._clamped(index, powers_w[index] + rest_w) - powers_w[index]
            powers_w[index] += gain_w
            rest_w -= gain_w

    def _clamped(self, index: int, power_w: int) -> int:
        cp = self.charge_points[index]
        return min(max(power_w, cp.low_w), cp.high_w)

    def _whole_steps(self, powers_w: list[int], served: list[int]) -> None:
        """Each is rounded down to its step; what that leaves goes to the first that can use it [P6]."""
        left_w = 0
        for index in served:
            cut_w = powers_w[index] % self.charge_points[index].step_w
            powers_w[index] -= cut_w
            left_w += cut_w
        for index in served:
            cp = self.charge_points[index]
            steps = min(left_w, cp.high_w - powers_w[index]) // cp.step_w
            powers_w[index] += steps * cp.step_w
            left_w -= steps * cp.step_w

    def _limited_w(self, index: int, power_w: int, now: float) -> int:
        """Power rises slowly [P8]."""
        cp, history = self.charge_points[index], self.memories[index].history
        last = history.last
        if last is None or last.set_w == 0:
            return min(power_w, cp.low_w)
        if last.set_w > power_w:
            return power_w
        rise_w = single(single(last.set_w * single(RISE_PER_S)) * (now - history.rising_since))
        return min(power_w, last.set_w + ceil(rise_w))

    # -- what is sent ------------------------------------------------------------------------------------------------

    def _send(self, index: int, station: Station, power_w: int, now: float) -> Output:
        """By the step at the beginning of the cycle; then the next one [P9]."""
        cp, memory = self.charge_points[index], self.memories[index]
        here = memory.step
        if here is Step.UNDEFINED:
            memory.step = Step.CONNECTED if station.is_connected else Step.NOT_CONNECTED
            return Output(sent=None, power_w=power_w)
        if here is not Step.NOT_CONNECTED and not station.is_connected:
            memory.step = Step.NOT_CONNECTED
            return Output(sent=None, power_w=power_w)
        sent = cp.value(power_w if here is Step.CHARGING else cp.low_w)
        self._remember(index, Entry(now, station.power_w, cp.watts(sent), station.is_ready))
        memory.step = self._next(memory, station)
        return Output(sent=sent, power_w=power_w)

    def _remember(self, index: int, entry: Entry) -> None:
        memory = self.memories[index]
        memory.history.add(entry)
        if entry.power_w > FULL_BELOW_W:  # [P3]
            memory.appears_full = False
        elif memory.history.is_initialized and not memory.history.has_zero:
            memory.appears_full = True

    def _next(self, memory: _Memory, station: Station) -> Step:
        """[P9]"""
        history = memory.history
        match memory.step:
            case Step.NOT_CONNECTED if station.is_connected:
                return Step.CONNECTED
            case Step.CONNECTED if station.is_ready:
                return Step.CHARGING
            case Step.CHARGING if history.is_initialized and not history.has_zero and history.is_idle:
                return Step.FINISHED
            case Step.FINISHED if station.power_w != 0:
                return Step.CHARGING
            case _:
                return memory.step


def single(value: float) -> float:
    """In single precision."""
    rounded: float = unpack("f", pack("f", value))[0]
    return rounded

"""An electric car at a charging station: how it starts, follows the pilot, tapers, stops, sleeps and takes offence.

    unplugged -> idle -> starting (start_delay_s) -> charging -> idle ...
                  |  sleep_after_s without charging
                  v
                asleep (needs a wake-up unless wakes_by_pilot)

Sources of the defaults: IEC 61851-1 (a vehicle follows a changed duty cycle within 5 s and leaves state C within 3 s after
the pilot is gone); owners' reports of 5-30 s before a car draws what it is offered; 90 % from socket to battery is the
figure planners use; minimum currents of 6 A by the standard, 8-13 A in some models.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from math import ceil

import simpy

from evcc_sim.plants.bus import WS_PER_KWH
from evcc_sim.plants.faults import FaultKind, FaultTable
from evcc_sim.timebase import Timer
from evcclib.model import ChargerStatus

MARK_PCT = 0.5
"""While the charging current tapers it is computed anew at every half percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """The car stands at ``charger`` from ``arrive`` to ``depart`` (wall clock; an earlier hour means the next day).

    ``soc_pct``: its SoC on arrival; else it has used ``used_pct`` since it left. ``days``: on which; empty: each.
    """

    charger: str
    arrive: time
    depart: time
    soc_pct: float | None = None
    used_pct: float = 20.0
    days: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CarSpec:
    """A car's behaviour."""

    name: str = "car"
    title: str = ""
    capacity_kwh: float = 60.0
    phases: int = 3
    current_min_a: float = 6.0  # refuses to charge below
    current_max_a: float = 16.0
    soc_pct: float = 50.0
    soc_limit_pct: float = 100.0  # its own
    efficiency: float = 0.9
    start_delay_s: float = 6.0  # from the pilot to state C
    stop_delay_s: float = 1.5  # from the pilot's end to zero current
    dead_time_s: float = 3.0  # before it follows a higher offer
    dead_time_down_s: float = 1.5  # before it follows a lower one
    ramp_a_per_s: float = 4.0  # upwards
    taper_from_pct: float = 90.0
    taper_end_w: float = 1500.0  # at 100 %
    has_known_curve: bool = False  # its owner has told the site how it tapers
    sleep_after_s: float = 0.0  # 0: never sleeps
    wakes_by_pilot: bool = True
    wakes_by_api: bool = True
    wakes_by_charger: bool = True
    phase_pause_min_s: float = 0.0  # takes offence at a phase switch with a shorter pause
    climate: tuple[tuple[time, time], ...] = ()  # climate control runs, wall clock
    climate_w: float = 1800.0
    rfid: str = ""
    visits: tuple[Visit, ...] = ()
    has_api: bool = True
    has_soc: bool = True
    has_soc_limit: bool = False
    has_status: bool = False
    has_climate: bool = False
    has_wakeup: bool = False
    api_refresh_s: float = 300.0  # the maker's cloud refreshes this often
    range_km_per_pct: float = 4.0
    odometer_km: float = 20_000.0


class Socket(ABC):
    """What a car sees of the station it is plugged in at; `evcc_sim.plants.wallbox.Wallbox` fills it."""

    pilot_a: float = 0.0
    phases: int = 3
    is_supplied: bool = False
    voltage_v: float = 230.0

    @abstractmethod
    def request(self, wants: bool) -> None:
        """State C or B."""

    @abstractmethod
    def draw(self, current_a: float, phases: int) -> None:
        """The car now draws this on its first ``phases`` phases."""


class Car:
    """One car. `plug_in` and `unplug` move it; the socket calls `pilot_changed` and `supply_changed`."""

    def __init__(
        self,
        env: simpy.Environment,
        spec: CarSpec,
        *,
        is_climate_time: Callable[[], bool] = lambda: False,
        faults: FaultTable | None = None,
    ) -> None:
        self.env = env
        self.spec = spec
        self.socket: Socket | None = None
        self.is_asleep = False
        self.is_offended = False
        self.current_a = 0.0  # per phase
        self.phases = 0
        self.energy_taken_kwh = 0.0  # from the socket, up to the last change
        self.odometer_km = spec.odometer_km
        self.reads = 0  # of its interface
        self.wakes = 0
        self.starts = 0
        self._faults = faults or FaultTable(())
        self._is_climate_time = is_climate_time
        self._soc_pct = spec.soc_pct
        self._since = float(env.now)
        self._wants = False
        self._timer: Timer | None = None  # the next change of current or state
        self._planned: Callable[[], None] | None = None
        self._mark: Timer | None = None
        self._sleep: Timer | None = None
        self._stopped_at = -1e9
        self._phases_before = 0
        self._reported: tuple[float, float] | None = None

    # -- being moved and talked to ---------------------------------------------------------------------------------

    def plug_in(self, socket: Socket) -> None:
        self.socket = socket
        self.is_asleep = self.is_offended = False
        self._phases_before = 0
        self._stopped_at = -1e9
        self._fall_asleep_later()
        self.pilot_changed()

    def unplug(self) -> None:
        self._clear_timers()
        if self._sleep is not None:
            self._sleep.cancel()
            self._sleep = None
        self._draw(0.0)
        self._wants = False
        self.socket = None

    def wake(self) -> None:
        """By the maker's interface."""
        self.wakes += 1
        if self.spec.wakes_by_api:
            self._wake_up()

    def wake_by_charger(self) -> None:
        """The station has interrupted the pilot on purpose."""
        self.wakes += 1
        if self.spec.wakes_by_charger:
            self._wake_up()

    def climate_changed(self) -> None:
        """Climate control was switched on or off."""
        self.pilot_changed()

    @property
    def is_climating(self) -> bool:
        return bool(self.spec.climate) and self._is_climate_time()

    @property
    def soc_pct(self) -> float:
        """The true state of charge now [%]."""
        return self._soc_pct + self._stored_ws() / WS_PER_KWH / self.spec.capacity_kwh * 100.0

    @soc_pct.setter
    def soc_pct(self, value: float) -> None:
        self._settle()
        self._soc_pct = value
        self._reported = None

    @property
    def power_w(self) -> float:
        return self.current_a * self.phases * (self.socket.voltage_v if self.socket is not None else 230.0)

    # -- the maker's interface -------------------------------------------------------------------------------------

    def reported_soc_pct(self) -> float | None:
        """What the maker's cloud tells: now and then, or nothing (fault ``nan`` or ``silence`` at the car's name)."""
        self.reads += 1
        now = float(self.env.now)
        name = self.spec.name
        if self._faults.is_silent(name, now) or self._faults.active(name, FaultKind.NAN, now) is not None:
            return None
        if self._faults.active(name, FaultKind.FROZEN, now) is None or self._reported is None:
            refresh_s = self.spec.api_refresh_s
            slot = now // refresh_s if refresh_s > 0 else now
            if self._reported is None or self._reported[0] != slot:
                self._reported = (slot, round(self.soc_pct, 1))
        value = self._reported[1]
        lying = self._faults.active(name, FaultKind.LYING, now)
        if lying is not None:
            value = value * lying.params.get("factor", 1.0) + lying.params.get("offset_pct", 0.0)
        return value

    def reported_status(self) -> ChargerStatus:
        """Plugged in or charging, as the maker's cloud tells."""
        if self.socket is None:
            return ChargerStatus.A
        return ChargerStatus.C if self.current_a > 0 else ChargerStatus.B

    # -- following the pilot ---------------------------------------------------------------------------------------

    def pilot_changed(self) -> None:
        """Offer, phases or own wishes have changed: decide anew."""
        socket = self.socket
        if socket is None:
            return
        if self.current_a > 0 and socket.phases != self._phases_before:
            self.is_offended = True  # phases switched while charging
        wanted_a = self._wanted_a()
        if wanted_a <= 0.0:
            delay_s = self.spec.stop_delay_s
            if self.current_a > 0 or self._wants:
                self._next(delay_s, self._stop)
            else:
                self._cancel_next()
        elif not self._wants:
            if self._phases_before not in (0, socket.phases):
                pause_s = float(self.env.now) - self._stopped_at
                if pause_s < self.spec.phase_pause_min_s:
                    self.is_offended = True
                    return
            self._next(self.spec.start_delay_s, self._start)
        elif socket.is_supplied:
            self._follow(wanted_a)

    def supply_changed(self) -> None:
        """The contactor has closed or opened."""
        socket = self.socket
        if socket is None:
            return
        if socket.is_supplied:
            self._phases_before = socket.phases
            wanted_a = self._wanted_a()
            if wanted_a > 0:
                self._follow(wanted_a)
        elif self.current_a > 0:
            self._draw(0.0)

    def _wanted_a(self) -> float:
        """What it would draw on each phase for good, if it were ramped up."""
        socket = self.socket
        if socket is None or self.is_asleep or self.is_offended or socket.pilot_a < self.spec.current_min_a - 1e-9:
            return 0.0
        spec = self.spec
        phases = min(spec.phases, socket.phases)
        limit_a = min(socket.pilot_a, spec.current_max_a)
        soc_pct = self.soc_pct
        watts_a = socket.voltage_v * phases
        if soc_pct >= min(spec.soc_limit_pct, 100.0) - 1e-6:
            return min(limit_a, spec.climate_w / watts_a) if self.is_climating else 0.0
        if soc_pct > spec.taper_from_pct:
            full_w = spec.current_max_a * socket.voltage_v * spec.phases
            share = (100.0 - soc_pct) / max(1e-9, 100.0 - spec.taper_from_pct)
            power_w = spec.taper_end_w + (full_w - spec.taper_end_w) * share
            limit_a = min(limit_a, max(spec.taper_end_w, power_w) / watts_a)
        return limit_a

    def _start(self) -> None:
        if self.socket is None or self._wanted_a() <= 0:
            return
        self._wants = True
        self.starts += 1
        if self._sleep is not None:
            self._sleep.cancel()
            self._sleep = None
        self.socket.request(True)

    def _stop(self) -> None:
        self._draw(0.0)
        self._stopped_at = float(self.env.now)
        self._wants = False
        if self.socket is not None:
            self.socket.request(False)
            self._fall_asleep_later()
            self.pilot_changed()

    def _follow(self, wanted_a: float) -> None:
        """Go towards ``wanted_a``: after a dead time, downwards at once, upwards in steps of a second."""
        phases = self._phases_now()
        if phases != self.phases and self.current_a > 0:
            self._draw(self.current_a)
        if abs(wanted_a - self.current_a) < 1e-9:
            self._cancel_next()
            self._set_mark()
        elif wanted_a < self.current_a:
            self._next(self.spec.dead_time_down_s, self._adopt)
        else:
            self._next(self.spec.dead_time_s, self._ramp)

    def _phases_now(self) -> int:
        return 0 if self.socket is None else min(self.spec.phases, self.socket.phases)

    def _adopt(self) -> None:
        wanted_a = self._wanted_a()
        if wanted_a <= 0:
            self._stop()
        elif wanted_a > self.current_a:
            self._ramp()
        else:
            self._draw(wanted_a)

    def _ramp(self) -> None:
        wanted_a = self._wanted_a()
        if wanted_a <= self.current_a:
            self._adopt()
            return
        step_a = max(0.5, self.spec.ramp_a_per_s)
        self._draw(min(wanted_a, self.current_a + step_a))
        if self.current_a < wanted_a - 1e-9:
            self._next(1.0, self._ramp)

    def _draw(self, current_a: float) -> None:
        self._settle()
        self.current_a = current_a
        self.phases = self._phases_now() if current_a > 0 else 0
        if self.socket is not None:
            self.socket.draw(current_a, self.phases)
        self._set_mark()

    # -- bookkeeping -----------------------------------------------------------------------------------------------

    def _stored_ws(self) -> float:
        if self.current_a == 0 or self.socket is None:
            return 0.0
        power_w = self.power_w
        if self._soc_pct >= min(self.spec.soc_limit_pct, 100.0) - 1e-6:
            return 0.0  # climate control uses it up
        return power_w * self.spec.efficiency * (float(self.env.now) - self._since)

    def _settle(self) -> None:
        now = float(self.env.now)
        soc_pct = self.soc_pct
        self.energy_taken_kwh += self.power_w * (now - self._since) / WS_PER_KWH
        self._soc_pct = min(100.0, soc_pct)
        self._since = now

    def _set_mark(self) -> None:
        """Look again when the SoC has reached its limit or the next half percent of the taper."""
        if self._mark is not None:
            self._mark.cancel()
            self._mark = None
        power_w = self.power_w * self.spec.efficiency
        limit_pct = min(self.spec.soc_limit_pct, 100.0)
        if power_w <= 0 or self._soc_pct >= limit_pct - 1e-6:
            return
        if self._soc_pct < self.spec.taper_from_pct:
            goal_pct = min(limit_pct, self.spec.taper_from_pct)
        else:
            goal_pct = min(limit_pct, (ceil(self._soc_pct / MARK_PCT + 1e-6)) * MARK_PCT)
        seconds = (goal_pct - self._soc_pct) / 100 * self.spec.capacity_kwh * WS_PER_KWH / power_w
        self._mark = Timer(self.env, seconds + 1e-3, self._marked)

    def _marked(self) -> None:
        self._mark = None
        self._settle()
        limit_pct = min(self.spec.soc_limit_pct, 100.0)
        if abs(self._soc_pct - limit_pct) < 0.01:
            self._soc_pct = limit_pct
        wanted_a = self._wanted_a()
        if wanted_a <= 0:
            self._stop()
        elif wanted_a < self.current_a:
            self._draw(wanted_a)
        else:
            self._set_mark()

    def _fall_asleep_later(self) -> None:
        if self._sleep is not None:
            self._sleep.cancel()
            self._sleep = None
        if self.spec.sleep_after_s > 0:
            self._sleep = Timer(self.env, self.spec.sleep_after_s, self._fall_asleep)

    def _fall_asleep(self) -> None:
        self._sleep = None
        if self.socket is not None and not self._wants:
            self.is_asleep = not self.spec.wakes_by_pilot

    def _wake_up(self) -> None:
        was_resting = self.is_asleep or self.is_offended
        self.is_asleep = self.is_offended = False
        self._phases_before = 0
        if was_resting:
            self._fall_asleep_later()
            self.pilot_changed()

    def _next(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do ``action`` later instead of whatever was planned; what is already planned keeps its time."""
        if self._timer is not None:
            if self._planned == action:
                return
            self._timer.cancel()
        self._planned = action
        self._timer = Timer(self.env, delay_s, self._do_planned)

    def _do_planned(self) -> None:
        action, self._planned, self._timer = self._planned, None, None
        if action is not None:
            action()

    def _cancel_next(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._planned = None

    def _clear_timers(self) -> None:
        self._cancel_next()
        if self._mark is not None:
            self._mark.cancel()
            self._mark = None

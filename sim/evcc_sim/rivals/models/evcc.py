"""evcc's law for one tick: round robin over the loadpoints, its modes pv and minpv, phases, circuits.

The ids in brackets are those of docs/rivals.md, which says what is left out. Grid power > 0 is import, battery power > 0 is
discharge. Times are seconds of any clock that only rises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, trunc

PERIOD_S = 30.0  # [E1]
ALONE_W = 100.0  # residual power while the battery has priority and none is set [E7]
SETTLED_S = 60.0  # after a switch, before what a charger says of itself counts [E14, E16, E17, E19]
ACTIVE_ABOVE_A = 1.0  # [E14]
OFFER_SLACK_A = 1.0  # [E17]
DRAWN_SLACK_A = 2.0  # [E24]
OVERLOADED_AFTER_S = 60.0  # a circuit's meter may fail so long [E33]
ELAPSED = -inf
"""A timer as if started long ago [E4]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loadpoint:
    """Settings of a loadpoint as evcc has them [E5]. Phases 0 are unknown, or automatic."""

    mode: str = "pv"  # off, now, minpv, pv
    priority: int = 0
    can_switch_phases: bool = False
    phases_configured: int = 0
    vehicle_phases: int = 0
    takes_fractions: bool = False
    min_a: float = 6.0
    max_a: float = 16.0
    enable_threshold_w: float = 0.0
    enable_delay_s: float = 60.0
    disable_threshold_w: float = 0.0
    disable_delay_s: float = 180.0
    circuit: int | None = None  # position
    is_cheap: bool = False  # the price is below the owner's limit [E20]

    @property
    def phases_configured_or_3(self) -> int:
        return self.phases_configured or 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """Limits for what hangs below it, and the circuit above. ``has_meter``: its own load counts, not that of its loadpoints."""

    power_max_w: float | None = None
    current_max_a: float | None = None
    parent: int | None = None
    has_meter: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the owner has set, for the site and each loadpoint."""

    loadpoints: tuple[Loadpoint, ...]
    circuits: tuple[Circuit, ...] = ()
    residual_w: float = 0.0
    priority_soc_pct: float = 0.0
    buffer_soc_pct: float = 0.0
    buffer_start_soc_pct: float = 0.0
    voltage_v: float = 230.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Charger:
    """What a charger and its meter say; None: unreadable [E13]."""

    status: str | None
    is_enabled: bool | None
    power_w: float | None
    currents_a: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What is read in a tick [E3]. ``circuits``: power [W] and largest current [A] of those with a meter, None: unreadable."""

    grid_w: float | None
    chargers: tuple[Charger, ...]
    battery_w: float | None = None  # None: there is no battery
    battery_soc_pct: float = 0.0
    aux_w: float = 0.0
    circuits: tuple[tuple[float, float] | None, ...] = ()


Command = tuple[str, float]
"""("current", A), ("enable", true or false), ("phases", n)."""


@dataclass(slots=True)
class State:
    """What is remembered of a loadpoint [E4]."""

    is_enabled: bool
    phases: int
    status: str = ""
    offered_a: float = 0.0
    measured: int = 0
    pv_timer: float | None = None
    phase_timer: float | None = None
    charger_switched: float = ELAPSED
    phases_switched: float = ELAPSED
    power_w: float = 0.0
    currents_a: tuple[float, float, float] | None = None

    @property
    def is_connected(self) -> bool:
        return self.status in ("B", "C")

    @property
    def is_charging(self) -> bool:
        return self.status == "C"

    def set_phases(self, phases: int) -> None:
        if phases != self.phases:  # [E28]
            self.phases, self.phase_timer, self.measured = phases, None, 0


@dataclass(slots=True)
class _Load:
    """Of a circuit, and when its meter was last read."""

    power_w: float = 0.0
    current_a: float = 0.0
    read_at: float = ELAPSED


class Evcc:
    """The law with its memory. ``settings`` may be changed between two ticks."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.states: list[State] = []
        self._loads: list[_Load] = [_Load() for _ in settings.circuits]

    def tick(self, inputs: Inputs, decided: int, *, now: float) -> list[Command]:
        """The commands to loadpoint ``decided``, in order."""
        if not self.states:
            pairs = zip(self.settings.loadpoints, inputs.chargers, strict=True)
            self.states = [_initial(lp, charger) for lp, charger in pairs]
        for state, charger in zip(self.states, inputs.chargers, strict=True):
            state.currents_a = charger.currents_a
            if charger.power_w is not None:  # else its own keeps its old value [E13]
                state.power_w = charger.power_w
        if inputs.grid_w is None:  # nothing is decided, timers run on [E12]
            return []
        self._read_circuits(inputs, now)
        charger = inputs.chargers[decided]
        if charger.status is None or charger.is_enabled is None:  # [E13]
            return []
        site_w, is_buffered, is_start = self._site(inputs, decided)
        update = _Update(self, decided, site_w, now)
        update.run(charger.status, charger.is_enabled, is_buffered=is_buffered, is_start=is_start)
        return update.commands

    # -- the site ----------------------------------------------------------------------------------------------------

    def _site(self, inputs: Inputs, decided: int) -> tuple[float, bool, bool]:
        """Site power [W], and whether the battery is to be used while charging, and to start."""
        assert inputs.grid_w is not None
        settings = self.settings
        residual_w, battery_w, soc_pct = settings.residual_w, inputs.battery_w, inputs.battery_soc_pct
        is_buffered = is_start = False
        if battery_w is not None:
            has_priority = soc_pct < settings.priority_soc_pct
            if has_priority and residual_w <= 0:  # [E7]
                residual_w = ALONE_W
            if has_priority and battery_w < 0:  # what it takes is its own [E8]
                battery_w = 0.0
            else:
                is_buffered = settings.buffer_soc_pct > 0 and soc_pct > settings.buffer_soc_pct
                is_start = settings.buffer_start_soc_pct > 0 and soc_pct >= settings.buffer_start_soc_pct
        site_w = inputs.grid_w + (battery_w or 0.0) + residual_w - inputs.aux_w  # [E6, E11]
        if settings.loadpoints[decided].mode == "pv":
            site_w += self._reserved_w(decided) - self._flexible_w(inputs, decided)
        return site_w, is_buffered, is_start

    def _flexible_w(self, inputs: Inputs, decided: int) -> float:
        """What those of lower priority would give up [E9]."""
        total_w = 0.0
        pairs = zip(self.settings.loadpoints, self.states, inputs.chargers, strict=True)
        for lp, state, charger in pairs:
            power_w = charger.power_w or 0.0
            if lp.priority >= self.settings.loadpoints[decided].priority or not state.is_charging or lp.is_cheap:
                continue
            if lp.mode == "pv":
                total_w += power_w
            elif lp.mode == "minpv":
                is_one = lp.can_switch_phases or lp.phases_configured == 1
                phases = 1 if is_one else max_phases(lp, state)
                total_w += max(0.0, power_w - self.settings.voltage_v * lp.min_a * phases)
        return total_w

    def _reserved_w(self, decided: int) -> float:
        """What those of higher priority are waiting for [E10]."""
        total_w = 0.0
        for lp, state in zip(self.settings.loadpoints, self.states, strict=True):
            is_waiting = state.is_connected and not state.is_enabled and state.pv_timer is not None
            if lp.priority > self.settings.loadpoints[decided].priority and lp.mode == "pv" and is_waiting:
                power_w = self.settings.voltage_v * lp.max_a * max_phases(lp, state)
                limit_w = None if lp.circuit is None else self.settings.circuits[lp.circuit].power_max_w
                total_w += power_w if limit_w is None else min(power_w, limit_w)
        return total_w

    # -- circuits ----------------------------------------------------------------------------------------------------

    def _read_circuits(self, inputs: Inputs, now: float) -> None:
        """Loads as of this tick [E33]."""
        for index, circuit in enumerate(self.settings.circuits):
            load = self._loads[index]
            if not circuit.has_meter:
                below = [each for each, lp in enumerate(self.settings.loadpoints) if self._is_below(lp.circuit, index)]
                load.power_w = sum(inputs.chargers[each].power_w or 0.0 for each in below)
                load.current_a = sum(own_a(self.states[each]) for each in below)
            elif (read := inputs.circuits[index]) is not None:
                load.power_w, load.current_a, load.read_at = *read, now
            elif now - load.read_at > OVERLOADED_AFTER_S:
                load.power_w = load.current_a = inf

    def _is_below(self, circuit: int | None, above: int) -> bool:
        while circuit is not None and circuit != above:
            circuit = self.settings.circuits[circuit].parent
        return circuit == above

    def cap_a(self, index: int | None, old_a: float, new_a: float) -> float:
        """What of ``new_a`` circuits leave to who has ``old_a`` [E33]."""
        while index is not None:
            circuit = self.settings.circuits[index]
            new_a = _capped(circuit.current_max_a, self._loads[index].current_a, old_a, new_a)
            index = circuit.parent
        return new_a

    def cap_w(self, index: int | None, old_w: float, new_w: float) -> float:
        """What of ``new_w`` circuits leave to who has ``old_w`` [E33]."""
        while index is not None:
            circuit = self.settings.circuits[index]
            new_w = _capped(circuit.power_max_w, self._loads[index].power_w, old_w, new_w)
            index = circuit.parent
        return new_w


def _initial(lp: Loadpoint, charger: Charger) -> State:
    phases = 0 if lp.can_switch_phases else lp.phases_configured_or_3
    return State(is_enabled=bool(charger.is_enabled), phases=phases)


def _capped(limit: float | None, load: float, old: float, new: float) -> float:
    if limit is None:
        return new
    room = limit - load
    return min(new, max(0.0, old + room)) if max(0.0, new - old) > room else new


def active_phases(lp: Loadpoint, state: State) -> int:
    """As many as are thought to carry current; unknown counts as three [E21]."""
    return min(lp.vehicle_phases or 3, state.phases or 3, state.measured or 3)


def max_phases(lp: Loadpoint, state: State) -> int:
    """As many as could [E21]."""
    is_known = state.phases > 1 and lp.vehicle_phases != 1  # what is measured then tells of the car
    phases = lp.phases_configured_or_3 if lp.can_switch_phases else state.phases or 3
    return min(lp.vehicle_phases or 3, phases, (state.measured or 3) if is_known else 3)


def own_a(state: State) -> float:
    """The largest phase current, or what it is thought to be [E31]."""
    if state.currents_a is not None:
        return max(state.currents_a)
    return state.offered_a if state.is_charging else 0.0


@dataclass(slots=True)
class _Update:
    """One update of one loadpoint."""

    law: Evcc
    index: int
    site_w: float
    now: float
    commands: list[Command] = field(default_factory=list)

    @property
    def lp(self) -> Loadpoint:
        return self.law.settings.loadpoints[self.index]

    @property
    def state(self) -> State:
        return self.law.states[self.index]

    def run(self, status: str, says_enabled: bool, *, is_buffered: bool, is_start: bool) -> None:
        """In evcc's order."""
        state = self.state
        is_phase_done = self.now - state.phases_switched > SETTLED_S
        is_consistent = is_phase_done and self.now - state.charger_switched > SETTLED_S
        self._measure_phases(is_phase_done)
        self._take_status(status)
        self._reconcile(says_enabled, is_phase_done=is_phase_done, is_consistent=is_consistent)
        self._decide(is_phase_done, is_buffered=is_buffered, is_start=is_start)

    # -- what the charger says ---------------------------------------------------------------------------------------

    def _measure_phases(self, is_phase_done: bool) -> None:
        state = self.state
        if state.currents_a is not None and state.is_charging and is_phase_done:  # by its old status [E14]
            active = sum(current_a > ACTIVE_ABOVE_A for current_a in state.currents_a)
            if active:
                state.measured = active

    def _take_status(self, status: str) -> None:
        """[E15]"""
        state, before = self.state, self.state.status
        state.status = status
        if status == before:
            return
        if before == "A" or (not before and status != "A"):  # may start at once
            state.pv_timer = ELAPSED
        if before == "C" and state.pv_timer != ELAPSED:
            state.pv_timer = None
        if status == "A":
            state.measured = 0

    def _reconcile(self, says_enabled: bool, *, is_phase_done: bool, is_consistent: bool) -> None:
        """The charger's word against what is remembered."""
        state = self.state
        must_enable = not says_enabled and state.is_charging  # a car that charges is enabled [E16]
        says_enabled = says_enabled or must_enable
        if must_enable and is_consistent:
            self.commands.append(("enable", True))
            state.pv_timer = ELAPSED
        elif says_enabled and state.is_enabled:  # [E17]
            drawn_a = state.offered_a if state.currents_a is None else max(state.currents_a)
            if drawn_a > state.offered_a + OFFER_SLACK_A:
                state.offered_a = drawn_a
            if self.lp.can_switch_phases and is_consistent and state.phases > 0:
                seen = 3 if state.measured == 2 else state.measured
                if seen > state.phases:
                    state.set_phases(seen)
        elif not says_enabled and state.is_enabled and not is_phase_done:  # a station that stops to switch [E18]
            self.commands.append(("enable", True))
        if is_consistent:
            state.is_enabled = says_enabled  # [E19]

    # -- what to do --------------------------------------------------------------------------------------------------

    def _decide(self, is_phase_done: bool, *, is_buffered: bool, is_start: bool) -> None:
        """The first case that holds [E20]."""
        lp, state = self.lp, self.state
        if not state.is_connected:
            self._set_limit(0.0)
        elif lp.can_switch_phases and lp.phases_configured not in (0, state.phases):
            self._switch(lp.phases_configured)
        elif lp.mode == "off":
            self._set_limit(0.0)
        elif lp.mode == "now":
            self._charge_fast()
        elif lp.is_cheap:
            self._charge_fast()
            state.phase_timer, state.pv_timer = None, ELAPSED
        else:
            scaled = self._scale_phases() if lp.can_switch_phases and is_phase_done else 0  # [E23]
            self._set_limit(self._pv_current_a(scaled, is_buffered=is_buffered, is_start=is_start))

    def _charge_fast(self) -> None:
        """[E30]"""
        if self.lp.can_switch_phases and self.lp.phases_configured == 0:
            self._switch(3 if self._allows(3) else 1)
        self._set_limit(self.lp.max_a)

    def _pv_current_a(self, scaled: int, *, is_buffered: bool, is_start: bool) -> float:
        lp, state, voltage_v = self.lp, self.state, self.law.settings.voltage_v
        active = active_phases(lp, state)
        target_a = max(self._drawn_a(scaled) - self.site_w / (voltage_v * active), 0.0)  # [E24]
        is_short = target_a < lp.min_a
        if is_short and (lp.mode == "minpv" or is_start or (is_buffered and state.is_charging)):
            return lp.min_a  # whatever the timers say, and they stay [E25]
        if state.is_enabled and is_short and lp.mode == "pv":  # [E26]
            projected_w = self.site_w
            if lp.can_switch_phases and state.phase_timer is not None:  # fewer phases may do
                projected_w -= voltage_v * lp.min_a * (active - 1)
            is_over = self._is_over(projected_w >= lp.disable_threshold_w, lp.disable_delay_s)
            return 0.0 if is_over else lp.min_a
        if not state.is_enabled and lp.mode == "pv":  # [E27]
            by_power = self.site_w <= lp.enable_threshold_w
            is_over = self._is_over(by_power if lp.enable_threshold_w else not is_short, lp.enable_delay_s)
            return lp.min_a if is_over else 0.0  # it starts with the minimum
        state.pv_timer = None
        return min(target_a, lp.max_a)

    def _drawn_a(self, scaled: int) -> float:
        """What the car is taken to draw [E24]."""
        state = self.state
        if not state.is_charging:
            return 0.0
        drawn_a = state.offered_a
        if state.currents_a is not None:
            drawn_a = min(max(state.currents_a) + DRAWN_SLACK_A, drawn_a)
        return drawn_a / max_phases(self.lp, state) if scaled == 3 else drawn_a

    def _is_over(self, is_wanted: bool, delay_s: float) -> bool:
        """Whether something has been wanted for so long; the timer follows."""
        state = self.state
        if not is_wanted:
            state.pv_timer = None
            return False
        if state.pv_timer is None:
            state.pv_timer = self.now
        if self.now - state.pv_timer < delay_s:
            return False
        state.pv_timer = None
        return True

    # -- phases ------------------------------------------------------------------------------------------------------

    def _scale_phases(self) -> int:
        """The phases that are switched to now, or 0 [E29]."""
        lp, state, voltage_v = self.lp, self.state, self.law.settings.voltage_v
        if 0 < state.phases < state.measured:
            state.measured = 0
        available_w = state.power_w - self.site_w
        is_waiting = False
        active = active_phases(lp, state)
        if active > 1 and lp.phases_configured < 3:
            is_short = available_w / (voltage_v * active) < lp.min_a and (self.site_w > 0 or not state.is_enabled)
            if is_short or not self._allows(active):
                if self._may_scale(lp.disable_delay_s):
                    self._switch(1)
                    return 1
                is_waiting = True
        most = max_phases(lp, state)
        max_a = lp.max_a if lp.circuit is None else self.law.cap_a(lp.circuit, own_a(state), lp.max_a)
        is_plenty = available_w / voltage_v > max_a >= lp.min_a and available_w / (voltage_v * most) >= lp.min_a
        if most > 1 and state.phases < most and is_plenty and self._allows(most):
            if self._may_scale(lp.enable_delay_s):
                self._switch(3)
                return 3
            is_waiting = True
        if not is_waiting:
            state.phase_timer = None
        return 0

    def _may_scale(self, delay_s: float) -> bool:
        state = self.state
        if not state.is_charging:  # nothing to interrupt
            state.phase_timer = ELAPSED
        if state.phase_timer is None:
            state.phase_timer = self.now
        return self.now - state.phase_timer >= delay_s

    def _switch(self, phases: int) -> None:
        if phases != self.state.phases:  # [E28]
            self.commands.append(("phases", phases))
            self.state.phases_switched = self.now
            self.state.set_phases(phases)

    def _allows(self, phases: int) -> bool:
        """Whether circuits leave the minimum on so many phases [E33]."""
        least_w = self.lp.min_a * self.law.settings.voltage_v * phases
        return self.law.cap_w(self.lp.circuit, self.state.power_w, least_w) >= least_w

    # -- commands ----------------------------------------------------------------------------------------------------

    def _set_limit(self, current_a: float) -> None:
        """The only place that commands a current [E31, E32]."""
        lp, state = self.lp, self.state
        if not lp.takes_fractions:
            current_a = trunc(current_a)
        if lp.circuit is not None:
            watts_a = self.law.settings.voltage_v * active_phases(lp, state)
            by_power_a = self.law.cap_w(lp.circuit, state.power_w, current_a * watts_a) / watts_a
            current_a = min(self.law.cap_a(lp.circuit, own_a(state), current_a), by_power_a)
            if not lp.takes_fractions:
                current_a = trunc(current_a)
        is_on = current_a >= lp.min_a
        if is_on and current_a != state.offered_a:
            self.commands.append(("current", current_a))
            state.offered_a = current_a
        if is_on != state.is_enabled:
            self.commands.append(("enable", is_on))
            state.is_enabled, state.charger_switched = is_on, self.now
            if not is_on:
                state.offered_a = 0.0

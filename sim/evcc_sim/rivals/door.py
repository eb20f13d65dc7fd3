"""What all rivals share as controls: their own pace, readings that are fresh, and commands that say something new.

The settings live in an `evcclib.site.Site` that never steps: it is what clients see and change, and what is exported. What a
rival remembers is not exported: like the original, it begins anew after a restart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import floor
from typing import Protocol, TypeVar

from evcc_sim.runs.controls import classic
from evcc_sim.worlds.scenario import InvalidScenario
from evcclib.commands import Batch, Command, Disable, Enable, Result, SetCurrent
from evcclib.config import SiteConfig
from evcclib.decision import Decision
from evcclib.events import Event
from evcclib.model import Cause, ChargeMode, Now
from evcclib.readings import Measured, MeterReading, Reading, Readings
from evcclib.reasons import Reason, ReasonCode
from evcclib.requests import ChangeLoadpointSetting, DemandRemotely, Request
from evcclib.settings import LoadpointSettings
from evcclib.units import Instant
from evcclib.view import SiteView

T = TypeVar("T")

REASONS = {
    ChargeMode.OFF: ReasonCode.MODE_OFF,
    ChargeMode.NOW: ReasonCode.MODE_NOW,
    ChargeMode.MINPV: ReasonCode.SURPLUS,
    ChargeMode.PV: ReasonCode.SURPLUS,
}
GOALS = {
    "soc_min_pct": 0,
    "soc_target_pct": 100,
    "energy_target_kwh": 0.0,
    "target_time": None,
    "feed_in_priority_limit": None,
}
"""Settings of a loadpoint that no rival's model knows, and what they are when nobody wants them."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a rival sees when it decides.

    ``fresh_since``: what was sampled before is no answer to this look. ``changed``: the loadpoint with a new setting, because of
    which it looks; None: its time has come. ``view`` is another one as soon as any setting is.
    """

    readings: Readings
    view: SiteView
    second: float
    utc: datetime
    fresh_since: Instant
    changed: int | None = None

    @property
    def settings(self) -> list[LoadpointSettings]:
        """Of each loadpoint."""
        return [loadpoint.settings for loadpoint in self.view.loadpoints]

    def value(self, reading: Reading[T]) -> T | None:
        """What is read now; None: nothing answers. The simulator repeats the last answer of who is silent."""
        is_fresh = isinstance(reading, Measured) and reading.sampled_at >= self.fresh_since
        return reading.value if isinstance(reading, Measured) and is_fresh else None

    def meter(self, reading: MeterReading | None) -> tuple[float | None, tuple[float, float, float] | None]:
        """Power [W] and currents [A] that are read now."""
        return (None, None) if reading is None else (self.value(reading.power_w), self.value(reading.currents_a))

    @property
    def battery_w(self) -> float:
        """What the batteries that answer deliver together [W]."""
        return sum(self.value(each.power_w) or 0.0 for each in self.readings.batteries)


class Rival(Protocol):
    """One of the rivals, as `RivalControl` needs it."""

    name: str
    period_s: float
    modes: frozenset[ChargeMode]
    """In which a loadpoint may be."""
    knows_prices: bool
    phases: frozenset[int]
    """That may be configured for a station that can switch them."""
    hears_requests: bool
    """Whether it looks at once at a loadpoint with a new setting."""

    def decide(self, look: Look) -> Mapping[int, Sequence[Command]]:
        """The commands to each loadpoint; what has been told already may be told again."""


class RivalControl:
    """A rival at the simulator's door, as `evcc_sim.runs.controls.Control` describes it. Raises `InvalidScenario`, also later."""

    def __init__(self, rival: Rival, config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> None:
        self._rival = rival
        self._config = config
        self._site = classic(config, restored, now=now)
        self._period = timedelta(seconds=rival.period_s)
        self._patience = max(timedelta(seconds=1), config.interval / 4)  # so long a round of polls may take
        self._ticks = -1  # up to now, by the clock
        self._changed: list[int] = []  # loadpoints with a new setting
        self._told: list[Told] = [Told(each.charger.current_step_a) for each in config.loadpoints]
        self._numbers = [0] * len(config.loadpoints)
        self._check_config()
        self._view = self._checked(now)

    # -- the four methods --------------------------------------------------------------------------------------------

    def step(self, readings: Readings, *, now: Now, cause: Cause) -> Decision:
        if readings.operator_limit is not None:
            raise self._refusal("a limit of the grid operator", "none")
        for outcome in readings.outcomes:
            if outcome.result is not Result.DONE:
                self._told[outcome.loadpoint].forget()
        fresh_since = Instant(now.instant - self._patience)
        look = Look(readings, self._view, now.instant.total_seconds(), now.utc, fresh_since)
        commands: dict[int, list[Command]] = {}
        tick = now.instant // self._period
        if cause in (Cause.START, Cause.INTERVAL) and tick > self._ticks:
            self._ticks = tick
            self._decide(commands, look)
        elif cause is Cause.REQUEST and self._rival.hears_requests:
            for loadpoint in self._changed:
                self._decide(commands, replace(look, changed=loadpoint))
        self._changed.clear()
        batches: dict[int, Batch] = {}
        for index, wanted in commands.items():
            said = self._told[index].news(wanted, look.value(readings.chargers[index].is_enabled))
            if said:
                self._numbers[index] += 1
                batches[index] = Batch(self._numbers[index], said)
        wake_at = Instant((self._ticks + 1) * self._period)
        reasons = tuple(Reason(REASONS[each.mode]) for each in look.settings)
        return Decision(batches, (), reasons, frozenset(), wake_at, wake_at)

    def submit(self, request: Request, *, now: Now) -> tuple[Event, ...]:
        events = self._site.submit(request, now=now)
        if isinstance(request, DemandRemotely):
            raise self._refusal("a remote demand", "none")
        if isinstance(request, ChangeLoadpointSetting):
            self._changed.append(request.loadpoint)
        self._view = self._checked(now)
        return events

    def view(self, *, now: Now) -> SiteView:
        return self._site.view(now=now)

    def export(self, *, now: Now) -> dict[str, object]:
        return self._site.export(now=now)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _decide(self, commands: dict[int, list[Command]], look: Look) -> None:
        for index, wanted in self._rival.decide(look).items():
            commands.setdefault(index, []).extend(wanted)

    def _check_config(self) -> None:
        if self._period % self._config.interval:
            interval_s = self._config.interval.total_seconds()
            message = f"site.interval_s {interval_s:g}", f"one that divides {self._rival.period_s:g} s"
            raise self._refusal(*message)
        for index, loadpoint in enumerate(self._config.loadpoints):
            if not loadpoint.charger.has_power:
                raise self._refusal(f"charger {index + 1} without a meter", "one with it")

    def _checked(self, now: Now) -> SiteView:
        """The site as its clients have set it, if the model covers that."""
        view = self._site.view(now=now)
        for loadpoint in view.loadpoints:
            settings, where = loadpoint.settings, f"loadpoint {loadpoint.loadpoint + 1}"
            if settings.mode not in self._rival.modes:
                allowed = ", ".join(mode for mode in ChargeMode if mode in self._rival.modes)
                raise self._refusal(f"{where} in mode {settings.mode}", allowed)
            if loadpoint.can_switch_phases and settings.phases_configured not in self._rival.phases:
                allowed = " or ".join(map(str, sorted(self._rival.phases)))
                raise self._refusal(f"{where} with phases_configured {settings.phases_configured}", allowed)
            goals = GOALS if self._rival.knows_prices else {**GOALS, "smart_cost_limit": None}
            for name, usual in goals.items():
                if getattr(settings, name) != usual:
                    raise self._refusal(f"{where} with {name} {getattr(settings, name)}", str(usual).lower())
        return view

    def _refusal(self, what: str, allowed: str) -> InvalidScenario:
        return refusal(self._rival.name, what, allowed)


def refusal(name: str, what: str, allowed: str) -> InvalidScenario:
    """A world that a rival's model does not cover."""
    return InvalidScenario(f"--control {name}: {what} is more than its model covers, expected {allowed}")


class Told:
    """What a station has been told last."""

    def __init__(self, step_a: float) -> None:
        self._step_a = step_a
        self._current_a: float | None = None
        self._is_on: bool | None = None

    def forget(self) -> None:
        """Nobody knows what has become of the last commands."""
        self._current_a = self._is_on = None

    def news(self, commands: Sequence[Command], reports_on: bool | None) -> tuple[Command, ...]:
        """``commands`` in the station's steps, without what it knows already.

        One that reports otherwise than it was told is told again; what it was told before has gone with that.
        """
        if self._is_on is not None and reports_on not in (None, self._is_on):
            self._current_a = None
        is_on = self._is_on if reports_on is None else reports_on
        said: list[Command] = []
        for command in commands:
            match command:
                case SetCurrent(current_a=current_a):
                    floored_a = round(floor(current_a / self._step_a + 1e-6) * self._step_a, 6)
                    if floored_a == self._current_a:
                        continue
                    command, self._current_a = SetCurrent(floored_a), floored_a
                case Enable() | Disable():
                    self._is_on = isinstance(command, Enable)
                    if is_on is self._is_on:
                        continue
                    is_on = self._is_on
                case _:
                    pass
            said.append(command)
        return tuple(said)


def offer(current_a: float) -> list[Command]:
    """A current, or none at all if it is 0."""
    return [SetCurrent(current_a), Enable()] if current_a > 0 else [Disable()]


def soc_pct(config: SiteConfig, look: Look) -> float | None:
    """Of all batteries that answer, by their capacity [%]."""
    sizes = [battery.capacity_kwh or 0.0 for battery in config.batteries]
    weights = sizes if all(sizes) else [1.0] * len(sizes)
    found = [(look.value(each.soc_pct), weight) for each, weight in zip(look.readings.batteries, weights, strict=True)]
    known = [(soc, weight) for soc, weight in found if soc is not None]
    return sum(soc * weight for soc, weight in known) / sum(weight for _, weight in known) if known else None

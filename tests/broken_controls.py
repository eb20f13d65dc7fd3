"""Controls that are wrong on purpose: the simulator must notice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from evcc_sim.runs.controls import Control, classic
from evcclib.commands import Batch, BatteryCommand, BatteryMode, Command, Disable, Enable, SetCurrent
from evcclib.config import SiteConfig
from evcclib.decision import Decision
from evcclib.events import Event
from evcclib.machines.surplus import RESTING
from evcclib.model import Cause, ChargeMode, Now
from evcclib.readings import Measured, Readings
from evcclib.requests import Request
from evcclib.site import Site


class _Wrapped:
    """The library's site with something done to its decisions."""

    def __init__(self, site: Control, *, offset_a: float = 20.0) -> None:
        self._site = site
        self._offset_a = offset_a

    def __getattr__(self, name: str) -> Any:
        return getattr(self._site, name)

    def step(self, readings: Readings, *, now: Now, cause: Cause) -> Decision:
        decision = self._site.step(readings, now=now, cause=cause)
        batches = {
            loadpoint: Batch(batch.number, tuple(self.change(command) for command in batch.commands))
            for loadpoint, batch in decision.commands.items()
        }
        return replace(decision, commands=batches)

    def change(self, command: Any) -> Any:
        return SetCurrent(command.current_a + self._offset_a) if isinstance(command, SetCurrent) else command


def overloading(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Commands 20 A more than decided."""
    return _Wrapped(classic(config, restored, now=now))


def crashing(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Cannot even start."""
    raise ZeroDivisionError("on purpose")


def nothing_at_all(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Any:
    """Makes no control."""
    return {}


def impatient(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Knows of no guard: what a limit has stopped starts again as soon as it may."""
    loadpoints = tuple(replace(each, guard_duration=timedelta(0)) for each in config.loadpoints)
    return _Wrapped(classic(replace(config, loadpoints=loadpoints), restored, now=now), offset_a=0.0)


class _Timid(_Wrapped):
    """Six amperes are enough."""

    def change(self, command: Any) -> Any:
        return SetCurrent(min(command.current_a, 6.0)) if isinstance(command, SetCurrent) else command


def timid(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Leaves most of what limits allow."""
    return _Timid(classic(config, restored, now=now))


class _Forgetful(_Wrapped):
    """Never enables anything."""

    def change(self, command: Any) -> Any:
        return Disable() if isinstance(command, Enable) else command


WHIMS = 10_000
"""Batches from this number on are not the site's."""


def _without_whims(readings: Readings) -> Readings:
    """``readings`` with the outcomes of the site's own batches; it knows of no whim."""
    return replace(readings, outcomes=tuple(each for each in readings.outcomes if each.number < WHIMS))


class _Restless(_Wrapped):
    """Never twice the same current."""

    def __init__(self, site: Control) -> None:
        super().__init__(site, offset_a=0.0)
        self._turn = 0

    def step(self, readings: Readings, *, now: Now, cause: Cause) -> Decision:
        decision = super().step(_without_whims(readings), now=now, cause=cause)
        self._turn += 1
        if decision.commands or self._turn % 5 or cause is not Cause.INTERVAL:
            return decision
        return replace(decision, commands={0: Batch(WHIMS + self._turn, self._whim())})

    def _whim(self) -> tuple[Command, ...]:
        return (SetCurrent(7.0 if self._turn % 2 else 8.0),)


class _Jumpy(_Restless):
    """Off and on."""

    def _whim(self) -> tuple[Command, ...]:
        return (Disable(), Enable())


def forgetful(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Lets cars wait for ever."""
    return _Forgetful(classic(config, restored, now=now))


def generous(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Knows nothing of circuits."""
    free = replace(config, circuits=(), loadpoints=tuple(replace(each, circuit=None) for each in config.loadpoints))
    return _Wrapped(classic(free, restored, now=now), offset_a=0.0)


def restless(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Changes the current all the time."""
    return _Restless(classic(config, restored, now=now))


def jumpy(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Switches the contactor all the time."""
    return _Jumpy(classic(config, restored, now=now))


class _Deaf(_Wrapped):
    """Says yes to every request and forgets it."""

    def __init__(self, site: Site) -> None:
        super().__init__(site, offset_a=0.0)

    def submit(self, request: Request, *, now: Now) -> tuple[Event, ...]:
        before = self._site.state  # type: ignore[attr-defined]  # the library's own site
        events = self._site.submit(request, now=now)
        self._site.state = before  # type: ignore[attr-defined]
        return events


class _Anarchist(_Wrapped):
    """Hears nothing of what the grid operator says."""

    def step(self, readings: Readings, *, now: Now, cause: Cause) -> Decision:
        return super().step(replace(readings, operator_limit=None), now=now, cause=cause)


def deaf(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Settings change nothing."""
    return _Deaf(Site(config, now=now))


def anarchist(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """The grid operator is ignored."""
    return _Anarchist(classic(config, restored, now=now), offset_a=0.0)


GRACE = timedelta(seconds=60)


class _Credulous(_Wrapped):
    """A minute after its last command a station is in the state that it reports, and is told so; waits begin anew."""

    def __init__(self, site: Control) -> None:
        super().__init__(site, offset_a=0.0)
        self._turn = self._own = 0

    def step(self, readings: Readings, *, now: Now, cause: Cause) -> Decision:
        readings = _without_whims(readings)
        readings = replace(readings, outcomes=tuple(replace(each, applied=self._own) for each in readings.outcomes))
        loadpoint, reading = self._site.state.loadpoints[0], readings.chargers[0]  # type: ignore[attr-defined]
        charger, report, power = loadpoint.charger, reading.is_enabled, reading.power_w
        since = charger.enable_changed_at
        is_grace_over = charger.pending is None and since is not None and now.instant - since >= GRACE
        if not is_grace_over or not isinstance(report, Measured) or report.value is charger.is_enabled:
            return self._counted(super().step(readings, now=now, cause=cause))
        is_on = report.value or (isinstance(power, Measured) and power.value > 0)
        loadpoint.memory = loadpoint.memory._replace(timer=RESTING)
        loadpoint.charger = charger._replace(is_enabled=is_on, enable_changed_at=now.instant)
        decision = self._counted(super().step(readings, now=now, cause=cause))
        self._turn += 1
        batch = decision.commands.get(0, Batch(WHIMS + self._turn, ()))
        said = (*batch.commands, Enable() if is_on else Disable())
        return replace(decision, commands={0: Batch(batch.number, said)})

    def _counted(self, decision: Decision) -> Decision:
        """``decision``, with the number of its commands remembered for their outcome."""
        for batch in decision.commands.values():
            self._own = len(batch.commands)
        return decision


class _Nagging(_Wrapped):
    """Whatever a station reports otherwise is said again at every tick."""

    def step(self, readings: Readings, *, now: Now, cause: Cause) -> Decision:
        for loadpoint in self._site.state.loadpoints:  # type: ignore[attr-defined]
            report = loadpoint.charger.enabled_disagreement
            if report is not None:
                loadpoint.charger = loadpoint.charger._replace(
                    enabled_disagreement=report._replace(repeats=0), enable_changed_at=None
                )
        return super().step(readings, now=now, cause=cause)


def credulous(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Believes what stations report of themselves."""
    return _Credulous(classic(config, restored, now=now))


def nagging(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Tells stations what they do not report, without a pause."""
    return _Nagging(classic(config, restored, now=now), offset_a=0.0)


class Silent(_Wrapped):
    """Does what the library's site does, and says nothing: no reasons, no events, nothing but its settings."""

    def __init__(self, site: Control, *, says_when: bool = True) -> None:
        super().__init__(site, offset_a=0.0)
        self._says_when = says_when

    def step(self, readings: Readings, *, now: Now, cause: Cause) -> Decision:
        decision = super().step(readings, now=now, cause=cause)
        wakes = decision.wake_renewed_at if self._says_when else None
        return replace(decision, events=(), reasons=(), wake_at=None, wake_renewed_at=wakes)

    def submit(self, request: Request, *, now: Now) -> tuple[Event, ...]:
        self._site.submit(request, now=now)
        return ()

    def view(self, *, now: Now) -> Any:
        view = self._site.view(now=now)
        loadpoints = [
            SimpleNamespace(loadpoint=each.loadpoint, settings=each.settings, vehicle=each.vehicle)
            for each in view.loadpoints
        ]
        return SimpleNamespace(settings=view.settings, loadpoints=loadpoints)


def talkative(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """The library's site as somebody else's."""
    return _Wrapped(classic(config, restored, now=now), offset_a=0.0)


def silent(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """The same, and it says nothing."""
    return Silent(classic(config, restored, now=now))


def silent_for_ever(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Nor when it wants to be asked."""
    return Silent(classic(config, restored, now=now), says_when=False)


class _Greedy(Silent):
    """Everything at once, from the first moment on."""

    def step(self, readings: Readings, *, now: Now, cause: Cause) -> Decision:
        decision = super().step(replace(readings, outcomes=()), now=now, cause=cause)
        commands = (SetCurrent(16.0), Enable())
        batches = {index: Batch(1, commands) for index, _charger in enumerate(readings.chargers)}
        return replace(decision, commands=batches if cause is Cause.START else {}, wake_renewed_at=None)


def greedy(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """16 A all day, whatever people want, and not a word."""
    return _Greedy(classic(config, restored, now=now))


class _Pretending(_Greedy):
    """Shows settings that nobody has asked for."""

    def view(self, *, now: Now) -> Any:
        shown = super().view(now=now)
        for each in shown.loadpoints:
            each.settings = replace(each.settings, mode=ChargeMode.NOW, current_max_a=32.0)
        return shown


def pretending(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """16 A all day, as if people wanted that."""
    return _Pretending(classic(config, restored, now=now))


class _Stammering(_Restless):
    """What was said last is said again, all the time."""

    def __init__(self, site: Control) -> None:
        super().__init__(site)
        self._last: SetCurrent | None = None

    def change(self, command: Any) -> Any:
        self._last = command if isinstance(command, SetCurrent) else self._last
        return command

    def _whim(self) -> tuple[Command, ...]:
        return () if self._last is None else (self._last,)


def stammering(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Writes each current many times."""
    return _Stammering(classic(config, restored, now=now))


class _OfBatteries(_Wrapped):
    """Says to batteries only what ``lets`` lets through; ``is_fickle``: holds and frees them in turn."""

    def __init__(self, site: Control, *, lets: frozenset[BatteryMode], is_fickle: bool = False) -> None:
        super().__init__(site, offset_a=0.0)
        self._lets = lets
        self._is_fickle = is_fickle
        self._turns = 0

    def step(self, readings: Readings, *, now: Now, cause: Cause) -> Decision:
        decision = super().step(readings, now=now, cause=cause)
        said = {index: each for index, each in decision.battery_commands.items() if each.mode in self._lets}
        if self._is_fickle:
            self._turns += 1
            said = {0: BatteryCommand(0, BatteryMode.HOLD if self._turns % 4 < 2 else BatteryMode.NORMAL, None)}
            decision = replace(decision, wake_renewed_at=now.instant)
        return replace(decision, battery_commands=said if cause is not Cause.OUTCOME else {})


def jailer(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Never lets a battery go."""
    return _OfBatteries(classic(config, restored, now=now), lets=frozenset({BatteryMode.HOLD, BatteryMode.CHARGE}))


def spendthrift(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Never holds a battery."""
    return _OfBatteries(classic(config, restored, now=now), lets=frozenset({BatteryMode.NORMAL}))


def fickle(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Cannot decide whether to hold a battery."""
    return _OfBatteries(classic(config, restored, now=now), lets=frozenset(), is_fickle=True)


class _Garbled(_Wrapped):
    """Answers with no decision, or with one that is none."""

    def __init__(self, site: Control, *, answer: Any = None, commands: Any = None) -> None:
        super().__init__(site, offset_a=0.0)
        self._answer, self._commands = answer, commands

    def step(self, readings: Readings, *, now: Now, cause: Cause) -> Any:
        decision = super().step(readings, now=now, cause=cause)
        return self._answer if self._commands is None else replace(decision, commands=self._commands)


def mute(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Decides nothing."""
    return _Garbled(classic(config, restored, now=now))


def listing(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Commands of nobody."""
    return _Garbled(classic(config, restored, now=now), commands=[Enable()])

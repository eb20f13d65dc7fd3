"""Way 1: plants and library in one process, in virtual time, without I/O.

    from evcc_sim.scenario import load

    result = simulate(load("april-clouds"), seed=7, days=2)

The control is asked at every interval, at every request and after every batch of commands, as the server would ask it, and
between intervals when a meter that guards a circuit shows something new (`evcc_sim.runs.rounds`). While no power, status or
setting has changed, intervals before the decision's own `wake_renewed_at` are skipped: nothing can differ; a control of somebody
else that says None there is asked at every interval. Stations with a watchdog are kicked as drivers do it, whether anything is
decided or not.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from datetime import timedelta
from functools import partial

import simpy

from evcc_sim.judge.invariants import check
from evcc_sim.judge.trace import Recorder
from evcc_sim.plants.faults import Fault, FaultKind
from evcc_sim.plants.wallbox import Wallbox, WriteRefused
from evcc_sim.runs.controls import ControlFactory, classic, decided, made, name_of
from evcc_sim.runs.readings_from import Poller
from evcc_sim.runs.result import RunResult, summarize
from evcc_sim.runs.rounds import Rounds, are_needed
from evcc_sim.worlds.actions import operator_spans, requests_of
from evcc_sim.worlds.house import House
from evcc_sim.worlds.laws import law_of
from evcc_sim.worlds.scenario import Scenario
from evcc_sim.worlds.site_config import site_config
from evcclib.commands import (
    Batch,
    BatteryCommand,
    BatteryMode,
    BatteryOutcome,
    Command,
    Disable,
    Enable,
    Outcome,
    Result,
    SetCurrent,
    SwitchPhases,
    WakeCharger,
    WakeVehicle,
)
from evcclib.decision import Decision
from evcclib.errors import EvccError
from evcclib.events import Event
from evcclib.model import Cause, Now
from evcclib.readings import Readings
from evcclib.reasons import Reason
from evcclib.site import Site

KICKS = 3
"""So often within its time a watchdog is kicked."""
ANSWER_S = 0.2
"""A batch of commands is answered this much later."""
UNTIL_NEXT_TICK: tuple[object, ...] = ("until next tick",)
"""In place of a fingerprint: the decision wants to be asked at the next tick anyway, so none needs to be taken."""
SAVE_EVERY_S = 60.0
"""A killed control comes back with a state at most this old; its settings were stored at once."""


def simulate(
    scenario: Scenario,
    seed: int | None = None,
    *,
    days: int | None = None,
    control: ControlFactory = classic,
    progress: Callable[[float], None] | None = None,
) -> RunResult:
    """Run ``scenario`` for its days (or ``days``) and judge it. ``progress`` is called with 0..1 every simulated hour."""
    run = Run(scenario, seed=seed, days=days, control=control)
    run.to_end(progress)
    trace = run.recorder.finish()
    return RunResult(
        trace=trace,
        summary=summarize(trace),
        violations=check(trace),
        days=run.length_s / 86_400.0,
        exported=run.site.export(now=run.now),
        control=name_of(control),
    )


class Run:
    """One run in the making; `step_to` lets a caller look around in between."""

    def __init__(
        self, scenario: Scenario, *, seed: int | None = None, days: int | None = None, control: ControlFactory = classic
    ) -> None:
        self.scenario = scenario
        self.house = House(scenario, seed=seed, days=days)
        self.recorder = Recorder(self.house)
        self.length_s = scenario.length_s(days)
        self.config = site_config(scenario)
        law = law_of(scenario.site.law)
        self._factory: ControlFactory = partial(classic, law=law) if control is classic else control
        self._offset = timedelta(0)  # of the control's UTC, after a clock jump
        self._spans = operator_spans(scenario, self.house.days)
        self._requests = requests_of(scenario, self.house.days)
        self._poller = Poller(self.house, self._spans)
        self._rounds = Rounds(self.house, self._poller, self._spans) if are_needed(scenario) else None
        self._plan = sorted((fault for fault in self.house.faults.of("site")), key=lambda fault: fault.start_s)
        self._outcomes: list[Outcome] = []
        self._battery_outcomes: list[BatteryOutcome] = []
        self._saved: dict[str, object] | None = None
        self._saved_at_s = 0.0
        # limits and faults come and go by themselves
        self._never_idle = bool(self._spans or self.house.faults.all or self._rounds)
        self._idle: tuple[object, ...] | None = None  # what was the same when there was nothing to decide
        self._wake_s: float | None = None
        self._reasons: Sequence[Reason] = ()  # of the last decision
        self._is_gone = False  # the control, while it is restarted
        for box in self.house.wallboxes:
            if box.spec.watchdog_s > 0:
                self.house.env.process(self._keep_awake(box))
        self.site = made(self._factory(self.config, None, now=self.now))
        self.recorder.trace.is_ours = isinstance(self.site, Site)
        self.recorder.begins(self.site.view(now=self.now))
        self._decide(Cause.START)

    @property
    def now(self) -> Now:
        """The control's clocks."""
        now = self.house.base.now(self.house.now_s)
        return Now(now.instant, now.utc + self._offset) if self._offset else now

    def to_end(self, progress: Callable[[float], None] | None = None) -> None:
        """Run the whole length."""
        interval_s = self.scenario.site.interval_s
        tick = round(self.house.now_s / interval_s)
        next_report_s = 0.0
        while (tick + 1) * interval_s <= self.length_s:
            tick += 1
            second = tick * interval_s
            if not self._is_still(second):
                self._until(second)
                if self._plan and self._plan[0].start_s <= second:
                    tick = round(self._fail(self._plan.pop(0)) / interval_s)
                    continue
                self._tick()
            if progress is not None and second >= next_report_s:
                next_report_s += 3600.0
                progress(min(1.0, second / self.length_s))
        self.house.run(self.length_s)
        if self.recorder.trace.instants[-1].second < self.length_s:
            self.recorder.observe(self._reasons)  # what has flowed since the last decision counts
        if progress is not None:
            progress(1.0)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _until(self, second: float) -> None:
        """Advance the house, answering requests at their exact time."""
        while self._requests and self._requests[0].second <= second:
            due = self._requests.pop(0)
            if due.second > self.house.now_s:
                self._run(due.second)
            self.recorder.note(f"request: {due.request}")
            try:
                events = self.site.submit(due.request, now=self.now)
            except EvccError as error:
                self.recorder.note(f"refused: {error}")
                continue
            self._take(events)
            self.recorder.shows(self.site.view(now=self.now), due.request)
            self._decide(Cause.REQUEST)
        self._run(second)

    def _run(self, second: float) -> None:
        """Advance the house; what a circuit's meter shows on the way is news at once."""
        while self._rounds is not None and self._rounds.next_news(second):
            self._decide(Cause.SAMPLE)
        self.house.run(second)

    def _keep_awake(self, box: Wallbox) -> Generator[simpy.Event, None, None]:
        """What a driver does beside its polls."""
        while True:
            yield self.house.env.timeout(box.spec.watchdog_s / KICKS)
            if not self._is_gone and not self.house.silence(box.name):
                box.kick()

    def _is_still(self, second: float) -> bool:
        """Whether nobody does anything up to ``second``, so that not even the fingerprint can differ."""
        idle = self._idle
        return (
            idle is not None
            and idle is not UNTIL_NEXT_TICK
            and self._poller.changes_by_event_only
            and self.house.env.peek() > second
            and (self._wake_s is None or self._wake_s > second)
            and not (self._requests and self._requests[0].second <= second)
            and idle[1] == id(self.house.tariffs.at(second))
        )

    def _tick(self) -> None:
        if self._idle is not None:
            second = self.house.now_s
            is_due = self._wake_s is not None and second >= self._wake_s
            if not is_due and (self._idle is UNTIL_NEXT_TICK or self._idle == self._fingerprint()):
                return
        self._decide(Cause.INTERVAL)
        if self._plan and self.house.now_s - self._saved_at_s >= SAVE_EVERY_S:
            self._save()

    def _fingerprint(self) -> tuple[object, ...]:
        house = self.house
        return (self._poller.fingerprint(), id(house.tariffs.at(house.now_s)))

    def _decide(self, cause: Cause) -> None:
        readings = self._readings(cause, tuple(self._outcomes), tuple(self._battery_outcomes))
        self._outcomes.clear()
        self._battery_outcomes.clear()
        decision = self.site.step(readings, now=self.now, cause=cause)
        if not self.recorder.trace.is_ours:
            decided(decision)
        self._take(decision.events)
        if decision.events or not self.recorder.trace.is_ours:  # ours changes no setting without an event
            self.recorder.shows(self.site.view(now=self.now))
        self._wake_s = self._wakes_s(decision)
        if decision.reads:
            self._poller.answer(decision.reads)
        for loadpoint, batch in decision.commands.items():
            self._outcomes.append(self._apply(loadpoint, batch))
        if decision.battery_commands:
            self._save()  # what a battery is told is stored before it is
        for battery, order in decision.battery_commands.items():
            self._battery_outcomes.append(self._tell(battery, order))
        self._reasons = decision.reasons
        self.recorder.observe(decision.reasons)
        if self._outcomes or self._battery_outcomes:
            told = [outcome.loadpoint for outcome in self._outcomes]
            self.house.run(self.house.now_s + ANSWER_S)
            self._decide(Cause.OUTCOME)
            if self._rounds is not None and self._rounds.ask_again(told):
                self._decide(Cause.STATUS)
            return
        if self._never_idle:
            return
        interval_s = self.scenario.site.interval_s
        next_s = (self.house.now_s // interval_s + 1) * interval_s
        is_asked_then = self._wake_s is not None and self._wake_s <= next_s
        self._idle = UNTIL_NEXT_TICK if is_asked_then else self._fingerprint()

    def _wakes_s(self, decision: Decision) -> float | None:
        """When the control wants to be asked though nothing has changed; None: never. Whoever else says nothing: always."""
        wake_at = decision.wake_renewed_at  # every tick would poll anew
        if wake_at is None:
            return None if self.recorder.trace.is_ours else self.house.now_s
        return wake_at.total_seconds()

    def _readings(
        self, cause: Cause, outcomes: tuple[Outcome, ...], battery_outcomes: tuple[BatteryOutcome, ...]
    ) -> Readings:
        if self._rounds is None:
            return self._poller.poll(outcomes, battery_outcomes)
        if cause in (Cause.START, Cause.INTERVAL):
            self._rounds.ask_all()
        return self._rounds.readings(outcomes, battery_outcomes)

    def _take(self, events: tuple[Event, ...]) -> None:
        self.recorder.took(events)
        if events and self._plan:
            self._saved_at_s = -SAVE_EVERY_S  # events that matter are stored at once

    # -- commands ----------------------------------------------------------------------------------------------------

    def _apply(self, loadpoint: int, batch: Batch) -> Outcome:
        """Apply a batch in order; the first failure ends it, but for a wake-up's [WAKE-3]."""
        box = self.house.wallboxes[loadpoint]
        done = 0
        for command in batch.commands:
            result, error = self._attempt(box, command)
            self.recorder.commanded(loadpoint, batch.number, command, is_done=result is Result.DONE)
            if result is not Result.DONE and not isinstance(command, WakeCharger | WakeVehicle):
                return Outcome(loadpoint, batch.number, result, done, error)
            done += 1
        return Outcome(loadpoint, batch.number, Result.DONE, done)

    def _attempt(self, box: Wallbox, command: Command) -> tuple[Result, str]:
        """Carry out one command, as far as it arrives: what its sender hears of it."""
        faults, now_s = self.house.faults, self.house.now_s
        is_for_box = not isinstance(command, WakeVehicle)
        unheard = faults.unheard(box.name, now_s, is_write=True) if is_for_box else None
        if is_for_box and (unheard is FaultKind.LOST_REQUESTS or faults.is_mute(box.name, now_s)):
            return Result.UNKNOWN, "no answer"
        try:
            self._do(box, command)
        except WriteRefused as refused:
            if unheard is None:
                return Result.FAILED, str(refused)
        return (Result.DONE, "") if unheard is None else (Result.UNKNOWN, "no answer")

    def _tell(self, index: int, command: BatteryCommand) -> BatteryOutcome:
        """Put a home battery into a mode, as far as the command arrives."""
        house, battery = self.house, self.house.batteries[index]
        name, now_s = battery.spec.name, house.now_s
        unheard = house.faults.unheard(name, now_s, is_write=True)
        result, error = (Result.DONE, "") if unheard is None else (Result.UNKNOWN, "no answer")
        if unheard is FaultKind.LOST_REQUESTS or house.faults.is_mute(name, now_s):
            return BatteryOutcome(index, command.number, Result.UNKNOWN, "no answer")
        if house.faults.active(name, FaultKind.REFUSED_WRITES, now_s) is not None:
            return BatteryOutcome(index, command.number, Result.FAILED, "refused")
        if house.faults.active(name, FaultKind.IGNORED_WRITES, now_s) is None:
            battery.set_mode(command.mode)
        return BatteryOutcome(index, command.number, result, error)

    def _do(self, box: Wallbox, command: Command) -> None:
        match command:
            case Enable():
                box.enable()
            case Disable():
                box.disable()
            case SetCurrent(current_a=current_a):
                box.set_current(current_a)
            case SwitchPhases(phases=phases):
                box.switch_phases(phases)
            case WakeCharger():
                box.wake_up()
            case WakeVehicle(vehicle=vehicle):
                if vehicle in self.house.cars:
                    self.house.cars[vehicle].wake()

    # -- faults of the control itself ----------------------------------------------------------------------------------

    def _save(self) -> None:
        self._saved = self.site.export(now=self.now)
        self._saved_at_s = self.house.now_s

    def _fail(self, fault: Fault) -> float:
        """A restart, a kill or a clock that jumps; returns the second at which control goes on."""
        if fault.kind is FaultKind.CLOCK_JUMP:
            self._offset += timedelta(seconds=fault.params.get("seconds", 3600.0))
            self.recorder.note(f"clock jumps by {fault.params.get('seconds', 3600.0):g} s")
            self._decide(Cause.INTERVAL)
            return self.house.now_s
        before = self.site.view(now=self.now)
        restored = (
            self.site.export(now=self.now) if fault.kind is FaultKind.RESTART or self._saved is None else self._saved
        )
        self.recorder.note(f"{fault.kind.value}: control is gone for {fault.duration_s:g} s")
        self._outcomes.clear()
        self._battery_outcomes.clear()
        if fault.kind is FaultKind.RESTART:  # whoever leaves in order leaves its batteries free
            for battery in self.house.batteries:
                battery.set_mode(BatteryMode.NORMAL)
        interval_s = self.scenario.site.interval_s
        back_s = max(fault.end_s, self.house.now_s)
        back_s = -(-back_s // interval_s) * interval_s
        self._is_gone = True
        self.house.run(back_s)
        self._is_gone = False
        self.site = self._factory(self.config, restored, now=self.now)
        after = self.site.view(now=self.now)
        self.recorder.begins(after)
        trace = self.recorder.trace
        trace.restarts.append(self.house.now_s)
        if before.settings != after.settings:
            trace.settings_lost.append(f"site: {before.settings} became {after.settings}")
        for old, new in zip(before.loadpoints, after.loadpoints, strict=True):
            if old.settings != new.settings:
                trace.settings_lost.append(f"loadpoint {old.loadpoint + 1}: {old.settings} became {new.settings}")
        self._decide(Cause.START)
        return back_s

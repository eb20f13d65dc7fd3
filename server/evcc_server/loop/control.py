"""The control loop: latest readings -> `evcclib.Site.step` -> commands applied, events stored, values published.

It never reads a device itself. It wakes on the interval (after asking every device for a fresh sample), on a new grid sample
between intervals, a charger's status, a request, the outcome of a command, or `wake_at`.
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

import trio

from evcc_server.clock import Clock
from evcc_server.devices.contract import Charger, ChargerValues, MeterValues, Vehicle, VehicleValues
from evcc_server.errors import DeviceError
from evcc_server.keeping.persistence import Persistence
from evcc_server.keeping.site_history import SiteHistory
from evcc_server.loop.batteries import BatteryLease
from evcc_server.loop.operator_limits import OperatorLimits
from evcc_server.loop.pollers import Health, Poller
from evcc_server.loop.samples import Samples, Wiring
from evcc_server.state.hub import Hub, Level
from evcc_server.state.reasons_text import warning_text
from evcclib import Prepared, Site
from evcclib.commands import (
    Batch,
    BatteryCommand,
    BatteryMode,
    BatteryOutcome,
    Command,
    Disable,
    Enable,
    Outcome,
    Read,
    Result,
    SetCurrent,
    SwitchPhases,
    WakeCharger,
    WakeVehicle,
)
from evcclib.decision import Decision, PlanPreview
from evcclib.events import Event, Warned, WarningCode
from evcclib.model import Cause, Now, TariffKind
from evcclib.requests import Request, is_lasting
from evcclib.tariff import Rates
from evcclib.units import Instant
from evcclib.view import SiteView

_log = logging.getLogger(__name__)

AnyPoller = Poller[MeterValues] | Poller[ChargerValues] | Poller[float | None]

COMMAND_DEADLINE_S = 10.0
"""A phase switch with its pauses is the longest command; past this nobody knows what the device did."""
VEHICLE_DEADLINE_S = 30.0
ROUND_MAX_S = 1.0
"""How long an interval waits for fresh samples of devices that answered last time; the silent are not waited for."""
FIRST_ROUND_MAX_S = 3.0
"""How long the first step waits: devices are being connected to, and some are asked what they are."""
# When several causes are pending, one step serves them all; the first of these names it.
_RANK = (
    Cause.START,
    Cause.INTERVAL,
    Cause.REQUEST,
    Cause.STATUS,
    Cause.OUTCOME,
    Cause.SAMPLE,
    Cause.WAKE,
)


class Observer(Protocol):
    """Is told what the loop decides and does, as it happens: for recorders. It must not wait and must not raise."""

    def stepped(self, decision: Decision, now: Now) -> None: ...

    def submitted(self, events: tuple[Event, ...], now: Now) -> None: ...

    def commanded(self, loadpoint: int, batch: int, command: Command, *, is_done: bool) -> None: ...


class ControlLoop:
    """Implements `evcc_server.gateway.Gateway` around one `evcclib.Site`."""

    def __init__(
        self,
        site: Site,
        samples: Samples,
        wiring: Wiring,
        *,
        clock: Clock,
        interval: timedelta,
        chargers: Mapping[str, Charger],
        vehicles: Mapping[str, Vehicle],
        batteries: Mapping[str, BatteryLease],
        hub: Hub,
        persistence: Persistence,
        history: SiteHistory,
        limits: OperatorLimits,
    ) -> None:
        self._site = site
        self._samples = samples
        self._wiring = wiring
        self._clock = clock
        self._interval_s = interval.total_seconds()
        self._chargers = chargers
        self._vehicles = vehicles
        self._batteries = batteries
        self._hub = hub
        self._persistence = persistence
        self._history = history
        self._limits = limits
        self._pollers: tuple[AnyPoller, ...] = ()
        self._poller_by_name: dict[str, AnyPoller] = {}
        self._watched_meters = {wiring.grid, *wiring.circuits.values()} - {None}
        self._pending: set[Cause] = set()
        self._wakeup = trio.Event()
        self._outcomes: list[Outcome] = []
        self._battery_outcomes: list[BatteryOutcome] = []
        self._reads_running: set[Read] = set()
        self._vehicle_health = {name: Health(name) for name in vehicles}
        self._is_in_round = False
        self._next_tick_s = 0.0
        self._wake_at: Instant | None = None
        self._shown = site.view(now=clock.now())
        self.steps = 0
        self.observer: Observer | None = None

    # -- samples come in -------------------------------------------------------------------------------------------

    def take_meter(self, name: str, values: MeterValues, at: Instant) -> None:
        """Sink of the meters' pollers."""
        self._samples.meter(name, values, at)
        if name in self._watched_meters and not self._is_in_round:
            self._wake(Cause.SAMPLE)

    def take_charger(self, name: str, values: ChargerValues, at: Instant) -> None:
        """Sink of the chargers' pollers."""
        before = self._samples.charger_status(name)
        self._samples.charger(name, values, at)
        if not self._is_in_round and values.status is not None and values.status != before:
            self._wake(Cause.STATUS)

    def take_rates(self, rates: Mapping[TariffKind, Rates]) -> None:
        """Sink of the tariff service."""
        self._samples.rates(rates)

    def take_operator_limit(self, source: str, power_w: float | None, at: Instant) -> None:
        """Sink of the pollers of the grid operator's sources; None: no limit."""
        if self._limits.hear(source, power_w, at) and not self._is_in_round:
            self._wake(Cause.REQUEST)

    # -- the gateway -----------------------------------------------------------------------------------------------

    async def submit(self, *requests: Request) -> None:
        """See `Gateway.submit`. The loop goes on stepping, with the settings as they were, while a request is being written."""

        def prepare() -> Prepared:
            return self._site.prepare(*requests, now=self._clock.now())

        prepared = await self._persistence.commit(prepare) if any(map(is_lasting, requests)) else prepare()
        # Nothing waits from here on: it is on the disk, comes into force and into everybody's sight in one instant.
        self._site.take(prepared)
        self._persistence.note(prepared.events)
        if self.observer is not None:
            self.observer.submitted(prepared.events, self._clock.now())
        self.show()
        self._wake(Cause.REQUEST)

    async def limit(self, giver: str, power_w: float, lasts: timedelta) -> None:
        """See `Gateway.limit`."""
        await self._limits.give(giver, power_w, lasts, self._clock.now())
        self.show()
        self._wake(Cause.REQUEST)

    async def unlimit(self, giver: str) -> None:
        """See `Gateway.unlimit`."""
        await self._limits.withdraw(giver, self._clock.now())
        self.show()
        self._wake(Cause.REQUEST)

    def show(self, *, is_cycle: bool = False) -> None:
        """Let every outlet see the site as it is now, but for what is not on the disk yet."""
        now = self._clock.now()
        view = self._site.view(now=now)
        self._history.take(view, now)
        self._shown = self._persistence.shown(view, self._shown)
        limit, rates = self._limits.in_force(now.instant), self._samples.current_rates()
        self._hub.publish(self._shown, now, limit=limit, rates=rates, is_cycle=is_cycle)

    def view(self) -> SiteView:
        """See `Gateway.view`."""
        return self._persistence.shown(self._site.view(now=self._clock.now()), self._shown)

    def ailment(self) -> str:
        """See `Gateway.ailment`. It is about the grid meter: a loop that stands still answers nobody."""
        name = self._wiring.grid
        poller = None if name is None else self._poller_by_name.get(name)
        if poller is None or poller.health.is_ok:
            return "no reading of the grid is known"
        return f"the grid meter cannot be read: {name}: {poller.health.words.removeprefix(f'{name}: ')}"

    def plan(
        self,
        loadpoint: int,
        *,
        target_time: datetime | None = None,
        soc_pct: int | None = None,
        energy_kwh: float | None = None,
    ) -> PlanPreview:
        """See `Gateway.plan`."""
        return self._site.plan(
            loadpoint, now=self._clock.now(), target_time=target_time, soc_pct=soc_pct, energy_kwh=energy_kwh
        )

    def rates(self, kind: TariffKind) -> Rates | None:
        """See `Gateway.rates`."""
        rates = self._samples.current_rates()
        if kind is TariffKind.PLANNER:
            return rates.get(kind) or rates.get(TariffKind.GRID)
        return rates.get(kind)

    # -- the loop --------------------------------------------------------------------------------------------------

    def poll_with(self, pollers: Iterable[AnyPoller]) -> None:
        """Name the pollers that an interval asks for fresh samples."""
        self._pollers = tuple(pollers)
        self._poller_by_name = {poller.name: poller for poller in self._pollers}

    async def run(self) -> None:
        """Step for ever; the first step follows the first round of samples."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tick)
            while True:
                await self._wait()
                cause = next(cause for cause in _RANK if cause in self._pending)
                self._pending.clear()
                self._wakeup = trio.Event()
                self._step(cause, nursery)

    async def _wait(self) -> None:
        deadline = math.inf
        if self._wake_at is not None:
            # An interval serves what falls due with it, and has fresh samples.
            in_s = (self._wake_at - self._clock.instant()).total_seconds()
            at_s = trio.current_time() + max(in_s, 0.0)
            if at_s < self._next_tick_s - 1e-3:
                deadline = at_s
        if deadline == math.inf:
            await self._wakeup.wait()
            return
        with trio.CancelScope(deadline=deadline) as scope:
            await self._wakeup.wait()
        if scope.cancelled_caught:
            self._wake_at = None
            self._wake(Cause.WAKE)

    async def _tick(self) -> None:
        cause = Cause.START
        tick_s = trio.current_time()
        while True:
            self._next_tick_s = tick_s + self._interval_s
            is_first = cause is Cause.START
            await self._round(FIRST_ROUND_MAX_S if is_first else min(ROUND_MAX_S, self._interval_s / 2))
            self._wake(cause)
            cause = Cause.INTERVAL
            tick_s = max(tick_s + self._interval_s, trio.current_time())
            await trio.sleep_until(tick_s)

    async def _round(self, patience_s: float) -> None:
        """Ask every device for a fresh sample; wait a little for those that answered last time."""
        self._is_in_round = True
        try:
            asked = [(poller.poke(), poller.health.is_ok) for poller in self._pollers]
            with trio.CancelScope(deadline=trio.current_time() + patience_s):
                for done, is_ok in asked:
                    if is_ok and not done.is_set():
                        await done.wait()
        finally:
            self._is_in_round = False

    def _step(self, cause: Cause, nursery: trio.Nursery) -> None:
        now = self._clock.now()
        self._samples.operator_limit(self._limits.reading(now.instant))
        readings = self._samples.readings(tuple(self._outcomes), tuple(self._battery_outcomes))
        self._outcomes.clear()
        self._battery_outcomes.clear()
        decision = self._site.step(readings, now=now, cause=cause)
        self.steps += 1
        for loadpoint, batch in decision.commands.items():
            nursery.start_soon(self._apply, loadpoint, batch)
        for battery, order in decision.battery_commands.items():
            nursery.start_soon(self._tell, battery, order, nursery)
        self._fetch(decision, nursery)
        self._wake_at = decision.wake_at
        if self.observer is not None:
            self.observer.stepped(decision, now)
        self._persistence.note(decision.events)
        self._announce(decision.events)
        self.show(is_cycle=cause in (Cause.START, Cause.INTERVAL))

    def _announce(self, events: Iterable[Event]) -> None:
        """Say in the log and to watching clients what the owner should hear of."""
        for event in events:
            if isinstance(event, Warned):
                text = warning_text(event, self._hub.labels.language, self._title(event.loadpoint))
                if event.code is WarningCode.RECOVERED:
                    _log.info(text)
                else:
                    _log.warning(text)
                    self._hub.tell(Level.WARN, text)

    def _title(self, loadpoint: int | None) -> str:
        if loadpoint is None:
            return ""
        return self._site.config.loadpoints[loadpoint].title or f"loadpoint {loadpoint + 1}"

    def _wake(self, cause: Cause) -> None:
        self._pending.add(cause)
        self._wakeup.set()

    # -- commands go out -------------------------------------------------------------------------------------------

    async def _apply(self, loadpoint: int, batch: Batch) -> None:
        """Send the commands in order; the first that fails ends it, unless it wakes somebody [WAKE-3]."""
        name = self._wiring.loadpoints[loadpoint].charger
        applied = 0
        result, error = Result.DONE, ""
        for command in batch.commands:
            result, error = await self._attempt_command(name, command)
            if self.observer is not None:
                self.observer.commanded(loadpoint, batch.number, command, is_done=result is Result.DONE)
            if isinstance(command, WakeCharger | WakeVehicle):
                # nobody relies on it, and there may be another way
                result, error = Result.DONE, ""
            if result is not Result.DONE:
                break
            applied += 1
        self._outcomes.append(Outcome(loadpoint, batch.number, result, applied, error))
        self._wake(Cause.OUTCOME)
        if name in self._poller_by_name:
            self._poller_by_name[name].poke()

    async def _attempt_command(self, name: str, command: Command) -> tuple[Result, str]:
        """Send one command to charger ``name``, or to the vehicle that it is for."""
        receiver = command.vehicle if isinstance(command, WakeVehicle) else name
        send = functools.partial(self._command, self._chargers[name], command)
        return await self._attempt(receiver, type(command).__name__, send)

    async def _tell(self, battery: int, command: BatteryCommand, nursery: trio.Nursery) -> None:
        """Put a home battery into a mode. That it has been is on the disk before it is: whoever starts after a crash frees it."""
        name = self._wiring.batteries[battery]
        lease = self._batteries[name]
        begins = command.mode is not BatteryMode.NORMAL and not lease.is_in(command.mode)
        if begins and not await self._persistence.write():
            result, error = Result.FAILED, "the database cannot be written to"
        else:
            send = functools.partial(lease.obey, command)
            result, error = await self._attempt(name, f"mode {command.mode}", send)
            nursery.start_soon(lease.guard)
        self._battery_outcomes.append(BatteryOutcome(battery, command.number, result, error))
        self._wake(Cause.OUTCOME)
        if name in self._poller_by_name:
            self._poller_by_name[name].poke()

    async def _attempt(self, name: str, kind: str, send: Callable[[], Awaitable[None]]) -> tuple[Result, str]:
        """Send something to the device called ``name``: what became of it, and why."""
        try:
            with trio.fail_after(COMMAND_DEADLINE_S):
                await send()
        except DeviceError as failure:
            error = str(failure) or type(failure).__name__
            _log.warning("%s: %s failed: %s", name, kind, error)
            return Result.FAILED if failure.left_unchanged else Result.UNKNOWN, error
        except trio.TooSlowError:
            _log.warning("%s: %s was not answered in time", name, kind)
            return Result.UNKNOWN, "no answer in time"
        except Exception as failure:  # noqa: BLE001  # a driver's mistake must not take the other loadpoints down
            _log.exception("%s: the driver failed", name)
            return Result.UNKNOWN, str(failure) or type(failure).__name__
        return Result.DONE, ""

    async def _command(self, charger: Charger, command: Command) -> None:
        match command:
            case Enable():
                await charger.enable()
            case Disable():
                await charger.disable()
            case SetCurrent(current_a):
                await charger.set_current(current_a)
            case SwitchPhases(phases):
                await charger.switch_phases(phases)
            case WakeCharger():
                await charger.wake()
            case WakeVehicle(vehicle):
                if vehicle in self._vehicles:
                    await self._vehicles[vehicle].wake()

    # -- vehicles are asked ----------------------------------------------------------------------------------------

    def _fetch(self, decision: Decision, nursery: trio.Nursery) -> None:
        wanted: dict[str, set[Read]] = {}
        for read in decision.reads - self._reads_running:
            if read.vehicle in self._vehicles:
                wanted.setdefault(read.vehicle, set()).add(read)
        for name in sorted(wanted):
            self._reads_running |= wanted[name]
            nursery.start_soon(self._ask, name, frozenset(wanted[name]))

    async def _ask(self, name: str, reads: frozenset[Read]) -> None:
        health = self._vehicle_health[name]
        at = self._clock.instant()
        vehicle = self._vehicles[name]
        try:
            with trio.fail_after(VEHICLE_DEADLINE_S):
                values = await vehicle.read(is_fresh=any(read.is_fresh for read in reads))
        except (DeviceError, trio.TooSlowError) as error:
            health.failed(error if isinstance(error, DeviceError) else TimeoutError("no answer in time"))
            values = VehicleValues()
        else:
            health.answered()
        self._reads_running -= reads
        self._samples.vehicle(name, values, at)
        self._wake(Cause.SAMPLE)

"""Way 2: the real server in virtual time, with the plants behind in-memory streams.

Everything of the server runs: configuration text, drivers, Modbus bytes, control loop, REST app, MQTT tree, database. Only
sockets, threads and clocks are replaced. One seed gives one run, byte for byte.

    result = run_scenario(load("april-clouds"), seed=7)
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, NamedTuple

import trio

from evcc_server.app import Server, open_server
from evcc_server.blocking import inline
from evcc_server.clock import Clock
from evcc_server.config.load import parse_config
from evcc_server.config.model import Config
from evcc_server.config.options import Options
from evcc_server.http.app import build_app
from evcc_server.http.operator_limit_routes import PATH
from evcc_server.http.route import Refused
from evcc_server.keeping.store import Store
from evcc_server.mqtt.bridge import Bridge
from evcc_server.state.document import document
from evcc_sim.devices.site_devices import Extras, devices, evcc_yaml
from evcc_sim.judge.invariants import Violation, check
from evcc_sim.judge.trace import Recorder
from evcc_sim.plants.faults import Fault, FaultKind
from evcc_sim.runs.await_points import Steps
from evcc_sim.runs.clients import RestClient, Seen, spelt, watch_socket
from evcc_sim.runs.hashed_link import HashedLink
from evcc_sim.runs.life import Life
from evcc_sim.runs.promises import Promises
from evcc_sim.runs.result import RunResult, summarize
from evcc_sim.runs.virtual_network import VirtualNetwork
from evcc_sim.runs.virtual_time import run_virtually
from evcc_sim.runs.world_clock import WorldClock
from evcc_sim.worlds.actions import Due, operator_limit_at, operator_spans, requests_of
from evcc_sim.worlds.house import House
from evcc_sim.worlds.laws import law_of
from evcc_sim.worlds.scenario import InvalidScenario, Scenario
from evcclib import Site
from evcclib.commands import Command
from evcclib.decision import Decision
from evcclib.errors import EvccError
from evcclib.events import Event, SessionRecord
from evcclib.laws.law import Law
from evcclib.model import Now
from evcclib.requests import Request
from evcclib.view import SiteView

WAITS_S = 1.5
"""How much longer than its interval the loop may take for a decision: it waits a second for samples."""
LATE_MAX = 10

LOOK_S = 900.0
"""How often somebody looks at /api/state."""
WATCH_S = 0.5
"""How often somebody who is there for a kill looks."""
BEGINS_S = 10.0
"""How soon after its start a server must have decided: it meets its stations and waits for a first round of samples."""
DOWN_S = 3.0
"""How long it takes until a server that was killed at an await point is started again."""
STUCK_S = 600.0
"""A run that is not over so long after its end will never be."""
SETTLES_S = 40.0
"""Nobody is killed at an await point so shortly before the end: the last server must have time to put things in order."""


class Station(NamedTuple):
    """What a station does: whether it gives a pilot, what it then offers [A], on how many phases."""

    is_enabled: bool
    current_a: float
    phases: int


@dataclass(frozen=True, kw_only=True)
class FullStackResult(RunResult):
    """A run through the whole server. ``wire_digest`` is over every byte sent to devices and back, with its time."""

    OPTIONS: ClassVar[tuple[str, ...]] = ("--full-stack",)

    wire_digest: str
    state_digest: str  # over every answer of /api/state
    mqtt_digest: str  # over everything published
    steps: int  # of the control loop
    seconds_between_steps_max: float
    last: SiteView  # what the server showed at the end
    stations: tuple[Station, ...]  # what the stations were doing then

    def digest(self) -> str:
        """Equal for equal runs."""
        parts = (self.trace.digest(), self.wire_digest, self.state_digest, self.mqtt_digest)
        return hashlib.sha256("".join(parts).encode()).hexdigest()


def run_scenario(
    scenario: Scenario,
    seed: int | None = None,
    *,
    days: int | None = None,
    steps: Steps | None = None,
    progress: Callable[[float], None] | None = None,
) -> FullStackResult:
    """Run ``scenario`` for its days (or ``days``) through the whole server and judge it.

    ``steps``: counts trio's steps while a server lives; a `Killer` kills it before one of them, wherever it then is, and it is
    started again.
    """
    with tempfile.TemporaryDirectory(prefix="evcc-sim-", dir=_fast_folder()) as folder:
        database = Path(folder) / "evcc.db"
        run = FullStack(scenario, seed=seed, days=days, database=database, progress=progress, steps=steps)
        return run_virtually(run.main, seed=run.house.seed, instruments=[] if steps is None else [steps])


_parsed = lru_cache(maxsize=2)(parse_config)
"""The same text for each life of a server, and for each of hundreds of kills."""


def _fast_folder() -> str | None:
    """A folder in memory where there is one: the database is synced at every commit."""
    shared = Path("/dev/shm")
    return str(shared) if os.access(shared, os.W_OK) else None


@dataclass(slots=True)
class FullStack:
    """One run in the making."""

    scenario: Scenario
    seed: int | None = None
    days: int | None = None
    database: Path = Path(":memory:")
    progress: Callable[[float], None] | None = None
    steps: Steps | None = None
    house: House = field(init=False)
    recorder: Recorder = field(init=False)
    _law: Law = field(init=False)
    _clock: WorldClock = field(init=False)
    _network: VirtualNetwork = field(init=False)
    _offset: timedelta = timedelta(0)
    _states: hashlib._Hash = field(default_factory=hashlib.sha256)
    _steps: int = 0
    _began_s: float = 0.0
    _last_step_s: float | None = None
    _gap_max_s: float = 0.0
    _late: list[Violation] = field(default_factory=list)
    _promises: Promises = field(default_factory=Promises)
    _seen: Seen = field(default_factory=Seen)
    _asking: Request | None = None
    _acts: int = 0
    _requests: deque[Due] = field(default_factory=deque)
    _last: SiteView | None = None
    _next_report_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.scenario.charger:
            raise InvalidScenario(f"{self.scenario.name}: the server needs at least one charger")
        self.house = House(self.scenario, seed=self.seed, days=self.days)
        self.recorder = Recorder(self.house)
        self._law = law_of(self.scenario.site.law)
        self._requests.extend(requests_of(self.scenario, self.house.days))

    async def main(self) -> FullStackResult:
        """The whole run; under a virtual clock."""
        length_s = self.scenario.length_s(self.days)
        broker = HashedLink(self._seen.message)
        async with trio.open_nursery() as nursery:
            nursery.cancel_scope.deadline = trio.current_time() + length_s + STUCK_S
            self._clock = WorldClock(self.house)
            self._network = VirtualNetwork(devices(self.house, self._clock.sync), nursery)
            nursery.start_soon(self._clock.pump)
            failures = [f for f in self.house.faults.of("site") if f.kind is not FaultKind.CLOCK_JUMP]
            exported: dict[str, object] | None = None
            while self._clock.now_s < length_s:
                fault = failures[0] if failures and failures[0].start_s < length_s else None
                until_s = length_s if fault is None else max(fault.start_s, self._clock.now_s)
                exported = await self._serve(until_s, fault, broker)
                if fault is None or self._clock.now_s < until_s:  # the end, or killed before
                    await self._pause(self._clock.now_s + DOWN_S, length_s)
                else:
                    failures.pop(0)
                    await self._pause(fault.end_s, length_s)
            self._clock.sync()
            nursery.cancel_scope.cancel()
        if self._clock.now_s >= length_s + STUCK_S:
            raise TimeoutError("the server is stuck")
        trace = self.recorder.finish()
        trace.stored_sessions = await self._stored_sessions()
        assert self._last is not None
        return FullStackResult(
            trace=trace,
            summary=summarize(trace),
            violations=tuple(sorted((*check(trace), *self._late), key=lambda found: found.second)),
            days=length_s / 86_400.0,
            exported=exported,
            wire_digest=self._network.digest(),
            state_digest=self._states.hexdigest(),
            mqtt_digest=broker.digest.hexdigest(),
            steps=self._steps,
            seconds_between_steps_max=self._gap_max_s,
            last=self._last,
            stations=tuple(Station(b.enabled, b.current_limit_a, b.phases) for b in self.house.wallboxes),
        )

    def config(self) -> Config:
        """The site's configuration, read from the text that an owner would have written."""
        extras = Extras(sections={"mqtt": {"json": False}})  # the same documents as /api/state, which is looked at
        return _parsed(evcc_yaml(self.scenario, self._network.addresses(), extras), f"{self.scenario.name}.yaml")

    # -- the server's life -------------------------------------------------------------------------------------------------

    async def _serve(self, until_s: float, fault: Fault | None, broker: HashedLink) -> dict[str, object]:
        """One life of the server; ends at ``until_s``, in order or killed, or earlier by `steps`. Returns the last export."""
        exported: dict[str, object] = {}
        self._began_s, self._last_step_s = self._clock.now_s, None
        with trio.CancelScope() as scope:
            life = Life(scope)
            if self.steps is not None:
                last_s = self.scenario.length_s(self.days) - SETTLES_S
                self.steps.arm(
                    lambda: self._kill_at_await_point(life), trio.current_time() + last_s - self._clock.now_s
                )
            try:
                exported = await self._live(life, until_s, fault, broker)
            except KeyboardInterrupt:
                raise
            except BaseException:
                # Whatever a dead process would still have raised is heard by nobody.
                if not life.was_killed:
                    raise
            finally:
                if self.steps is not None:
                    self.steps.disarm()
        self._network.restore()
        return exported

    async def _live(self, life: Life, until_s: float, fault: Fault | None, broker: HashedLink) -> dict[str, object]:
        config = self.config()
        clock = Clock(epoch=self.house.base.utc(self._clock.now_s) + self._offset)
        async with open_server(
            config,
            options=Options(database=str(self.database), law=self._law),
            clock=clock,
            run_blocking=life.door,
            opener=self._network.open,
        ) as server:
            life.server = server
            server.loop.observer = _Watcher(self, server)
            self._begin(server)
            async with trio.open_nursery() as nursery:
                await nursery.start(server.run)
                broker.reconnect()
                mqtt = Bridge(
                    broker,
                    config.mqtt,
                    gateway=server.loop,
                    hub=server.hub,
                    clock=clock,
                    site=server.site_config,
                )
                nursery.start_soon(mqtt.run)
                nursery.start_soon(self._look, server)
                nursery.start_soon(self._act, server, broker)
                if self.steps is not None:
                    nursery.start_soon(self._watch, server)
                    nursery.start_soon(watch_socket, server.home, self._seen)
                nursery.start_soon(self._jump, clock)
                nursery.start_soon(self._limit, server)
                nursery.start_soon(self._price, server)
                await trio.sleep(max(0.0, until_s - self._clock.now_s))
                self._clock.sync()
                self._judge_pace(self._clock.now_s)
                exported = server.site.export(now=clock.now())
                if fault is not None:
                    self.recorder.note(f"{fault.kind.value}: control is gone for {fault.duration_s:g} s")
                if fault is not None and fault.kind is FaultKind.KILL:
                    self._kill(life)
                nursery.cancel_scope.cancel()
            server.loop.observer = None
        if not life.was_killed:
            self._end(life, in_order=True)
        return exported

    def _kill_at_await_point(self, life: Life) -> None:
        self.recorder.note("killed at an await point")
        self._kill(life)

    def _kill(self, life: Life) -> None:
        """Nothing that the server does from now on reaches anybody; its tasks are swept up in the next turns."""
        if life.was_killed:
            return
        life.was_killed = True
        self._end(life, in_order=False)
        if life.server is not None:
            life.server.loop.observer = None
        self._network.cut()
        life.door.shut()
        life.scope.cancel()

    def _begin(self, server: Server) -> None:
        """A server has started: it must know what its predecessor has promised, and what it has shown."""
        now = server.loop.view()
        trace = self.recorder.trace
        if self._last is not None:
            trace.restarts.append(self._clock.now_s)
            for index, box in enumerate(self.house.wallboxes):  # maybe nobody has heard of the last command any more
                self.recorder.enabled[index], self.recorder.limits_a[index] = box.true_enabled, box.true_current_limit_a
        start = self.house.base.utc(self._clock.now_s).astimezone(self.house.base.zone)
        lost = [*self._promises.check(now), *self._seen.check(server.hub.snapshot)]
        trace.settings_lost.extend(f"{each} (start at {start:%H:%M:%S})" for each in lost)
        self._last = now
        self.recorder.begins(now)

    def _end(self, life: Life, *, in_order: bool) -> None:
        server = life.server
        if server is not None:
            labels, now = server.hub.labels, server.clock.now()
            self._last = server.site.view(now=now)
            asked = self._asked(server)
            self._promises.ended(self._clock.now_s, self._last, asked, in_order=in_order)
            self._seen.ended(server.hub.snapshot, document(self._last, labels, now), document(asked, labels, now))

    def _asked(self, server: Server) -> SiteView:
        """What becomes of the site if what it is just being asked is done."""
        now = server.clock.now()
        future = Site.restore(server.site_config, server.site.export(now=now), now=now, law=self._law)
        if self._asking is not None:
            with suppress(EvccError):
                future.submit(self._asking, now=now)
        return future.view(now=now)

    async def _pause(self, until_s: float, length_s: float) -> None:
        await trio.sleep(max(0.0, min(until_s, length_s) - self._clock.now_s))

    async def _stored_sessions(self) -> tuple[SessionRecord, ...]:
        """What a client would see, oldest first."""
        async with Store.open(self.database, inline) as store:
            stored = await store.sessions(zone=UTC)
        return tuple(item.session for item in reversed(stored))

    # -- people and other clients ------------------------------------------------------------------------------------------

    async def _look(self, server: Server) -> None:
        await trio.sleep(LOOK_S)
        client = build_app(server.home, stop=trio.Event()).test_client()
        while True:
            with trio.CancelScope(shield=True):  # the test client does not survive being cancelled
                answer = await client.get("/api/state")
                data = await answer.get_data()
            assert answer.status_code == 200, data
            self._states.update(data if isinstance(data, bytes) else data.encode())
            answered = json.loads(data)
            shown = answered.get("result", answered)
            self._clock.sync()
            self.recorder.looked({meter: shown.get(f"{meter}Power") for meter in ("grid", "pv", "battery")})
            await trio.sleep(LOOK_S)

    async def _watch(self, server: Server) -> None:
        """Somebody who looks at /api/state all the time, through no socket, and so survives being cancelled."""
        client = RestClient(server.home, self._seen)
        while True:
            await client.look()
            await trio.sleep(WATCH_S)

    async def _act(self, server: Server, broker: HashedLink) -> None:
        """Settings that people change, at their time, by REST and MQTT in turn; whoever gets no answer asks the next server."""
        client = RestClient(server.home, self._seen)
        while self._requests:
            due = self._requests[0]
            await trio.sleep(max(0.0, due.second - self._clock.now_s))
            self._clock.sync()
            self.recorder.note(f"request: {due.request}")
            self._asking = due.request
            words = spelt(due.request)
            try:
                if self._acts % 2:
                    await broker.command(words.topic, words.payload)
                else:
                    await client.ask(words.method, words.path)
            except (EvccError, Refused) as error:
                self.recorder.note(f"refused: {error}")
            self._asking = None
            self._acts += 1
            self._requests.popleft()

    async def _jump(self, clock: Clock) -> None:
        now_s = self._clock.now_s
        for fault in self.house.faults.of("site"):
            if fault.kind is FaultKind.CLOCK_JUMP and fault.start_s >= now_s:
                await trio.sleep(fault.start_s - self._clock.now_s)
                by = timedelta(seconds=fault.params.get("seconds", 3600.0))
                self._offset += by
                clock.jump(by)
                self.recorder.note(f"clock jumps by {by.total_seconds():g} s")

    async def _limit(self, server: Server) -> None:
        """The grid operator's messages, by REST: each is given once, and withdrawn unless it is lost."""
        spans = operator_spans(self.scenario, self.house.days)
        client, known = RestClient(server.home, self._seen), None
        while spans:
            limit = operator_limit_at(spans, self._clock.now_s)
            left_s = 0.0 if limit is None else limit.expires_at.total_seconds() - self._clock.now_s
            if limit is None and known is not None:
                await client.ask("DELETE", PATH)
            elif limit is not None and limit != known and left_s >= 1:
                await client.ask("POST", f"{PATH}/{limit.power_w}/{left_s:.6f}")
            known = limit
            await trio.sleep(1.0)

    async def _price(self, server: Server) -> None:
        """Price lists that a fixed tariff cannot express come as soon as they are published."""
        if self.scenario.tariff.is_fixed:
            return
        tariffs = self.house.tariffs
        while True:
            now_s = self._clock.now_s
            server.loop.take_rates(tariffs.at(now_s))
            await trio.sleep(max(1e-3, tariffs.changes_at(now_s) - now_s))

    def note_step(self, second: float) -> None:
        """The loop has decided."""
        self._steps += 1
        self._judge_pace(second)
        self._last_step_s = second
        self._report(second)

    def _judge_pace(self, second: float) -> None:
        """Whatever devices do, the loop must not have waited much longer than its interval since the last decision."""
        if self._last_step_s is None:
            gap_s, allowed_s = second - self._began_s, BEGINS_S
        else:
            gap_s, allowed_s = second - self._last_step_s, self.scenario.site.interval_s + WAITS_S
            self._gap_max_s = max(self._gap_max_s, gap_s)
        if gap_s > allowed_s and len(self._late) < LATE_MAX:
            self._late.append(Violation("keeps_its_period", second, f"{gap_s:.1f} s without a decision"))

    def _report(self, second: float) -> None:
        """Tell once an hour how far it is; in no task of its own, with which trio would take the others in another order."""
        if self.progress is not None and second >= self._next_report_s:
            self._next_report_s = second + 3600.0
            self.progress(min(1.0, second / self.scenario.length_s(self.days)))


class _Watcher:
    """Writes the trace: an `evcc_server.loop.control.Observer`."""

    def __init__(self, run: FullStack, server: Server) -> None:
        self._run = run
        self._server = server

    def stepped(self, decision: Decision, now: Now) -> None:
        run = self._run
        run._clock.sync()
        now_s = run.house.now_s
        run.note_step(now_s)
        run._promises.changed(now_s, decision.events)
        run.recorder.took(decision.events)
        run.recorder.shows(self._server.site.view(now=now))
        run.recorder.observe(decision.reasons)

    def submitted(self, events: tuple[Event, ...], now: Now) -> None:
        self._run._clock.sync()
        self._run._promises.answered(events)
        self._run.recorder.took(events)
        self._run.recorder.shows(self._server.site.view(now=now))

    def commanded(self, loadpoint: int, batch: int, command: Command, *, is_done: bool) -> None:
        self._run._clock.sync()
        self._run.recorder.commanded(loadpoint, batch, command, is_done=is_done)

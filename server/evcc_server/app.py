"""The composition root: configuration in, one task group out.

Server    devices, control loop and persistence; needs no socket of its own, so it also runs in virtual time
serve     a `Server` with its outlets: HTTP, WebSocket, MQTT, Modbus proxies; until SIGINT or SIGTERM
"""

from __future__ import annotations

import functools
import logging
import random
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import trio

from evcc_server.blocking import RunBlocking, in_thread
from evcc_server.clock import Clock
from evcc_server.config.model import Config
from evcc_server.config.options import Options
from evcc_server.devices.plugin.http import HttpClient
from evcc_server.devices.plugin.mqtt import BrokerTopics, Topics
from evcc_server.devices.template.modbus_meter import ModbusMeter
from evcc_server.errors import DeviceError, StoreError
from evcc_server.http.app import build_app
from evcc_server.http.home import ApiOptions, Home
from evcc_server.http.serving.serve import serve_http
from evcc_server.installed import installed_version
from evcc_server.keeping.lock import claimed
from evcc_server.keeping.persistence import Persistence
from evcc_server.keeping.restore import restored_reasons, restored_site
from evcc_server.keeping.site_history import SiteHistory
from evcc_server.keeping.store import Store
from evcc_server.keeping.totals import totals
from evcc_server.listening import refuse_taken_addresses
from evcc_server.loop.batteries import BatteryLease
from evcc_server.loop.control import AnyPoller, ControlLoop
from evcc_server.loop.operator_limits import OperatorLimits, Source
from evcc_server.loop.pollers import Poller, keep_alive
from evcc_server.loop.samples import LoadpointWiring, Samples, Wiring
from evcc_server.modbus.proxy import serve_proxy
from evcc_server.mqtt.service import run_mqtt
from evcc_server.optimize import at_work
from evcc_server.state.document import Labels
from evcc_server.state.encode import Compat
from evcc_server.state.facts import Facts
from evcc_server.state.hub import Hub
from evcc_server.state.log_lines import tell_log_lines
from evcc_server.state.vocabulary import VOCABULARIES, Vocabulary
from evcc_server.tariffs.service import TariffService
from evcc_server.wiring.factory import Devices, Opener, build, open_stream
from evcc_server.wiring.site import time_zone, to_site_config
from evcclib import Site
from evcclib.config import SiteConfig

_log = logging.getLogger(__name__)

TELEMETRY = "telemetry"
TOTALS_PERIOD_S = 900.0
MEET_S = 5.0
"""How long the start waits for stations to tell what they have."""
LEAVE_S = 1.0
"""How long leaving the devices and the database in order may take at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A site under control. Made by `open_server`; `run` keeps it going."""

    config: Config
    site_config: SiteConfig
    devices: Devices
    hub: Hub
    store: Store
    loop: ControlLoop
    home: Home
    site: Site
    clock: Clock
    persistence: Persistence
    tariffs: TariffService
    topics: Topics | None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Poll, decide and write for ever; started when the state can be shown."""
        async with trio.open_nursery() as nursery:
            for poller in self._pollers():
                nursery.start_soon(poller.run)
            for name in self.devices.chargers:
                deadline = self.devices.chargers[name].deadline
                nursery.start_soon(functools.partial(keep_alive, name, self.devices.charger(name), deadline=deadline))
            if self.topics is not None:
                nursery.start_soon(self.topics.run)
            nursery.start_soon(self.tariffs.run, self.loop.take_rates)
            nursery.start_soon(self.persistence.run, self.loop.show)
            nursery.start_soon(self.loop.run)
            nursery.start_soon(self._count)  # in every vocabulary: whoever is spoken to, the same tasks run
            task_status.started()

    async def _count(self) -> None:
        """Keep the totals of what has been charged fresh; the next cycle shows them."""
        zone = self.site_config.time_zone
        while True:
            try:
                self.hub.totals = totals(await self.store.sessions(zone=zone), self.clock.utc(), zone)
            except StoreError as error:
                _log.warning("what has been charged cannot be added up: %s", error)
            await trio.sleep(TOTALS_PERIOD_S)

    def _pollers(self) -> list[AnyPoller]:
        pollers: list[AnyPoller] = []
        for entry in self.config.operator_limits:
            limit = self.devices.limits[entry.name]
            pollers.append(
                Poller(
                    entry.name,
                    limit,
                    clock=self.clock,
                    deadline=limit.deadline,
                    period=self._own_period(entry.interval),
                    sink=self.loop.take_operator_limit,
                )
            )
        for name, built in self.devices.meters.items():
            pollers.append(
                Poller(
                    name,
                    self.devices.meter(name),
                    clock=self.clock,
                    deadline=built.deadline,
                    period=self._own_period(built.period),
                    sink=self.loop.take_meter,
                )
            )
        for name, built in self.devices.chargers.items():
            charger = self.devices.charger(name)
            pollers.append(
                Poller(
                    name,
                    charger,
                    clock=self.clock,
                    deadline=built.deadline,
                    period=self._own_period(built.period),
                    sink=self.loop.take_charger,
                    prepare=charger.start,
                )
            )
        self.loop.poll_with(pollers)
        return pollers

    def _own_period(self, period: timedelta) -> timedelta | None:
        """None for devices that are only asked at the interval."""
        return period if period < self.config.interval else None

    async def leave(self) -> None:
        """Leave chargers safe and the database complete; each takes `LEAVE_S` at most."""
        with trio.move_on_after(LEAVE_S, shield=True):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.persistence.close)
                for name in self.devices.chargers:
                    nursery.start_soon(_release, name, self.devices.charger(name))
                for name in self.config.site.battery:
                    battery = self.devices.meter(name)
                    if isinstance(battery, ModbusMeter):  # the only ones that can be told what to do
                        nursery.start_soon(_release, name, battery)
        with trio.move_on_after(LEAVE_S, shield=True):
            await self.devices.aclose()


@asynccontextmanager
async def open_server(
    config: Config,
    *,
    options: Options | None = None,
    clock: Clock | None = None,
    run_blocking: RunBlocking | None = None,
    opener: Opener = open_stream,
    http: HttpClient | None = None,
) -> AsyncIterator[Server]:
    """Everything but the outlets, ready to `Server.run`; left in order when the context ends.

    Raises `evcc_server.config.problems.ConfigError`, `evcclib.errors.InvalidConfig` and `evcc_server.errors.StoreError`.
    """
    options = options or Options()
    chance = random.random if clock is None else _never  # a virtual world brings all its chance along
    clock = clock or Clock()
    run_blocking = run_blocking or in_thread()
    database = _database(options.database or config.database.path)
    with claimed(database):  # before any device is touched: the other server's stations are not ours
        async with Store.open(database, run_blocking) as store:
            make_tariffs = functools.partial(
                TariffService, clock=clock, store=store, run_blocking=run_blocking, chance=chance
            )
            server = await _server(
                config,
                options,
                store,
                clock=clock,
                opener=opener,
                http=http,
                make_tariffs=make_tariffs,
            )
            try:
                yield server
            finally:
                await server.leave()


async def _server(
    config: Config,
    options: Options,
    store: Store,
    *,
    clock: Clock,
    opener: Opener,
    http: HttpClient | None,
    make_tariffs: Callable[..., TariffService],
) -> Server:
    topics = BrokerTopics(config.mqtt.broker, config.mqtt) if config.mqtt.broker else None
    devices = build(config, opener=opener, topics=topics, http=http, utc=clock.utc)
    batteries = {name: devices.meters[name] for name in config.site.battery}
    for name, built in {**batteries, **devices.chargers}.items():  # what is written to must be known for sure
        for point in built.open_points:
            _log.warning("%s: not confirmed by anybody: %s", name, point)
    await _meet_chargers(devices)
    site_config = to_site_config(config, devices)
    if options.planner is not None:
        site_config = replace(site_config, planner=options.planner)
    site = await _site(config, options, site_config, store, clock)
    words = VOCABULARIES[Compat(config.api_compat)]
    hub = Hub(_labels(config, site_config, words), await restored_reasons(site_config, store, clock.now()), words=words)
    chargers = tuple(loadpoint.charger for loadpoint in config.loadpoints)
    history = SiteHistory(chargers, config.interval)
    persistence = Persistence(store, clock, site, hub.reasons, history, keeps_settings=config.persists)
    wiring = _wiring(config)
    loop = ControlLoop(
        site,
        Samples(wiring, clock.instant()),
        wiring,
        clock=clock,
        interval=config.interval,
        chargers={name: devices.charger(name) for name in devices.chargers},
        vehicles=devices.vehicles,
        batteries=_leases(config, devices, clock),
        hub=hub,
        persistence=persistence,
        history=history,
        limits=await OperatorLimits.restored(store, _limit_sources(config), clock.now()),
    )
    loop.show()
    if config.telemetry and await store.load_flag(TELEMETRY) is None:
        await store.save_flag(TELEMETRY, True)
    api = _api_options(config, options)
    return Server(
        config=config,
        site_config=site_config,
        devices=devices,
        hub=hub,
        store=store,
        loop=loop,
        home=Home(gateway=loop, hub=hub, store=store, site=site_config, chargers=chargers, now=clock.now, options=api),
        site=site,
        clock=clock,
        persistence=persistence,
        tariffs=make_tariffs(config, devices, pv_power_w=lambda: loop.view().pv_power_w),
        topics=topics,
    )


async def _site(config: Config, options: Options, site_config: SiteConfig, store: Store, clock: Clock) -> Site:
    """The site to go on with, and what solves its plans."""
    return await restored_site(
        site_config,
        store,
        clock.now(),
        keeps_settings=config.persists,
        law=options.law,
        solver=at_work.named(config.site.solver),
    )


@dataclass(frozen=True, slots=True)
class Serving:
    """Where the outlets are: the HTTP port, and one line about MQTT."""

    host: str
    port: int
    mqtt: str


async def serve(
    config: Config,
    *,
    options: Options | None = None,
    opener: Opener = open_stream,
    task_status: trio.TaskStatus[Serving] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve ``config`` until cancelled, SIGINT or SIGTERM; started when every outlet listens.

    Raises `OSError` or `evcc_server.mqtt.broker_link.MqttError` when an address cannot be had.
    """
    options = options or Options()
    refuse_taken_addresses(config, options)
    async with open_server(config, options=options, opener=opener) as server:
        stop = trio.Event()
        app = build_app(server.home, stop=stop)
        host = options.host or config.network.host
        port = config.network.port if options.port is None else options.port
        async with trio.open_nursery() as nursery:
            await nursery.start(_stop_on_signal, stop)
            await nursery.start(tell_log_lines, server.hub, config.secrets)
            bound = await nursery.start(functools.partial(serve_http, app, host=host, port=port, stop=stop))
            mqtt = await nursery.start(
                functools.partial(
                    run_mqtt,
                    replace(config.mqtt, compat=Compat(config.api_compat)),
                    gateway=server.loop,
                    hub=server.hub,
                    clock=server.clock,
                    site=server.site_config,
                )
            )
            for proxy, link in server.devices.proxies:
                await nursery.start(
                    functools.partial(serve_proxy, link, port=proxy.port, host=host, is_read_only=proxy.is_read_only)
                )
            await nursery.start(server.run)
            _log.info("API on http://%s:%d, %s", host, bound, mqtt)
            task_status.started(Serving(host, bound, mqtt))
            await stop.wait()
            nursery.cancel_scope.cancel()


async def _stop_on_signal(stop: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for number in signals:
            _log.info("%s: leaving", signal.Signals(number).name)
            stop.set()
            return


def _never() -> float:
    return 0.0


def _labels(config: Config, site: SiteConfig, words: Vocabulary) -> Labels:
    return Labels(
        version=f"{words.version} (evcclib {installed_version()})",
        time_zone=time_zone(config),
        currency=config.tariffs.currency,
        language=config.language,
        facts=Facts(
            grid=config.site.grid or "",
            pv=config.site.pv,
            batteries=config.site.battery,
            vehicles=site.vehicles,
            loadpoints=site.loadpoints,
            circuits=site.circuits,
            circuit_titles={circuit.name: circuit.title for circuit in config.circuits},
            interval=config.interval,
            is_open=config.auth.is_open,
        ),
    )


def _api_options(config: Config, options: Options) -> ApiOptions:
    return ApiOptions(
        compat=Compat(config.api_compat),
        language=config.language,
        token=config.auth.token,
        is_local_only=config.auth.token is None and not config.auth.is_open,
        allowed_origins=frozenset(config.network.allowed_origins),
        name=config.network.name,
        trusted_proxies=config.network.trusted_proxies,
        ui=options.ui,
    )


def _wiring(config: Config) -> Wiring:
    circuits: Mapping[str, str] = {circuit.name: circuit.meter for circuit in config.circuits if circuit.meter}
    return Wiring(
        grid=config.site.grid,
        pv=config.site.pv,
        batteries=config.site.battery,
        aux=config.site.aux,
        loadpoints=tuple(LoadpointWiring(charger=lp.charger, meter=lp.meter) for lp in config.loadpoints),
        circuits=circuits,
    )


def _limit_sources(config: Config) -> Mapping[str, Source]:
    return {each.name: Source(expiry=each.expiry, fallback_w=each.fallback_w) for each in config.operator_limits}


def _leases(config: Config, devices: Devices, clock: Clock) -> Mapping[str, BatteryLease]:
    """Of the batteries that can be told what to do, by name."""
    found = {name: devices.meter(name) for name in config.site.battery}
    return {
        name: BatteryLease(name, battery, clock) for name, battery in found.items() if isinstance(battery, ModbusMeter)
    }


async def _meet_chargers(devices: Devices) -> None:
    """Let each station tell what it has: an optional meter, whether it can switch phases. One that is away counts as usual."""

    async def meet(name: str) -> None:
        try:
            with trio.fail_after(MEET_S):
                await devices.charger(name).start()
        except DeviceError as error:
            _log.warning("%s: cannot tell what it has: %s", name, error)
        except trio.TooSlowError:
            _log.warning("%s: does not tell what it has in time", name)

    async with trio.open_nursery() as nursery:
        for name in devices.chargers:
            nursery.start_soon(meet, name)


class Releasable(Protocol):
    """A device that wants to be left in order."""

    async def release(self) -> None: ...


async def _release(name: str, device: Releasable) -> None:
    try:
        await device.release()
    except DeviceError as error:
        _log.warning("%s: could not be left in order: %s", name, error)


def _database(path: str) -> Path | None:
    return None if path == ":memory:" else Path(path).expanduser()

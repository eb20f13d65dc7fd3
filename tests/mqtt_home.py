"""A small real home behind an MQTT bridge: a `Site`, a hub, a gateway without devices, and any link."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import trio
from memory_broker import MemoryBroker, MemoryLink
from trio.testing import wait_all_tasks_blocked

from evcc_server.clock import Clock
from evcc_server.mqtt.bridge import Bridge
from evcc_server.mqtt.broker_link import MqttOptions, Publication
from evcc_server.state.document import Labels, LimitInForce, LimitReason
from evcc_server.state.encode import Compat
from evcc_server.state.facts import Facts
from evcc_server.state.hub import Hub
from evcc_server.state.vocabulary import VOCABULARIES
from evcclib import Site
from evcclib.config import BatteryConfig, ChargerConfig, LoadpointConfig, SiteConfig, VehicleConfig
from evcclib.decision import PlanPreview
from evcclib.model import ChargeMode, TariffKind
from evcclib.requests import Request
from evcclib.tariff import Rates
from evcclib.view import SiteView

EPOCH = datetime(2023, 3, 6, 17, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")

SITE = SiteConfig(
    title="Zuhause",
    time_zone=BERLIN,
    pv_count=2,
    batteries=(BatteryConfig(capacity_kwh=13.4),),
    vehicles=(
        VehicleConfig(name="golf", title="blauer e-Golf", capacity_kwh=44),
        VehicleConfig(name="model3", title="weißes Model 3", capacity_kwh=80),
    ),
    loadpoints=(
        LoadpointConfig(title="Carport", charger=ChargerConfig(can_switch_phases=True), mode=ChargeMode.PV),
        LoadpointConfig(title="Garage", mode=ChargeMode.OFF),
    ),
)


class Home:
    """Implements `evcc_server.gateway.Gateway` around a `Site` that nobody steps."""

    compat = Compat.V0_114

    def __init__(self, clock: Clock, config: SiteConfig = SITE) -> None:
        self.clock = clock
        self.config = config
        self.site = Site(config, now=clock.now())
        facts = Facts(vehicles=config.vehicles, loadpoints=config.loadpoints)
        labels = Labels(version="0.114.1 (evcclib test)", time_zone=BERLIN, facts=facts)
        self.hub = Hub(labels, words=VOCABULARIES[self.compat])
        self.requests: list[Request] = []
        self.limited: LimitInForce | None = None
        self.cycle()

    def cycle(self) -> None:
        """The end of a control cycle."""
        self.hub.publish(self.view(), self.clock.now(), limit=self.limited)

    async def submit(self, *requests: Request) -> None:
        self.site.submit(*requests, now=self.clock.now())
        self.requests.extend(requests)
        self.hub.publish(self.view(), self.clock.now(), limit=self.limited, is_cycle=False)

    async def limit(self, giver: str, power_w: float, lasts: timedelta) -> None:
        self.limited = LimitInForce(power_w, giver, LimitReason.GIVEN, self.clock.instant() + lasts)
        self.hub.publish(self.view(), self.clock.now(), limit=self.limited, is_cycle=False)

    async def unlimit(self, giver: str) -> None:
        self.limited = None
        self.hub.publish(self.view(), self.clock.now(), is_cycle=False)

    def view(self) -> SiteView:
        return self.site.view(now=self.clock.now())

    def ailment(self) -> str:
        return "no reading of the grid is known"

    def plan(self, loadpoint: int, **wanted: Any) -> PlanPreview:
        return self.site.plan(loadpoint, now=self.clock.now(), **wanted)

    def rates(self, kind: TariffKind) -> Rates | None:
        return None


@dataclass
class Bridged:
    """A home and the broker in front of it."""

    home: Home
    broker: MemoryBroker
    link: MemoryLink

    async def command(self, topic: str, payload: str, *, is_retained: bool = False) -> None:
        """Somebody publishes, and all that follows has happened when this returns."""
        self.broker.publish(Publication(topic, payload.encode(), is_retained))
        await wait_all_tasks_blocked()

    async def cycle(self) -> None:
        self.home.cycle()
        await wait_all_tasks_blocked()

    def since(self, mark: int) -> list[tuple[str, str]]:
        """What has been published since ``mark`` = ``len(broker.log)``."""
        return [(each.topic, each.payload.decode()) for each in self.broker.log[mark:]]


@asynccontextmanager
async def bridged(
    options: MqttOptions | None = None, *, broker: MemoryBroker | None = None, home: type[Home] = Home
) -> AsyncIterator[Bridged]:
    """The bridge between them, as far as it has come by itself."""
    options = options or MqttOptions()
    clock = Clock(epoch=EPOCH)
    inhabited = home(clock)
    broker = broker or MemoryBroker()
    link = broker.connect(options.root)
    bridge = Bridge(link, options, gateway=inhabited, hub=inhabited.hub, clock=clock, site=inhabited.config)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bridge.run)
        await wait_all_tasks_blocked()
        yield Bridged(inhabited, broker, link)
        nursery.cancel_scope.cancel()

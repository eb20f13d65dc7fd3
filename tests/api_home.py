"""A real home behind the real HTTP server: a `Site` fed with readings from memory, a hub, a store, a loopback socket.

`ApiHome` implements `evcc_server.gateway.Gateway`; it has no devices, so a test sets `readings` and calls `cycle`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import trio

from evcc_server.blocking import in_thread
from evcc_server.http.app import build_app
from evcc_server.http.home import ApiOptions, Home
from evcc_server.http.serving.serve import serve_http
from evcc_server.keeping.store import Store
from evcc_server.loop.operator_limits import OperatorLimits
from evcc_server.state.document import Labels
from evcc_server.state.encode import Compat
from evcc_server.state.facts import Facts
from evcc_server.state.hub import Hub
from evcc_server.state.vocabulary import VOCABULARIES, Vocabulary
from evcclib import Site
from evcclib.config import BatteryConfig, ChargerConfig, LoadpointConfig, SiteConfig, VehicleConfig
from evcclib.decision import PlanPreview
from evcclib.events import SettingChanged
from evcclib.model import Cause, ChargeMode, ChargerStatus, Now, TariffKind
from evcclib.readings import BatteryReading, ChargerReading, Measured, MeterReading, Missing, Readings, VehicleReading
from evcclib.requests import Request
from evcclib.tariff import Rate, Rates
from evcclib.units import Instant
from evcclib.view import SiteView

BERLIN = ZoneInfo("Europe/Berlin")
EPOCH = datetime(2023, 3, 6, 17, tzinfo=UTC)
START = Now(Instant(timedelta(seconds=10)), EPOCH)
VERSION = "0.114.1 (evcclib test)"

SITE = SiteConfig(
    title="Zuhause",
    time_zone=BERLIN,
    pv_count=2,
    batteries=(BatteryConfig(capacity_kwh=13.4),),
    vehicles=(
        VehicleConfig(name="golf", title="blauer e-Golf", capacity_kwh=44, has_soc=True, has_range=True),
        VehicleConfig(name="model3", title="weißes Model 3", capacity_kwh=80),
    ),
    loadpoints=(
        LoadpointConfig(
            title="Carport", charger=ChargerConfig(can_switch_phases=True), mode=ChargeMode.PV, vehicle="golf"
        ),
        LoadpointConfig(title="Garage", mode=ChargeMode.OFF, phases=3),
    ),
)


class ApiHome:
    """A `Site` without devices; time stands still unless `cycle` moves it."""

    def __init__(
        self, config: SiteConfig, store: Store, limits: OperatorLimits, words: Vocabulary = VOCABULARIES[Compat.V0_114]
    ) -> None:
        self.config = config
        self.store = store
        self.limits = limits
        self.time = START
        self.site = Site(config, now=self.time)
        facts = Facts(vehicles=config.vehicles, loadpoints=config.loadpoints, circuits=config.circuits)
        self.hub = Hub(Labels(version=f"{words.version} (evcclib test)", time_zone=BERLIN, facts=facts), words=words)
        self.submitted: list[Request] = []
        self._turn = trio.Lock()
        self.tariffs: dict[TariffKind, Rates] = {
            TariffKind.GRID: hourly_prices(EPOCH),
            TariffKind.FEED_IN: Rates((Rate(EPOCH, EPOCH + timedelta(days=1), 0.08),)),
        }
        self.grid_is_silent = False
        self.cycle(timedelta(0))

    def now(self) -> Now:
        return self.time

    def cycle(self, later: timedelta = timedelta(seconds=10)) -> None:
        """Take new readings after ``later`` and decide."""
        self.time = self.time.after(later)
        decision = self.site.step(self.readings(), now=self.time, cause=Cause.INTERVAL)
        assert decision.reasons
        self.show(is_cycle=True)

    def show(self, *, is_cycle: bool) -> None:
        limit = self.limits.in_force(self.time.instant)
        self.hub.publish(self.view(), self.time, limit=limit, rates=self.tariffs, is_cycle=is_cycle)

    def readings(self) -> Readings:
        at = self.time.instant
        charger = ChargerReading(
            status=Measured(ChargerStatus.B, at),
            is_enabled=Measured(False, at),
            power_w=Measured(0.0, at),
            currents_a=Measured((0.0, 0.0, 0.0), at),
            energy_total_kwh=Measured(4211.873, at),
        )
        grid = MeterReading(
            power_w=Missing(at) if self.grid_is_silent else Measured(-412.5, at),
            powers_w=Measured((531.3, -446.2, -497.6), at),
            currents_a=Measured((2.31, -1.94, -2.16), at),
            energy_import_kwh=Measured(9120.573, at),
        )
        return Readings(
            grid=grid,
            pv=(MeterReading(power_w=Measured(4120.0, at)), MeterReading(power_w=Measured(2120.0, at))),
            batteries=(BatteryReading(power_w=Measured(-850.0, at), soc_pct=Measured(55.0, at)),)
            * len(self.config.batteries),
            chargers=(charger, replace(charger, status=Measured(ChargerStatus.A, at))),
            vehicles={"golf": VehicleReading(soc_pct=Measured(61.6, at), range_km=Measured(181.0, at))},
            tariffs=self.tariffs,
            operator_limit=self.limits.reading(at),
        )

    async def submit(self, *requests: Request) -> None:
        async with self._turn:
            prepared = self.site.prepare(*requests, now=self.time)
            settings = [event for event in prepared.events if isinstance(event, SettingChanged)]
            await self.store.save(settings=settings)
            self.site.take(prepared)
            self.submitted.extend(requests)
            self.show(is_cycle=False)

    async def limit(self, giver: str, power_w: float, lasts: timedelta) -> None:
        await self.limits.give(giver, power_w, lasts, self.time)
        self.show(is_cycle=False)

    async def unlimit(self, giver: str) -> None:
        await self.limits.withdraw(giver, self.time)
        self.show(is_cycle=False)

    def view(self) -> SiteView:
        return self.site.view(now=self.time)

    def ailment(self) -> str:
        return "the grid meter cannot be read: grid: no answer within 1 s"

    def plan(self, loadpoint: int, **wanted: Any) -> PlanPreview:
        return self.site.plan(loadpoint, now=self.time, **wanted)

    def rates(self, kind: TariffKind) -> Rates | None:
        if kind is TariffKind.PLANNER:
            return self.tariffs.get(kind) or self.tariffs.get(TariffKind.GRID)
        return self.tariffs.get(kind)


def hourly_prices(start: datetime) -> Rates:
    """A day of prices that fall and rise again."""
    hour = timedelta(hours=1)
    return Rates(
        tuple(Rate(start + n * hour, start + (n + 1) * hour, round(0.2 + abs(n - 10) / 100, 3)) for n in range(24))
    )


@dataclass
class Served:
    """The home, its client and where it listens."""

    home: ApiHome
    client: httpx.AsyncClient
    port: int
    stop: trio.Event
    ended: trio.Event  # when the HTTP server has
    store: Store

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(path, **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.post(path, **options)

    async def delete(self, path: str) -> httpx.Response:
        return await self.client.delete(path)

    async def state(self) -> dict[str, Any]:
        """``result`` of ``GET /api/state``."""
        response = await self.client.get("/api/state")
        assert response.status_code == 200
        result = response.json()["result"]
        assert isinstance(result, dict)
        return result

    async def loadpoint(self, number: int = 1) -> dict[str, Any]:
        """A loadpoint's object, counted from 1."""
        loadpoint = (await self.state())["loadpoints"][number - 1]
        assert isinstance(loadpoint, dict)
        return loadpoint

    async def refuses(self, method: str, path: str, status: int, text: str = "", **options: Any) -> None:
        """The request gets ``status`` and an error that contains ``text``; the state stays as it was."""
        before = await self.state()
        response = await self.client.request(method, path, **options)
        assert response.status_code == status, (path, response.text)
        body = response.json()
        assert list(body) == ["error"]
        assert text in body["error"]
        assert response.text.endswith("\n")
        assert await self.state() == before


@asynccontextmanager
async def served(
    config: SiteConfig = SITE,
    *,
    options: ApiOptions | None = None,
    database: Path | None = None,
) -> AsyncIterator[Served]:
    """A home that answers on a loopback socket."""
    async with Store.open(database, in_thread()) as store:
        options = options or ApiOptions()
        limits = await OperatorLimits.restored(store, {}, START)
        home = ApiHome(config, store, limits, VOCABULARIES[options.compat])
        stop = trio.Event()
        app = build_app(
            Home(
                gateway=home,
                hub=home.hub,
                store=store,
                site=config,
                chargers=("carport_box", "garage_box"),
                now=home.now,
                options=options,
            ),
            stop=stop,
        )
        ended = trio.Event()

        async def serve(*, task_status: trio.TaskStatus[int]) -> None:
            await serve_http(app, host="127.0.0.1", port=0, stop=stop, task_status=task_status)
            ended.set()

        async with trio.open_nursery() as nursery:
            port = await nursery.start(serve)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                yield Served(home, client, port, stop, ended, store)
            stop.set()

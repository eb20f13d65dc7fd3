"""Price lists over real sockets: a local web server stands in for the providers, and the whole way of a tariff is gone."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import trio
from test_solar_providers import FORECAST_SOLAR, OPEN_METEO, SOLCAST
from test_tariff_providers import ENERGY_CHARTS, ENERGY_CHARTS_CO2, ENTSOE, NORD_POOL, TIBBER, octopus
from test_tariff_service import SITE
from trio_test import in_real_time

from evcc_server.clock import Clock
from evcc_server.config.load import parse_config
from evcc_server.tariffs.service import TariffService
from evcc_server.wiring.factory import build
from evcclib.model import TariffKind
from evcclib.tariff import Rates, price_at

pytestmark = pytest.mark.wire

QUARTER_PAST_NINE = datetime(2023, 3, 7, 9, 15, tzinfo=UTC)
OCTOPUS = octopus((33.0, None, "NON_DIRECT_DEBIT"), (30.0, None, "DIRECT_DEBIT"))
LIST = json.dumps([{"start": "2023-03-07T09:00:00Z", "value": None}, {"start": "2023-03-07T09:15:00Z", "value": 0.2}])


class Provider(http.server.BaseHTTPRequestHandler):
    """Answers by path, and keeps what it was asked."""

    answers: Mapping[str, str] = {
        "/entsoe": ENTSOE,
        "/octopus": OCTOPUS,
        "/charts": ENERGY_CHARTS,
        "/tibber": TIBBER,
        "/2023-03-07": LIST,
        "/nordpool": NORD_POOL,
        "/co2eq": ENERGY_CHARTS_CO2,
        "/fs/abcdefg/estimate/52.5/13.4/30/0/10": FORECAST_SOLAR,
        "/meteo": OPEN_METEO,
        "/sites/a-b/forecasts": SOLCAST,
    }
    asked: list[tuple[str, str]]

    def do_GET(self) -> None:
        self.asked.append((self.path, ""))
        self._answer()

    def do_POST(self) -> None:
        self.asked.append((self.path, self.rfile.read(int(self.headers["Content-Length"])).decode()))
        self._answer()

    def _answer(self) -> None:
        answer = self.answers.get(urlsplit(self.path).path)
        self.send_response(404 if answer is None else 200)
        self.end_headers()
        self.wfile.write((answer or "").encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def provider() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Its address, and what it is asked."""
    asked: list[tuple[str, str]] = []
    handler = type("Handler", (Provider,), {"asked": asked})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


FETCHED = [
    ("type: entsoe, securitytoken: abc, domain: DE-LU, uri: $/entsoe", 0.08),
    (
        "type: template, template: entsoe, securitytoken: abc, domain: BZN|AT, uri: $/entsoe, charges: 0.1, tax: 0.2",
        0.216,
    ),
    ("type: octopusenergy, productcode: VAR-22, region: C, uri: $/octopus", 0.3),
    (
        "type: template, template: octopus-productcode, tariff: VAR-22, region: C, directDebit: false, uri: $/octopus",
        0.33,
    ),
    ("type: energycharts, bzn: DE-LU, uri: $/charts", 0.09),
    ("type: tibber, token: abc, uri: $/tibber", 0.25),
    ("type: custom, forecast: {source: http, uri: '$/{{ now.Format `2006-01-02` }}'}", 0.2),
]


@pytest.mark.parametrize(("tariff", "price"), FETCHED, ids=[row[0][:50] for row in FETCHED])
def test_a_list_comes_over_the_wire(tariff: str, price: float) -> None:
    @in_real_time
    async def run() -> None:
        with provider() as (address, asked):
            rates = await fetched(f"{{grid: {{{tariff.replace('$', address)}}}}}")
            found = price_at(rates, QUARTER_PAST_NINE)
            assert found is not None and round(found, 9) == price
            path, body = asked[0]
            parameters = parse_qs(urlsplit(path).query)
            if "entsoe" in tariff:
                assert (parameters["documentType"], parameters["securityToken"]) == (["A44"], ["abc"])
                assert (parameters["periodStart"], parameters["periodEnd"]) == (["202303062300"], ["202303082300"])
            if "energycharts" in tariff:
                assert (parameters["start"], parameters["end"]) == (["2023-03-07"], ["2023-03-08"])
            if "tibber" in tariff:
                assert "resolution: QUARTER_HOURLY" in json.loads(body)["query"]

    run()


ROOF = "lat: 52.5, lon: 13.4, dec: 30, az: 0, kwp: 10"
SIX = datetime(2026, 6, 13, 6, tzinfo=UTC)
MORE = [
    ("grid", "type: nordpool, region: FI, uri: $/nordpool", QUARTER_PAST_NINE, 0.002),
    ("co2", "type: energychartsco2, uri: $/co2eq", QUARTER_PAST_NINE, 505.0),
    ("solar", f"type: template, template: forecast-solar, apikey: abcdefg, uri: $/fs, {ROOF}", SIX, 300.0),
    ("solar", f"type: openmeteo, uri: $/meteo, {ROOF}", SIX - timedelta(minutes=1), 4758.0),
    ("solar", "type: solcast, site: a-b, token: abcdefg, uri: $/sites", SIX, 2500.0),
    ("solarp10", "type: solcast, site: a-b, token: abcdefg, uri: $/sites", SIX, 1500.0),
]


@pytest.mark.parametrize(("kind", "tariff", "at", "value"), MORE, ids=[f"{row[0]} {row[1][:30]}" for row in MORE])
def test_emissions_and_the_sun_come_over_the_wire(kind: str, tariff: str, at: datetime, value: float) -> None:
    @in_real_time
    async def run() -> None:
        with provider() as (address, _):
            section = kind.removesuffix("p10")
            rates = await fetched(f"{{{section}: {{{tariff.replace('$', address)}}}}}", TariffKind(kind))
            found = price_at(rates, at)
            assert found is not None and round(found, 6) == value

    run()


async def fetched(tariffs: str, kind: TariffKind = TariffKind.GRID) -> Rates:
    """What the server knows after the first answer."""
    clock = Clock(epoch=QUARTER_PAST_NINE)
    config = parse_config(SITE.format(tariffs=tariffs), environment={})
    devices = build(config, utc=clock.utc)
    service = TariffService(config, devices, clock=clock)
    arrived = trio.Event()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.run, lambda _lists: arrived.set())
            await arrived.wait()
            nursery.cancel_scope.cancel()
    await devices.aclose()
    return service.rates()[kind]

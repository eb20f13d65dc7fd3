#!/usr/bin/env bash
# ocpp (The Mobility House): a decimal.Decimal in any message goes out rounded to one place, so 0.2875 EUR/kWh becomes 0.3.
#
# One would guess: whoever takes Decimal for money is on the safe side; a number is sent as it is. OCPP 2.0.1 and 2.1 have prices, costs and
#   limits as plain numbers without "multipleOf", and the library's own schemas say so too.
# What happens: the encoder writes every Decimal of every version and message with one place, silently and after validation: a tariff
#   of 0.2875 is offered to the car as 0.3, a cost of 12.34 is shown to the driver as 12.3, a feed-in price of 0.04 is 0. It was
#   made for OCPP 1.6, whose schedules allow one place. Answers are hit as calls are.
# What helps: float(price) before it is handed over; a float goes out as it is.
# Versions: ocpp 2.1.0, Python 3.11. Date: 2026-12-01. Source: looked for in the client libraries of charging stations, then run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ocpp==2.1.0 jsonschema==4.26.0
"$folder/venv/bin/python" - <<'PY'
import asyncio
import json
from decimal import Decimal
from importlib.metadata import version

from ocpp import v21, v201
from ocpp.routing import on
from ocpp.v21.datatypes import TariffEnergyPriceType, TariffEnergyType, TariffType


class Link:
    """The far end of the line: it keeps what it hears and says yes."""

    def __init__(self, answer):
        self.answer, self.heard, self.station = answer, [], None

    async def send(self, message):
        self.heard.append(json.loads(message))
        kind, name = self.heard[-1][:2]
        if kind == 2:
            await self.station.route_message(json.dumps([3, name, self.answer]))


async def called(version_of_ocpp, request, answer):
    """The payload that goes out for a request."""
    link = Link(answer)
    link.station = version_of_ocpp.ChargePoint("station", link)
    await link.station.call(request)
    return link.heard[0][3]


class Asked(v201.ChargePoint):
    @on("TransactionEvent")
    def cost_so_far(self, **_):
        return v201.call_result.TransactionEvent(total_cost=self.cost)


async def answered(cost):
    """The payload that goes out as the answer to a station that reports a transaction."""
    link = Link({})
    station = link.station = Asked("station", link)
    station.cost = cost
    event = {
        "eventType": "Updated",
        "timestamp": "2026-12-01T12:00:00Z",
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 1,
        "transactionInfo": {"transactionId": "1"},
    }
    await station.route_message(json.dumps([2, "1", "TransactionEvent", event]))
    return link.heard[0][2]["totalCost"]


async def price(number):
    energy = TariffEnergyType(prices=[TariffEnergyPriceType(price_kwh=number)])
    tariff = TariffType(tariff_id="night", currency="EUR", energy=energy)
    sent = await called(v21, v21.call.SetDefaultTariff(evse_id=1, tariff=tariff), {"status": "Accepted"})
    return sent["tariff"]["energy"]["prices"][0]["priceKwh"]


async def cost(number):
    sent = await called(v201, v201.call.CostUpdated(total_cost=number, transaction_id="1"), {})
    return sent["totalCost"]


print(f"ocpp {version('ocpp')}: what goes out for a number given as Decimal, and as float")
found = {}
for name, what, number in (
    ("OCPP 2.1 SetDefaultTariff, price per kWh", price, "0.2875"),
    ("OCPP 2.1 SetDefaultTariff, price per kWh", price, "0.04"),
    ("OCPP 2.0.1 CostUpdated, cost so far", cost, "12.34"),
    ("OCPP 2.0.1 TransactionEvent answered, cost so far", answered, "12.34"),
):
    found[what.__name__, number] = asyncio.run(what(Decimal(number))), asyncio.run(what(float(number)))
    print(f"{name}: {number} goes out as {found[what.__name__, number]}")
assert found == {
    ("price", "0.2875"): (0.3, 0.2875),
    ("price", "0.04"): (0.0, 0.04),
    ("cost", "12.34"): (12.3, 12.34),
    ("answered", "12.34"): (12.3, 12.34),
}
PY

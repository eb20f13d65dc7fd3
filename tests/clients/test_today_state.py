"""The state document in today's words: names, units and shapes, over the settings and the view of every other generation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from api_home import SITE, hourly_prices
from example_home import CARPORT, FACTS, GARAGE, NOW, VIEW

from evcc_server.keeping.store import StoredSession
from evcc_server.keeping.totals import totals
from evcc_server.state.encode import Compat, mqtt, rest_document
from evcc_server.state.facts import Facts
from evcc_server.state.forecast import in_quarters
from evcc_server.state.hub import Hub, News
from evcc_server.state.shown import Shown, Total
from evcc_server.state.values import Listing, Ready, Tree
from evcc_server.state.vocabulary import VOCABULARIES
from evcclib.commands import BatteryMode
from evcclib.config import CircuitConfig
from evcclib.events import SessionRecord
from evcclib.model import TariffKind
from evcclib.settings import VehicleSettings
from evcclib.tariff import Rate, Rates
from evcclib.view import BatteryView, CircuitView, SideView

TODAY = VOCABULARIES[Compat.TODAY]
FACTS_OF_HOME = Facts(
    grid="meter",
    pv=("roof", "barn"),
    batteries=("cellar",),
    vehicles=SITE.vehicles,
    circuits=(CircuitConfig(name="main", power_max_w=11000, current_max_a=16),),
    circuit_titles={"main": "Main"},
)
LABELS = replace(FACTS, version="0.313.2 (evcclib 1.0.0)", facts=FACTS_OF_HOME)


def shown(view: Any = VIEW, **more: Any) -> Any:
    return rest_document(TODAY.document(Shown(view, LABELS, NOW, **more)), Compat.TODAY)


def test_devices_are_objects_with_their_names() -> None:
    state = shown()
    assert state["grid"] == {
        "name": "meter",
        "power": -412.5,
        "energy": 9120.573,
        "powers": [531.3, -446.2, -497.6],
        "currents": [2.31, -1.94, -2.16],
    }
    assert state["pv"] == [
        {"name": "roof", "title": "roof", "power": 4120},
        {"name": "barn", "title": "barn", "power": 2120},
    ]
    device = {"name": "cellar", "title": "cellar", "power": -850, "controllable": False, "soc": 55, "capacity": 13.4}
    assert state["battery"] == {"power": -850, "soc": 55.2, "capacity": 13.4, "devices": [device]}
    assert (state["gridPower"], state["batterySoc"], state["batteryPower"]) == (-412.5, 55, -850)
    assert (state["batteryMode"], state["batteryGridChargeActive"]) == ("unknown", False)


def test_what_a_home_has_not_got_is_missing_or_null() -> None:
    state = shown(VIEW._replace(has_battery=False, batteries=(), has_grid=False, grid_power_w=None))
    assert state["battery"] is state["grid"] is None
    assert {"gridPower", "batterySoc", "batteryPower", "alwaysCharge", "tariffCo2"}.isdisjoint(state)
    assert "alwaysCharge" not in state["loadpoints"][0]


def test_vehicles_are_an_object_by_configured_name() -> None:
    view = VIEW._replace(vehicle_settings={vehicle.name: VehicleSettings() for vehicle in SITE.vehicles})
    assert shown(view)["vehicles"]["golf"] == {
        "title": "blauer e-Golf",
        "capacity": 44,
        "repeatingPlans": [],
        "planStrategy": {"continuous": False, "precondition": 0},
    }
    assert [*mqtt("vehicles", Tree({"golf": Tree({"title": "Golf"})}))] == [
        ("vehicles/golf/title", "Golf"),
    ]


def test_limits_are_0_where_none_is_set_and_100_where_none_holds() -> None:
    carport, garage = shown(VIEW._replace(loadpoints=(CARPORT, GARAGE._replace(settings=GARAGE.settings))))[
        "loadpoints"
    ]
    assert (carport["limitSoc"], carport["effectiveLimitSoc"]) == (90, 90)
    free = GARAGE._replace(settings=replace(GARAGE.settings, soc_target_pct=100))
    garage = shown(VIEW._replace(loadpoints=(free,)))["loadpoints"][0]
    assert (garage["limitSoc"], garage["effectiveLimitSoc"], garage["limitEnergy"]) == (0, 100, 0)


def test_durations_are_seconds_energies_wh_and_times_null() -> None:
    carport, garage = shown()["loadpoints"]
    assert (carport["chargeDuration"], carport["chargedEnergy"], carport["sessionEnergy"]) == (9003, 9204.3, 9204.3)
    assert (carport["chargeRemainingEnergy"], carport["enableDelay"]) == (13884.444, 60)
    assert garage["planTime"] is garage["planProjectedStart"] is garage["sessionPrice"] is None
    assert "chargeRemainingEnergy" not in garage
    assert (carport["phasesConfigured"], garage["phasesConfigured"]) == (1, 0)
    assert {"targetSoc", "targetTime", "chargeCurrent", "vehiclePresent", "climaterActive"}.isdisjoint(carport)


def test_a_battery_under_control_says_what_it_does() -> None:
    told = BatteryView(
        power_w=-850.0,
        soc_pct=55.0,
        capacity_kwh=13.4,
        energy_discharged_kwh=None,
        energy_charged_kwh=None,
        modes=frozenset(BatteryMode),
        mode=BatteryMode.CHARGE,
    )
    state = shown(VIEW._replace(batteries=(told,)))
    assert (state["batteryMode"], state["batteryGridChargeActive"]) == ("charge", True)
    assert state["battery"]["devices"][0]["controllable"] is True


def test_prices_of_house_and_cars_circuits_and_totals() -> None:
    view = VIEW._replace(
        home=SideView(0.75, 0.159, None),
        cars=SideView(0.5, 0.24, None),
        circuits={"main": CircuitView(3680.4, 16.0)},
    )
    state = shown(view, totals={"30d": Total(12.5, 80.0, 0.2, None)})
    assert (state["greenShareHome"], state["tariffPriceHome"]) == (0.75, 0.159)
    assert (state["greenShareLoadpoints"], state["tariffPriceLoadpoints"]) == (0.5, 0.24)
    assert state["circuits"] == {
        "main": {"title": "Main", "power": 3680.4, "current": 16, "maxPower": 11000, "maxCurrent": 16}
    }
    assert state["statistics"] == {"30d": {"chargedKWh": 12.5, "solarPercentage": 80, "avgPrice": 0.2, "avgCo2": None}}


def test_the_forecast_is_triples_of_unix_seconds_and_the_sun_in_wh() -> None:
    start = NOW.utc
    sun = Rates((Rate(start, start + timedelta(hours=2), 3000.0),), unit="W")
    rates = {TariffKind.GRID: hourly_prices(start), TariffKind.SOLAR: sun}
    state = shown(rates=rates)
    forecast = state["forecast"]
    begin = int(start.timestamp())
    assert forecast["grid"][0] == forecast["planner"][0] == [begin, begin + 900, 0.3]
    assert len(forecast["grid"]) == 96
    assert forecast["solar"]["today"] == {"energy": 6000, "complete": False}
    assert forecast["solar"]["tomorrow"] == {"energy": 0, "complete": False}
    assert forecast["solar"]["timeseries"][0] == [begin, 3000]
    assert (state["smartCostType"], state["smartCostAvailable"], state["tariffSolar"]) == ("priceforecast", True, 3000)
    assert shown(rates={TariffKind.GRID: Rates((Rate(start, start + timedelta(hours=2), 0.3),))})["smartCostType"] == (
        "pricestatic"
    )


def test_quarters_end_with_the_clock_and_shorter_slots_stay() -> None:
    at = datetime(2026, 8, 8, 12, 5, tzinfo=UTC)
    slots = [*in_quarters(Rates((Rate(at, at + timedelta(minutes=27), 0.3),)))]
    assert [(slot.start.minute, slot.end.minute) for slot in slots] == [(5, 15), (15, 30), (30, 32)]


def test_totals_are_weighed_by_energy_and_leave_out_what_is_not_known() -> None:
    def session(days: float, kwh: float, solar: float | None) -> StoredSession:
        record = SessionRecord(
            key=f"{days}",
            created=NOW.utc - timedelta(days=days),
            finished=None,
            loadpoint="Carport",
            identifier="",
            vehicle="",
            odometer_km=None,
            meter_start_kwh=None,
            meter_stop_kwh=None,
            energy_charged_kwh=kwh,
            solar_pct=solar,
            price=None,
            price_per_kwh=None,
        )
        return StoredSession(session_id=1, session=record)

    found = totals([session(1, 10, 80), session(2, 5, None), session(40, 30, 20), session(400, 1, 0)], NOW.utc, UTC)
    assert {span: round(each.charged_kwh) for span, each in found.items()} == {
        "30d": 15,
        "365d": 45,
        "thisYear": 45,
        "total": 46,
    }
    assert (found["30d"].solar_pct, found["365d"].solar_pct, found["30d"].price) == (80, 35, None)


def test_lists_and_parts_on_mqtt() -> None:
    assert [*mqtt("pv", Listing((Tree({"power": 5.0}),)))] == [("pv/1/power", "5"), ("pv", "1")]
    assert [*mqtt("forecast", Tree({"feedin": Ready([[1, 2, 0.1]]), "grid": Ready(None)}))] == [
        ("forecast/feedIn", "[[1,2,0.1]]"),
        ("forecast/grid", "null"),
    ]


@pytest.mark.parametrize("compat", list(Compat))
def test_a_document_names_every_key_that_is_not_always_there(compat: Compat) -> None:
    words = VOCABULARIES[compat]
    seen = words.document(Shown(VIEW, LABELS, NOW))
    later = words.document(Shown(VIEW._replace(has_battery=False, batteries=(), has_grid=False), LABELS, NOW))
    assert set(seen.site) - set(later.site) <= words.passing


def test_generations_share_one_view_and_differ_in_spelling_only() -> None:
    hub = Hub(LABELS, words=TODAY)
    hub.publish(VIEW, NOW)
    others = {words.compat for words, _ in hub.in_other_words()}
    assert others == {Compat.V0_114, Compat.V0_127}
    assert hub.snapshot == TODAY.document(Shown(VIEW, LABELS, NOW))
    assert isinstance(VOCABULARIES, MappingProxyType)
    assert News({}, ()).values == {}

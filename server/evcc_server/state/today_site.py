"""The site in today's words, and the whole document."""

from __future__ import annotations

import functools
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo

from evcc_server.state.document import OF_VEHICLES, Document, Keys, commanded, operator_limit
from evcc_server.state.facts import Facts
from evcc_server.state.forecast import FORECAST, is_changing, smart_cost_type
from evcc_server.state.shapes import age_of, counter, known, phases, rounded, total
from evcc_server.state.shown import Shown, Total
from evcc_server.state.shown_settings import ShownSettings
from evcc_server.state.today_loadpoint import NO_FEATURES, key_of, loadpoint_keys
from evcc_server.state.values import Listing, Tree, Value
from evcclib.commands import BatteryMode
from evcclib.config import LoadpointConfig, VehicleConfig
from evcclib.model import TariffKind
from evcclib.settings import Scope
from evcclib.tariff import price_at
from evcclib.view import BatteryView, CircuitView, SiteView

ON_CHANGE = frozenset(
    {
        "version", "startupCompleted", "apiReady", "setupRequired", "siteTitle", "system", "timezone", "interval", "currency",
        "authDisabled", "gridConfigured", "forecast", "statistics", "vehicles", "smartCostAvailable", "smartCostType",
        "smartFeedInPriorityAvailable", "batteryModeExternal", "tariffGrid", "tariffFeedIn", "tariffCo2", "tariffSolar",
        "name", "title", "chargerIcon", "chargerPhases1p3p", "chargerSinglePhase", "chargerStatusReason",
        "vehicleIdentity", "vehicleDetectionActive", "vehicleWelcomeActive", "smartCostNextStart", *NO_FEATURES,
        "smartFeedInPriorityNextStart", "chargerFeatureCoarseCurrent", "chargerFeatureIntegratedDevice",
    }
)  # fmt: skip
"""Keys, besides those of settings, that are published when they change; all others come with every control cycle."""
PASSING = frozenset(
    {
        "authDisabled", "gridPower", "gridAge", "pvEnergy", "batteryPower", "batterySoc", "batteryReason", "batteryModeExternal",
        "circuits", "tariffGrid", "tariffFeedIn", "tariffCo2", "tariffSolar", "tariffPriceHome", "tariffPriceLoadpoints",
        "tariffCo2Home", "tariffCo2Loadpoints",
        "operatorLimit", "operatorLimitSource", "operatorLimitReason", "operatorLimitUntil",
        "chargeCurrents", "chargeVoltages", "chargeTotalImport", "chargeRemainingDuration", "chargeRemainingEnergy",
    }
)  # fmt: skip
"""Keys that not every document has."""

_SETTINGS = ShownSettings(Scope.SITE, key_of)
_NOTHING = LoadpointConfig()


def today(shown: Shown) -> Document:
    """The documents for clients of August 2026."""
    view, labels, facts = shown.view, shown.labels, shown.labels.facts
    configs = facts.loadpoints or (_NOTHING,) * len(view.loadpoints)
    loadpoints = [
        loadpoint_keys(loadpoint, config, labels, shown.now)
        for loadpoint, config in zip(view.loadpoints, configs, strict=True)
    ]
    set_for = OF_VEHICLES.shown(view, labels)
    vehicles = {each.name: _vehicle(each, set_for[each.name]) for each in facts.vehicles if each.name in set_for}
    site: dict[str, Value] = {
        **_server(shown),
        **_SETTINGS.shown(view.settings, labels.time_zone),
        **_devices(view, facts),
        **_prices(shown),
        **commanded(view.batteries, labels, shown.now),
        **_battery_mode(view),
        "vehicles": Tree({name: _vehicle_tree(keys) for name, keys in vehicles.items()}),
    }
    if facts.circuits:
        site["circuits"] = Tree({each.name: _circuit(each.name, view.circuits, facts) for each in facts.circuits})
    if shown.limit is not None:
        site |= operator_limit(shown.limit, labels, shown.now)
    return Document(site, tuple(loadpoints), vehicles)


def _server(shown: Shown) -> Keys:
    labels, facts = shown.labels, shown.labels.facts
    keys: dict[str, Value] = {
        "version": labels.version,
        "startupCompleted": True,
        "apiReady": True,
        "setupRequired": False,
        "siteTitle": shown.view.title,
        "system": _system(),
        "timezone": _zone_text(labels.time_zone, shown.now.utc),
        "interval": facts.interval,
        "currency": labels.currency,
    }
    if facts.is_open:
        keys["authDisabled"] = True
    return keys


@functools.cache
def _system() -> str:
    return f"{platform.system().lower()}/{platform.machine().lower()}"


def _zone_text(zone: tzinfo, utc: datetime) -> str:
    local_time = utc.astimezone(zone)
    offset = local_time.strftime("%z")
    return f"{local_time.tzname()} {offset[:3]}:{offset[3:5]}"


def _devices(view: SiteView, facts: Facts) -> Keys:
    keys: dict[str, Value] = {
        "gridConfigured": view.has_grid,
        "grid": _grid(view, facts),
        "pv": _meters(view, facts),
        "battery": _battery(view, facts) if view.has_battery else None,
        "homePower": view.home_power_w,
        "greenShareHome": view.home.green_share,
        "greenShareLoadpoints": view.cars.green_share,
        "pvPower": view.pv_power_w,
        "auxPower": view.aux_power_w,
    }
    # what went flat before 0.133: some clients still ask for these, nobody is disturbed
    if view.has_grid:
        keys |= {"gridPower": view.grid_power_w, "gridAge": age_of(view.grid_age)}
    if view.has_pv:
        keys["pvEnergy"] = total(view.pv_energies_kwh) or 0.0
    if view.has_battery:
        keys |= {"batteryPower": view.battery_power_w, "batterySoc": rounded(view.battery_soc_pct)}
    return keys


def _grid(view: SiteView, facts: Facts) -> Value:
    """None until something is known; without a meter its power is reckoned."""
    if view.grid_power_w is None:
        return None
    shown: dict[str, Value] = {"name": facts.grid} if facts.grid else {}
    shown["power"] = view.grid_power_w
    return Tree(
        shown
        | known(
            {
                "energy": counter(view.grid_energy_kwh),
                "returnEnergy": counter(view.grid_energy_export_kwh),
                "powers": phases(view.grid_powers_w),
                "currents": phases(view.grid_currents_a),
            }
        )
    )


def _meters(view: SiteView, facts: Facts) -> Listing:
    count = len(view.pv_energies_kwh)
    powers_w = view.pv_powers_w or (None,) * count
    return Listing(
        tuple(
            Tree({"name": name, "title": name, "power": power_w, **known({"energy": counter(energy_kwh)})})
            for name, power_w, energy_kwh in zip(
                _names(facts.pv, "pv", count), powers_w, view.pv_energies_kwh, strict=True
            )
        )
    )


def _names(configured: Sequence[str], kind: str, count: int) -> Sequence[str]:
    return configured if len(configured) == count else [f"{kind}{number + 1}" for number in range(count)]


def _battery(view: SiteView, facts: Facts) -> Tree:
    names = _names(facts.batteries, "battery", len(view.batteries))
    stored = total([battery.energy_discharged_kwh for battery in view.batteries])
    members: dict[str, Value] = {"power": view.battery_power_w, "soc": view.battery_soc_pct}
    members |= known({"capacity": view.battery_capacity_kwh or None, "energy": stored})
    members["devices"] = Listing(tuple(map(_battery_device, names, view.batteries)))
    return Tree(members)


def _battery_device(name: str, battery: BatteryView) -> Tree:
    return Tree(
        {
            "name": name,
            "title": name,
            "power": battery.power_w,
            "controllable": bool(battery.modes),
            **known(
                {
                    "soc": battery.soc_pct,
                    "capacity": battery.capacity_kwh or None,
                    "energy": counter(battery.energy_discharged_kwh),
                    "returnEnergy": counter(battery.energy_charged_kwh),
                }
            ),
        }
    )


def _battery_mode(view: SiteView) -> Keys:
    told = [battery.mode for battery in view.batteries if battery.modes]
    keys: dict[str, Value] = {"batteryGridChargeActive": BatteryMode.CHARGE in told}
    if not told:
        return keys | {"batteryMode": "unknown"}
    external = view.battery_override
    return keys | {"batteryModeExternal": "unknown" if external is None else external.value}


def _prices(shown: Shown) -> Keys:
    view, rates = shown.view, shown.rates
    home, cars = view.home, view.cars
    keys: dict[str, Value] = {
        "smartCostAvailable": smart_cost_type(rates) not in (None, "pricestatic"),
        "smartCostType": smart_cost_type(rates),
        "smartFeedInPriorityAvailable": is_changing(rates.get(TariffKind.FEED_IN)),
        "forecast": FORECAST.shown(rates, shown.now.utc, shown.labels.time_zone),
        "statistics": Tree({span: _total(each) for span, each in shown.totals.items()}),
    }
    return keys | known(
        {
            "tariffGrid": view.tariff_grid,
            "tariffFeedIn": view.tariff_feed_in,
            "tariffCo2": view.tariff_co2,
            "tariffSolar": price_at(rates.get(TariffKind.SOLAR), shown.now.utc),
            "tariffPriceHome": home.price,
            "tariffPriceLoadpoints": cars.price,
            "tariffCo2Home": home.co2_g,
            "tariffCo2Loadpoints": cars.co2_g,
        }
    )


def _total(total_of: Total) -> Tree:
    return Tree(
        {
            "chargedKWh": total_of.charged_kwh,
            "solarPercentage": total_of.solar_pct,
            "avgPrice": total_of.price,
            "avgCo2": total_of.co2_g,
        }
    )


def _vehicle(config: VehicleConfig, set_for: Keys) -> Keys:
    """What is configured and what has been set; a goal that was never set is the one that identifying brings."""
    given = config.on_identify
    features = sorted(feature.value for feature in config.features)
    return {
        **set_for,
        "icon": config.icon,
        "capacity": config.capacity_kwh,
        "phases": config.phases,
        "mode": given.mode and given.mode.value,
        "minSoc": given.soc_min_pct if set_for["minSoc"] is None else set_for["minSoc"],
        "limitSoc": given.soc_target_pct if set_for["limitSoc"] is None else set_for["limitSoc"],
        "minCurrent": given.current_min_a,
        "maxCurrent": given.current_max_a,
        "priority": given.priority,
        "features": Listing(tuple(features)) if features else None,
    }


def _vehicle_tree(keys: Keys) -> Tree:
    """Of what is 0 or empty, nothing is said."""
    return Tree({key: value for key, value in keys.items() if value})


def _circuit(name: str, loads: Mapping[str, CircuitView], facts: Facts) -> Tree:
    config = next(each for each in facts.circuits if each.name == name)
    load = loads.get(name)
    shown: dict[str, Value] = {
        "title": facts.circuit_titles.get(name) or name,
        "power": None if load is None else load.power_w,
    }
    return Tree(
        shown
        | known(
            {
                "parent": config.parent,
                "current": None if load is None else load.current_a,
                "maxPower": config.power_max_w,
                "maxCurrent": config.current_max_a,
            }
        )
    )

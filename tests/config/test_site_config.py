"""What the owner wrote, and what the devices can do, is what evcclib runs."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from test_load import ENVIRONMENT, SMALLEST, WHOLE

from evcc_server.config.load import parse_config
from evcc_server.config.problems import ConfigError
from evcc_server.wiring.factory import build
from evcc_server.wiring.site import local_time_zone, to_site_config
from evcclib.config import BatteryConfig, SiteConfig
from evcclib.model import ChargeMode


def site_of(text: str) -> SiteConfig:
    config = parse_config(text, environment=ENVIRONMENT)
    return to_site_config(config, build(config, topics=None))


def test_everything_arrives() -> None:
    site = site_of(WHOLE)
    assert (site.title, site.voltage_v, site.interval) == ("Zuhause", 240, timedelta(seconds=30))
    assert site.time_zone == ZoneInfo("Europe/Berlin")
    assert (site.has_grid, site.pv_count, site.aux_count) == (True, 2, 1)
    assert site.batteries == (BatteryConfig(capacity_kwh=9.6),)
    assert (site.residual_power_w, site.priority_soc_pct, site.buffer_soc_pct) == (100, 40, 80)
    assert site.grid_supply_max_while_battery_charges_w == 50
    loadpoint = site.loadpoints[0]
    assert (loadpoint.title, loadpoint.mode, loadpoint.phase_rotation) == ("Garage", ChargeMode.PV, (2, 3, 1))
    assert (loadpoint.current_min_a, loadpoint.current_max_a, loadpoint.vehicle) == (6, 10.5, "blue")
    main, _peak, garage = site.circuits
    assert (main.uses_grid_meter, main.has_meter, garage.parent) == (True, False, "main")
    car, blue = site.vehicles
    assert (car.has_soc, car.has_range, blue.has_soc) == (True, False, False)


def test_the_law_that_is_named_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    assert site_of(SMALLEST).law == "classic"
    for where in ("evcclib.pipeline.check_config", "evcc_server.config.read_site"):
        monkeypatch.setattr(f"{where}.LAWS", {"classic": None, "other": None})
    assert site_of(SMALLEST.replace("site:", "site:\n  law: Other", 1)).law == "other"


@pytest.mark.parametrize(
    ("line", "sharing"), [("", "fair"), ("\n  sharing: Order", "order"), ("\n  sharing: equal", "equal")]
)
def test_equals_share_as_the_file_says(line: str, sharing: str) -> None:
    assert site_of(SMALLEST.replace("site:", f"site:{line}", 1)).sharing == sharing


@pytest.mark.parametrize(("line", "planner"), [("", "classic"), ("\n  planner: Optimal", "optimal")])
def test_plans_are_made_by_whom_the_file_names(line: str, planner: str) -> None:
    assert site_of(SMALLEST.replace("site:", f"site:{line}", 1)).planner == planner


def test_a_planner_that_nobody_knows_is_an_error_that_says_who_there_is() -> None:
    with pytest.raises(ConfigError, match=r"site\.planner: 'best' is not known, expected one of classic, optimal"):
        site_of(SMALLEST.replace("site:", "site:\n  planner: best", 1))


@pytest.mark.parametrize(
    ("line", "solver"), [("", "none"), ("\n  solver: None", "none"), ("\n  solver: highs", "highs")]
)
def test_plans_are_solved_by_what_the_file_names(line: str, solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: object())
    config = parse_config(SMALLEST.replace("site:", f"site:{line}", 1), environment=ENVIRONMENT)
    assert config.site.solver == solver


def test_a_solver_that_is_not_there_is_an_error_that_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"site\.solver: highs is not installed, it comes with the extra `optimize`"):
        site_of(SMALLEST.replace("site:", "site:\n  solver: highs", 1))


def test_how_nobody_can_share_is_an_error_that_says_what_can_be() -> None:
    with pytest.raises(ConfigError, match=r"site\.sharing: 'mine' is not known, expected one of equal, fair, order"):
        site_of(SMALLEST.replace("site:", "site:\n  sharing: mine", 1))


def test_a_separate_meter_overrides_the_chargers_own() -> None:
    with_meter = site_of(WHOLE).loadpoints[0].charger  # its meter has a power only
    without = site_of(WHOLE.replace("  meter: house\n", "")).loadpoints[0].charger
    assert (with_meter.has_power, with_meter.has_energy_total, with_meter.has_energy_session) == (True, False, False)
    assert without.has_energy_total
    assert with_meter.current_step_a == without.current_step_a == 0.1


def test_a_meter_of_its_own_is_not_the_grid_meter() -> None:
    text = WHOLE.replace("- {name: main, maxCurrent: 35, meter: grid}", "- {name: main, maxCurrent: 35, meter: house}")
    main = site_of(text.replace("  meter: house\n  vehicle", "  vehicle")).circuits[0]
    assert (main.uses_grid_meter, main.has_meter) == (False, True)


def test_a_minimum_that_the_chargers_steps_cannot_meet_names_the_loadpoint() -> None:
    charger = "{name: box, type: custom, status: A, enabled: false, enable: '', maxcurrent: ''}"
    text = SMALLEST.replace("{name: box, type: template, template: keba-modbus, host: 192.0.2.2}", charger)
    assert site_of(text).loadpoints[0].charger.current_step_a == 1
    with pytest.raises(
        ConfigError,
        match=r"^evcc\.yaml:9: loadpoints\[0\]: current_min_a: 6\.2 is not allowed, expected a step of 1 A from there to 6\.8 A$",
    ):
        site_of(text + "  minCurrent: 6.2\n  maxCurrent: 6.8\n")


def test_the_machines_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Lisbon")
    assert local_time_zone() == ZoneInfo("Europe/Lisbon")
    monkeypatch.delenv("TZ")
    the_machines = local_time_zone()
    monkeypatch.setenv("TZ", "no/such/zone")
    assert local_time_zone() == the_machines


def test_only_what_the_site_uses_is_built_and_shares_its_connections() -> None:
    config = parse_config(WHOLE, environment=ENVIRONMENT)
    devices = build(config)
    assert set(devices.meters) == {"grid", "roof", "garage", "cellar", "boiler", "house"}
    assert [link.name for link in devices.links.all()] == ["/dev/ttyUSB0", "192.0.2.3:1502", "192.0.2.4:4196"]
    assert devices.meters["grid"].period == timedelta(seconds=1)  # it guards a circuit
    assert devices.meters["roof"].period == timedelta(seconds=30)
    smaller = parse_config(WHOLE.replace("    aux: [boiler]\n", ""), environment=ENVIRONMENT)
    assert "boiler" not in build(smaller).meters
    assert "boiler" in build(smaller, everything=True).meters
    assert set(devices.vehicles) == {"a car"}

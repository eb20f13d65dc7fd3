"""A request in two steps, with time for writing it down in between; and what has to be written down."""

from __future__ import annotations

import pytest
from bench import NOON, Bench, S, loadpoint, site_config
from hypothesis import given
from hypothesis import strategies as st
from strategies import START, any_readings, any_requests, site_configs

from evcclib import Site
from evcclib.config import VehicleConfig
from evcclib.errors import EvccError, InvalidSetting
from evcclib.events import SettingChanged
from evcclib.model import Cause, ChargeMode, Now, RemoteDemand
from evcclib.readings import Readings
from evcclib.requests import (
    AssignVehicle,
    ChangeLoadpointSetting,
    ChangeSiteSetting,
    ChangeVehicleSetting,
    DemandRemotely,
    DetectVehicle,
    is_lasting,
)
from evcclib.settings import Scope, VehicleSettings
from evcclib.units import ORIGIN

NOW = Now(ORIGIN, NOON)


def site() -> Site:
    config = site_config(loadpoint(mode=ChargeMode.PV), vehicles=(VehicleConfig(name="zoe"),))
    return Site(config, now=NOW)


def test_what_is_prepared_is_seen_by_nobody_until_it_is_taken() -> None:
    home = site()
    before, view = home.state, home.view(now=NOW)
    prepared = home.prepare(ChangeLoadpointSetting(0, "mode", ChargeMode.NOW), now=NOW)
    assert prepared.events == (SettingChanged(Scope.LOADPOINT, 0, "mode", ChargeMode.NOW),)
    assert home.state is before
    assert home.view(now=NOW) == view
    assert home.lasting.changes_to(prepared.lasting) == prepared.events
    home.take(prepared)
    assert home.view(now=NOW).loadpoints[0].settings.mode is ChargeMode.NOW
    assert home.lasting == prepared.lasting


def test_a_site_that_has_gone_on_is_not_put_back() -> None:
    home = site()
    prepared = home.prepare(ChangeLoadpointSetting(0, "mode", ChargeMode.NOW), now=NOW)
    home.step(Readings(), now=NOW.after(S), cause=Cause.INTERVAL)
    state = home.state
    with pytest.raises(ValueError, match="prepare it again"):
        home.take(prepared)
    assert home.state is state
    home.take(home.prepare(ChangeLoadpointSetting(0, "mode", ChargeMode.NOW), now=NOW.after(S)))
    assert home.state.loadpoints[0].settings.mode is ChargeMode.NOW


def test_several_requests_are_one_and_each_sees_those_before_it() -> None:
    home = site()
    wider = (ChangeLoadpointSetting(0, "current_max_a", 32.0), ChangeLoadpointSetting(0, "current_min_a", 20.0))
    with pytest.raises(InvalidSetting):
        home.submit(*reversed(wider), now=NOW)
    with pytest.raises(InvalidSetting):
        home.submit(*wider, ChangeLoadpointSetting(0, "priority", 11), now=NOW)
    assert home.state.loadpoints[0].settings.current_max_a == 16
    assert [event.value for event in home.submit(*wider, now=NOW) if isinstance(event, SettingChanged)] == [32, 20]


def test_a_prepared_state_can_be_exported_and_restored() -> None:
    home = site()
    prepared = home.prepare(AssignVehicle(0, "zoe"), now=NOW)
    restored = Site.restore(home.config, prepared.export(now=NOW), now=NOW)
    assert restored.lasting == prepared.lasting
    assert (home.lasting.vehicles, restored.lasting.vehicles) == ((None,), ("zoe",))


def test_a_vehicles_goal_is_a_change_whoever_has_set_it_first() -> None:
    home = site()
    before = home.lasting
    home.submit(ChangeVehicleSetting("zoe", "soc_min_pct", 20), now=NOW)
    assert before.changes_to(home.lasting) == (SettingChanged(Scope.VEHICLE, "zoe", "soc_min_pct", 20),)
    assert home.lasting.changes_to(before) == (SettingChanged(Scope.VEHICLE, "zoe", "soc_min_pct", None),)
    assert home.lasting.vehicle_settings == {"zoe": VehicleSettings(soc_min_pct=20)}


@pytest.mark.rule("SITE-22")
@given(st.data())
def test_what_has_changed_is_what_the_events_say(data: st.DataObject) -> None:
    """Of each setting the newest event, but of those that are again what they were."""
    config = data.draw(site_configs())
    now = Now(ORIGIN, START)
    home = Site(config, now=now)
    before, newest = home.lasting, dict[tuple[object, object, str], object]()
    for _ in range(data.draw(st.integers(1, 8))):
        now = now.after(10 * S)
        if data.draw(st.booleans()):
            events = home.step(data.draw(any_readings(config, now.instant, {})), now=now, cause=Cause.INTERVAL).events
        else:
            try:
                events = home.submit(data.draw(any_requests(config, now.utc)), now=now)
            except EvccError:
                continue
        newest |= {(e.scope, e.owner, e.name): e.value for e in events if isinstance(e, SettingChanged)}
    changes = {(e.scope, e.owner, e.name): e.value for e in before.changes_to(home.lasting)}
    back = {(e.scope, e.owner, e.name): e.value for e in home.lasting.changes_to(before)}
    assert changes.items() <= newest.items()
    assert back.keys() == changes.keys()


def test_only_a_remote_demand_does_not_outlive_a_restart() -> None:
    assert is_lasting(ChangeSiteSetting("residual_power_w", 0.0))
    assert is_lasting(DetectVehicle(0))
    bench = Bench(site_config(loadpoint()))
    demand = DemandRemotely(0, RemoteDemand.HARD, "hems")
    bench.submit(demand)
    assert not is_lasting(demand)
    restored = Site.restore(bench.site.config, bench.site.export(now=bench.now), now=bench.now)
    assert restored.lasting == bench.site.lasting
    assert restored.state.loadpoints[0].remote_demand != bench.site.state.loadpoints[0].remote_demand

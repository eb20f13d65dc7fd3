"""What a restart keeps: what was set, above what the file says, above nothing; and without persistence the file alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from trio_test import in_virtual_time

from evcc_server.blocking import inline
from evcc_server.keeping.persistence import SNAPSHOT
from evcc_server.keeping.restore import restored_site
from evcc_server.keeping.store import Snapshot, Store
from evcclib import Site
from evcclib.config import Actions, LoadpointConfig, SiteConfig, VehicleConfig
from evcclib.events import SettingChanged
from evcclib.model import ChargeMode, Now
from evcclib.requests import ChangeLoadpointSetting, ChangeSiteSetting
from evcclib.settings import SPECS, Scope, VehicleSettings
from evcclib.units import Instant

NOW = Now(Instant(timedelta(seconds=100)), datetime(2026, 6, 1, 12, tzinfo=UTC))
LATER = Now(Instant(timedelta(seconds=5)), NOW.utc + timedelta(hours=1))
FILE = SiteConfig(
    time_zone=UTC,
    pv_count=1,
    vehicles=(VehicleConfig(name="blue", capacity_kwh=50, has_soc=True),),
    loadpoints=(LoadpointConfig(mode=ChargeMode.PV, current_min_a=6, current_max_a=16),),
)


async def _left(store: Store, *requests: ChangeLoadpointSetting | ChangeSiteSetting) -> None:
    """A site that had these requests, stored as the server would."""
    site = Site(FILE, now=NOW)
    for request in requests:
        events = site.submit(request, now=NOW)
        await store.save(settings=[event for event in events if isinstance(event, SettingChanged)])
    await store.save(snapshots=[Snapshot(SNAPSHOT, site.export(now=NOW), NOW.utc)])


@in_virtual_time
async def test_what_a_client_has_set_wins_over_the_file() -> None:
    async with Store.open(None, inline) as store:
        await _left(
            store, ChangeLoadpointSetting(0, "current_min_a", 10.0), ChangeSiteSetting("residual_power_w", -50.0)
        )
        site = await restored_site(FILE, store, LATER, keeps_settings=True)
        assert site.state.loadpoints[0].settings.current_min_a == 10
        assert site.state.settings.residual_power_w == -50


@in_virtual_time
async def test_an_edited_file_shows_where_no_client_has_set_the_value() -> None:
    async with Store.open(None, inline) as store:
        await _left(store, ChangeLoadpointSetting(0, "mode", ChargeMode.OFF))
        edited = replace(
            FILE, loadpoints=(replace(FILE.loadpoints[0], mode=ChargeMode.NOW, current_max_a=32, current_min_a=20),)
        )
        site = await restored_site(edited, store, LATER, keeps_settings=True)
        settings = site.state.loadpoints[0].settings
        assert (settings.mode, settings.current_min_a, settings.current_max_a) == (ChargeMode.OFF, 20, 32)


@in_virtual_time
async def test_the_longest_delay_that_a_file_may_give_shows_after_a_restart() -> None:
    async with Store.open(None, inline) as store:
        await _left(store)
        longest = timedelta(seconds=SPECS[Scope.LOADPOINT, "enable_delay"].high)
        edited = replace(FILE, loadpoints=(replace(FILE.loadpoints[0], enable_delay=longest),))
        site = await restored_site(edited, store, LATER, keeps_settings=True)
        assert site.state.loadpoints[0].settings.enable_delay == timedelta(hours=24)


@in_virtual_time
async def test_a_target_time_that_has_passed_meanwhile_is_kept() -> None:
    async with Store.open(None, inline) as store:
        target = NOW.utc + timedelta(minutes=30)
        await _left(store, ChangeLoadpointSetting(0, "target_time", target))
        site = await restored_site(FILE, store, LATER, keeps_settings=True)
        assert site.state.loadpoints[0].settings.target_time == target


@in_virtual_time
async def test_without_persistence_only_the_file_counts() -> None:
    async with Store.open(None, inline) as store:
        await _left(
            store,
            ChangeLoadpointSetting(0, "mode", ChargeMode.OFF),
            ChangeLoadpointSetting(0, "energy_target_kwh", 7.0),
            ChangeSiteSetting("residual_power_w", -50.0),
        )
        site = await restored_site(FILE, store, LATER, keeps_settings=False)
        settings = site.state.loadpoints[0].settings
        assert (settings.mode, settings.energy_target_kwh) == (ChargeMode.PV, 0)
        assert site.state.settings.residual_power_w == 0


@in_virtual_time
async def test_a_snapshot_of_another_version_is_not_continued_but_settings_are() -> None:
    async with Store.open(None, inline) as store:
        await _left(store, ChangeLoadpointSetting(0, "mode", ChargeMode.NOW))
        await store.save(snapshots=[Snapshot(SNAPSHOT, {"version": 99}, NOW.utc)])
        site = await restored_site(FILE, store, LATER, keeps_settings=True)
        assert site.state.loadpoints[0].settings.mode is ChargeMode.NOW


@in_virtual_time
async def test_a_goal_that_only_identification_has_set_does_not_become_the_owners() -> None:
    async with Store.open(None, inline) as store:
        config = replace(
            FILE,
            vehicles=(replace(FILE.vehicles[0], on_identify=Actions(soc_target_pct=80)),),
            loadpoints=(replace(FILE.loadpoints[0], vehicle="blue"),),
        )
        site = Site(config, now=NOW)
        await store.save(settings=[SettingChanged(Scope.LOADPOINT, 0, "soc_target_pct", 70)])
        await store.save(snapshots=[Snapshot(SNAPSHOT, site.export(now=NOW), NOW.utc)])
        restored = await restored_site(config, store, LATER, keeps_settings=True)
        assert restored.state.loadpoints[0].settings.soc_target_pct == 80
        assert restored.state.vehicle_settings.get("blue") in (None, VehicleSettings())


@in_virtual_time
async def test_what_a_station_offers_is_told_again() -> None:
    """Leaving in order has brought it to its minimum, or a watchdog has: nobody knows what it offers."""
    async with Store.open(None, inline) as store:
        site = Site(FILE, now=NOW)
        charger = site.state.loadpoints[0].charger
        site.state.loadpoints[0].charger = charger._replace(is_enabled=True, is_certain=True, current_a=16.0)
        await store.save(snapshots=[Snapshot(SNAPSHOT, site.export(now=NOW), NOW.utc)])
        found = (await restored_site(FILE, store, LATER, keeps_settings=True)).state.loadpoints[0].charger
        assert (found.is_enabled, found.is_certain, found.current_a) == (True, True, None)

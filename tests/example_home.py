"""The home of the API's worked example as a `SiteView`: two loadpoints, two pv meters, one battery, fixed tariffs."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from evcc_server.state.document import Document, Labels, document
from evcclib.model import ChargeMode, ChargerStatus, Now, PhaseAction, PvAction, RemoteDemand
from evcclib.reasons import Reason, ReasonCode
from evcclib.settings import LoadpointSettings, SiteSettings
from evcclib.units import Instant
from evcclib.view import BatteryView, LoadpointView, SavingsView, SiteView

BERLIN = ZoneInfo("Europe/Berlin")
FACTS = Labels(version="0.114.1 (evcclib 1.0.0)", time_zone=BERLIN)
NOW = Now(Instant(timedelta(seconds=100)), datetime(2023, 3, 6, 17, 0, 0, tzinfo=ZoneInfo("UTC")))

CARPORT = LoadpointView(
    loadpoint=0,
    title="Carport",
    settings=LoadpointSettings(
        mode=ChargeMode.PV,
        disable_threshold_w=200,
        soc_min_pct=20,
        soc_target_pct=90,
        target_time=datetime(2023, 3, 7, 7, tzinfo=BERLIN),
    ),
    status=ChargerStatus.C,
    is_enabled=True,
    is_connected=True,
    is_charging=True,
    charge_power_w=3680.4,
    current_offered_a=16.0,
    currents_a=(16.002, 0.0, 0.0),
    voltages_v=None,
    energy_charged_kwh=9.2043,
    charge_duration=timedelta(seconds=9003.2),
    energy_total_kwh=4211.873,
    remaining_duration=timedelta(seconds=13581),
    remaining_energy_kwh=13.884444,
    connected_duration=timedelta(seconds=10020),
    can_switch_phases=False,
    phases_enabled=1,
    phases_active=1,
    phase_action=PhaseAction.INACTIVE,
    phase_remaining=timedelta(0),
    pv_action=PvAction.INACTIVE,
    pv_remaining=timedelta(0),
    plan_is_active=False,
    plan_projected_start=datetime(2023, 3, 7, 3, 13, 37, tzinfo=BERLIN),
    plan_overrun=None,
    remote_demand=RemoteDemand.ENABLE,
    remote_source="",
    charger_is_integrated=False,
    charger_icon=None,
    vehicle="golf",
    vehicle_title="blauer e-Golf",
    vehicle_icon="",
    vehicle_capacity_kwh=44.0,
    vehicle_soc_pct=61.6,
    vehicle_range_km=181.0,
    vehicle_soc_limit_pct=100.0,
    vehicle_odometer_km=12345.6,
    vehicle_identity=None,
    vehicle_detection_is_active=False,
    vehicle_is_offline=False,
    is_climating=None,
    reason=Reason(ReasonCode.SURPLUS),
    commands_pending=(),
    charger_age=timedelta(seconds=3),
    session_solar_pct=None,
    session_price=None,
)

GARAGE = LoadpointView(
    loadpoint=1,
    title="Garage",
    settings=LoadpointSettings(enable_threshold_w=-1300, soc_target_pct=75),
    status=ChargerStatus.A,
    is_enabled=False,
    is_connected=False,
    is_charging=False,
    charge_power_w=0.0,
    current_offered_a=0.0,
    currents_a=(0.0, 0.0, 0.0),
    voltages_v=None,
    energy_charged_kwh=0.0,
    charge_duration=timedelta(0),
    energy_total_kwh=1877.04,
    remaining_duration=None,
    remaining_energy_kwh=None,
    connected_duration=None,
    can_switch_phases=True,
    phases_enabled=3,
    phases_active=3,
    phase_action=PhaseAction.INACTIVE,
    phase_remaining=timedelta(0),
    pv_action=PvAction.INACTIVE,
    pv_remaining=timedelta(0),
    plan_is_active=False,
    plan_projected_start=None,
    plan_overrun=None,
    remote_demand=RemoteDemand.ENABLE,
    remote_source="",
    charger_is_integrated=False,
    charger_icon=None,
    vehicle="tesla",
    vehicle_title="weißes Model 3",
    vehicle_icon="",
    vehicle_capacity_kwh=80.0,
    vehicle_soc_pct=None,
    vehicle_range_km=None,
    vehicle_soc_limit_pct=None,
    vehicle_odometer_km=None,
    vehicle_identity=None,
    vehicle_detection_is_active=False,
    vehicle_is_offline=False,
    is_climating=None,
    reason=Reason(ReasonCode.NOT_CONNECTED),
    commands_pending=(),
    charger_age=None,
    session_solar_pct=None,
    session_price=None,
)

VIEW = SiteView(
    title="Zuhause",
    settings=SiteSettings(buffer_soc_pct=80, priority_soc_pct=40, residual_power_w=100),
    vehicle_settings={},
    has_grid=True,
    has_pv=True,
    has_battery=True,
    grid_power_w=-412.5,
    grid_powers_w=(531.3, -446.2, -497.6),
    grid_currents_a=(2.31, -1.94, -2.16),
    grid_energy_kwh=9120.573,
    grid_energy_export_kwh=None,
    grid_age=timedelta(seconds=2),
    pv_power_w=6240.0,
    pv_powers_w=(4120.0, 2120.0),
    pv_energies_kwh=(None, None),
    pv_ages=(timedelta(seconds=1), timedelta(seconds=1)),
    battery_power_w=-850.0,
    battery_soc_pct=55.2,
    battery_capacity_kwh=13.4,
    batteries=(
        BatteryView(
            power_w=-850.0, soc_pct=55.0, capacity_kwh=13.4, energy_discharged_kwh=None, energy_charged_kwh=None
        ),
    ),
    aux_power_w=0.0,
    home_power_w=1297.1,
    site_power_w=-1262.5,
    green_share=1.0,
    tariff_grid=0.399,
    tariff_feed_in=0.08,
    tariff_co2=None,
    tariff_effective_price=0.08,
    tariff_effective_co2=None,
    savings=SavingsView(
        since=datetime(2022, 12, 27, 10, 4, 43, tzinfo=BERLIN),
        total_charged_kwh=1602.9,
        grid_charged_kwh=412.3,
        self_consumption_charged_kwh=1190.6,
        self_consumption_pct=74.2779,
        effective_price=0.162054,
        amount=379.8014,
    ),
    last_success=NOW.utc,
    is_healthy=True,
    vehicles=("blauer e-Golf", "weißes Model 3"),
    loadpoints=(CARPORT, GARAGE),
)


def example_document() -> Document:
    """The example's document."""
    return document(VIEW, FACTS, NOW)

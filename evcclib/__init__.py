"""Charging control for homes with PV, battery and EV chargers: plain data in, plain data out.

    site = Site(config, now=now)
    decision = site.step(readings, now=now, cause=Cause.INTERVAL)
    # carry out decision.commands, report each batch's Outcome in later readings, come back at decision.wake_at

Nothing here reads a clock, opens a socket, logs, sleeps or draws a random number: the same inputs give the same outputs.
Names are loaded when they are first used, so importing the package costs next to nothing; `__init__.pyi` lists them for
type checkers.
"""

from __future__ import annotations

_HOMES = {
    name: home
    for home, names in {
        "commands": (
            "Batch Command Disable Enable Outcome Read Result SetCurrent SwitchPhases VehicleRead WakeCharger "
            "WakeVehicle"
        ),
        "config": (
            "Actions BatteryConfig ChargerConfig CircuitConfig LoadpointConfig PollConfig SiteConfig VehicleConfig"
        ),
        "pipeline.check_config": "check",
        "decision": "Decision PlanPreview",
        "errors": "EvccError IncompatibleState InvalidConfig InvalidReadings InvalidSetting Refused UnknownTarget",
        "events": (
            "ChargeStarted ChargeStopped Event GuestFound SessionChanged SessionRecord SettingChanged "
            "SocProgressed VehicleAssigned VehicleConnected VehicleDisconnected Warned WarningCode"
        ),
        "lasting": "Lasting",
        "model": (
            "Cause ChargeMode ChargerStatus Now PhaseAction PollMode PvAction RemoteDemand TariffKind VehicleFeature"
        ),
        "readings": (
            "ABSENT BatteryReading ChargerReading Measured MeterReading Missing OperatorLimit Reading Readings "
            "VehicleReading"
        ),
        "reasons": "Reason ReasonCode",
        "requests": (
            "AssignVehicle ChangeLoadpointSetting ChangeSiteSetting ChangeVehicleSetting DemandRemotely "
            "DetectVehicle Request"
        ),
        "settings": "SETTINGS Kind LoadpointSettings Scope SettingSpec SettingValue SiteSettings VehicleSettings",
        "site": "Prepared Site apply initial step",
        "tariff": "Rate Rates",
        "view": "BatteryView LoadpointView SavingsView SiteView",
    }.items()
    for name in names.split()
}
"""The module in which each public name lives."""

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(__import__(f"{__name__}.{home}", fromlist=(name,)), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})

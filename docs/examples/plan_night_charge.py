"""Plan a night charge from a price list: 60 kWh battery at 40 %, to be at 80 % at half past six."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from evcclib import (
    Cause,
    ChangeLoadpointSetting,
    ChangeVehicleSetting,
    ChargeMode,
    ChargerReading,
    ChargerStatus,
    Instant,
    LoadpointConfig,
    Measured,
    Now,
    Rate,
    Rates,
    Readings,
    Site,
    SiteConfig,
    TariffKind,
    VehicleConfig,
    VehicleReading,
)

BERLIN = ZoneInfo("Europe/Berlin")
CENTS = (31, 30, 28, 26, 24, 22, 22, 25, 29, 32, 34)  # hour by hour from eight in the evening

evening = datetime(2026, 11, 24, 20, tzinfo=BERLIN)
now = Now(Instant(timedelta(0)), evening)
hours = [evening + timedelta(hours=hour) for hour in range(len(CENTS) + 1)]
prices = Rates.of(Rate(start, end, cents / 100) for start, end, cents in zip(hours, hours[1:], CENTS, strict=False))

car = VehicleConfig(name="zoe", capacity_kwh=60, has_soc=True)
config = SiteConfig(
    time_zone=BERLIN, vehicles=(car,), loadpoints=(LoadpointConfig(vehicle="zoe", mode=ChargeMode.PV, phases=3),)
)
site = Site(config, now=now)

readings = Readings(
    chargers=(ChargerReading(status=Measured(ChargerStatus.B, now.instant)),),
    vehicles={"zoe": VehicleReading(soc_pct=Measured(40.0, now.instant))},
    tariffs={TariffKind.GRID: prices},
)
site.step(readings, now=now, cause=Cause.START)
site.submit(ChangeVehicleSetting("zoe", "soc_target_pct", 80), now=now)
site.submit(ChangeLoadpointSetting(0, "target_time", datetime(2026, 11, 25, 6, 30, tzinfo=BERLIN)), now=now)

plan = site.plan(0, now=now)
print(f"{plan.duration} at {plan.power_w:.0f} W, in time: {plan.is_met}")
for slot in plan.slots or ():
    start, end = slot.start.astimezone(BERLIN), slot.end.astimezone(BERLIN)
    print(f"{start:%H:%M:%S} - {end:%H:%M:%S}  {slot.price:.2f} {plan.unit}/kWh")

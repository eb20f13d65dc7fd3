"""Allocate surplus among two cars: Garage has priority, Carport gets what is left while it is enough to charge."""

from datetime import UTC, datetime, timedelta

from evcclib import (
    Cause,
    ChargeMode,
    ChargerReading,
    ChargerStatus,
    Disable,
    Enable,
    Instant,
    LoadpointConfig,
    Measured,
    MeterReading,
    Now,
    Outcome,
    Readings,
    Result,
    SetCurrent,
    Site,
    SiteConfig,
)

names = ("Carport", "Garage")
places = tuple(LoadpointConfig(title=names[at], priority=at, mode=ChargeMode.PV, phases=1) for at in (0, 1))
now = Now(Instant(timedelta(0)), datetime(2026, 6, 21, 10, tzinfo=UTC))
site = Site(SiteConfig(time_zone=UTC, pv_count=1, loadpoints=places), now=now)
current_a, is_on = [0.0, 0.0], [False, False]
outcomes: list[Outcome] = []
for tick in range(1, 241):
    sun_w = 6500.0 if tick <= 120 else 3000.0
    car_w = [230 * amps if on else 0.0 for amps, on in zip(current_a, is_on, strict=True)]
    chargers = tuple(
        ChargerReading(
            status=Measured(ChargerStatus.C if on else ChargerStatus.B, now.instant),
            is_enabled=Measured(on, now.instant),
            power_w=Measured(watts, now.instant),
        )
        for on, watts in zip(is_on, car_w, strict=True)
    )
    pv = MeterReading(power_w=Measured(sun_w, now.instant))
    grid = MeterReading(power_w=Measured(500.0 + sum(car_w) - sun_w, now.instant))
    readings = Readings(grid=grid, pv=(pv,), chargers=chargers, outcomes=tuple(outcomes))
    decision = site.step(readings, now=now, cause=Cause.INTERVAL)
    outcomes = [Outcome(at, batch.number, Result.DONE, len(batch.commands)) for at, batch in decision.commands.items()]
    for at, batch in decision.commands.items():
        for command in batch.commands:
            if isinstance(command, SetCurrent):
                current_a[at] = command.current_a
            elif isinstance(command, Enable | Disable):
                is_on[at] = isinstance(command, Enable)
    now = now.after(timedelta(seconds=10))
    if tick % 30 == 0:
        shares = [f"{name} {amps * on:2.0f} A" for name, amps, on in zip(names, current_a, is_on, strict=True)]
        print(f"{now.utc:%H:%M}  sun {sun_w:.0f} W  {'  '.join(shares)}  {decision.reasons[0].code}")

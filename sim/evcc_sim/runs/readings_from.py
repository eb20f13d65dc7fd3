"""The library's readings, taken from a house as a server's polls would find them.

A device that is silent keeps its last values with their old time; one that answers "not available" is missing since then.
"""

from __future__ import annotations

from datetime import timedelta

from evcc_sim.plants.meter import Meter
from evcc_sim.plants.wallbox import Wallbox
from evcc_sim.worlds.actions import OperatorSpan, operator_limit_at
from evcc_sim.worlds.house import House
from evcclib.commands import BatteryOutcome, Outcome, Read, VehicleRead
from evcclib.readings import (
    ABSENT,
    BatteryReading,
    ChargerReading,
    Measured,
    MeterReading,
    Missing,
    Reading,
    Readings,
    VehicleReading,
)
from evcclib.units import ORIGIN, Instant

UNKNOWN_YET = Missing(ORIGIN)


class Poller:
    """Polls every device of a house when asked, and remembers what those said that do not answer now."""

    def __init__(self, house: House, spans: list[OperatorSpan]) -> None:
        self.house = house
        self.vehicles: dict[str, VehicleReading] = {}
        self._spans = spans
        self._faulty = {fault.device for fault in house.faults.all}
        self._meters: dict[str, MeterReading] = {}
        self._batteries: dict[str, BatteryReading] = {}
        self._chargers: dict[str, ChargerReading] = {}
        self._missing_since: dict[str, Instant] = {}
        self._identities = any(car.spec.rfid for car in house.cars.values())
        site = house.scenario.site
        self._has_grid, self._sees_pv = site.has_grid_meter, site.sees_pv
        are_fixed = len(house.batteries) == 1 and not any(
            action.loadpoint is None and action.vehicle is None for action in house.scenario.action
        )
        thresholds = (site.priority_soc_pct, site.buffer_soc_pct)
        self._thresholds = thresholds if are_fixed else None
        self._are_plain = all(box.meter.is_plain for box in house.wallboxes)
        self.changes_by_event_only = (
            house.grid_meter.is_plain and self._are_plain and not house.batteries and not self._identities
        )
        """Whether the fingerprint stays the same between two events of the house."""

    def poll(self, outcomes: tuple[Outcome, ...] = (), battery_outcomes: tuple[BatteryOutcome, ...] = ()) -> Readings:
        """Everything as of now."""
        house = self.house
        now = Instant(timedelta(seconds=house.now_s))
        batteries = tuple(self.battery(index, meter, now) for index, meter in enumerate(house.battery_meters))
        return Readings(
            grid=self.meter(house.grid_meter, now) if self._has_grid else None,
            pv=tuple(self.meter(meter, now, is_grid=False) for meter in house.pv_meters) if self._sees_pv else (),
            batteries=batteries,
            chargers=tuple(self.charger(box, now) for box in house.wallboxes),
            vehicles=self.vehicles,
            circuits={name: self.meter(meter, now) for name, meter in house.circuit_meters.items()},
            tariffs=house.tariffs.at(house.now_s),
            outcomes=outcomes,
            operator_limit=operator_limit_at(self._spans, house.now_s) if self._spans else None,
            battery_outcomes=battery_outcomes,
        )

    def fingerprint(self) -> tuple[object, ...]:
        """What a decision depends on, but for counters: while it stays the same, a decision holds until its `wake_at`."""
        house = self.house
        return (
            house.grid_meter.powers_w,
            [inverter.tap.power_w for inverter in house.inverters],
            [(battery.tap.power_w, self._soc_seen(battery.soc_pct)) for battery in house.batteries],
            [
                (box.tap.powers_w if self._are_plain else box.meter.powers_w, box.settings_shown())
                for box in house.wallboxes
            ],
            [box.identity for box in house.wallboxes] if self._identities else None,
            self.vehicles,
        )

    def _soc_seen(self, soc_pct: float) -> object:
        """What a decision sees of the SoC of a home battery: on which side of the site's thresholds it is."""
        thresholds = self._thresholds
        return soc_pct if thresholds is None else tuple([(soc_pct < each, soc_pct > each) for each in thresholds])

    def answer(self, reads: frozenset[Read]) -> None:
        """Ask the vehicles what the decision wants to know; the answers are in the next readings."""
        now = Instant(timedelta(seconds=self.house.now_s))
        for read in sorted(reads, key=lambda r: (r.vehicle, r.what)):
            car = self.house.cars.get(read.vehicle)
            if car is None:
                continue
            before = self.vehicles.get(read.vehicle) or VehicleReading()
            spec = car.spec
            soc, limit, reach = before.soc_pct, before.soc_limit_pct, before.range_km
            odometer, status, climating = before.odometer_km, before.status, before.is_climating
            match read.what:
                case VehicleRead.SOC:
                    value = car.reported_soc_pct() if spec.has_soc else None
                    soc = Missing(now) if value is None else Measured(value, now)
                    if spec.has_soc_limit and value is not None:
                        limit = Measured(spec.soc_limit_pct, now)
                    if value is not None:
                        reach = Measured(value * spec.range_km_per_pct, now)
                case VehicleRead.STATUS:
                    status = Measured(car.reported_status(), now) if spec.has_status else ABSENT
                case VehicleRead.ODOMETER:
                    odometer = Measured(car.odometer_km, now)
                case VehicleRead.CLIMATE:
                    climating = Measured(car.is_climating, now) if spec.has_climate else ABSENT
            self.vehicles = {
                **self.vehicles,
                read.vehicle: VehicleReading(
                    soc_pct=soc,
                    soc_limit_pct=limit,
                    range_km=reach,
                    odometer_km=odometer,
                    status=status,
                    is_climating=climating,
                ),
            }

    # -- devices -----------------------------------------------------------------------------------------------------

    def meter(self, meter: Meter, now: Instant, *, is_grid: bool = True) -> MeterReading:
        name = meter.name
        is_faulty = name in self._faulty
        if is_faulty and self.house.silence(name):
            return self._meters.get(name) or MeterReading(power_w=UNKNOWN_YET)
        shown = meter.shown()
        if shown.power_w != shown.power_w:
            since = self._missing_since.setdefault(name, now)
            return MeterReading(power_w=Missing(since))
        if is_grid:
            v = meter.voltages_v
            p = shown.powers_w
            reading = MeterReading(
                power_w=Measured(shown.power_w, now),
                powers_w=Measured(p, now),
                currents_a=Measured((p[0] / v[0], p[1] / v[1], p[2] / v[2]), now),
                voltages_v=Measured(v, now),
                energy_import_kwh=Measured(shown.energy_in_kwh, now),
            )
        else:
            reading = MeterReading(power_w=Measured(shown.power_w, now))
        if is_faulty:
            self._missing_since.pop(name, None)
            self._meters[name] = reading
        return reading

    def battery(self, index: int, meter: Meter, now: Instant) -> BatteryReading:
        name = meter.name
        is_faulty = name in self._faulty
        if is_faulty and self.house.silence(name):
            return self._batteries.get(name) or BatteryReading(power_w=UNKNOWN_YET, soc_pct=UNKNOWN_YET)
        power_w = meter.shown().power_w
        if power_w != power_w:
            since = self._missing_since.setdefault(name, now)
            return BatteryReading(power_w=Missing(since), soc_pct=Missing(since))
        soc_pct = self.house.batteries[index].soc_pct
        reading = BatteryReading(power_w=Measured(power_w, now), soc_pct=Measured(min(100.0, max(0.0, soc_pct)), now))
        if is_faulty:
            self._missing_since.pop(name, None)
            self._batteries[name] = reading
        return reading

    def charger(self, box: Wallbox, now: Instant) -> ChargerReading:
        name = box.spec.name
        is_faulty = name in self._faulty
        if is_faulty and self.house.silence(name):
            if self.house.faults.hears(name, self.house.now_s):
                box.kick()
            return self._chargers.get(name) or ChargerReading(status=UNKNOWN_YET)
        box.kick()
        shown = box.meter.shown()
        p = shown.powers_w
        power: Reading[float] = ABSENT
        total: Reading[float] = ABSENT
        currents: Reading[tuple[float, float, float]] = ABSENT
        voltages: Reading[tuple[float, float, float]] = ABSENT
        if box.spec.has_meter:
            if shown.power_w != shown.power_w:
                since = self._missing_since.setdefault(name, now)
                power = total = Missing(since)
                currents = voltages = Missing(since)
            else:
                v = box.meter.voltages_v
                power = Measured(shown.power_w, now)
                total = Measured(box.total_of(shown.energy_in_kwh), now)
                currents = Measured((p[0] / v[0], p[1] / v[1], p[2] / v[2]), now)
                voltages = Measured(box.voltages_v, now)
        status, enabled, limit_a, phases = box.settings_shown()
        reading = ChargerReading(
            status=Measured(status, now),
            is_enabled=Measured(enabled, now),
            power_w=power,
            currents_a=currents,
            voltages_v=voltages,
            energy_total_kwh=total,
            identity=Measured(box.identity, now) if self._identities else ABSENT,
            current_offered_a=Measured(limit_a, now),
            phases=Measured(phases, now) if box.spec.can_switch_phases else ABSENT,
        )
        if is_faulty:
            self._missing_since.pop(name, None)
            self._chargers[name] = reading
        return reading

"""The latest-value table: what each device said last ends up wherever the site has it, and nothing older does."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from evcc_server.devices.contract import ChargerValues, MeterValues, VehicleValues
from evcc_server.loop.samples import LoadpointWiring, Samples, Wiring
from evcclib.commands import Outcome, Result
from evcclib.model import ChargerStatus
from evcclib.readings import ABSENT, Measured, Missing
from evcclib.units import Instant

WIRING = Wiring(
    grid="grid",
    pv=("roof", "barn"),
    batteries=("hybrid",),
    aux=("pool",),
    loadpoints=(LoadpointWiring(charger="left"), LoadpointWiring(charger="right", meter="line")),
    circuits={"main": "grid", "garage": "line", "attic": "pool"},
)
NEVER = Missing(Instant(timedelta(seconds=5)))
METERS = ("grid", "roof", "barn", "hybrid", "pool", "line", "a stranger")


def at(second: int) -> Instant:
    return Instant(timedelta(seconds=second))


def samples() -> Samples:
    return Samples(WIRING, at(5))


def test_what_was_never_read_is_missing() -> None:
    readings = samples().readings()
    assert readings.grid is not None
    assert readings.grid.power_w == NEVER
    assert [pv.power_w for pv in readings.pv] == [NEVER, NEVER]
    assert [battery.soc_pct for battery in readings.batteries] == [NEVER]
    assert [charger.status for charger in readings.chargers] == [NEVER, NEVER]
    assert {name: meter.power_w for name, meter in readings.circuits.items()} == dict.fromkeys(WIRING.circuits, NEVER)


def test_station_that_answers_without_a_soc_has_none() -> None:
    table = samples()
    table.charger("left", ChargerValues(status=ChargerStatus.B, soc_pct=40.0), at(10))
    assert table.readings().chargers[0].soc_pct == Measured(40.0, at(10))
    table.charger("left", ChargerValues(status=ChargerStatus.B), at(20))
    assert table.readings().chargers[0].soc_pct is ABSENT


def test_a_value_that_a_poll_could_not_read_keeps_its_last_sample() -> None:
    table = samples()
    table.meter("grid", MeterValues(power_w=100.0, energy_import_kwh=7.0), at(10))
    table.meter("grid", MeterValues(power_w=200.0), at(20))
    grid = table.readings().grid
    assert grid is not None
    assert grid.power_w == Measured(200.0, at(20))
    assert grid.energy_import_kwh == Measured(7.0, at(10))
    assert grid.energy_export_kwh == ABSENT


def test_what_a_battery_meter_counts_is_the_batterys() -> None:
    table = samples()
    table.meter("hybrid", MeterValues(power_w=100.0, energy_import_kwh=18.25, energy_export_kwh=21.5), at(10))
    table.meter("hybrid", MeterValues(power_w=200.0), at(20))
    (battery,) = table.readings().batteries
    assert (battery.energy_discharged_kwh, battery.energy_charged_kwh) == (
        Measured(18.25, at(10)),
        Measured(21.5, at(10)),
    )


@given(st.lists(st.tuples(st.sampled_from(METERS), st.floats(-1e4, 1e4), st.booleans()), max_size=20))
def test_each_meter_is_everywhere_where_the_site_has_it(polls: list[tuple[str, float, bool]]) -> None:
    table, newest = samples(), {}
    for second, (name, power_w, is_looked_at) in enumerate(polls):
        table.meter(name, MeterValues(power_w=power_w, soc_pct=50.0), at(second))
        newest[name] = Measured(power_w, at(second))
        if is_looked_at:
            table.readings()
    readings = table.readings()
    assert readings.grid is not None
    assert readings.grid.power_w == newest.get("grid", NEVER)
    assert [pv.power_w for pv in readings.pv] == [newest.get(name, NEVER) for name in WIRING.pv]
    assert [meter.power_w for meter in readings.aux] == [newest.get("pool", NEVER)]
    (battery,) = readings.batteries
    assert battery.power_w == newest.get("hybrid", NEVER)
    assert isinstance(battery.soc_pct, Measured) is ("hybrid" in newest)
    assert readings.chargers[1].power_w == newest.get("line", NEVER)
    for circuit, name in WIRING.circuits.items():
        assert readings.circuits[circuit].power_w == newest.get(name, NEVER)


def test_a_separate_meter_replaces_the_chargers_own_metering() -> None:
    table = samples()
    values = ChargerValues(status=ChargerStatus.C, power_w=1.0, energy_session_kwh=2.0, energy_total_kwh=3.0)
    for name in ("left", "right"):
        table.charger(name, values, at(10))
    assert table.readings().chargers[1].power_w == NEVER
    table.meter("line", MeterValues(power_w=11000.0, energy_import_kwh=400.0), at(11))
    left, right = table.readings().chargers
    assert (left.power_w, left.energy_session_kwh) == (Measured(1.0, at(10)), Measured(2.0, at(10)))
    assert (right.power_w, right.energy_session_kwh) == (Measured(11000.0, at(11)), ABSENT)
    assert right.energy_total_kwh == Measured(400.0, at(11))
    assert right.status == Measured(ChargerStatus.C, at(10))


def test_the_status_of_a_charger_is_known_without_a_step() -> None:
    table = samples()
    assert table.charger_status("left") is None
    table.charger("left", ChargerValues(status=ChargerStatus.B), at(10))
    table.charger("left", ChargerValues(status=None), at(20))
    assert table.charger_status("left") is ChargerStatus.B
    assert table.charger_status("right") is None


def test_readings_stay_as_they_were_when_they_were_handed_over() -> None:
    table = samples()
    table.vehicle("zoe", VehicleValues(soc_pct=40.0), at(10))
    table.meter("grid", MeterValues(power_w=1.0), at(10))
    before = table.readings()
    vehicles, circuits = dict(before.vehicles), dict(before.circuits)
    table.vehicle("zoe", VehicleValues(soc_pct=41.0), at(20))
    table.vehicle("kangoo", VehicleValues(soc_pct=10.0), at(20))
    table.meter("grid", MeterValues(power_w=2.0), at(20))
    after = table.readings()
    assert before.vehicles == vehicles
    assert before.circuits == circuits
    assert after.vehicles["zoe"].soc_pct == Measured(41.0, at(20))
    assert set(after.vehicles) == {"zoe", "kangoo"}


def test_outcomes_come_with_the_readings_they_are_handed_over_with_only() -> None:
    table = samples()
    outcome = Outcome(0, 1, Result.DONE, 1, "")
    assert table.readings((outcome,)).outcomes == (outcome,)
    assert table.readings().outcomes == ()

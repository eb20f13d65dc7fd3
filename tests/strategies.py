"""Generated sites, readings, requests and days for property tests. Everything here is small on purpose: the interesting cases are
those at the edges, and those where several things happen together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from evcclib.commands import Batch, Outcome, Result
from evcclib.config import (
    Actions,
    BatteryConfig,
    ChargerConfig,
    CircuitConfig,
    LoadpointConfig,
    PollConfig,
    SiteConfig,
    VehicleConfig,
)
from evcclib.laws.by_name import LAWS
from evcclib.model import (
    ChargeMode,
    ChargerStatus,
    Planner,
    PollMode,
    RemoteDemand,
    Sharing,
    TariffKind,
    VehicleFeature,
)
from evcclib.readings import (
    ABSENT,
    BatteryReading,
    ChargerReading,
    Measured,
    MeterReading,
    Missing,
    OperatorLimit,
    Reading,
    Readings,
    VehicleReading,
)
from evcclib.requests import (
    AssignVehicle,
    ChangeLoadpointSetting,
    ChangeSiteSetting,
    ChangeVehicleSetting,
    DemandRemotely,
    DetectVehicle,
    Request,
)
from evcclib.tariff import Rate, Rates
from evcclib.timetable.plans import PlanStrategy, VehiclePlan, WeeklyPlan
from evcclib.units import Instant

EXAMPLES = int(os.environ.get("EVCC_EXAMPLES", "0"))


def budget(examples: int) -> settings:
    """So many examples, the same ones every time. EVCC_EXAMPLES=4000 draws that many of each property, new ones every time."""
    return settings(
        max_examples=EXAMPLES or examples,
        deadline=None,
        phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if EXAMPLES else [])],
        derandomize=not EXAMPLES,
        database=None,
        print_blob=bool(EXAMPLES),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


START = datetime(2026, 3, 28, 20, tzinfo=UTC)  # the night before the clocks change
SECOND: Any = timedelta(seconds=1)

powers_w = st.sampled_from([-11_000.0, -4140.0, -1380.0, -690.0, -1.0, 0.0, 1.0, 700.0, 4000.0, 25_000.0]) | st.floats(
    -15_000, 15_000, width=32
)
socs_pct = st.sampled_from([0.0, 10.0, 49.9, 50.0, 80.0, 99.9, 100.0, 140.0]) | st.floats(0, 100, width=32)
currents_a = st.tuples(*[st.sampled_from([0.0, 0.9, 1.1, 5.9, 6.0, 10.0, 16.0, 32.0])] * 3)
delays = st.sampled_from([0, 1, 10, 59, 60, 180, 300]).map(lambda seconds: seconds * SECOND)


@st.composite
def loadpoints(draw: st.DrawFn, vehicles: tuple[str, ...] = (), circuits: tuple[str, ...] = ()) -> LoadpointConfig:
    """One loadpoint of any kind, whose currents its charger can meet."""
    is_switchable = draw(st.booleans())
    low = draw(st.sampled_from([1.0, 6.0, 6.5, 8.0]))
    return LoadpointConfig(
        title=draw(st.sampled_from(["", "Garage"])),
        charger=ChargerConfig(
            current_step_a=draw(st.sampled_from([1.0, 0.1, 0.001])),
            current_max_a=draw(st.sampled_from([None, 16.0, 32.0])),
            can_switch_phases=is_switchable,
            has_power=draw(st.booleans()),
            has_energy_total=draw(st.booleans()),
            has_identity=draw(st.booleans()),
            has_soc=draw(st.booleans()),
            has_wakeup=draw(st.booleans()),
        ),
        vehicle=draw(st.sampled_from([None, *vehicles])),
        circuit=draw(st.sampled_from([None, *circuits])),
        mode=draw(st.sampled_from(ChargeMode)),
        priority=draw(st.integers(0, 2)),
        phases=draw(st.sampled_from([0, 1, 3])),
        phase_rotation=draw(st.sampled_from([(1, 2, 3), (2, 3, 1), (3, 1, 2)])),
        current_min_a=low,
        current_max_a=low + draw(st.sampled_from([1.0, 4.0, 10.0])),
        enable_threshold_w=draw(st.sampled_from([0.0, -1300.0, 200.0])),
        enable_delay=draw(delays),
        disable_threshold_w=draw(st.sampled_from([0.0, 300.0])),
        disable_delay=draw(delays),
        guard_duration=draw(delays),
        reset_on_disconnect=draw(st.booleans()),
        poll=PollConfig(
            mode=draw(st.sampled_from(PollMode)), interval=timedelta(minutes=draw(st.sampled_from([1, 60])))
        ),
        unknown_soc_grace=draw(st.sampled_from([0, 600])) * SECOND,
    )


@st.composite
def vehicle_configs(draw: st.DrawFn, name: str) -> VehicleConfig:
    """One vehicle."""
    return VehicleConfig(
        name=name,
        capacity_kwh=draw(st.sampled_from([0.0, 40.0])),
        phases=draw(st.sampled_from([0, 1, 2, 3])),
        identifiers=(name.upper(),),
        features=frozenset(draw(st.sets(st.sampled_from(VehicleFeature)))),
        on_identify=draw(
            st.sampled_from(
                [Actions(), Actions(mode=ChargeMode.PV, soc_min_pct=20), Actions(priority=2, current_max_a=10.0)]
            )
        ),
        has_soc=draw(st.booleans()),
        has_odometer=draw(st.booleans()),
        has_status=draw(st.booleans()),
        has_climate=draw(st.booleans()),
        has_wakeup=draw(st.booleans()),
    )


@st.composite
def site_configs(draw: st.DrawFn, *, most: int = 3, has_circuits: bool = True) -> SiteConfig:
    """A site with one to ``most`` loadpoints."""
    names = draw(st.sampled_from([(), ("audi",), ("audi", "bmw")]))
    circuits: tuple[CircuitConfig, ...] = ()
    if has_circuits and draw(st.booleans()):
        at_grid = draw(st.booleans())
        circuits = (
            CircuitConfig(
                name="main",
                current_max_a=draw(st.sampled_from([None, 16.0, 25.0, 63.0])),
                power_max_w=draw(st.sampled_from([None, 4200.0, 11_000.0])),
                unbalance_max_a=draw(st.sampled_from([None, None, 8.0, 20.0])),
                mean_power_max_w=draw(st.sampled_from([None, None, 5000.0])) if at_grid else None,
                uses_grid_meter=at_grid,
                safe_current_a=draw(st.sampled_from([0.0, 6.0, 10.0])),
            ),
            CircuitConfig(name="inner", parent="main", current_max_a=20.0, has_meter=draw(st.booleans())),
        )
    pv_count = draw(st.integers(0, 2))
    return SiteConfig(
        time_zone=UTC,
        law=draw(st.sampled_from(sorted(LAWS, reverse=True))),
        sharing=draw(st.sampled_from(Sharing)),
        planner=draw(st.sampled_from(Planner)),
        interval=draw(st.sampled_from([10, 30])) * SECOND,
        has_grid=True,
        pv_count=pv_count,
        has_zero_feed_in=pv_count > 0 and draw(st.booleans()),
        batteries=(
            BatteryConfig(
                capacity_kwh=10.0,
                circuit=draw(st.sampled_from([None, *[circuit.name for circuit in circuits]])),
                phases=draw(st.sampled_from([0, 3])),
            ),
        )
        * draw(st.integers(0, 2)),
        aux_count=draw(st.integers(0, 1)),
        vehicles=tuple(draw(vehicle_configs(name)) for name in names),
        loadpoints=tuple(
            draw(loadpoints(names, tuple(circuit.name for circuit in circuits)))
            for _ in range(draw(st.integers(1, most)))
        ),
        circuits=circuits,
        residual_power_w=draw(st.sampled_from([0.0, 100.0, -200.0])),
        priority_soc_pct=draw(st.sampled_from([0.0, 50.0])),
        buffer_soc_pct=draw(st.sampled_from([0.0, 80.0])),
        grid_supply_max_while_battery_charges_w=draw(st.sampled_from([0.0, 50.0])),
    )


@st.composite
def readings_of(
    draw: st.DrawFn, values: st.SearchStrategy[object], instant: Instant, *, often: bool = True
) -> Reading[object]:
    """A sample of ``values``: mostly new, sometimes old, missing, or not offered."""
    kinds = ["new"] * (6 if often else 2) + ["late", "old", "missing", "absent"]
    kind = draw(st.sampled_from(kinds))
    if kind == "absent":
        return ABSENT
    if kind == "missing":
        return Missing(instant)
    age = {"new": 0, "late": 25, "old": 95}[kind]
    return Measured(draw(values), instant - age * SECOND)


@st.composite
def meters(draw: st.DrawFn, instant: Instant) -> MeterReading:
    """One meter."""
    return MeterReading(
        power_w=draw(readings_of(powers_w | st.just(float("nan")), instant)),  # type: ignore[arg-type]
        powers_w=draw(readings_of(st.tuples(powers_w, powers_w, powers_w), instant, often=False)),  # type: ignore[arg-type]
        currents_a=draw(readings_of(currents_a, instant)),  # type: ignore[arg-type]
    )


@st.composite
def chargers(draw: st.DrawFn, instant: Instant) -> ChargerReading:
    """Whatever a charger may say."""
    statuses = st.sampled_from([ChargerStatus.A, ChargerStatus.B, ChargerStatus.C, ChargerStatus.C, ChargerStatus.E])
    return ChargerReading(
        status=draw(readings_of(statuses, instant)),  # type: ignore[arg-type]
        is_enabled=draw(readings_of(st.booleans(), instant)),  # type: ignore[arg-type]
        power_w=draw(readings_of(powers_w | st.just(float("inf")), instant)),  # type: ignore[arg-type]
        currents_a=draw(readings_of(currents_a, instant)),  # type: ignore[arg-type]
        voltages_v=draw(readings_of(st.sampled_from([(230.0, 0.0, 0.0), (230.0, 231.0, 229.0)]), instant, often=False)),  # type: ignore[arg-type]
        energy_total_kwh=draw(readings_of(st.floats(0, 2000, width=32), instant, often=False)),  # type: ignore[arg-type]
        identity=draw(readings_of(st.sampled_from(["", "AUDI", "bmw", "x"]), instant, often=False)),  # type: ignore[arg-type]
        soc_pct=draw(readings_of(socs_pct, instant, often=False)),  # type: ignore[arg-type]
        phases=draw(readings_of(st.sampled_from([1, 3]), instant, often=False)),  # type: ignore[arg-type]
    )


@st.composite
def vehicle_readings(draw: st.DrawFn, instant: Instant) -> VehicleReading:
    """Whatever a vehicle's interface may say."""
    return VehicleReading(
        soc_pct=draw(readings_of(socs_pct, instant)),  # type: ignore[arg-type]
        odometer_km=draw(readings_of(st.floats(0, 3e5, width=32), instant, often=False)),  # type: ignore[arg-type]
        status=draw(readings_of(st.sampled_from(ChargerStatus), instant)),  # type: ignore[arg-type]
        is_climating=draw(readings_of(st.booleans(), instant)),  # type: ignore[arg-type]
        must_retry=draw(st.booleans()),
    )


@st.composite
def any_readings(draw: st.DrawFn, config: SiteConfig, instant: Instant, pending: Mapping[int, Batch]) -> Readings:
    """Everything a step may be given; ``pending`` are the batches in flight, by loadpoint."""
    outcomes = []
    for index, batch in pending.items():
        if draw(st.integers(0, 3)):
            result = draw(st.sampled_from([Result.DONE, Result.DONE, Result.FAILED, Result.UNKNOWN]))
            outcomes.append(Outcome(index, batch.number, result, draw(st.integers(0, len(batch.commands)))))
    operator = None
    if draw(st.integers(0, 5)) == 0:
        operator = OperatorLimit(
            power_w=draw(st.sampled_from([0.0, 4200.0, 8000.0])), expires_at=instant + 100 * SECOND
        )
    return Readings(
        grid=draw(st.none() | meters(instant)) if draw(st.integers(0, 4)) == 0 else draw(meters(instant)),
        pv=tuple(draw(meters(instant)) for _ in range(config.pv_count)),
        batteries=tuple(
            BatteryReading(power_w=draw(readings_of(powers_w, instant)), soc_pct=draw(readings_of(socs_pct, instant)))  # type: ignore[arg-type]
            for _ in config.batteries
        ),
        aux=tuple(draw(meters(instant)) for _ in range(config.aux_count)),
        chargers=tuple(draw(chargers(instant)) for _ in config.loadpoints),
        vehicles={vehicle.name: draw(vehicle_readings(instant)) for vehicle in config.vehicles if draw(st.booleans())},
        circuits={circuit.name: draw(meters(instant)) for circuit in config.circuits if circuit.has_meter},
        tariffs=draw(tariffs()),
        outcomes=tuple(outcomes),
        operator_limit=operator,
    )


@st.composite
def tariffs(draw: st.DrawFn) -> Mapping[TariffKind, Rates]:
    """Hourly prices for a night, perhaps with holes, or none."""
    if draw(st.booleans()):
        return {}
    prices = draw(st.lists(st.sampled_from([-0.05, 0.1, 0.2, 0.3, None]), min_size=1, max_size=12))
    hour = timedelta(hours=1)
    hours = ((START + n * hour, price) for n, price in enumerate(prices))
    return {TariffKind.GRID: Rates.of(Rate(at, at + hour, price) for at, price in hours if price is not None)}


def soon(utc: datetime) -> st.SearchStrategy[datetime]:
    """Times a little before ``utc``, and after it."""
    return st.sampled_from([-60, 300, 1500, 7200]).map(lambda seconds: utc + seconds * SECOND)


def weekly_plans(utc: datetime) -> st.SearchStrategy[WeeklyPlan]:
    """Plans that come again in the next hours, on the clock of a zone where the clocks change then."""
    zone = ZoneInfo("Europe/Berlin")
    walls = soon(utc).map(lambda time: time.astimezone(zone).time().replace(second=0, microsecond=0))
    return st.builds(
        WeeklyPlan,
        st.sampled_from([tuple(range(7)), (0,), ()]),
        walls,
        st.sampled_from([zone.key, "Mars"]),
        st.sampled_from([20, 80, 100]),
        st.booleans(),
    )


@st.composite
def any_requests(draw: st.DrawFn, config: SiteConfig, utc: datetime) -> Request:
    """Anything a client may ask for, acceptable or not."""
    index = draw(st.integers(0, len(config.loadpoints)))
    names = [vehicle.name for vehicle in config.vehicles]
    kind = draw(st.integers(0, 7))
    if kind == 0:
        name = draw(st.sampled_from(["buffer_soc_pct", "priority_soc_pct", "residual_power_w", "buffer_start_soc_pct"]))
        return ChangeSiteSetting(name, draw(st.sampled_from([0, 50, 100, 1000])))
    if kind == 1:
        return AssignVehicle(index, draw(st.sampled_from([None, "nobody", *names])))
    if kind == 2:
        return DetectVehicle(index)
    if kind == 3:
        return DemandRemotely(index, draw(st.sampled_from(RemoteDemand)), "hems")
    if kind == 4:
        name, value = draw(
            st.tuples(st.sampled_from(["soc_min_pct", "soc_target_pct"]), st.integers(-1, 101))
            | st.tuples(st.just("plan"), st.builds(VehiclePlan, st.sampled_from([0, 30, 90]), soon(utc)) | st.none())
            | st.tuples(st.just("weekly_plans"), st.lists(weekly_plans(utc), max_size=2).map(tuple))
            | st.tuples(st.just("plan_strategy"), st.builds(PlanStrategy, st.booleans(), delays))
        )
        return ChangeVehicleSetting(draw(st.sampled_from(["nobody", *names])), name, value)
    several: list[tuple[str, list[Any]]] = [
        ("mode", list(ChargeMode)),
        ("mode", list(ChargeMode)),
        ("phases_configured", [0, 1, 2, 3]),
        ("current_min_a", [0, 6, 6.5, 12, 40]),
        ("current_max_a", [5, 6.9, 10, 16, 32, 90]),
        ("enable_threshold_w", [-500, 0, 500]),
        ("disable_threshold_w", [-500, 0, 500]),
        ("enable_delay", [0 * SECOND, 30 * SECOND]),
        ("soc_min_pct", [0, 20, 101]),
        ("soc_target_pct", [0, 80, 100]),
        ("energy_target_kwh", [0, 1, 10]),
        ("target_time", [None, utc - SECOND, utc + timedelta(hours=3)]),
        ("smart_cost_limit", [None, 0.1, 0.25]),
        ("feed_in_priority_limit", [None, 0.08, 0.1]),
        ("priority", [0, 3]),
    ]
    name, values = draw(st.sampled_from(several))
    return ChangeLoadpointSetting(index, name, draw(st.sampled_from(values)))

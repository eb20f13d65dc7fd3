"""Generated worlds of cars behind a circuit with hardly any room: they just fit, start late, draw again by themselves (row 10).

Between two intervals the circuit's meter is the only one that speaks, so a control must not take for the house's what a car
begins to draw. And something fails.
"""

from __future__ import annotations

from datetime import time, timedelta

from evcc_sim.plants.car import CarSpec, Visit
from evcc_sim.plants.faults import FaultKind
from evcc_sim.plants.household import HouseholdSpec
from evcc_sim.plants.meter import MeterSpec
from evcc_sim.plants.sunshine import PvSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.worlds.packs import Choice, Pack, Span
from evcc_sim.worlds.scenario import (
    ActionSpec,
    ChargerSpec,
    CircuitSpec,
    FaultSpec,
    GridMeterSpec,
    LoadpointSpec,
    Scenario,
    SiteSpec,
)
from evcclib.model import ChargeMode

VOLTAGE_V = 230.0
MINIMUM_A = 6.0
HOURS = 3.0
ROTATIONS = ((3, 1, 2), (1, 2, 3), (2, 3, 1))
SPLITS = {"one": (0.0, 0.1, 0.9), "even": (0.34, 0.33, 0.33)}
FULL_PCT = 80.0
OF_METERS = frozenset({"nan", "frozen", "lying"})
OF_BOTH = frozenset({"silence"})


def narrow_circuit(
    *,
    cars: int = 1,
    limit_a: float = 25.0,
    slack_a: float = 2.0,
    guard: str = "grid",
    house: str = "constant",
    pulse_a: float = 4.0,
    period_s: float = 240.0,
    split: str = "one",
    phases: str = "one",
    rotated: str = "yes",
    known: str = "yes",
    mode: str = "now",
    arrivals: str = "rising",
    habit: str = "plain",
    climate_w: float = 2500.0,
    start_delay_s: float = 6.0,
    steps_a: float = 0.001,
    interval_s: float = 10.0,
    skew_s: float = 0.0,
    meter_lag_s: float = 0.0,
    fault: str = "none",
    device: str = "guard",
    lasts_s: float = 300.0,
    operator_w: float = 0.0,
) -> Scenario:
    """The house takes ``limit_a`` less a car's minimum less ``slack_a`` on its busiest phase (rows 9, 10, 12, 13, 30, 37).

    ``guard``: what proves the limit: the grid meter, a meter of the stations' own line, or both, one below the other.
    ``house``: constant, or less by ``pulse_a`` every other half ``period_s``. ``habit`` of the cars: plain, taper, preheat (full,
    draws again for half an hour), pulses (full, draws again and again).
    """
    busiest_a = max(0.0, limit_a - MINIMUM_A - slack_a)
    house_w = busiest_a * VOLTAGE_V / max(SPLITS[split])
    turns = range(cars) if arrivals == "rising" else range(cars - 1, -1, -1)
    return Scenario(
        name="",
        title="A narrow circuit",
        hours=HOURS,
        site=SiteSpec(fuse_a=limit_a * (1.25 if guard != "own" else 3.0), interval_s=interval_s, skew_s=skew_s),
        grid=GridMeterSpec(meter=MeterSpec(lag_s=meter_lag_s)),
        household=HouseholdSpec(series=_series(house, house_w, pulse_a, period_s, split), split=SPLITS[split]),
        pv=(PvSpec(name="roof", constant_w=0.0 if mode == "now" else 9000.0),),
        circuit=_circuits(guard, limit_a, MINIMUM_A if (cars - 1) * MINIMUM_A <= slack_a else 0.0),
        charger=tuple(
            _charger(number, mode=mode, guard=guard, steps_a=steps_a, rotated=rotated, known=known)
            for number in range(cars)
        ),
        car=tuple(
            _car(number, turns[number], phases=phases, habit=habit, climate_w=climate_w, start_delay_s=start_delay_s)
            for number in range(cars)
        ),
        fault=() if fault == "none" else (_fault(fault, device, guard, lasts_s),),
        action=()
        if operator_w <= 0
        else (ActionSpec(at=time(1, 40), operator_limit_w=operator_w, lasts=OPERATOR_LASTS),),
    )


OPERATOR_LASTS = timedelta(minutes=20)


def _charger(number: int, *, mode: str, guard: str, steps_a: float, rotated: str, known: str) -> ChargerSpec:
    rotation = ROTATIONS[number % 3] if rotated == "yes" else (1, 2, 3)
    vehicle = f"car{number}" if known == "yes" else None
    circuit = "branch" if guard == "both" and number % 2 == 0 else "main"
    return ChargerSpec(
        box=WallboxSpec(name=f"bay{number}", current_step_a=steps_a, phase_rotation=rotation),
        loadpoint=LoadpointSpec(mode=ChargeMode(mode), vehicle=vehicle, circuit=circuit),
    )


def _fault(fault: str, device: str, guard: str, lasts_s: float) -> FaultSpec:
    is_guard = fault in OF_METERS or (fault in OF_BOTH and device == "guard")
    name = {"grid": "grid", "own": "main", "both": "branch"}[guard] if is_guard else "bay0"
    kind = FaultKind(fault)
    params = {FaultKind.LYING: {"factor": 0.7}, FaultKind.READ_BACK_LAG: {"lag_s": 8.0}}.get(kind, {})
    return FaultSpec(kind=kind, device=name, at=time(1, 10), lasts=timedelta(seconds=lasts_s), params=params)


def _series(house: str, house_w: float, pulse_a: float, period_s: float, split: str) -> tuple[tuple[float, float], ...]:
    if house == "constant":
        return ((0.0, house_w),)
    low_w = max(0.0, house_w - pulse_a * VOLTAGE_V / max(SPLITS[split]))
    halves = int(HOURS * 3600.0 / (period_s / 2))
    return tuple((half * period_s / 2, low_w if half % 2 == 0 else house_w) for half in range(halves))


def _circuits(guard: str, limit_a: float, safe_a: float) -> tuple[CircuitSpec, ...]:
    main = CircuitSpec(
        name="main",
        current_max_a=limit_a,
        uses_grid_meter=guard != "own",
        has_meter=guard == "own",
        safe_current_a=safe_a,
    )
    if guard != "both":
        return (main,)
    return (main, CircuitSpec(name="branch", parent="main", current_max_a=limit_a * 0.6, has_meter=True))


def _car(number: int, turn: int, *, phases: str, habit: str, climate_w: float, start_delay_s: float) -> CarSpec:
    is_full = habit in ("preheat", "pulses")
    soc_pct = {"plain": 20.0, "taper": 55.0}.get(habit, FULL_PCT)
    return CarSpec(
        name=f"car{number}",
        capacity_kwh=12.0 if habit == "taper" else 80.0,
        phases={"one": 1, "three": 3, "mixed": (1, 3)[number % 2]}[phases],
        soc_pct=soc_pct,
        soc_limit_pct=FULL_PCT if is_full else 100.0,
        taper_from_pct=60.0 if habit == "taper" else 90.0,
        climate=_climate(habit, number),
        climate_w=climate_w,
        start_delay_s=start_delay_s,
        visits=(
            Visit(
                charger=f"bay{number}",
                arrive=time(0, 6 + 7 * turn, 3),
                depart=time(23),
                soc_pct=soc_pct,
            ),
        ),
    )


def _climate(habit: str, number: int) -> tuple[tuple[time, time], ...]:
    """When a full car draws again: never on the control's own beat."""
    if habit == "preheat":
        return ((time(1, 20, 4 + number), time(1, 50, 4 + number)),)
    if habit == "pulses":
        starts = [3600 + 187 * pulse + 61 * number for pulse in range(20)]
        return tuple((_time(start), _time(start + 90)) for start in starts)
    return ()


def _time(second: int) -> time:
    return time(second // 3600, second // 60 % 60, second % 60)


PACKS = (
    Pack(
        "narrow_circuit",
        (9, 10, 12, 13, 30, 37),
        narrow_circuit,
        {
            "cars": Span(1, 4, whole=True),
            "limit_a": Span(14, 63),
            "slack_a": Span(-1, 14),
            "guard": Choice(("grid", "own", "both")),
            "house": Choice(("constant", "constant", "pulses")),
            "pulse_a": Span(1, 12),
            "period_s": Span(45, 1200),
            "split": Choice(("one", "even")),
            "phases": Choice(("one", "three", "mixed")),
            "rotated": Choice(("no", "yes")),
            "known": Choice(("yes", "yes", "no")),
            "mode": Choice(("now", "now", "minpv", "pv")),
            "arrivals": Choice(("rising", "falling")),
            "habit": Choice(("plain", "taper", "preheat", "pulses")),
            "climate_w": Span(1000, 11000),
            "start_delay_s": Choice((2, 6, 20, 45, 90)),
            "steps_a": Choice((0.001, 0.1, 1)),
            "interval_s": Choice((10, 10, 30)),
            "skew_s": Choice((0, 0.05, 0.8)),
            "meter_lag_s": Choice((0, 0, 2)),
            "fault": Choice(
                (
                    "none",
                    "none",
                    "none",
                    "silence",
                    "nan",
                    "frozen",
                    "lying",
                    "ignored_writes",
                    "refused_writes",
                    "stuck_contactor",
                    "reboot",
                    "read_back_lag",
                )
            ),
            "device": Choice(("guard", "bay0")),
            "lasts_s": Span(20, 1200),
            "operator_w": Choice((0, 0, 0, 4200)),
        },
    ),
)

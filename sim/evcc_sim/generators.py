"""Worlds by the dozen: one generator with named parameters for each pack of field problems.

The same code serves example tests, Hypothesis (which draws the parameters), sweeps and benchmarks. A generated world has a name
that says everything: ``@clouds_at_phase_gap:high_w=4600,low_w=3700``; ``evcc-sim run`` takes such names, and ``@pack`` alone
draws the parameters from the seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, time, timedelta

from evcc_sim.battery import BatterySpec
from evcc_sim.car import CarSpec, Visit
from evcc_sim.faults import FaultKind
from evcc_sim.household import HouseholdSpec
from evcc_sim.meter import MeterSpec
from evcc_sim.scenario import (
    ActionSpec,
    ChargerSpec,
    CircuitSpec,
    FaultSpec,
    GridMeterSpec,
    InvalidScenario,
    LoadpointSpec,
    Scenario,
    SiteSpec,
    WeatherSpec,
)
from evcc_sim.sunshine import PvSpec, Sky
from evcc_sim.tariffs import PriceSpec, TariffSpec
from evcc_sim.timebase import stream
from evcc_sim.wallbox import WallboxSpec

Value = float | int | str


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers from ``low`` to ``high``; whole ones if ``whole``."""

    low: float
    high: float
    whole: bool = False

    def draw(self, rng: random.Random) -> Value:
        return rng.randint(int(self.low), int(self.high)) if self.whole else round(rng.uniform(self.low, self.high), 2)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these."""

    options: tuple[Value, ...]

    def draw(self, rng: random.Random) -> Value:
        return rng.choice(self.options)


@dataclass(frozen=True, slots=True)
class Pack:
    """A generator, the rows of the table of field problems it covers, and what its parameters may be."""

    name: str
    rows: tuple[int, ...]
    make: Callable[..., Scenario]
    parameters: Mapping[str, Span | Choice]

    def draw(self, seed: int) -> Scenario:
        """The world of a seed."""
        rng = stream(seed, "pack", self.name)
        return self.build({name: kind.draw(rng) for name, kind in self.parameters.items()})

    def build(self, values: Mapping[str, Value]) -> Scenario:
        """The world of these parameters, the rest at their defaults. Raises `InvalidScenario`."""
        unknown = sorted(set(values) - set(self.parameters))
        if unknown:
            raise InvalidScenario(
                f"@{self.name}: unknown parameter {unknown[0]!r}; known: {', '.join(self.parameters)}"
            )
        text = ",".join(f"{name}={value}" for name, value in sorted(values.items()))
        return replace(self.make(**values), name=f"@{self.name}:{text}" if text else f"@{self.name}", rows=self.rows)


# -- building blocks ------------------------------------------------------------------------------------------------------


def _time(hours: float) -> time:
    minutes = int(hours * 60) % 1440
    return time(minutes // 60, minutes % 60)


def _car(name: str, charger: str, arrive: float, depart: float, **changes: float | int | bool | str) -> CarSpec:
    soc_pct = float(changes.pop("soc_pct", 30.0))
    visit = Visit(charger=charger, arrive=_time(arrive), depart=_time(depart), soc_pct=soc_pct)
    return CarSpec(name=name, visits=(visit,), soc_pct=soc_pct, **changes)  # type: ignore[arg-type]  # by-name options


LIMIT_CYCLES = ("constant_inputs_settle", "settles_on_its_aim")
"""What the classic law does not keep when meter or car are slower than the interval (row 4)."""
QUIET = HouseholdSpec(constant_w=300.0, has_appliances=False)


# -- the packs --------------------------------------------------------------------------------------------------------------


def clouds_at_phase_gap(
    *,
    low_w: float = 3700.0,
    high_w: float = 4600.0,
    period_s: float = 240.0,
    sky: str = "square",
    meter_lag_s: float = 0.0,
    car_delay_s: float = 3.0,
    residual_w: float = 0.0,
) -> Scenario:
    """Surplus around the gap between 16 A on one phase and 6 A on three (rows 1-5)."""
    roof = PvSpec(name="roof", wave=(low_w, max(low_w, high_w), period_s)) if sky == "square" else PvSpec(name="roof")
    return Scenario(
        name="",
        title="Clouds at the phase gap",
        hours=14,
        site=SiteSpec(start=date(2026, 5, 20), residual_power_w=residual_w),
        grid=GridMeterSpec(meter=MeterSpec(lag_s=meter_lag_s)),
        household=QUIET,
        weather=WeatherSpec(sky=Sky.CLEAR if sky == "square" else Sky(sky)),
        pv=(roof,),
        charger=(ChargerSpec(box=WallboxSpec(name="garage", can_switch_phases=True), loadpoint=LoadpointSpec()),),
        car=(_car("blue", "garage", 7.5, 23.0, capacity_kwh=80.0, soc_pct=20.0, dead_time_s=car_delay_s),),
        allowed=LIMIT_CYCLES if meter_lag_s > 0 or car_delay_s > 5 else (),
    )


def n_cars_one_roof(
    *,
    cars: int = 2,
    peak_w: float = 12_000.0,
    current_min_a: float = 6.0,
    priorities: str = "equal",
    spread_h: float = 1.0,
    sky: str = "clear",
    steps_a: float = 0.1,
) -> Scenario:
    """Several cars in mode pv under one roof, arriving one after another (rows 6-8)."""
    chargers = tuple(
        ChargerSpec(
            box=WallboxSpec(name=f"bay{n}", current_step_a=steps_a),
            loadpoint=LoadpointSpec(
                priority={"equal": 0, "rising": n, "falling": cars - n}[priorities], current_min_a=current_min_a
            ),
        )
        for n in range(cars)
    )
    return Scenario(
        name="",
        title="Several cars, one roof",
        hours=18,
        site=SiteSpec(fuse_a=63),
        household=HouseholdSpec(),
        weather=WeatherSpec(sky=Sky(sky)),
        pv=(PvSpec(name="roof", peak_w=peak_w),),
        charger=chargers,
        car=tuple(
            _car(f"car{n}", f"bay{n}", 7.0 + n * spread_h % 6, 23.0, capacity_kwh=60.0, soc_pct=30.0)
            for n in range(cars)
        ),
        # the classic law lends a lower priority's power out while that one still waits for its delays
        allowed=("nothing_is_bought_for_the_sun",) if priorities != "equal" else (),
    )


def breaker_tree(
    *,
    cars: int = 3,
    main_a: float = 32.0,
    branch_a: float = 20.0,
    house_w: float = 3000.0,
    split: str = "even",
    rotated: str = "no",
    mode: str = "now",
    meter_lag_s: float = 0.0,
) -> Scenario:
    """A circuit at the grid meter with a branch below it; the house steps up and down (rows 9-14)."""
    rotations = ((1, 2, 3), (2, 3, 1), (3, 1, 2)) if rotated == "yes" else ((1, 2, 3),)
    chargers = tuple(
        ChargerSpec(
            box=WallboxSpec(name=f"bay{n}", phase_rotation=rotations[n % len(rotations)]),
            loadpoint=LoadpointSpec(mode=mode, circuit="branch" if n % 2 == 0 else "main"),
        )
        for n in range(cars)
    )
    steps = tuple((time(hour), house_w * (1.0 if hour % 2 else 0.4)) for hour in range(24))
    return Scenario(
        name="",
        title="A tree of breakers",
        hours=6,
        site=SiteSpec(fuse_a=main_a * 1.05),
        grid=GridMeterSpec(meter=MeterSpec(lag_s=meter_lag_s)),
        household=HouseholdSpec(steps=steps, split={"even": (0.34, 0.33, 0.33), "one": (1.0, 0.0, 0.0)}[split]),
        pv=(PvSpec(name="roof", constant_w=2000.0),),
        circuit=(
            CircuitSpec(name="main", current_max_a=main_a, uses_grid_meter=True, safe_current_a=6.0),
            CircuitSpec(name="branch", parent="main", current_max_a=branch_a),
        ),
        charger=chargers,
        car=tuple(
            _car(
                f"car{n}",
                f"bay{n}",
                0.2 + 0.4 * n,
                23.0,
                capacity_kwh=80.0,
                soc_pct=20.0,
                phases=1 if n % 3 == 2 else 3,
            )
            for n in range(cars)
        ),
    )


def night_plan(
    *,
    night: str = "plain",
    slot_minutes: int = 60,
    noise: float = 0.1,
    cheap: float = 0.18,
    soc_pct: float = 40.0,
    target_pct: int = 80,
    voltage_v: float = 230.0,
    arrive_h: float = 18.0,
) -> Scenario:
    """A plan over the night on changing prices, also when the clocks change (rows 16-21, 38)."""
    start = {"plain": date(2026, 2, 10), "spring": date(2026, 3, 28), "autumn": date(2026, 10, 24)}[night]
    zones = ((time(0), 0.30), (time(1), cheap), (time(5), 0.30), (time(17), 0.40), (time(21), 0.30))
    minutes = int(arrive_h * 60)
    return Scenario(
        name="",
        title="A plan over the night",
        hours=34,
        site=SiteSpec(start=start, true_voltage_v=voltage_v),
        tariff=TariffSpec(grid=PriceSpec(zones=zones, noise=noise, slot_minutes=slot_minutes)),
        charger=(ChargerSpec(box=WallboxSpec(name="garage"), loadpoint=LoadpointSpec(vehicle="blue")),),
        car=(_car("blue", "garage", arrive_h, 8.0, capacity_kwh=60.0, soc_pct=soc_pct),),
        action=(
            ActionSpec(at=_time((minutes + 2) / 60), loadpoint=0, setting="soc_target_pct", value=target_pct),
            ActionSpec(at=_time((minutes + 3) / 60), loadpoint=0, setting="target_time", value="07:00"),
        ),
    )


def sunny_tomorrow(
    *,
    sky: str = "clear",
    battery_kwh: float = 10.0,
    battery_soc_pct: float = 40.0,
    priority_soc_pct: float = 30.0,
    buffer_soc_pct: float = 80.0,
    mode: str = "pv",
    soc_pct: float = 50.0,
) -> Scenario:
    """Battery, sun and a car at home for a day: what is bought although the sun will do (rows 22, 23, 35)."""
    return Scenario(
        name="",
        title="Sunny tomorrow",
        site=SiteSpec(start=date(2026, 5, 18), priority_soc_pct=priority_soc_pct, buffer_soc_pct=buffer_soc_pct),
        weather=WeatherSpec(sky=Sky(sky)),
        pv=(PvSpec(name="roof"),),
        battery=(BatterySpec(name="cellar", capacity_kwh=battery_kwh, soc_pct=battery_soc_pct),),
        charger=(ChargerSpec(box=WallboxSpec(name="garage"), loadpoint=LoadpointSpec(mode=mode)),),
        car=(_car("blue", "garage", 6.0, 22.0, capacity_kwh=60.0, soc_pct=soc_pct),),
        tariff=TariffSpec(
            grid=PriceSpec(zones=((time(0), 0.24), (time(6), 0.34))), feed_in=PriceSpec(zones=((time(0), 0.08),))
        ),
    )


def bad_car(
    *,
    current_min_a: float = 6.0,
    taper_from_pct: float = 80.0,
    soc_limit_pct: float = 100.0,
    sleep_after_s: float = 0.0,
    dead_time_s: float = 5.0,
    phases: int = 3,
    api: str = "good",
    soc_min_pct: int = 0,
) -> Scenario:
    """A car with habits and an interface that may be down, lying or frozen (rows 24-29)."""
    kind = {"down": FaultKind.SILENCE, "lying": FaultKind.LYING, "frozen": FaultKind.FROZEN}.get(api)
    faults = (
        (FaultSpec(kind=kind, device="blue", at=time(7, 30), lasts=timedelta(hours=2), params={"offset_pct": 15.0}),)
        if kind is not None
        else ()
    )
    return Scenario(
        name="",
        title="A difficult car",
        hours=18,
        household=QUIET,
        weather=WeatherSpec(sky=Sky.CUMULUS),
        pv=(PvSpec(name="roof"),),
        charger=(
            ChargerSpec(
                box=WallboxSpec(name="garage", can_switch_phases=True),
                loadpoint=LoadpointSpec(vehicle="blue", current_min_a=max(6.0, current_min_a)),
            ),
        ),
        car=(
            _car(
                "blue",
                "garage",
                8.0,
                23.0,
                capacity_kwh=50.0,
                soc_pct=45.0,
                phases=phases,
                current_min_a=current_min_a,
                taper_from_pct=taper_from_pct,
                soc_limit_pct=soc_limit_pct,
                sleep_after_s=sleep_after_s,
                wakes_by_pilot=sleep_after_s == 0,
                dead_time_s=dead_time_s,
                has_wakeup=True,
            ),
        ),
        fault=faults,
        action=(ActionSpec(at=time(0), vehicle="blue", setting="soc_min_pct", value=soc_min_pct),),
        allowed=LIMIT_CYCLES if dead_time_s > 5 else (),
    )


def bad_bus(
    *,
    kind: str = "silence",
    device: str = "grid",
    at_h: float = 12.0,
    lasts_s: float = 300.0,
    mode: str = "pv",
    under_limit: str = "no",
) -> Scenario:
    """A device on the bus fails for a while (rows 13, 30-32)."""
    circuits = (CircuitSpec(name="main", current_max_a=25.0, uses_grid_meter=True, safe_current_a=6.0),)
    return Scenario(
        name="",
        title="A bad bus",
        hours=18,
        household=QUIET,
        pv=(PvSpec(name="roof"),),
        circuit=circuits if under_limit == "yes" else (),
        charger=(
            ChargerSpec(
                box=WallboxSpec(name="garage"),
                loadpoint=LoadpointSpec(mode=mode, circuit="main" if under_limit == "yes" else None),
            ),
        ),
        car=(_car("blue", "garage", 7.5, 23.0, capacity_kwh=90.0, soc_pct=15.0),),
        fault=(FaultSpec(kind=FaultKind(kind), device=device, at=_time(at_h), lasts=timedelta(seconds=lasts_s)),),
    )


def kill_anywhere(
    *, kind: str = "kill", at_h: float = 12.0, lasts_s: float = 120.0, jump_s: float = 0.0, mode: str = "pv"
) -> Scenario:
    """Control is killed at any moment, and a clock jumps (rows 32-34, 39)."""
    faults = [FaultSpec(kind=FaultKind(kind), device="site", at=_time(at_h), lasts=timedelta(seconds=lasts_s))]
    if jump_s:
        faults.append(
            FaultSpec(
                kind=FaultKind.CLOCK_JUMP,
                device="site",
                at=_time(at_h + 1),
                lasts=timedelta(seconds=1),
                params={"seconds": jump_s},
            )
        )
    return Scenario(
        name="",
        title="Killed anywhere",
        hours=20,
        household=QUIET,
        pv=(PvSpec(name="roof"),),
        charger=(
            ChargerSpec(
                box=WallboxSpec(name="garage", watchdog_s=60.0), loadpoint=LoadpointSpec(mode=mode, vehicle="blue")
            ),
        ),
        car=(_car("blue", "garage", 7.5, 19.5, capacity_kwh=90.0, soc_pct=15.0),),
        action=(
            ActionSpec(at=time(9), loadpoint=0, setting="current_max_a", value=13),
            ActionSpec(at=time(9), loadpoint=0, setting="soc_target_pct", value=90),
        ),
        fault=tuple(faults),
    )


def grid_operator(
    *, limit_w: float = 4200.0, at_h: float = 9.0, lasts_s: float = 3600.0, lost: str = "no", cars: int = 1
) -> Scenario:
    """The grid operator limits; sometimes nobody withdraws the limit (row 37)."""
    lasts = timedelta(seconds=lasts_s)
    return Scenario(
        name="",
        title="The grid operator",
        hours=14,
        site=SiteSpec(fuse_a=63),
        household=QUIET,
        charger=tuple(
            ChargerSpec(box=WallboxSpec(name=f"bay{n}"), loadpoint=LoadpointSpec(mode="now")) for n in range(cars)
        ),
        car=tuple(_car(f"car{n}", f"bay{n}", 7.5, 23.0, capacity_kwh=100.0, soc_pct=5.0) for n in range(cars)),
        action=(
            ActionSpec(
                at=_time(at_h), operator_limit_w=limit_w, lasts=lasts, lost_after=lasts if lost == "yes" else None
            ),
        ),
    )


def boundary(
    *,
    surplus_a: float = 6.0,
    phases: int = 3,
    enable_threshold_w: float = 0.0,
    disable_threshold_w: float = 0.0,
    steps_a: float = 1.0,
    delta_w: float = 0.0,
) -> Scenario:
    """A constant surplus exactly at a threshold, or ``delta_w`` beside it (rows 20, 36)."""
    surplus_w = surplus_a * 230.0 * phases + delta_w
    return Scenario(
        name="",
        title="At the threshold",
        hours=4,
        household=HouseholdSpec(constant_w=300.0, has_appliances=False),
        pv=(PvSpec(name="roof", constant_w=300.0 + surplus_w),),
        charger=(
            ChargerSpec(
                box=WallboxSpec(name="garage", current_step_a=steps_a),
                loadpoint=LoadpointSpec(enable_threshold_w=enable_threshold_w, disable_threshold_w=disable_threshold_w),
            ),
        ),
        car=(_car("blue", "garage", 0.5, 23.0, capacity_kwh=200.0, soc_pct=10.0, phases=phases),),
    )


PACKS = {
    pack.name: pack
    for pack in (
        Pack(
            "clouds_at_phase_gap",
            (1, 2, 3, 4, 5),
            clouds_at_phase_gap,
            {
                "low_w": Span(2000, 4200),
                "high_w": Span(3000, 6000),
                "period_s": Span(40, 1200),
                "sky": Choice(("square", "april", "cumulus")),
                "meter_lag_s": Choice((0, 0, 3, 10)),
                "car_delay_s": Span(2, 30),
                "residual_w": Choice((-200, 0, 100)),
            },
        ),
        Pack(
            "n_cars_one_roof",
            (6, 7, 8),
            n_cars_one_roof,
            {
                "cars": Span(1, 6, whole=True),
                "peak_w": Span(6000, 30000),
                "current_min_a": Choice((6, 8, 10)),
                "priorities": Choice(("equal", "rising", "falling")),
                "spread_h": Span(0, 3),
                "sky": Choice(("clear", "april", "cumulus", "overcast")),
                "steps_a": Choice((0.001, 0.1, 1)),
            },
        ),
        Pack(
            "breaker_tree",
            (9, 10, 11, 12, 13, 14),
            breaker_tree,
            {
                "cars": Span(1, 5, whole=True),
                "main_a": Span(20, 63),
                "branch_a": Span(10, 40),
                "house_w": Span(0, 8000),
                "split": Choice(("even", "one")),
                "rotated": Choice(("no", "yes")),
                "mode": Choice(("now", "minpv", "pv")),
                "meter_lag_s": Choice((0, 0, 2)),
            },
        ),
        Pack(
            "night_plan",
            (16, 17, 18, 19, 20, 21, 38),
            night_plan,
            {
                "night": Choice(("plain", "spring", "autumn")),
                "slot_minutes": Choice((15, 60)),
                "noise": Choice((0, 0.05, 0.3)),
                "cheap": Choice((-0.05, 0.0, 0.18, 0.30)),
                "soc_pct": Span(10, 85),
                "target_pct": Span(50, 100, whole=True),
                "voltage_v": Span(210, 245),
                "arrive_h": Span(17, 23.5),
            },
        ),
        Pack(
            "sunny_tomorrow",
            (22, 23, 35),
            sunny_tomorrow,
            {
                "sky": Choice(("clear", "april", "cumulus", "overcast")),
                "battery_kwh": Span(4, 20),
                "battery_soc_pct": Span(10, 100),
                "priority_soc_pct": Choice((0, 30, 60)),
                "buffer_soc_pct": Choice((0, 70, 90)),
                "mode": Choice(("pv", "minpv")),
                "soc_pct": Span(10, 95),
            },
        ),
        Pack(
            "bad_car",
            (24, 25, 26, 27, 28, 29),
            bad_car,
            {
                "current_min_a": Span(6, 10),
                "taper_from_pct": Span(50, 95),
                "soc_limit_pct": Choice((60, 80, 100)),
                "sleep_after_s": Choice((0, 0, 300, 1800)),
                "dead_time_s": Span(1, 30),
                "phases": Choice((1, 2, 3)),
                "api": Choice(("good", "down", "lying", "frozen")),
                "soc_min_pct": Choice((0, 0, 30, 60)),
            },
        ),
        Pack(
            "bad_bus",
            (13, 30, 31, 32),
            bad_bus,
            {
                "kind": Choice(
                    (
                        "silence",
                        "nan",
                        "half_open",
                        "reboot",
                        "ignored_writes",
                        "refused_writes",
                        "read_back_lag",
                        "counter_reset",
                    )
                ),
                "device": Choice(("grid", "garage", "roof")),
                "at_h": Span(8, 16),
                "lasts_s": Span(5, 1800),
                "mode": Choice(("pv", "minpv", "now")),
                "under_limit": Choice(("no", "yes")),
            },
        ),
        Pack(
            "kill_anywhere",
            (32, 33, 34, 39),
            kill_anywhere,
            {
                "kind": Choice(("kill", "restart")),
                "at_h": Span(6.9, 19.9),
                "lasts_s": Span(1, 600),
                "jump_s": Choice((0, -3600, 60, 7200)),
                "mode": Choice(("pv", "minpv", "now", "off")),
            },
        ),
        Pack(
            "grid_operator",
            (37,),
            grid_operator,
            {
                "limit_w": Span(1500, 15000),
                "at_h": Span(7, 11),
                "lasts_s": Span(60, 7200),
                "lost": Choice(("no", "yes")),
                "cars": Span(1, 4, whole=True),
            },
        ),
        Pack(
            "boundary",
            (20, 36),
            boundary,
            {
                "surplus_a": Choice((5, 6, 7, 10, 16, 17)),
                "phases": Choice((1, 2, 3)),
                "enable_threshold_w": Choice((0, -1380, -4140, 500)),
                "disable_threshold_w": Choice((0, 500, -200)),
                "steps_a": Choice((0.001, 0.1, 1)),
                "delta_w": Choice((-50, -1, -0.001, 0, 0.001, 1, 50)),
            },
        ),
    )
}


def generate(name: str, *, seed: int) -> Scenario:
    """The world called ``@pack`` (parameters drawn from ``seed``) or ``@pack:name=value,...``. Raises `InvalidScenario`."""
    pack_name, _, text = name.removeprefix("@").partition(":")
    pack = PACKS.get(pack_name)
    if pack is None:
        raise InvalidScenario(f"unknown generator {pack_name!r}; known: {', '.join(PACKS)}")
    if not text:
        return replace(pack.draw(seed), seed=seed)
    values: dict[str, Value] = {}
    for item in text.split(","):
        key, _, value = item.partition("=")
        values[key] = _number(value)
    return replace(pack.build(values), seed=seed)


def _number(text: str) -> Value:
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number == int(number) and "." not in text else number

"""Generated worlds of anything: every table of the scenario format filled in by chance, overlapping, at any time.

The other generators each know what they are about; this one does not. What its worlds have in common is only that a home could be
like this: a fuse that carries what is behind it or a circuit that protects it, and settings that a client may make.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time, timedelta
from typing import TypeVar

from evcc_sim.plants.battery import BatterySpec
from evcc_sim.plants.car import CarSpec, Visit
from evcc_sim.plants.faults import READ_BACKS, FaultKind, ReadBack
from evcc_sim.plants.household import HouseholdSpec
from evcc_sim.plants.meter import MeterSpec
from evcc_sim.plants.prices import PriceSpec, TariffSpec
from evcc_sim.plants.sky import Sky
from evcc_sim.plants.sunshine import PvSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.timebase import stream
from evcc_sim.worlds.lying_stations import BY_STATUS, LESS_SUN, SHOWS
from evcc_sim.worlds.packs import LIMIT_CYCLES, Choice, Pack, Span
from evcc_sim.worlds.scenario import (
    ActionSpec,
    ChargerSpec,
    CircuitSpec,
    FaultSpec,
    GridMeterSpec,
    LoadpointSpec,
    Scenario,
    SiteSpec,
    WeatherSpec,
)
from evcclib.model import ChargeMode

T = TypeVar("T")

HOURS = 8.0
FIRST_HOUR, LAST_HOUR = 0.1, 7.8
"""Everything that happens happens between these."""
STATIONS: Sequence[tuple[str, float, bool]] = (
    ("alfen-ng9xx", 0.001, True),
    ("alfen-ng9xx", 0.001, True),
    ("heidelberg-ec", 0.1, False),
    ("phoenix-charx", 1.0, False),
    ("keba-p30", 0.001, False),
)
"""Profile, steps [A], whether its phases can be switched."""
ROTATIONS = ((1, 2, 3), (1, 2, 3), (2, 3, 1), (3, 1, 2), (3, 2, 1))
MODES = ("pv", "pv", "pv", "minpv", "minpv", "now", "now", "off")
BOX_FAULTS = (
    FaultKind.SILENCE,
    FaultKind.STUCK_CONTACTOR,
    FaultKind.IGNORED_WRITES,
    FaultKind.REFUSED_WRITES,
    FaultKind.READ_BACK_LAG,
    FaultKind.READ_BACK_STUCK,
    FaultKind.READ_BACK_WRONG,
    FaultKind.LOSS,
    FaultKind.DELAY,
    FaultKind.LOST_REQUESTS,
    FaultKind.REBOOT,
    FaultKind.COUNTER_RESET,
    FaultKind.CHARGER_ERROR,
    FaultKind.HALF_OPEN,
)
METER_FAULTS = (FaultKind.SILENCE, FaultKind.FROZEN, FaultKind.LYING, FaultKind.NAN)
CAR_FAULTS = (FaultKind.SILENCE, FaultKind.FROZEN, FaultKind.LYING, FaultKind.NAN)
SITE_FAULTS = (FaultKind.RESTART, FaultKind.KILL, FaultKind.CLOCK_JUMP)


def any_world(*, number: int = 1, faults: str = "some") -> Scenario:
    """World ``number``; ``faults`` "none" leaves them out and everything else as it is."""
    rng = stream(number, "any world")
    chargers = _chargers(rng)
    names = tuple(charger.box.name for charger in chargers)
    cars = _cars(rng, names)
    pv, battery = _pv(rng), _batteries(rng)
    house = _household(rng)
    circuits, fuse_a = _circuits(rng, chargers, cars, house, battery)
    if circuits:
        chargers = tuple(_under(rng, charger, circuits) for charger in chargers)
    chargers = tuple(_belongs(rng, charger, cars) for charger in chargers)
    tariff = _tariff(rng)
    site = _site(rng, fuse_a, has_battery=bool(battery), has_circuits=bool(circuits))
    grid = GridMeterSpec(meter=_grid_meter(rng))
    sky = rng.choice(tuple(Sky))
    actions = _actions(rng, chargers, cars, has_battery=bool(battery), has_prices=tariff.grid is not None)
    happens = _faults(stream(number, "any faults"), chargers, cars, pv, battery, circuits) if faults == "some" else ()
    return Scenario(
        name="",
        title="Anything",
        hours=HOURS,
        site=site,
        grid=grid,
        household=house,
        weather=WeatherSpec(sky=sky, dimming=rng.choice((1.0, 1.0, 0.6))),
        pv=pv,
        battery=battery,
        charger=chargers,
        car=cars,
        circuit=circuits,
        tariff=tariff,
        action=actions,
        fault=happens,
        allowed=(*_allowed(grid.meter, chargers, actions), *_allowed_by(happens)),
    )


def _allowed(meter: MeterSpec, chargers: tuple[ChargerSpec, ...], actions: tuple[ActionSpec, ...]) -> tuple[str, ...]:
    """What the classic law does not keep: rest behind a slow meter (row 4), and what is lent to a higher priority (row 7)."""
    is_lent = len({each.loadpoint.priority for each in chargers}) > 1 or any(a.setting == "priority" for a in actions)
    lent = ("nothing_is_bought_for_the_sun",) if is_lent and len(chargers) > 1 else ()
    return (*(LIMIT_CYCLES if meter.lag_s or meter.refresh_s else ()), *lent)


def _allowed_by(faults: tuple[FaultSpec, ...]) -> tuple[str, ...]:
    """What nobody keeps who is told the wrong."""
    told = [fault for fault in faults if fault.kind in READ_BACKS]
    is_of_status = any(fault.of in (None, ReadBack.STATUS) for fault in told)
    return (*(LESS_SUN if told else ()), *(BY_STATUS if is_of_status else ()))


# -- plants ---------------------------------------------------------------------------------------------------------------


def _chargers(rng: random.Random) -> tuple[ChargerSpec, ...]:
    chargers = []
    for number in range(rng.choice((1, 1, 2, 2, 3, 4))):
        profile, step_a, can_switch = rng.choice(STATIONS)
        phases = 3 if can_switch else rng.choice((3, 3, 3, 1))
        maximum_a = rng.choice((16.0, 16.0, 13.0, 32.0 if profile == "alfen-ng9xx" else 16.0))
        low_a = rng.choice((6.0, 6.0, 6.0, 8.0))
        box = WallboxSpec(
            name=f"bay{number}",
            profile=profile,
            current_step_a=step_a,
            current_max_a=maximum_a,
            phases=phases,
            can_switch_phases=can_switch,
            phase_switch_s=rng.choice((4.0, 8.0)),
            contactor_s=rng.choice((0.1, 0.3, 1.0)),
            phase_rotation=rng.choice(ROTATIONS),
            watchdog_s=60.0 if profile == "alfen-ng9xx" and rng.random() < 0.3 else 0.0,
            power_on_enabled=rng.random() < 0.2,
            power_on_current_a=rng.choice((6.0, 16.0)),
            has_meter=rng.random() > 0.2 or profile != "alfen-ng9xx",
            meter=MeterSpec(lag_s=rng.choice((0.0, 0.0, 0.0, 2.0)), resolution_w=rng.choice((0.0, 0.0, 10.0))),
        )
        loadpoint = LoadpointSpec(
            title=f"Bay {number}",
            mode=ChargeMode(rng.choice(MODES)),
            priority=rng.choice((0, 0, 0, 1, 5)),
            phases=rng.choice((0, 0, 1, 3)) if can_switch else phases,
            current_min_a=low_a,
            current_max_a=max(low_a, rng.choice((16.0, 16.0, 10.0, maximum_a))),
            enable_threshold_w=rng.choice((0.0, 0.0, -2000.0)),
            enable_delay=_delay(rng),
            disable_threshold_w=rng.choice((0.0, 0.0, 200.0)),
            disable_delay=_delay(rng),
            guard_duration_s=rng.choice((300.0, 300.0, 60.0, 600.0)),
            reset_on_disconnect=rng.random() < 0.3,
            estimates_soc=rng.random() < 0.8,
            poll_mode=rng.choice(("charging", "charging", "connected", "always")),
            poll_interval_s=rng.choice((600.0, 3600.0)),
        )
        chargers.append(ChargerSpec(box=box, loadpoint=loadpoint))
    return tuple(chargers)


def _delay(rng: random.Random) -> timedelta:
    return timedelta(seconds=rng.choice((0, 30, 60, 60, 180, 180, 600, 900)))


def _cars(rng: random.Random, chargers: tuple[str, ...]) -> tuple[CarSpec, ...]:
    has_cards = rng.random() < 0.2
    cars = []
    for number, charger in enumerate(chargers):
        is_guest = rng.random() < 0.15
        capacity_kwh = rng.choice((12.0, 40.0, 60.0, 90.0))
        soc_pct = round(rng.uniform(10, 92), 1)
        has_sleep = rng.random() < 0.1
        cars.append(
            CarSpec(
                name=f"guest{number}" if is_guest else f"car{number}",
                capacity_kwh=capacity_kwh,
                phases=rng.choice((1, 2, 3, 3)),
                current_min_a=rng.choice((6.0, 6.0, 6.0, 8.0)),
                current_max_a=rng.choice((16.0, 16.0, 10.0, 32.0)),
                soc_pct=soc_pct,
                soc_limit_pct=rng.choice((100.0, 100.0, 80.0)),
                efficiency=round(rng.uniform(0.87, 0.92), 3),
                start_delay_s=rng.choice((2.0, 6.0, 6.0, 20.0)),
                stop_delay_s=rng.choice((0.5, 1.5, 3.0)),
                dead_time_s=rng.choice((1.0, 3.0, 3.0, 5.0)),
                ramp_a_per_s=rng.choice((1.0, 4.0, 16.0)),
                taper_from_pct=rng.choice((70.0, 90.0, 95.0)),
                sleep_after_s=1800.0 if has_sleep else 0.0,
                wakes_by_pilot=not has_sleep,
                has_wakeup=has_sleep,
                phase_pause_min_s=rng.choice((0.0, 0.0, 0.0, 0.0, 10.0)),
                climate=_spans(rng) if rng.random() < 0.15 else (),
                has_climate=rng.random() < 0.3,
                rfid=f"04A1B2C{number}" if has_cards else "",
                has_soc_limit=rng.random() < 0.3,
                has_soc=rng.random() < 0.85,
                has_api=rng.random() < 0.9,
                visits=_visits(rng, charger, soc_pct),
            )
        )
    return tuple(cars)


def _spans(rng: random.Random) -> tuple[tuple[time, time], ...]:
    start = _moment(rng)
    return ((start, time(min(23, start.hour + 1), start.minute, start.second)),)


def _visits(rng: random.Random, charger: str, soc_pct: float) -> tuple[Visit, ...]:
    """One long visit, or two with a trip in between."""
    arrive = _wall(rng.uniform(0.05, 2.0))
    if rng.random() < 0.6:
        return (Visit(charger=charger, arrive=arrive, depart=time(23, 30), soc_pct=soc_pct),)
    leave_h, back_h = sorted((rng.uniform(2.5, 7.5), rng.uniform(2.5, 7.5)))
    first = Visit(charger=charger, arrive=arrive, depart=_wall(leave_h), soc_pct=soc_pct)
    return first, Visit(charger=charger, arrive=_wall(back_h + 0.1), depart=time(23, 30), used_pct=rng.uniform(5, 30))


def _household(rng: random.Random) -> HouseholdSpec:
    split = rng.choice(((0.34, 0.33, 0.33), (0.4, 0.35, 0.25), (1.0, 0.0, 0.0)))
    kind = rng.choice(("constant", "steps", "life"))
    if kind == "constant":
        return HouseholdSpec(constant_w=float(rng.choice((150, 300, 800, 2000))), split=split)
    if kind == "steps":
        moments = sorted({_moment(rng) for _ in range(rng.randint(1, 12))} - {time(0)})
        return HouseholdSpec(
            steps=((time(0), 300.0), *((moment, round(rng.uniform(100, 3500), 0)) for moment in moments)), split=split
        )
    return HouseholdSpec(annual_kwh=float(rng.choice((2500, 4500, 7000))), has_appliances=rng.random() < 0.7)


def _pv(rng: random.Random) -> tuple[PvSpec, ...]:
    """The run is the night and the early morning of its day, so that most suns are lamps."""
    roofs = []
    for number in range(rng.choice((0, 1, 1, 1, 2))):
        name, peak_w = f"roof{number}", float(rng.choice((3000, 6000, 9000, 14000)))
        kind = rng.choice(("constant", "steps", "steps", "steps", "sun"))
        limit_w = rng.choice((None, None, peak_w * 0.7))
        if kind == "constant":
            roofs.append(PvSpec(name=name, peak_w=peak_w, constant_w=round(peak_w * rng.uniform(0.2, 1.0))))
        elif kind == "steps":
            moments = sorted({_moment(rng) for _ in range(rng.randint(2, 14))} - {time(0)})
            steps = ((time(0), 0.0), *((moment, round(peak_w * rng.uniform(0, 1))) for moment in moments))
            roofs.append(PvSpec(name=name, peak_w=peak_w, steps=steps, ac_limit_w=limit_w))
        else:
            roofs.append(PvSpec(name=name, peak_w=peak_w, ac_limit_w=limit_w, azimuth_deg=rng.choice((90.0, 180.0))))
    return tuple(roofs)


def _batteries(rng: random.Random) -> tuple[BatterySpec, ...]:
    return tuple(
        BatterySpec(
            name=f"cellar{number}",
            capacity_kwh=rng.choice((5.0, 10.0, 15.0)),
            charge_max_w=rng.choice((2500.0, 5000.0)),
            discharge_max_w=rng.choice((2500.0, 5000.0)),
            soc_pct=round(rng.uniform(10, 100), 1),
            lag_s=rng.choice((1.0, 2.0, 4.0)),
        )
        for number in range(rng.choice((0, 0, 0, 1, 1)))
    )


def _grid_meter(rng: random.Random) -> MeterSpec:
    kind = rng.choice(("good", "good", "good", "good", "slow", "noisy"))
    if kind == "slow":
        return MeterSpec(refresh_s=rng.choice((1.0, 5.0)), lag_s=rng.choice((0.0, 2.0)))
    if kind == "noisy":
        return MeterSpec(noise_w=rng.choice((10.0, 40.0)), resolution_w=rng.choice((0.0, 1.0, 10.0)))
    return MeterSpec()


# -- site -----------------------------------------------------------------------------------------------------------------


def _circuits(
    rng: random.Random,
    chargers: tuple[ChargerSpec, ...],
    cars: tuple[CarSpec, ...],
    house: HouseholdSpec,
    battery: tuple[BatterySpec, ...],
) -> tuple[tuple[CircuitSpec, ...], float]:
    """The tree of circuits, and a main fuse that carries everything or has a circuit to save it [A]."""
    cars_a = sum(min(each.box.current_max_a, each.loadpoint.current_max_a) for each in chargers)
    house_a = 2.0 + max([house.constant_w or 0.0, *(watts for _at, watts in house.steps)]) / 230.0
    if house.constant_w is None and not house.steps:
        house_a = 30.0
    battery_a = sum(spec.charge_max_w for spec in battery) / 690.0
    fuse_a = 1.1 * (32.0 * len(cars) + cars_a + house_a + battery_a)
    kind = rng.choice(("none", "none", "grid", "grid", "own", "power", "tree"))
    if kind == "none":
        return (), fuse_a
    least_a = max(16.0, house_a + 8.0 + battery_a)
    main_a = round(least_a + rng.uniform(0, cars_a), 1)
    safe_a = rng.choice((0.0, 6.0)) if len(chargers) * 6.0 + house_a + battery_a < main_a else 0.0
    if kind == "power":
        watts = 690.0 * rng.uniform(8.0, 8.0 + cars_a)
        return (CircuitSpec(name="main", power_max_w=round(watts), has_meter=rng.random() < 0.5),), fuse_a
    main = CircuitSpec(
        name="main",
        current_max_a=main_a,
        uses_grid_meter=kind != "own",
        has_meter=kind == "own",
        safe_current_a=safe_a,
    )
    if kind != "tree":
        return (main,), fuse_a
    branch = CircuitSpec(
        name="branch",
        parent="main",
        current_max_a=round(main_a * rng.uniform(0.5, 0.9), 1),
        has_meter=rng.random() < 0.5,
    )
    return (main, branch), fuse_a


def _under(rng: random.Random, charger: ChargerSpec, circuits: tuple[CircuitSpec, ...]) -> ChargerSpec:
    return _with_loadpoint(charger, circuit=rng.choice(circuits).name)


def _belongs(rng: random.Random, charger: ChargerSpec, cars: tuple[CarSpec, ...]) -> ChargerSpec:
    """Most stations know whose car it is."""
    own = next(car for car in cars if car.visits[0].charger == charger.box.name)
    is_known = rng.random() < 0.7 and not own.name.startswith("guest")
    return _with_loadpoint(charger, vehicle=own.name if is_known else None)


def _with_loadpoint(charger: ChargerSpec, **changes: str | None) -> ChargerSpec:
    return replace(charger, loadpoint=replace(charger.loadpoint, **changes))  # type: ignore[arg-type]  # by their names


def _tariff(rng: random.Random) -> TariffSpec:
    kind = rng.choice(("none", "none", "zones", "market"))
    if kind == "none":
        return TariffSpec()
    zones = ((time(0), 0.22), (time(rng.randint(1, 4)), 0.30), (time(rng.randint(5, 7)), 0.25))
    if kind == "zones":
        return TariffSpec(grid=PriceSpec(zones=zones), feed_in=PriceSpec(zones=((time(0), 0.08),)))
    return TariffSpec(
        grid=PriceSpec(zones=zones, noise=0.2, slot_minutes=rng.choice((15, 60)), day_ahead=True),
        feed_in=PriceSpec(zones=((time(0), 0.08),)),
    )


def _site(rng: random.Random, fuse_a: float, *, has_battery: bool, has_circuits: bool) -> SiteSpec:
    return SiteSpec(
        start=date(2026, rng.randint(1, 12), rng.randint(1, 28)),
        interval_s=rng.choice((10.0, 10.0, 10.0, 30.0)),
        true_voltage_v=rng.choice((None, None, 226.0, 236.0)),
        fuse_a=fuse_a,
        residual_power_w=rng.choice((0.0, 0.0, 100.0, -150.0)),
        priority_soc_pct=rng.choice((0.0, 0.0, 40.0)) if has_battery else 0.0,
        buffer_soc_pct=rng.choice((0.0, 0.0, 80.0)) if has_battery else 0.0,
        skew_s=rng.choice((0.0, 0.0, 0.3)) if has_circuits else 0.0,
    )


# -- what happens ---------------------------------------------------------------------------------------------------------


def _actions(
    rng: random.Random,
    chargers: tuple[ChargerSpec, ...],
    cars: tuple[CarSpec, ...],
    *,
    has_battery: bool,
    has_prices: bool,
) -> tuple[ActionSpec, ...]:
    known = [car.name for car in cars if not car.name.startswith("guest")]
    actions = []
    for _ in range(rng.choice((0, 1, 2, 4, 8))):
        kind = rng.choice(("loadpoint", "loadpoint", "loadpoint", "loadpoint", "vehicle", "assign", "site", "operator"))
        at, loadpoint = _moment(rng), rng.randrange(len(chargers))
        if kind == "loadpoint":
            is_switchable = chargers[loadpoint].box.can_switch_phases
            setting, value = _loadpoint_setting(rng, has_prices=has_prices, is_switchable=is_switchable)
            actions.append(ActionSpec(at=at, loadpoint=loadpoint, setting=setting, value=value))
        elif kind == "vehicle" and known:
            setting = rng.choice(("soc_min_pct", "soc_target_pct"))
            value = float(rng.choice((0, 30, 60)) if setting == "soc_min_pct" else rng.choice((0, 40, 70, 90, 100)))
            actions.append(ActionSpec(at=at, vehicle=rng.choice(known), setting=setting, value=value))
        elif kind == "assign":
            actions.append(ActionSpec(at=at, loadpoint=loadpoint, assign=rng.choice(("", *known))))
        elif kind == "site":
            setting, value = rng.choice(
                (("residual_power_w", 200.0), ("residual_power_w", 0.0), ("buffer_soc_pct", 70.0))
            )
            if setting == "residual_power_w" or has_battery:
                actions.append(ActionSpec(at=at, setting=setting, value=value))
        elif kind == "operator":
            lasts = timedelta(minutes=rng.choice((1, 10, 45, 90)))
            lost_after = rng.choice((None, None, lasts))
            limit_w = float(rng.choice((1500, 4200, 7000, 11000)))
            actions.append(ActionSpec(at=at, operator_limit_w=limit_w, lasts=lasts, lost_after=lost_after))
    return tuple(actions)


def _loadpoint_setting(rng: random.Random, *, has_prices: bool, is_switchable: bool) -> tuple[str, str | float | None]:
    setting = rng.choice(
        (
            "mode",
            "mode",
            "mode",
            "current_min_a",
            "current_max_a",
            "phases_configured",
            "enable_delay",
            "disable_delay",
            "enable_threshold_w",
            "disable_threshold_w",
            "priority",
            "soc_target_pct",
            "soc_min_pct",
            "energy_target_kwh",
            "target_time",
            "target_time",
            "smart_cost_limit",
        )
    )
    options: dict[str, tuple[str | float | None, ...]] = {
        "mode": MODES,
        "current_min_a": (6.0, 8.0, 10.0, 20.0),
        "current_max_a": (6.0, 10.0, 13.0, 16.0, 32.0),
        "phases_configured": (0, 1, 3) if is_switchable else (0,),  # nobody lies about his wiring
        "enable_delay": (0.0, 60.0, 900.0),
        "disable_delay": (0.0, 180.0, 900.0),
        "enable_threshold_w": (0.0, -1500.0, 300.0),
        "disable_threshold_w": (0.0, 300.0),
        "priority": (0, 3, 10),
        "soc_target_pct": (0, 30, 50, 80, 100),
        "soc_min_pct": (0, 25, 50),
        "energy_target_kwh": (0.0, 2.0, 8.0),
        "target_time": ("03:00", "05:30", "07:00", "07:30", None),
        "smart_cost_limit": (0.0, 0.24, None) if has_prices else (None,),
    }
    return setting, rng.choice(options[setting])


def _faults(
    rng: random.Random,
    chargers: tuple[ChargerSpec, ...],
    cars: tuple[CarSpec, ...],
    pv: tuple[PvSpec, ...],
    battery: tuple[BatterySpec, ...],
    circuits: tuple[CircuitSpec, ...],
) -> tuple[FaultSpec, ...]:
    meters = (
        "grid",
        *(each.name for each in pv),
        *(each.name for each in battery),
        *(each.name for each in circuits if each.has_meter),
    )
    faults = []
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        where = rng.choice(("box", "box", "meter", "meter", "car", "site"))
        of = None
        if where == "box":
            box = rng.choice(chargers).box
            kind, device = rng.choice(BOX_FAULTS), box.name
            of = _read_back(rng, kind, box)
        elif where == "meter":
            kind, device = rng.choice(METER_FAULTS), rng.choice(meters)
        elif where == "car":
            kind, device = rng.choice(CAR_FAULTS), rng.choice(cars).name
        else:
            kind, device = rng.choice(SITE_FAULTS), "site"
        lasts = timedelta(seconds=rng.choice((3, 20, 60, 300, 900, 2400)))
        faults.append(
            FaultSpec(
                kind=kind, device=device, at=_moment(rng), lasts=lasts, of=of, params=_params(rng, kind, where, of)
            )
        )
    return tuple(faults)


def _read_back(rng: random.Random, kind: FaultKind, box: WallboxSpec) -> ReadBack | None:
    """Which value reads wrong, of those that the station tells; None: none, or all settings at once, which can only be late."""
    if kind not in READ_BACKS:
        return None
    told = [of for of in ReadBack if of is not ReadBack.PHASES or box.can_switch_phases]
    return rng.choice([None, *told] if kind is FaultKind.READ_BACK_LAG else told)


def _params(rng: random.Random, kind: FaultKind, where: str, of: ReadBack | None) -> dict[str, float]:
    match kind:
        case FaultKind.LYING if where == "car":
            return {"offset_pct": rng.choice((-10.0, 15.0))}
        case FaultKind.LYING:
            return {"factor": rng.choice((0.5, 1.0, 2.0)), "offset_w": rng.choice((-500.0, 0.0, 500.0))}
        case FaultKind.READ_BACK_LAG:
            return {"lag_s": rng.choice((2.0, 10.0, 30.0, 150.0))}
        case FaultKind.READ_BACK_STUCK if of is not None:
            return {"shows": rng.choice(SHOWS[of])}
        case FaultKind.LOSS | FaultKind.DELAY | FaultKind.LOST_REQUESTS:
            rate, delay_s = rng.choice((1.0, 0.7, 0.4)), rng.choice((0.5, 2.0, 4.0, 8.0))
            params = {"rate": rate, "writes_only": rng.choice((0.0, 1.0))}
            return {**params, "delay_s": delay_s} if kind is FaultKind.DELAY else params
        case FaultKind.CLOCK_JUMP:
            return {"seconds": rng.choice((-3600.0, 30.0, 3600.0))}
        case _:
            return {}


def _moment(rng: random.Random) -> time:
    return _wall(rng.uniform(FIRST_HOUR, LAST_HOUR))


def _wall(hours: float) -> time:
    second = int(hours * 3600)
    return time(second // 3600, second // 60 % 60, second % 60)


PACKS = (
    Pack(
        "any_world",
        tuple(range(1, 41)),
        any_world,
        {"number": Span(1, 999_999, whole=True), "faults": Choice(("some", "some", "none"))},
    ),
)

"""Generated worlds in which something fails: cars, devices, the control itself (rows 13, 24-34, 39)."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from evcc_server.profiles.profile import load
from evcc_sim.plants.faults import FaultKind
from evcc_sim.plants.household import HouseholdSpec
from evcc_sim.plants.sky import Sky
from evcc_sim.plants.sunshine import PvSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.worlds.packs import LIMIT_CYCLES, QUIET, Choice, Pack, Span, one_car, wall_time
from evcc_sim.worlds.scenario import (
    ActionSpec,
    ChargerSpec,
    CircuitSpec,
    FaultSpec,
    LoadpointSpec,
    Scenario,
    SiteSpec,
    WeatherSpec,
)
from evcclib.model import ChargeMode


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
    params = {"offset_pct": 15.0} if kind is FaultKind.LYING else {}
    faults = (
        (FaultSpec(kind=kind, device="blue", at=time(7, 30), lasts=timedelta(hours=2), params=params),)
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
            one_car(
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
                loadpoint=LoadpointSpec(mode=ChargeMode(mode), circuit="main" if under_limit == "yes" else None),
            ),
        ),
        car=(one_car("blue", "garage", 7.5, 23.0, capacity_kwh=90.0, soc_pct=15.0),),
        fault=(FaultSpec(kind=FaultKind(kind), device=device, at=wall_time(at_h), lasts=timedelta(seconds=lasts_s)),),
    )


def kill_anywhere(
    *, kind: str = "kill", at_h: float = 12.0, lasts_s: float = 120.0, jump_s: float = 0.0, mode: str = "pv"
) -> Scenario:
    """Control is killed at any moment, and a clock jumps (rows 32-34, 39)."""
    faults = [FaultSpec(kind=FaultKind(kind), device="site", at=wall_time(at_h), lasts=timedelta(seconds=lasts_s))]
    if jump_s:
        faults.append(
            FaultSpec(
                kind=FaultKind.CLOCK_JUMP,
                device="site",
                at=wall_time(at_h + 1),
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
                box=WallboxSpec(name="garage", watchdog_s=60.0),
                loadpoint=LoadpointSpec(mode=ChargeMode(mode), vehicle="blue"),
            ),
        ),
        car=(one_car("blue", "garage", 7.5, 19.5, capacity_kwh=90.0, soc_pct=15.0),),
        action=(
            ActionSpec(at=time(9), loadpoint=0, setting="current_max_a", value=13),
            ActionSpec(at=time(9), loadpoint=0, setting="soc_target_pct", value=90),
        ),
        fault=tuple(faults),
    )


STATIONS = (
    "alfen-ng9xx",
    "keba-p30",
    "heidelberg-ec",
    "abl-emh1",
    "mennekes-compact",
    "webasto-next",
    "goodwe-hca",
    "em2go",
    "smartevse",
    "sungrow-ac",
)
"""One of each kind: who repeats its current, beats, or is asked; pauses by its current, by a switch, by steps; takes a power."""


def is_station(profile: str) -> bool:
    """Whether a profile is one of a charging station."""
    try:
        return load(profile).charger is not None
    except KeyError:
        return False


def lost_answers(
    *,
    kind: str = "loss",
    rate: float = 1.0,
    delay_s: float = 2.0,
    spares_reads: str = "no",
    before_s: float = 2.0,
    lasts_s: float = 600.0,
    house_a: float = 9.0,
    house_lasts_s: float = 1200.0,
    station: str = "alfen-ng9xx",
) -> Scenario:
    """A limit falls while nobody hears what the station answers, or is heard by it late or not at all (rows 9, 13, 30).

    The house takes ``house_a`` more on each phase ten minutes after midnight, ``before_s`` after the fault has begun. Some
    requests always arrive: a station that hears nothing at all cannot be lowered.
    """
    charger = load(station).charger
    assert charger is not None  # `is_station`
    if kind == "lost_requests":
        rate = min(rate, 0.7)
    risen_s = 605.0
    fault_at = timedelta(seconds=round(risen_s - before_s))
    params = {"rate": rate, "writes_only": 1.0 if spares_reads == "yes" else 0.0}
    if kind == "delay":
        params["delay_s"] = delay_s
    calm_w, busy_w = 3 * 230.0, 3 * 230.0 * (1.0 + house_a)
    series = ((0.0, calm_w), (risen_s, busy_w), (risen_s + house_lasts_s, calm_w), (4200.0, busy_w))
    return Scenario(
        name="",
        title="Lost answers",
        hours=1.5,
        site=SiteSpec(fuse_a=20.0),
        household=HouseholdSpec(series=series, split=(1 / 3, 1 / 3, 1 / 3)),
        circuit=(CircuitSpec(name="main", current_max_a=20.0, uses_grid_meter=True, safe_current_a=6.0),),
        charger=(
            ChargerSpec(
                box=WallboxSpec(
                    name="garage",
                    profile=station,
                    current_step_a=charger.step_a,
                    can_switch_phases=charger.phase_switch is not None,
                ),
                loadpoint=LoadpointSpec(mode=ChargeMode.NOW, vehicle="blue", circuit="main"),
            ),
        ),
        car=(one_car("blue", "garage", 0.05, 23.0, capacity_kwh=90.0, soc_pct=15.0),),
        fault=(
            FaultSpec(
                kind=FaultKind(kind),
                device="garage",
                at=(datetime.min + fault_at).time(),
                lasts=timedelta(seconds=lasts_s),
                params=params,
            ),
        ),
    )


PACKS = (
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
        "lost_answers",
        (9, 13, 30),
        lost_answers,
        {
            "kind": Choice(("loss", "loss", "delay", "lost_requests")),
            "rate": Choice((1.0, 1.0, 0.7, 0.4)),
            "delay_s": Span(0.5, 8),
            "spares_reads": Choice(("no", "yes")),
            "before_s": Span(-60, 120),
            "lasts_s": Span(10, 1500),
            "house_a": Span(4, 13),
            "house_lasts_s": Span(20, 2400),
            "station": Choice(STATIONS, is_station),
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
)

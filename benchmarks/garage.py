"""A hundred loadpoints in a tree of three levels: a step under each law, and what dividing sun and limits takes of it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from benchmarks.step import INTERVAL, config_of, readings_of
from benchmarks.timing import percentile
from evcclib import Site
from evcclib.commands import Outcome, Result
from evcclib.config import CircuitConfig, SiteConfig
from evcclib.laws.by_name import LAWS
from evcclib.laws.shares import Bound, Claim, divide
from evcclib.model import Cause, ChargeMode, Now, Sharing

CARS, ROWS, HALLS = 100, 10, 2
STEPS = 60


def _config(law: str, mode: ChargeMode) -> SiteConfig:
    config = config_of(CARS)
    halls = tuple(CircuitConfig(name=f"hall{hall}", parent="main", current_max_a=300.0) for hall in range(HALLS))
    rows = tuple(
        CircuitConfig(name=f"row{row}", parent=f"hall{row % HALLS}", current_max_a=70.0, power_max_w=45_000.0)
        for row in range(ROWS)
    )
    loadpoints = tuple(
        replace(each, mode=mode, circuit=f"row{number % ROWS}") for number, each in enumerate(config.loadpoints)
    )
    main = CircuitConfig(name="main", current_max_a=500.0)
    return replace(config, law=law, loadpoints=loadpoints, circuits=(main, *halls, *rows))


def _step_times_ms(law: str, mode: ChargeMode) -> list[float]:
    start = datetime(2026, 6, 1, 10, tzinfo=UTC)
    site = Site(_config(law, mode), now=Now(timedelta(0), start))
    times = []
    outcomes: tuple[Outcome, ...] = ()
    for number in range(STEPS):
        at = number * INTERVAL
        readings = readings_of(CARS, -200.0 if number % 2 else 100.0, at, outcomes)
        now, cause = Now(at, start + at), Cause.INTERVAL if number else Cause.START
        began = time.process_time()
        decision = site.step(readings, now=now, cause=cause)
        times.append((time.process_time() - began) * 1e3)
        outcomes = tuple(
            Outcome(loadpoint, batch.number, Result.DONE, len(batch.commands))
            for loadpoint, batch in decision.commands.items()
        )
    return times[STEPS // 10 :]


def _division_times_ms() -> list[float]:
    """Cars of one and of three phases, some nearly full, two priorities, every bound tight."""
    claims = [
        Claim(6.0, 16.0, 0.1, number % 2, 8.3 if number % 7 == 0 else math.inf, 230.0 if number % 3 else 690.0)
        for number in range(CARS)
    ]
    phases = [range(3) if claim.unit > 230.0 else (number % 3,) for number, claim in enumerate(claims)]
    bounds = [Bound("sun", 250_000.0, {number: claim.unit for number, claim in enumerate(claims)})]
    circuits = [("main", range(CARS), 420.0)]
    circuits += [(f"hall{hall}", range(hall, CARS, HALLS), 240.0) for hall in range(HALLS)]
    circuits += [(f"row{row}", range(row, CARS, ROWS), 47.0 + row) for row in range(ROWS)]
    bounds += [
        Bound(name, room_a, {each: 1.0 for each in members if phase in phases[each]})
        for name, members, room_a in circuits
        for phase in range(3)
    ]
    times = []
    for _ in range(STEPS):
        began = time.process_time()
        divide(claims, bounds, Sharing.FAIR)
        times.append((time.process_time() - began) * 1e3)
    return times


def run() -> Mapping[str, float]:
    """CPU of a step and of one division [ms]."""
    found = {"division_p50_ms": percentile(_division_times_ms(), 0.5)}
    for law in LAWS:
        for mode in (ChargeMode.PV, ChargeMode.NOW):
            times = _step_times_ms(law, mode)
            found[f"{law}_{mode}_p50_ms"] = percentile(times, 0.5)
            found[f"{law}_{mode}_p99_ms"] = percentile(times, 0.99)
    return found

"""`Site.step` for one loadpoint with battery and pv, for eight loadpoints, and importing the library."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from benchmarks.timing import percentile
from evcclib import Site
from evcclib.commands import Outcome, Result
from evcclib.config import BatteryConfig, ChargerConfig, LoadpointConfig, SiteConfig
from evcclib.model import Cause, ChargeMode, ChargerStatus, Now
from evcclib.readings import BatteryReading, ChargerReading, Measured, MeterReading, Readings

INTERVAL = timedelta(seconds=10)


def config_of(loadpoints: int) -> SiteConfig:
    return SiteConfig(
        time_zone=UTC,
        interval=INTERVAL,
        pv_count=1,
        batteries=(BatteryConfig(capacity_kwh=10.0),),
        loadpoints=tuple(
            LoadpointConfig(mode=ChargeMode.PV, charger=ChargerConfig(current_step_a=0.1)) for _ in range(loadpoints)
        ),
    )


def readings_of(loadpoints: int, grid_w: float, at: timedelta, outcomes: tuple[Outcome, ...]) -> Readings:
    power = 4140.0
    return Readings(
        grid=MeterReading(power_w=Measured(grid_w, at)),
        pv=(MeterReading(power_w=Measured(6000.0, at)),),
        batteries=(BatteryReading(power_w=Measured(-500.0, at), soc_pct=Measured(55.0, at)),),
        chargers=tuple(
            ChargerReading(
                status=Measured(ChargerStatus.C, at),
                is_enabled=Measured(True, at),
                power_w=Measured(power, at),
                currents_a=Measured((6.0, 6.0, 6.0), at),
            )
            for _ in range(loadpoints)
        ),
        outcomes=outcomes,
    )


def _step_times_us(loadpoints: int, steps: int) -> list[float]:
    start = datetime(2026, 6, 1, 10, tzinfo=UTC)
    site = Site(config_of(loadpoints), now=Now(timedelta(0), start))
    times = []
    outcomes: tuple[Outcome, ...] = ()
    for number in range(steps):
        at = number * INTERVAL
        readings = readings_of(loadpoints, -200.0 if number % 2 else 100.0, at, outcomes)
        now = Now(at, start + at)
        cause = Cause.INTERVAL if number else Cause.START
        began = time.perf_counter()
        decision = site.step(readings, now=now, cause=cause)
        times.append((time.perf_counter() - began) * 1e6)
        outcomes = tuple(
            Outcome(loadpoint, batch.number, Result.DONE, len(batch.commands))
            for loadpoint, batch in decision.commands.items()
        )
    return times[steps // 10 :]


def _import_ms() -> float:
    """CPU of the import of real names by an interpreter that has compiled them before."""
    code = (
        "import time; began = time.process_time(); from evcclib import Site; print((time.process_time() - began) * 1e3)"
    )
    with tempfile.TemporaryDirectory() as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        times = [float(subprocess.check_output([sys.executable, "-c", code], env=environment)) for _ in range(16)]
    return percentile(times[1:], 0.5)


def run() -> Mapping[str, float]:
    """Step times [us] and what importing the library costs [ms of CPU]."""
    one, eight = _step_times_us(1, 5000), _step_times_us(8, 1000)
    return {
        "one_loadpoint_p50_us": percentile(one, 0.5),
        "one_loadpoint_p99_us": percentile(one, 0.99),
        "eight_loadpoints_p50_us": percentile(eight, 0.5),
        "eight_loadpoints_p99_us": percentile(eight, 0.99),
        "import_ms": _import_ms(),
    }

"""``evcc-server plan``: what it plans, prints and draws, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from bench import loadpoint, site_config

from evcc_server.tools.plan import lines, next_time, planned
from evcclib.errors import InvalidSetting
from evcclib.model import Now, TariffKind
from evcclib.tariff import Rate, Rates
from evcclib.units import ORIGIN

BERLIN = ZoneInfo("Europe/Berlin")
MIDNIGHT = datetime(2026, 1, 5, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)
PRICES = (0.30, 0.18, 0.18, 0.20, 0.30, 0.32)
CONFIG = """
site: {meters: {grid: grid}}
meters: [{name: grid, type: custom, power: 0}]
chargers: [{name: box, type: custom, status: A, enabled: false, enable: "", maxcurrent: ""}]
loadpoints: [{charger: box}]
tariffs: {grid: {type: fixed, price: 0.3}}
"""


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "evcc_server", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def told(energy_kwh: float, hours: float) -> list[str]:
    rates = Rates.of(Rate(MIDNIGHT + n * HOUR, MIDNIGHT + (n + 1) * HOUR, price) for n, price in enumerate(PRICES))
    preview = planned(
        site_config(loadpoint(phases=3)),
        {TariffKind.GRID: rates},
        loadpoint=0,
        energy_kwh=energy_kwh,
        by=MIDNIGHT + hours * HOUR,
        now=Now(ORIGIN, MIDNIGHT),
    )
    return lines(preview, rates, MIDNIGHT, BERLIN)


def test_a_plan_is_a_table_a_promise_and_a_drawing() -> None:
    assert told(27.6, 6) == [
        "start      end        kW     EUR/kWh  kWh",
        "Tue 01:00  Tue 03:00  11.04  0.1800   22.08",
        "Tue 03:00  Tue 03:30  11.04  0.2000   5.52",
        "",
        "27.60 kWh by Tue 06:00, 5.08 EUR",
        "",
        "Tue 00:00    0.3000",
        "Tue 01:00    0.1800  ########################################",
        "Tue 02:00    0.1800  ########################################",
        "Tue 03:00    0.2000  ####################",
    ]


def test_what_is_not_enough_says_what_would_do() -> None:
    assert told(27.6, 1.5)[3:5] == [
        "",
        "16.56 kWh by Tue 01:30, 4.31 EUR, which is not enough: 11.04 kWh are missing; 1h more would do",
    ]


def test_what_waits_for_its_prices_is_told() -> None:
    assert told(5.0, 8) == [
        "nothing is charged yet",
        "",
        "0.00 kWh by Tue 08:00: all of it fits into the time whose prices are not known yet",
    ]


def test_a_time_of_day_is_the_next_one_of_the_house() -> None:
    assert next_time("00:30", MIDNIGHT, BERLIN) == MIDNIGHT + HOUR / 2
    assert next_time("23:30", MIDNIGHT, BERLIN) == MIDNIGHT + 23.5 * HOUR
    assert next_time("2026-01-06T07:00:00+01:00", MIDNIGHT, BERLIN) == MIDNIGHT + 7 * HOUR
    for wrong in ("soon", "2026-01-05T07:00:00+01:00"):
        with pytest.raises(InvalidSetting):
            next_time(wrong, MIDNIGHT, BERLIN)


def test_the_command_plans_for_the_configured_site_and_refuses_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "evcc.yaml").write_text(CONFIG, encoding="utf-8")
    done = run("plan", "--energy", "11.04", "--by", "2090-01-01T00:00:00Z", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "0.00 kWh by " in done.stdout  # it fits into what is not known yet
    done = run("plan", "2", "--energy", "5", "--by", "07:00", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "evcc-server: loadpoint 2: expected 1 to 1\n")
    done = run("plan", "--energy", "5000", "--by", "07:00", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "evcc-server: energy out of range: 5000 (allowed: 0..1000 kWh)\n")

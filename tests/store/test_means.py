"""Means of the history: energy stays right whatever the samples' rhythm and the clock do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from evcc_server.keeping.means import QUARTER, Mean, MinuteMeans, merged
from evcclib.model import Now
from evcclib.units import Instant

HOLD = timedelta(minutes=2)
START = datetime(2026, 10, 25, 0, 59, 30, tzinfo=UTC)  # half a minute before Berlin's clocks go back


def _now(seconds: float, jumped_s: float = 0.0) -> Now:
    return Now(Instant(timedelta(seconds=seconds)), START + timedelta(seconds=seconds + jumped_s))


def _energy_ws(means: list[Mean]) -> float:
    return sum(mean.mean * mean.seconds for mean in means)


def test_a_minute_is_weighted_by_time_and_split_where_it_ends() -> None:
    means = MinuteMeans(HOLD)
    assert means.take(_now(0), {"grid": 1000.0}) == ()
    assert means.take(_now(40), {"grid": 4000.0}) == (
        Mean(START.replace(second=30) - timedelta(seconds=30), "grid", 1000.0, 30.0),
    )
    (second,) = means.take(_now(90), {"grid": 0.0})
    assert second.seconds == 60.0
    assert second.mean == pytest.approx((10 * 1000.0 + 50 * 4000.0) / 60)


def test_unknown_and_silent_time_is_a_gap_and_no_zero() -> None:
    means = MinuteMeans(HOLD)
    got = [*means.take(_now(0), {"grid": 600.0, "pv": None})]
    got += means.take(_now(3600), {"grid": 600.0, "pv": None})
    assert {mean.series for mean in got} == {"grid"}
    assert sum(mean.seconds for mean in got) == HOLD.total_seconds()
    assert {mean.mean for mean in got} == {600.0}


@pytest.mark.parametrize("jump_s", [-7200.0, -20.0, 20.0, 86400.0])
def test_a_clock_that_jumps_changes_no_energy(jump_s: float) -> None:
    means = MinuteMeans(HOLD)
    got: list[Mean] = []
    for second in range(0, 1210, 10):
        got += means.take(_now(second, jump_s if second >= 300 else 0.0), {"grid": float(second)})
    got += means.take(_now(1210, jump_s + 600), {})
    assert _energy_ws(got) == pytest.approx(sum(10.0 * second for second in range(0, 1210, 10)))
    assert _energy_ws(list(merged(got, QUARTER))) == pytest.approx(_energy_ws(got))

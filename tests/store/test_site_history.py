"""What is sampled: signs apart, unknown as unknown, loadpoints by their chargers; and what waits for the disk."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from api_home import SITE, START

from evcc_server.keeping.site_history import WAITING_MAX, SiteHistory, sampled
from evcclib import Site
from evcclib.view import SiteView

INTERVAL = timedelta(seconds=10)
CHARGERS = ("carport_box", "garage_box")
VIEW = Site(replace(SITE, batteries=SITE.batteries * 2), now=START).view(now=START)


def with_powers(grid_w: float | None, *batteries_w: float | None) -> SiteView:
    batteries = zip(VIEW.batteries, batteries_w or (None, None), strict=True)
    return VIEW._replace(
        grid_power_w=grid_w, batteries=tuple(battery._replace(power_w=power_w) for battery, power_w in batteries)
    )


def test_a_minute_that_buys_and_sells_shows_both() -> None:
    history = SiteHistory(CHARGERS, INTERVAL)
    for number in range(7):
        history.take(with_powers(1200.0 if number % 2 else -1200.0), START.after(number * INTERVAL))
    means = {mean.series: mean.mean for mean in history.take_over()}
    assert (means["gridImport"], means["gridExport"]) == (600.0, 600.0)


@pytest.mark.parametrize(
    ("batteries_w", "charge_w", "discharge_w"),
    [((-800.0, 500.0), 800.0, 500.0), ((-800.0, None), None, None), ((-800.0, -200.0), 1000.0, 0.0)],
)
def test_batteries_are_added_up_by_their_own_signs(
    batteries_w: tuple[float | None, ...], charge_w: float | None, discharge_w: float | None
) -> None:
    values = sampled(with_powers(None, *batteries_w), CHARGERS)
    assert (values["batteryCharge"], values["batteryDischarge"], values["gridImport"]) == (charge_w, discharge_w, None)


def test_a_loadpoint_is_known_by_its_charger_wherever_it_stands() -> None:
    first, second = VIEW.loadpoints
    view = VIEW._replace(loadpoints=(first._replace(charge_power_w=3680.0), second._replace(charge_power_w=11.0)))
    moved = view._replace(loadpoints=(view.loadpoints[1]._replace(title="New name"), view.loadpoints[0]))
    assert sampled(view, CHARGERS) == sampled(moved, CHARGERS[::-1])


def test_nobody_is_believed_for_longer_than_two_intervals_and_the_end_closes_the_minute() -> None:
    history = SiteHistory(CHARGERS, INTERVAL)
    history.take(with_powers(100.0), START)
    history.end(START.after(timedelta(seconds=40)))
    assert {mean.seconds for mean in history.take_over()} == {20.0}
    assert history.take_over() == []


def test_what_waits_for_a_disk_is_bounded_and_the_newest_stay() -> None:
    history = SiteHistory(CHARGERS, INTERVAL)
    history.take(with_powers(100.0), START)
    history.end(START.after(INTERVAL))
    (*_, last) = means = history.take_over()
    history.give_back([*means] * WAITING_MAX)
    assert len(waiting := history.take_over()) == WAITING_MAX
    assert waiting[-1] == last

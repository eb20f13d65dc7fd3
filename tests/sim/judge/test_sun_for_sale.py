"""Sun is sold while that pays, under both laws, and what the judge must notice [STR-13]."""

from __future__ import annotations

from typing import Any

import pytest

from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.scenario import Scenario
from evcc_sim.worlds.variants import resolve
from evcclib.laws.by_name import LAWS
from evcclib.pipeline import goals


def _dear_noon(law: str = "classic") -> Scenario:
    """A clear day whose feed-in pays the limit from eleven to one."""
    return resolve(
        "clear-day",
        changes=[
            f"site.law={law}",
            "hours=14",
            'tariff.feed_in={zones=[["00:00", 0.08], ["11:00", 0.20], ["13:00", 0.08]]}',
            'action=[{at="06:00", loadpoint=0, setting="feed_in_priority_limit", value=0.2}]',
        ],
    )


@pytest.mark.rule("STR-13")
@pytest.mark.parametrize("law", LAWS)
def test_a_car_waits_while_its_sun_is_sold_and_goes_on_afterwards(law: str) -> None:
    run = simulate(_dear_noon(law))
    assert run.violations == ()
    noon, after = 12 * 3600.0, 13.5 * 3600.0
    charging = {
        second: max(each.loadpoints[0].power_w for each in run.trace.instants if abs(each.second - second) < 900)
        for second in (10.5 * 3600.0, noon, after)
    }
    assert charging[noon] == 0 < min(charging[10.5 * 3600.0], charging[after])


def test_the_judge_notices_a_car_that_takes_what_is_to_be_sold(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_known: Any) -> bool:
        return False

    monkeypatch.setattr(goals, "is_worth_selling", never)
    assert {each.invariant for each in simulate(_dear_noon()).violations} == {"sun_is_sold_where_it_pays"}

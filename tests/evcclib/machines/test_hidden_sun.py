"""Sun that an inverter holds back: hoped for, found, given up, and not looked for too dearly."""

from __future__ import annotations

from datetime import timedelta

import pytest

from evcclib.machines.hidden_sun import NOTHING_HIDDEN, HiddenSun, Look, hidden_w, looked
from evcclib.units import ORIGIN

pytestmark = pytest.mark.rule("SITE-25")
HOUSE_W = 300.0


class Roof:
    """An inverter that follows house and car at once, looked at every ten seconds; a control that does what is hoped."""

    def __init__(self, sun_w: float, *, start_w: float = 1380.0, max_w: float = 11_000.0, step_w: float = 1.0) -> None:
        self.sun_w, self.start_w, self.max_w, self.step_w = sun_w, start_w, max_w, step_w
        self.car_w, self.seconds, self.bought_wh, self.starts = 0.0, 0, 0.0, 0
        self.state: HiddenSun = NOTHING_HIDDEN

    def run(self, seconds: int) -> None:
        for _each in range(seconds // 10):
            self.seconds += 10
            load_w = HOUSE_W + self.car_w
            pv_w = min(self.sun_w, load_w)
            self.bought_wh += (load_w - pv_w) * 10 / 3600
            is_on = self.car_w > 0
            self.state = looked(
                self.state,
                Look(
                    ORIGIN + timedelta(seconds=self.seconds),
                    pv_w,
                    load_w - pv_w,
                    self.max_w - self.car_w if is_on else None,
                    None if is_on else self.start_w,
                ),
            )
            surplus_w = pv_w + hidden_w(self.state, pv_w) - HOUSE_W
            wanted_w = min(surplus_w // self.step_w * self.step_w, self.max_w)
            self.starts += not is_on and wanted_w >= self.start_w
            self.car_w = wanted_w if wanted_w >= self.start_w else 0.0


@pytest.mark.parametrize("sun_w", [2000.0, 5000.0, 9000.0])
def test_all_the_sun_is_found_within_five_minutes_and_nothing_but_a_trickle_is_bought_then(sun_w: float) -> None:
    roof = Roof(sun_w)
    roof.run(300)
    bought_wh = roof.bought_wh
    roof.run(3600)
    assert roof.car_w == pytest.approx(sun_w - HOUSE_W + 60.0, abs=60.0)
    assert roof.starts == 1
    assert roof.bought_wh - bought_wh <= 100.0


def test_a_car_that_can_take_no_more_is_left_alone() -> None:
    roof = Roof(9000.0, max_w=3680.0)
    roof.run(600)
    before = roof.state
    roof.run(600)
    assert (roof.car_w, roof.bought_wh) == (3680.0, 0.0)
    assert roof.state.hope_w == before.hope_w


def test_starts_in_vain_become_rare_and_buy_a_bounded_energy() -> None:
    roof = Roof(400.0, start_w=4140.0)
    roof.run(3600)
    assert 2 <= roof.starts <= 6
    roof.run(9 * 3600)
    assert roof.starts <= 6 + 9 * 4
    assert roof.bought_wh <= 100.0 * 10 + 100.0 + 100.0


def test_a_coarse_station_tries_its_next_step_rarely() -> None:
    roof = Roof(5000.0, step_w=690.0)
    roof.run(600)
    before_wh = roof.bought_wh
    roof.run(3600)
    assert roof.bought_wh - before_wh <= 100.0


def test_a_cloud_is_followed_at_once_and_the_sun_after_it() -> None:
    roof = Roof(7000.0)
    roof.run(600)
    roof.sun_w = 2500.0
    roof.run(20)
    assert roof.car_w == pytest.approx(2200.0, abs=100.0)
    roof.sun_w = 7000.0
    roof.run(240)
    assert roof.car_w == pytest.approx(6700.0, abs=100.0)


def test_an_inverter_has_time_to_follow_before_a_hope_is_given_up() -> None:
    at = ORIGIN + timedelta(seconds=100)
    before = HiddenSun(hope_w=2000.0, hoped_at=at, at=at, pv_w=300.0, load_w=300.0, is_trying=True)
    soon = looked(before, Look(at + timedelta(seconds=5), 300.0, 1500.0, 5000.0, None))
    assert soon.hope_w == 2000.0
    late = looked(soon, Look(at + timedelta(seconds=15), 300.0, 1500.0, 5000.0, None))
    assert (late.hope_w, late.start_patience) == (360.0, 2.0)


def test_nothing_is_hoped_for_at_night_with_surplus_in_sight_or_with_nobody_to_take_it() -> None:
    at = ORIGIN + timedelta(seconds=1000)
    night, seen, nobody = (
        looked(NOTHING_HIDDEN, look)
        for look in (
            Look(at, 20.0, 0.0, 5000.0, None),
            Look(at, 3000.0, -500.0, 5000.0, None),
            Look(at, 3000.0, 0.0, None, None),
        )
    )
    assert [hidden_w(night, 20.0), hidden_w(seen, 3000.0), hidden_w(nobody, 3000.0)] == [0.0, 0.0, 0.0]


def test_the_same_sample_is_looked_at_once() -> None:
    look = Look(ORIGIN + timedelta(seconds=10), 3000.0, 0.0, 5000.0, None)
    once = looked(NOTHING_HIDDEN, look)
    assert looked(once, look) is once

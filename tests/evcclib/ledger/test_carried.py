"""States that a step makes anew, field by field, lose none: what a rule does not change is carried over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bench import NOON, S

from evcclib.ledger import meter_ledger, savings, session
from evcclib.model import Now
from evcclib.readings import ABSENT
from evcclib.units import ORIGIN

NOW = Now(60 * S, NOON)
LEDGER = meter_ledger.LedgerState(power_w=4000.0, power_at=ORIGIN)
SESSION = session.connect(position=0, title="", vehicle="", identifier="", meter_kwh=None, now=NOON)
SAVINGS = savings.SavingsState(since=NOON, power_w=4000.0, updated_at=ORIGIN)


def ledger(state: Any) -> Any:
    return meter_ledger.step(state, counter=ABSENT, power_w=5000.0, is_charging=True, now=NOW.instant)


def charged(state: Any) -> Any:
    return session.charge(state, energy_kwh=1.0, mix=session.Mix(green_share=0.5))


def saved(state: Any) -> Any:
    return savings.step(state, now=NOW, charge_power_w=5000.0, green_share=0.5, grid_price=0.3, feed_in_price=0.1)


@pytest.mark.parametrize(
    ("state", "step", "counted"),
    [
        (LEDGER, ledger, {"total_kwh", "bridge_kwh", "counted_kwh", "power_w", "power_at", "counter_kwh"}),
        (
            SESSION,
            charged,
            {"energy_kwh", "mix", "shared_kwh", "solar_kwh", "priced_kwh", "price", "weighed_kwh", "co2_g"},
        ),
        (
            SAVINGS,
            saved,
            {
                *("grid_kwh", "grid_cost", "saved_cost", "self_kwh", "self_cost", "unknown_kwh"),
                *("updated_at", "power_w", "green_share", "grid_price", "feed_in_price"),
            },
        ),
    ],
)
def test_what_is_not_counted_is_carried_over(state: Any, step: Callable[[Any], Any], counted: set[str]) -> None:
    names = set(state._fields)
    assert counted < names
    assert step(state) != state
    for name in sorted(names - counted):
        mark = object()
        assert getattr(step(state._replace(**{name: mark})), name) is mark, name
    for name in sorted(counted):
        if name.endswith(("_kwh", "_cost")) or name in ("price", "co2_g"):
            assert getattr(step(state._replace(**{name: 3.5})), name) >= 3.5, name

"""What charging with own energy has saved [SAV-1..SAV-4].

Energy is the power held since the last step: a step more or less in between changes nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from evcclib.machines.hold import first_after
from evcclib.model import Now
from evcclib.units import HOUR, ZERO, Instant, energy_kwh
from evcclib.view import SavingsView

DEFAULT_GRID_PRICE = 0.30
DEFAULT_FEED_IN_PRICE = 0.08
GAP_MAX = HOUR
"""Time without any step (the server was down) beyond which nobody knows what was charged and it is left out, give or take
`HELD_MAX`."""

HELD_MAX = GAP_MAX / 4
"""How long what is held may go uncounted while it stays the same."""


class SavingsState(NamedTuple):
    """Totals since ``since`` in kWh and currency, and the power, share and prices that hold from ``updated_at`` on.

    ``unknown_kwh`` is what was charged while nobody knew whose energy it was: part of neither side.
    """

    since: datetime
    grid_kwh: float = 0.0
    grid_cost: float = 0.0
    saved_cost: float = 0.0
    self_kwh: float = 0.0
    self_cost: float = 0.0
    unknown_kwh: float = 0.0
    updated_at: Instant | None = None
    power_w: float = 0.0
    green_share: float | None = None
    grid_price: float = DEFAULT_GRID_PRICE
    feed_in_price: float = DEFAULT_FEED_IN_PRICE


def step(
    state: SavingsState,
    *,
    now: Now,
    charge_power_w: float,
    green_share: float | None,
    grid_price: float | None,
    feed_in_price: float | None,
) -> SavingsState:
    """Account for the time since the last step, then hold the new ``charge_power_w`` [W] of all loadpoints together.

    ``green_share`` (0..1) is the cars' [DEF-40], None while unknown; unknown prices take the defaults [SAV-3]. The same state
    comes back while nothing is being charged, and for a while when nothing has changed.
    """
    power_w = max(0.0, charge_power_w)
    if power_w == 0.0 and state.power_w == 0.0:
        return state
    green_share = None if green_share is None else min(max(green_share, 0.0), 1.0)
    grid_price = DEFAULT_GRID_PRICE if grid_price is None else grid_price
    feed_in_price = DEFAULT_FEED_IN_PRICE if feed_in_price is None else feed_in_price
    if (
        state.power_w == power_w
        and state.green_share == green_share
        and state.grid_price == grid_price
        and state.feed_in_price == feed_in_price
        and state.updated_at is not None
        and timedelta(0) <= now.instant - state.updated_at < HELD_MAX
    ):
        return state  # what is held goes on
    return SavingsState(
        state.since,
        *_totals(state, now.instant),
        updated_at=now.instant,
        power_w=power_w,
        green_share=green_share,
        grid_price=grid_price,
        feed_in_price=feed_in_price,
    )


def next_change(state: SavingsState, instant: Instant) -> Instant | None:
    """When `step` could make something else of the same values: what is held must be counted now and then."""
    if state.power_w == 0 or state.updated_at is None:
        return None
    return first_after(instant, state.updated_at + HELD_MAX)


def view(state: SavingsState, *, now: Now, grid_price: float | None) -> SavingsView:
    """The totals up to ``now``; before anything is charged the effective price is the grid's [SAV-4]."""
    counted = _totals(state, now.instant)
    known_kwh = counted.grid_kwh + counted.self_kwh
    none_price = DEFAULT_GRID_PRICE if grid_price is None else grid_price
    return SavingsView(
        since=state.since,
        total_charged_kwh=known_kwh + counted.unknown_kwh,
        grid_charged_kwh=counted.grid_kwh,
        self_consumption_charged_kwh=counted.self_kwh,
        self_consumption_pct=100.0 * counted.self_kwh / known_kwh if known_kwh > 0 else 0.0,
        effective_price=(counted.grid_cost + counted.self_cost) / known_kwh if known_kwh > 0 else none_price,
        amount=counted.saved_cost,
    )


class _Totals(NamedTuple):
    """Those of a `SavingsState`, in the same order."""

    grid_kwh: float
    grid_cost: float
    saved_cost: float
    self_kwh: float
    self_cost: float
    unknown_kwh: float


def _totals(state: SavingsState, instant: Instant) -> _Totals:
    """The totals with what has been charged since the last step."""
    self_kwh = grid_kwh = unknown_kwh = 0.0
    if state.updated_at is not None and state.power_w != 0.0:
        elapsed = instant - state.updated_at
        if ZERO < elapsed <= GAP_MAX + HELD_MAX:
            charged_kwh = energy_kwh(state.power_w, elapsed)
            if state.green_share is None:
                unknown_kwh = charged_kwh
            else:
                self_kwh = charged_kwh * state.green_share
                grid_kwh = charged_kwh - self_kwh
    return _Totals(
        state.grid_kwh + grid_kwh,
        state.grid_cost + grid_kwh * state.grid_price,
        state.saved_cost + self_kwh * (state.grid_price - state.feed_in_price),
        state.self_kwh + self_kwh,
        state.self_cost + self_kwh * state.feed_in_price,
        state.unknown_kwh + unknown_kwh,
    )

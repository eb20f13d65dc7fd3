"""The order in which trio takes the tasks that are ready follows from a seed, and properties meet many of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio_test import in_real_time, in_virtual_time, orders

from evcc_sim.runs.virtual_time import run_virtually

TASKS = 5


async def taken() -> tuple[int, ...]:
    """The order in which tasks that are ready together are taken."""
    seen: list[int] = []

    async def go(number: int) -> None:
        await trio.lowlevel.checkpoint()
        seen.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(TASKS):
            nursery.start_soon(go, number)
    return tuple(seen)


def test_an_order_follows_from_its_seed() -> None:
    first = [run_virtually(taken, seed=seed) for seed in range(20)]
    assert [run_virtually(taken, seed=seed) for seed in range(20)] == first
    assert len(set(first)) > 10


@pytest.mark.parametrize("decorated", [in_virtual_time, in_real_time])
def test_the_examples_of_a_property_meet_many_orders(decorated: Callable[..., Callable[..., None]]) -> None:
    met: dict[int, set[tuple[int, ...]]] = {}

    @settings(max_examples=50)
    @given(orders)
    @decorated
    async def look(order: int) -> None:
        met.setdefault(order, set()).add(await taken())

    look()
    assert all(len(each) == 1 for each in met.values())  # what has failed fails again
    assert len(set.union(*met.values())) > 10


@pytest.mark.parametrize("decorated", [in_virtual_time, in_real_time])
def test_a_property_without_an_order_is_refused(decorated: Callable[..., Callable[..., None]]) -> None:
    @given(st.just(1))
    @decorated
    async def look(number: int) -> None:
        raise AssertionError

    with pytest.raises(TypeError, match="order"):
        look()

"""Run an async test under trio: in virtual time (waits cost nothing, order is fixed by a seed) or in real time.

``order`` is the seed of the order in which trio takes the tasks that are ready; a decorated test gets it by having an argument of
that name. What fails in one order fails in it again. Hypothesis starts trio's shuffle anew before each example, so that all would
meet the same one: a property must have the argument, drawn from `orders`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import ParamSpec, TypeVar

import trio
from hypothesis import currently_in_test_context
from hypothesis import strategies as st

from evcc_sim.runs.virtual_time import run_virtually, scheduled

P = ParamSpec("P")
T = TypeVar("T")

orders = st.integers(0, 2**16 - 1)


def run_deterministic(main: Callable[[], Awaitable[T]], *, order: int | None = None) -> T:
    """``trio.run`` under a clock that jumps to the next deadline."""
    return run_virtually(main, seed=_drawn(order) or 0)


def in_virtual_time(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Decorate an async test: no real waiting."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        run_deterministic(functools.partial(test, *args, **kwargs), order=_order_in(kwargs))

    return run


def in_real_time(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Decorate an async test that talks to real sockets, processes or threads."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        order = _drawn(_order_in(kwargs))
        with contextlib.nullcontext() if order is None else scheduled(order):
            trio.run(functools.partial(test, *args, **kwargs))

    return run


def _order_in(arguments: Mapping[str, object]) -> int | None:
    order = arguments.get("order")
    assert order is None or isinstance(order, int)
    return order


def _drawn(order: int | None) -> int | None:
    if order is None and currently_in_test_context():
        raise TypeError("all examples of this property would meet one order of tasks: draw ``order`` from `orders`")
    return order

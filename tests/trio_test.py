"""Run an async test under trio: in virtual time (waits cost nothing, order is fixed by a seed) or in real time."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

import trio
import trio._core._run as trio_run
import trio.testing

P = ParamSpec("P")
T = TypeVar("T")


def run_deterministic(main: Callable[[], Awaitable[T]], *, seed: int = 0) -> T:
    """``trio.run`` under a clock that jumps to the next deadline, with a scheduling order fixed by ``seed``."""
    allowed = trio_run._ALLOW_DETERMINISTIC_SCHEDULING
    trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # trio's own Hypothesis plugin sets it too
    trio_run._r.seed(seed)
    try:
        return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    finally:
        trio_run._ALLOW_DETERMINISTIC_SCHEDULING = allowed  # type: ignore[misc]  # as above


def in_virtual_time(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Decorate an async test: no real waiting."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        run_deterministic(functools.partial(test, *args, **kwargs))

    return run


def in_real_time(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Decorate an async test that talks to real sockets, processes or threads."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        trio.run(functools.partial(test, *args, **kwargs))

    return run

"""Running trio in virtual time, in the same order each time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import trio
import trio._core._run as trio_run
import trio.testing
from trio.abc import Instrument

T = TypeVar("T")


def run_virtually(main: Callable[[], Awaitable[T]], *, seed: int, instruments: Sequence[Instrument] = ()) -> T:
    """Run ``main`` under a clock that jumps to the next deadline whenever nothing can run, in the order of ``seed``."""
    with scheduled(seed):
        return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0), instruments=instruments)


@contextmanager
def scheduled(seed: int) -> Iterator[None]:
    """Within, ``trio.run`` takes the tasks that are ready in an order that follows from ``seed``.

    trio shuffles them; Hypothesis starts that shuffle anew, always alike, before each example. The two private names are the
    ones that trio's own Hypothesis plugin uses.
    """
    allowed, state = trio_run._ALLOW_DETERMINISTIC_SCHEDULING, trio_run._r.getstate()
    trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # trio's own Hypothesis plugin sets it too
    trio_run._r.seed(seed)
    try:
        yield
    finally:
        trio_run._ALLOW_DETERMINISTIC_SCHEDULING = allowed  # type: ignore[misc]  # as above
        trio_run._r.setstate(state)

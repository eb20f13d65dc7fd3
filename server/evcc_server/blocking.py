"""The one door through which blocking calls leave the event loop.

In real time they run in a worker thread. Under virtual time a thread would let trio's clock jump ahead, so the simulator
installs `inline`, which calls the function in place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

T = TypeVar("T")


class RunBlocking(Protocol):
    """Runs ``function`` to its end, even if the caller is cancelled meanwhile, and returns what it returns."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]: ...


def in_thread(limit: int = 1) -> RunBlocking:
    """A door with at most ``limit`` calls at a time, in worker threads."""
    limiter = anyio.CapacityLimiter(limit)

    async def run(function: Callable[[], T], /) -> T:
        return await anyio.to_thread.run_sync(function, limiter=limiter)

    return run


async def inline(function: Callable[[], T], /) -> T:
    """Call in place: for virtual time, where no thread may run."""
    await anyio.lowlevel.checkpoint()
    return function()

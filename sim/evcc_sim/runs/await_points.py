"""Where a process can be killed: before any step of trio's scheduler while a server lives.

`Survey` counts the steps of a run and notes where each task then waits; `Killer` strikes before one of them. Both see the same
steps in the same order, so a number names a moment.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import trio
from trio.abc import Instrument

SERVER = "evcc_server"
OURS = frozenset({SERVER, "evcc_sim"})
"""The packages whose lines tell one await from another; below them every task waits in the same lines of trio."""


class AwaitPoint(NamedTuple):
    """A task's name, and the lines at which its coroutines wait, outermost first; none: it has not begun."""

    task: str
    lines: tuple[str, ...]
    is_servers: bool
    """Whether it is the server that waits, not a plant or a client."""

    def __str__(self) -> str:
        return f"{self.task.removeprefix('evcc_server.').removeprefix('evcc_sim.')} at {' > '.join(self.lines) or 'its start'}"


class Steps(Instrument):
    """Counts the scheduler's steps, from 1, between `arm` and `disarm`, as long as anybody may be killed."""

    def __init__(self) -> None:
        self.count = 0
        self._strike: Callable[[], None] | None = None
        self._until = math.inf

    def arm(self, strike: Callable[[], None], until: float) -> None:
        """A server begins to live; ``strike`` kills it, if trio's clock shows less than ``until``."""
        self._strike = strike
        self._until = until

    def disarm(self) -> None:
        """The server has ended."""
        self._strike = None

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """See trio."""
        if self._strike is not None and trio.current_time() < self._until:
            self.count += 1
            self.step(task, self._strike)

    @abstractmethod
    def step(self, task: trio.lowlevel.Task, strike: Callable[[], None]) -> None:
        """``task`` is about to go on; the step's number is `count`."""


class Survey(Steps):
    """Notes the await point of every step: ``points[0]`` belongs to step 1."""

    def __init__(self) -> None:
        super().__init__()
        self.points: list[AwaitPoint] = []

    def step(self, task: trio.lowlevel.Task, strike: Callable[[], None]) -> None:  # noqa: ARG002  kills nobody
        """See `Steps`."""
        self.points.append(await_point(task))


class Killer(Steps):
    """Kills before step ``at_step``, once. ``point`` then says where that was."""

    def __init__(self, at_step: int) -> None:
        super().__init__()
        self.at_step = at_step
        self.point: AwaitPoint | None = None

    def step(self, task: trio.lowlevel.Task, strike: Callable[[], None]) -> None:
        """See `Steps`."""
        if self.count == self.at_step:
            self.point = await_point(task)
            strike()


def await_point(task: trio.lowlevel.Task) -> AwaitPoint:
    """Where ``task`` waits."""
    lines = []
    is_servers = task.name.startswith(SERVER)
    for frame, line in task.iter_await_frames():
        path = Path(frame.f_code.co_filename)
        if frame.f_lasti >= 0 and not OURS.isdisjoint(path.parts):
            lines.append(f"{path.stem}:{line}")
            is_servers |= SERVER in path.parts
    return AwaitPoint(task.name, tuple(lines), is_servers)

"""SimPy slaved to trio: trio's clock is the master, the world catches up whenever somebody looks at it.

`WorldClock.sync` before each access to a device makes what it shows exact. `WorldClock.pump` is only needed so that the world
also moves while nobody looks. Both work on virtual and on real time.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import trio

from evcc_sim.worlds.house import House

PUMP_MAX_S = 3600.0
"""The pump looks at least this often; an event scheduled meanwhile by a device access waits for it no longer."""


class WorldClock:
    """Second 0 of the house is the moment of construction."""

    def __init__(self, house: House, *, advance: Callable[[float], None] | None = None) -> None:
        self.house = house
        self._advance = advance or house.run
        self._time = trio.lowlevel.current_clock().current_time  # asked at every access to a device
        self._origin_s = self._time() - house.now_s

    @property
    def now_s(self) -> float:
        """Seconds of the house's environment, as trio's clock has it."""
        return self._time() - self._origin_s

    def sync(self) -> None:
        """Bring the house up to now, what happens exactly now included."""
        self._advance(self.now_s)

    async def pump(self, *, step_max_s: float = PUMP_MAX_S) -> None:
        """Keep the world moving for ever."""
        while True:
            self.sync()
            next_s = min(self.house.env.peek(), self.now_s + step_max_s)
            if math.isinf(next_s):
                await trio.sleep(step_max_s)
            else:
                await trio.sleep_until(self._origin_s + next_s)

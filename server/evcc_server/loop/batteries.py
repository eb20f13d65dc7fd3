"""A battery under command: its mode lasts as long as the control loop renews it, and no longer [BAT-5].

The control loop, alive, says each mode again before it expires; that writes nothing. What repeats a mode to keep a device's own
watchdog calm does so only as long, and when the time is over the battery is brought back to normal from here.
"""

from __future__ import annotations

import logging

import trio

from evcc_server.clock import Clock
from evcc_server.devices.contract import BatteryControl
from evcc_server.errors import DeviceError
from evcc_server.loop.pollers import Health
from evcclib.commands import BatteryCommand, BatteryMode
from evcclib.units import Instant

_log = logging.getLogger(__name__)

LOOK_S = 5.0
"""How often to look whether the time is over or the device wants to be told again; shorter than any watchdog."""
DEADLINE_S = 10.0


class BatteryLease:
    """One battery, and until when it stays in the mode that it was told."""

    def __init__(self, name: str, device: BatteryControl, clock: Clock) -> None:
        self.name = name
        self._device = device
        self._clock = clock
        self._health = Health(f"{name} mode")
        self._mode: BatteryMode | None = None  # that the device has confirmed last; None: nobody knows
        self._expires_at: Instant | None = None
        self._is_guarded = False

    def is_in(self, mode: BatteryMode) -> bool:
        """Whether the battery is known to be in ``mode``."""
        return self._mode is mode

    async def obey(self, command: BatteryCommand) -> None:
        """Write the mode, unless the battery is in it, and keep it until it expires. Raises `DeviceError`."""
        if self._mode is not command.mode:
            before = self._mode, self._expires_at
            self._expires_at = command.expires_at or before[1]
            try:
                await self._write(command.mode)
            except DeviceError as error:
                if error.left_unchanged:
                    self._mode, self._expires_at = before
                raise
        self._expires_at = command.expires_at

    async def guard(self) -> None:
        """Until the battery is free: keep its own watchdog calm, and free it when nobody has renewed its mode in time."""
        if self._is_guarded:
            return
        self._is_guarded = True
        kicked_at_s = trio.current_time()
        while self._expires_at is not None:
            await trio.sleep(LOOK_S)
            period = self._device.keepalive
            if self._expires_at is not None and self._clock.instant() >= self._expires_at:
                await self._free()
            elif period is not None and trio.current_time() + LOOK_S > kicked_at_s + period.total_seconds():
                kicked_at_s = trio.current_time()
                await self._kick()
        self._is_guarded = False

    async def _free(self) -> None:
        try:
            with trio.fail_after(DEADLINE_S):
                await self._write(BatteryMode.NORMAL)
        except (DeviceError, trio.TooSlowError) as error:
            self._failed(error)
        else:
            self._health.answered()
            self._expires_at = None
            _log.warning("%s: nobody has renewed its mode, so it is free again", self.name)

    async def _kick(self) -> None:
        try:
            with trio.fail_after(DEADLINE_S):
                await self._device.kick()
        except (DeviceError, trio.TooSlowError) as error:
            self._failed(error)
        else:
            self._health.answered()

    async def _write(self, mode: BatteryMode) -> None:
        self._mode = None
        await self._device.set_mode(mode.value)
        self._mode = mode

    def _failed(self, error: BaseException) -> None:
        self._health.failed(error if isinstance(error, DeviceError) else TimeoutError("no answer in time"))

"""Each device's own task: read it, hand the sample on, come back. A dead device costs nothing to the others."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

import trio

from evcc_server.clock import Clock
from evcc_server.errors import DeviceError
from evcclib.units import Instant

_log = logging.getLogger(__name__)

WATCHDOG_LOOK_S = 5.0
"""How often to look whether a device has begun to want kicks; shorter than any watchdog."""

V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)


class Readable(Protocol[V_co]):
    """A meter or a charger, as far as polling goes."""

    async def read(self) -> V_co: ...


class Health:
    """Whether a device answers; says so in the log once when that changes, not at every poll."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_ok = True
        self.words = ""  # of the last failure
        self._kind: type[BaseException] | None = None

    def failed(self, error: BaseException) -> None:
        """Note a failed exchange."""
        self.words = str(error) or type(error).__name__
        # The kind of failure decides, not its words: those count down to the next try.
        if self.is_ok or type(error) is not self._kind:
            _log.warning("%s: %s", self.name, self.words)
        self.is_ok = False
        self._kind = type(error)

    def answered(self) -> None:
        """Note a good exchange."""
        if not self.is_ok:
            _log.warning("%s: answers again", self.name)
        self.is_ok = True
        self._kind = None


class Poller(Generic[V]):
    """Reads one device when asked to by `poke`, and every ``period`` by itself when that is given.

    ``sink`` gets each sample with the instant at which it was asked for: a sample is never younger than it looks.
    ``prepare`` brings the device under control before its first read and after each loss.
    """

    def __init__(
        self,
        name: str,
        device: Readable[V],
        *,
        clock: Clock,
        deadline: timedelta,
        period: timedelta | None,
        sink: Callable[[str, V, Instant], None],
        prepare: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.health = Health(name)
        self._name = name
        self._device = device
        self._clock = clock
        self._deadline_s = deadline.total_seconds()
        self._period_s = None if period is None else period.total_seconds()
        self._sink = sink
        self._poke = trio.Event()
        self._done = trio.Event()
        self._prepare = prepare
        self._is_prepared = False

    @property
    def name(self) -> str:
        """The device's configured name."""
        return self._name

    def poke(self) -> trio.Event:
        """Ask for a read now; the event is set when one that began afterwards has ended, well or not."""
        self._poke.set()
        return self._done

    async def run(self) -> None:
        """Poll for ever."""
        while True:
            # One scope for all reads until one takes too long: a new one for each costs as much as a request.
            with trio.CancelScope() as patience:
                while not patience.cancel_called:
                    await self._wait()
                    self._poke = trio.Event()
                    done, self._done = self._done, trio.Event()
                    try:
                        await self._read(patience)
                    finally:
                        done.set()
            if patience.cancelled_caught:
                self._lost(TimeoutError("no answer in time"))

    async def _wait(self) -> None:
        if self._period_s is None:
            await self._poke.wait()
        else:
            with trio.CancelScope(deadline=trio.current_time() + self._period_s):
                await self._poke.wait()

    async def _read(self, patience: trio.CancelScope) -> None:
        at = self._clock.instant()
        patience.deadline = trio.current_time() + self._deadline_s
        try:
            if self._prepare is not None and not self._is_prepared:
                await self._prepare()
                self._is_prepared = True
            values = await self._device.read()
        except DeviceError as error:
            self._lost(error)
        except trio.TooSlowError:
            self._lost(TimeoutError("no answer in time"))
        except Exception as error:  # noqa: BLE001  # a driver's mistake must not take the other devices down
            if self.health.is_ok:
                _log.exception("%s: the driver failed", self._name)
            self._lost(error)
        else:
            self.health.answered()
            self._sink(self._name, values, at)
        finally:
            patience.deadline = math.inf

    def _lost(self, error: BaseException) -> None:
        self.health.failed(error)
        # After a loss the device may have restarted: bring it under control again before believing it.
        self._is_prepared = False


class Watched(Protocol):
    """A device whose watchdog wants to be kicked; see `evcc_server.devices.contract.Charger`."""

    @property
    def keepalive(self) -> timedelta | None: ...

    async def kick(self) -> None: ...


async def keep_alive(name: str, device: Watched, *, deadline: timedelta) -> None:
    """Kick ``device``'s watchdog as often as it asks for, for ever; how often it is known only once it has been started."""
    health = Health(f"{name} watchdog")
    while True:
        period = device.keepalive
        await trio.sleep(WATCHDOG_LOOK_S if period is None else period.total_seconds())
        if device.keepalive is None:
            continue
        try:
            with trio.fail_after(deadline.total_seconds()):
                await device.kick()
        except (DeviceError, trio.TooSlowError) as error:
            health.failed(error if isinstance(error, DeviceError) else TimeoutError("no answer in time"))
        else:
            health.answered()

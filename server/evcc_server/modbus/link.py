"""One physical connection and everything that must be true of it.

One request at a time, the most urgent first; a pause before each request where a device needs one; a deadline over each
request. After any failure, time-out or cancellation the stream is closed (a tty is flushed), so a late answer never meets the
next request; and it is closed with a reset, so that what the network has not delivered yet is dropped: repeated by the kernel
seconds later, an old setpoint would overtake a newer one on the next connection. A connection that cannot be opened is tried
again after 1 s, then 2 s, doubling to 30 s; until then requests fail at once with `DeviceDown`. A unit that is silent is left
alone by polls for as long, so that it does not take the others' time; commands to it are always tried.

An error says whether the request may have been carried out all the same (`DeviceError.left_unchanged`): that it was never sent,
or that it was refused when it was sent once, is certain; anything else is not.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, runtime_checkable

import anyio
import anyio.lowlevel
import trio
from anyio.abc import ByteStream, SocketAttribute

from evcc_server.errors import DeviceDown, DeviceError, DeviceImplausible, DeviceRefused, DeviceSilent
from evcc_server.modbus.turns import Priority, Turns
from evcc_server.modbus.wire import Answer, Exchange, Framing, Request, WireError, exception_text, is_read

Connect = Callable[[], Awaitable[ByteStream]]
Trace = Callable[[bool, bytes], None]

BACKOFF_MAX_S = 30.0
QUIET_MAX_S = 10.0
CONNECT_TIMEOUT_S = 5.0
SETTLE_S = 0.1  # after a time-out a gateway may still hold the late answer of a serial device
RECEIVE_BYTES = 512
UNCERTAIN_CODES = frozenset({4, 5, 11})
"""Exceptions of a device that failed in the midst of it, or is still at it, and of a gateway that has got no answer."""
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: closing throws away what was not delivered
_LOST = (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError, OSError)


@runtime_checkable
class Resyncable(Protocol):
    """A stream that need not be reopened after a failure: it can be brought to silence instead."""

    async def resync(self) -> None:
        """Throw away what arrives until the line is silent for 3.5 characters."""


@runtime_checkable
class Discardable(Protocol):
    """A stream that knows what has already arrived."""

    def discard_pending(self) -> None:
        """Throw it away, without waiting for more. Raises `anyio.EndOfStream` when the other end has gone."""


class ModbusRefused(DeviceRefused):
    """The device answered with the Modbus exception ``code``; ``sendings``: how often it was sent, the last one was answered."""

    def __init__(self, request: Request, code: int, *, sendings: int = 1) -> None:
        is_certain = sendings == 1 and code not in UNCERTAIN_CODES
        super().__init__(f"{request}: {exception_text(code)}", left_unchanged=is_certain)
        self.code = code


def backoff_s(failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return min(BACKOFF_MAX_S, 2.0 ** max(0, min(failures, 10) - 1)) if failures else 0.0


class Link:
    """A connection shared by all units behind it. ``connect`` opens the stream; ``trace`` sees every frame."""

    def __init__(
        self,
        connect: Connect,
        framing: Framing,
        *,
        name: str = "modbus",
        connect_delay_s: float = 0.0,
        trace: Trace | None = None,
    ) -> None:
        self.name = name
        self.framing = framing
        self.connect_delay_s = connect_delay_s
        self.trace = trace
        self._connect = connect
        self._turns = Turns()
        self._stream: ByteStream | None = None
        self._discardable: Discardable | None = None  # the stream, if it is
        self._transaction = 0
        self.openings = 0  # how often the connection was opened: another device may be behind it now
        self._failures = 0  # to open the connection, or losses without an answer since it was opened
        self._retry_at = 0.0
        self._is_unsettled = False
        self._echoes = False  # the line brings back what is sent
        self._strayed: int | None = None  # transaction id of an answer that has come in place of the one awaited
        self._sendings = 0  # of the request whose turn it is
        self.delays_s: dict[int, float] = {}  # by unit: the pause it needs, whoever asks
        self._heard_at: dict[int, float] = {}
        self._silences: dict[int, int] = {}
        self._quiet_until: dict[int, float] = {}

    def __repr__(self) -> str:
        return f"Link({self.name}, {self.framing.value})"

    @property
    def is_open(self) -> bool:
        """Whether there is a stream at the moment."""
        return self._stream is not None

    async def request(
        self,
        request: Request,
        *,
        timeout_s: float = 1.0,
        min_delay_s: float = 0.0,
        priority: Priority = Priority.POLL,
        doubles: bool = False,
    ) -> tuple[int, ...]:
        """Send ``request`` and return the values read.

        ``timeout_s`` counts from when it is this request's turn and the connection is open. ``doubles``: the request is sent
        once before and that answer is ignored. Raises `DeviceSilent`, `DeviceDown`, `ModbusRefused`, `DeviceImplausible`;
        `ValueError` for what no frame can carry.
        """
        (answer,) = await self.request_all(
            (request,), timeout_s=timeout_s, min_delay_s=min_delay_s, priority=priority, doubles=doubles
        )
        if isinstance(answer, ModbusRefused):
            raise answer
        return answer

    async def request_all(
        self,
        requests: Sequence[Request],
        *,
        timeout_s: float = 1.0,
        min_delay_s: float = 0.0,
        priority: Priority = Priority.POLL,
        doubles: bool = False,
    ) -> list[tuple[int, ...] | ModbusRefused]:
        """Each of ``requests`` in its turn, as `request` does; others may come between them.

        Ends with the first that is refused: the refusal is the last of the answers, and there are none to the requests after it.
        """
        answers: list[tuple[int, ...] | ModbusRefused] = []
        while len(answers) < len(requests):
            # One scope whose deadline moves along: a new one for each request costs as much as the request itself.
            with trio.CancelScope() as patience:
                for request in requests[len(answers) :]:
                    answer = await self._request(request, patience, timeout_s, min_delay_s, priority, doubles)
                    if isinstance(answer, ModbusRefused):
                        return [*answers, answer]
                    answers.append(answer)
                    if len(answers) < len(requests) and patience.cancel_called:
                        break  # it came just in time; the next one must not suffer for that
            if patience.cancelled_caught:
                if self._strayed is not None:
                    text = f"answered with transaction id {self._strayed} in place of {self._transaction}"
                    raise DeviceImplausible(f"{self.name}: {requests[len(answers)]}: {text}")
                if priority is not Priority.GUEST:  # what others ask of a unit says nothing about our own polls
                    self._note_silence(requests[len(answers)].unit)
                raise DeviceSilent(f"{self.name}: {requests[len(answers)]}: no answer within {timeout_s:g} s")
        return answers

    async def _request(
        self,
        request: Request,
        patience: trio.CancelScope,
        timeout_s: float,
        min_delay_s: float,
        priority: Priority,
        doubles: bool,
    ) -> tuple[int, ...] | ModbusRefused:
        self._check_reachable(request, priority)
        has_waited = not self._turns.take_free()
        if has_waited:
            patience.deadline = math.inf
            await self._turns.take(priority)
        self._sendings = 0
        try:
            if has_waited:
                self._check_reachable(request, priority)
            min_delay_s = max(min_delay_s, self.delays_s.get(request.unit, 0.0))
            if min_delay_s > 0:
                patience.deadline = math.inf
                await self._keep_distance(request.unit, min_delay_s)
            if doubles:
                patience.deadline = math.inf
                await self._wake_with(request, timeout_s)
            answer = await self._attempt(request, patience, timeout_s)
            if answer.exception is None:
                return answer.values
            return ModbusRefused(request, answer.exception, sendings=self._sendings)
        except DeviceError as error:
            error.left_unchanged = self._sendings == 0
            raise
        finally:
            self._turns.pass_on()

    async def aclose(self) -> None:
        """Close the connection; the next request opens it again."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(stream)

    def _check_reachable(self, request: Request, priority: Priority) -> None:
        if self._stream is not None and request.unit not in self._quiet_until:
            return
        now = trio.current_time()
        if self._stream is None and now < self._retry_at:
            in_s = self._retry_at - now
            raise DeviceDown(f"{self.name}: not connected, next try in {in_s:.0f} s", left_unchanged=True)
        if priority >= Priority.POLL and now < self._quiet_until.get(request.unit, now):
            text = f"{self.name}: unit {request.unit} has been silent, next try in a moment"
            raise DeviceSilent(text, left_unchanged=True)

    async def _keep_distance(self, unit: int, min_delay_s: float) -> None:
        await anyio.sleep_until(self._heard_at.get(unit, trio.current_time()) + min_delay_s)

    async def _wake_with(self, request: Request, timeout_s: float) -> None:
        try:
            with trio.CancelScope() as patience:
                await self._attempt(request, patience, timeout_s / 4)
        except DeviceImplausible:
            await anyio.lowlevel.checkpoint()  # as expected of a device that sleeps

    async def _attempt(self, request: Request, patience: trio.CancelScope, timeout_s: float) -> Answer:
        is_reused = self._stream is not None
        try:
            return await self._attempt_once(request, patience, timeout_s)
        except DeviceDown:
            if not is_reused:
                raise
        # The far end closed an idle connection: not worth a failure. The same write twice changes nothing, and in between there
        # is no other: it is still this request's turn.
        return await self._attempt_once(request, patience, timeout_s)

    async def _attempt_once(self, request: Request, patience: trio.CancelScope, timeout_s: float) -> Answer:
        stream = self._stream
        if stream is None:
            patience.deadline = math.inf
            stream = await self._open()
        is_done = False
        try:
            patience.deadline = trio.current_time() + timeout_s
            answer = await self._exchange(stream, request)
            is_done = True
        except WireError as error:
            raise DeviceImplausible(f"{self.name}: {error}") from error
        except _LOST as error:
            await self._abort()
            self._note_loss()
            raise DeviceDown(f"{self.name}: connection lost {error}".rstrip()) from error
        finally:
            self._heard_at[request.unit] = trio.current_time()
            if not is_done:
                await self._put_out_of_reach()
        self._failures, self._retry_at = 0, 0.0
        if self._silences:
            self._silences.pop(request.unit, None)
            self._quiet_until.pop(request.unit, None)
        return answer

    async def _exchange(self, stream: ByteStream, request: Request) -> Answer:
        self._strayed = None
        if self._is_unsettled:
            await self._settle(stream)
        elif self.framing is not Framing.SOCKET:
            if self._discardable is not None:
                self._discardable.discard_pending()
            else:
                await _discard_pending(stream)
        self._sendings += 1
        self._transaction = self._transaction % 0xFFFF + 1
        exchange = Exchange(self.framing, request, self._transaction, echoes=self._echoes)
        frame = exchange.frame()
        if self.trace is not None:
            self.trace(True, frame)
        await stream.send(frame)
        while True:
            received = await stream.receive(RECEIVE_BYTES)
            if self.trace is not None:
                self.trace(False, received)
            answer = exchange.feed(received)
            self._strayed = exchange.strayed
            if answer is not None:
                if exchange.heard_echo is not None:
                    self._echoes = exchange.heard_echo
                return answer

    async def _open(self) -> ByteStream:
        try:
            with anyio.fail_after(CONNECT_TIMEOUT_S):
                stream = await self._connect()
        except (TimeoutError, *_LOST) as error:
            self._note_loss()
            raise DeviceDown(f"{self.name}: cannot connect: {_reason(error)}") from error
        self._stream = stream
        self._discardable = stream if isinstance(stream, Discardable) else None
        self.openings += 1
        if self.connect_delay_s > 0:
            await anyio.sleep(self.connect_delay_s)
        return stream

    async def _put_out_of_reach(self) -> None:
        """Whatever the stream may still bring, nobody will take it for an answer."""
        self._is_unsettled = self.framing is not Framing.SOCKET
        if not isinstance(self._stream, Resyncable):
            await self._abort()

    async def _abort(self) -> None:
        """Close the connection together with what has not been delivered to the device yet."""
        raw = None if self._stream is None else self._stream.extra(SocketAttribute.raw_socket, None)
        if isinstance(raw, socket.socket) and raw.type == socket.SOCK_STREAM and raw.fileno() >= 0:
            with contextlib.suppress(OSError):  # the other end has been quicker: then there is nothing left to drop
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        await self.aclose()

    async def _settle(self, stream: ByteStream) -> None:
        if isinstance(stream, Resyncable):
            await stream.resync()
        else:
            await anyio.sleep(SETTLE_S)
            await _discard_pending(stream)
        self._is_unsettled = False

    def _note_loss(self) -> None:
        self._failures += 1
        self._retry_at = trio.current_time() + backoff_s(self._failures)

    def _note_silence(self, unit: int) -> None:
        self._silences[unit] = self._silences.get(unit, 0) + 1
        self._quiet_until[unit] = trio.current_time() + min(QUIET_MAX_S, backoff_s(self._silences[unit]))


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return f"no connection within {CONNECT_TIMEOUT_S:g} s"
    cause = error.__cause__  # what anyio tells of a failed connect: one for each address that was tried
    if isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    for each in (cause, error):
        if isinstance(each, OSError) and each.errno:
            return os.strerror(each.errno) if each.errno > 0 else each.strerror or str(each)
    return str(error) or type(error).__name__


async def _discard_pending(stream: ByteStream) -> None:
    """Throw away what has already arrived: without transaction ids it could pass for an answer to what is asked next."""
    if isinstance(stream, Discardable):
        stream.discard_pending()
        return
    raw = stream.extra(SocketAttribute.raw_socket, None)
    if isinstance(raw, socket.socket) and raw.gettimeout() == 0:
        try:
            while data := raw.recv(RECEIVE_BYTES):
                del data
        except (BlockingIOError, InterruptedError):
            return
        raise anyio.EndOfStream
    async with anyio.create_task_group() as group:
        group.start_soon(_discard, stream)
        for _ in range(4):  # enough turns for a receive that has something at hand
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()


async def _discard(stream: ByteStream) -> None:
    while True:
        try:
            await stream.receive(RECEIVE_BYTES)
        except _LOST:
            return


@functools.lru_cache(maxsize=4096)
def _read_request(unit: int, function: int, address: int, count: int) -> Request:
    """Polls ask the same again and again."""
    return Request(unit=unit, function=function, address=address, count=count)


class Port:
    """One unit on a link, with the manners it needs. What drivers hold."""

    def __init__(
        self, link: Link, unit: int, *, timeout_s: float = 1.0, min_delay_s: float = 0.0, doubles: bool = False
    ) -> None:
        self.link = link
        self.unit = unit
        link.delays_s[unit] = max(link.delays_s.get(unit, 0.0), min_delay_s)
        self.timeout_s = timeout_s
        self.min_delay_s = min_delay_s
        self.doubles = doubles

    def read_all(
        self, requests: Sequence[Request], *, priority: Priority = Priority.POLL
    ) -> Coroutine[Any, Any, list[tuple[int, ...] | ModbusRefused]]:
        """As `Link.request_all`, with this unit's manners; the requests name their units themselves."""
        return self.link.request_all(
            requests,
            timeout_s=self.timeout_s,
            min_delay_s=self.min_delay_s,
            priority=priority,
            doubles=self.doubles,
        )

    async def read(
        self, function: int, address: int, count: int, *, unit: int | None = None, priority: Priority = Priority.POLL
    ) -> tuple[int, ...]:
        """``count`` registers or bits. Raises as `Link.request`."""
        assert is_read(function)
        request = _read_request(self._unit(unit), function, address, count)
        return await self.link.request(
            request,
            timeout_s=self.timeout_s,
            min_delay_s=self.min_delay_s,
            priority=priority,
            doubles=self.doubles,
        )

    async def write(
        self,
        function: int,
        address: int,
        values: tuple[int, ...],
        *,
        unit: int | None = None,
        priority: Priority = Priority.CONTROL,
    ) -> None:
        """Write registers or bits; returns when the device has confirmed. Raises as `Link.request`."""
        request = Request(unit=self._unit(unit), function=function, address=address, values=values)
        await self.link.request(
            request,
            timeout_s=self.timeout_s,
            min_delay_s=self.min_delay_s,
            priority=priority,
            doubles=self.doubles,
        )

    def _unit(self, unit: int | None) -> int:
        return self.unit if unit is None else unit

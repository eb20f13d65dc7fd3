"""Byte streams in memory: a cable with two ends, for virtual time.

Waits happen only where there is nothing to do. Whoever answers at the other end in no time may do so while the question is being
sent (`MemoryStream.answers`); the asker then waits for one turn of the scheduler, instead of for two and another task.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
import trio
from anyio.abc import ByteStream


class MemoryStream(ByteStream):
    """One end of a cable made by `memory_pair`. Sending never blocks: Modbus has one short frame under way at a time."""

    def __init__(self, tap: Callable[[bytes], None] | None = None) -> None:
        self._tap = tap
        self._inbox = bytearray()
        self._reader: trio.lowlevel.Task | None = None
        self._peer: MemoryStream | None = None
        self.answers: Callable[[bytes], bytes | None] | None = None
        """Answers a whole request at once, or gives None to let it arrive; asked only while this end waits for one."""
        self._is_answered = False  # what is in the inbox came at once
        self._is_closed = False
        self._is_ended = False  # the peer has closed, or has said that nothing more will come

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """The next bytes. Raises `anyio.EndOfStream` when the other end is closed, `ClosedResourceError` when this one is."""
        if self._is_closed:
            raise anyio.ClosedResourceError
        if self._is_answered:
            self._is_answered = False
            await trio.lowlevel.checkpoint()
            if self._is_closed:
                raise anyio.ClosedResourceError
        while not self._inbox:
            if self._is_closed:
                raise anyio.ClosedResourceError
            if self._is_ended:
                raise anyio.EndOfStream
            if self._reader is not None:
                raise anyio.BusyResourceError("reading from")
            self._reader = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._stop_waiting)
        data = bytes(self._inbox[:max_bytes])
        del self._inbox[:max_bytes]
        return data

    def _stop_waiting(self, _: object) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _wake_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            trio.lowlevel.reschedule(reader)

    async def send(self, item: bytes) -> None:
        """Put ``item`` into the other end's inbox."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._is_closed:
            raise anyio.ClosedResourceError
        peer = self._peer
        if peer is None or peer._is_closed:
            raise anyio.BrokenResourceError
        if self._tap is not None:
            self._tap(item)
        if peer.answers is not None and peer._reader is not None and not peer._inbox:
            answer = peer.answers(item)
            if answer is not None:
                if peer._tap is not None:
                    peer._tap(answer)
                self._inbox += answer
                self._is_answered = True
                return
        peer._inbox += item
        peer._wake_reader()

    async def send_eof(self) -> None:
        """Tell the other end that nothing more will come."""
        await trio.lowlevel.checkpoint()
        self._end_peer()

    async def aclose(self) -> None:
        """Close this end; what the other end has not read yet it may still read."""
        self.tear()
        await trio.lowlevel.checkpoint()

    def discard_pending(self) -> None:
        """Throw away what has arrived. Raises `anyio.EndOfStream` when the other end is closed."""
        self._inbox.clear()
        if self._is_ended:
            raise anyio.EndOfStream

    def tear(self) -> None:
        """Close without waiting."""
        self._is_closed = True
        self._wake_reader()
        self._end_peer()

    def _end_peer(self) -> None:
        if self._peer is not None:
            self._peer._is_ended = True
            self._peer._wake_reader()


def memory_pair(
    tap_one: Callable[[bytes], None] | None = None, tap_other: Callable[[bytes], None] | None = None
) -> tuple[MemoryStream, MemoryStream]:
    """Two connected ends; a tap is called with everything that its end sends."""
    one, other = MemoryStream(tap_one), MemoryStream(tap_other)
    one._peer, other._peer = other, one
    return one, other

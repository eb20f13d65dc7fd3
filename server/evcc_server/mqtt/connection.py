"""One client of the embedded broker that is here, and what is on its way to it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from evcc_server.mqtt.sessions import Limits, Message, Session
from evcc_server.mqtt.wires import Wire

log = logging.getLogger("evcc_server.mqtt")

Encode = Callable[[Message, int | None], bytes]
"""The PUBLISH packet of a message, with its number unless it is of QoS 0."""


class Connection:
    """A wire, a session and an orderly delivery.

    QoS 0 goes straight to the wire while there is room. Everything else queues for one pump, at most
    `Limits.queued_messages`, with a window of unacknowledged messages.
    """

    def __init__(self, wire: Wire, session: Session, limits: Limits, encode: Encode) -> None:
        self.wire = wire
        self.session = session
        self.ended = asyncio.Event()
        self.dropped = 0
        self._limits = limits
        self._encode = encode
        self._queue: deque[Message] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._window = asyncio.Semaphore(limits.unacknowledged)
        self._unacknowledged: dict[int, Message] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._packet_id = 0
        self._is_ending = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way, apart from acknowledgements."""
        return not self._queue and not self.wire.unsent_bytes

    @property
    def queued(self) -> int:
        """Messages that wait for the client."""
        return len(self._queue) + len(self._unacknowledged)

    def offer(self, message: Message) -> None:
        """Deliver ``message`` as soon as the client takes it; dropped when too much waits already."""
        if self._is_ending:
            self._keep(message)
            return
        if message.qos == 0 and self._pump is None and self.wire.send_now(self._encode(message, None)):
            return
        if len(self._queue) >= self._limits.queued_messages:
            self.dropped += 1
            return
        self._queue.append(message)
        if self._pump is None:
            self._pump = asyncio.create_task(self._run_pump())

    def settle(self, packet_id: int) -> None:
        """A message was acknowledged, or it was not in time and is given up; others wait for its place."""
        if packet_id in self._unacknowledged:
            del self._unacknowledged[packet_id]
            self._timers.pop(packet_id).cancel()
            self._window.release()

    async def end(self) -> None:
        """Stop delivering and close; unacknowledged messages of a kept session wait for the client's return."""
        self._is_ending = True
        for message in (*self._unacknowledged.values(), *self._queue):
            self._keep(message)
        for timer in self._timers.values():
            timer.cancel()
        self._queue.clear()
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        self.wire.close()

    def _keep(self, message: Message) -> None:
        waiting = self.session.waiting
        if self.session.is_kept and message.qos and len(waiting) < self._limits.stored_messages:
            waiting.append(message)

    async def _run_pump(self) -> None:
        try:
            while self._queue:
                if self._queue[0].qos:
                    await self._window.acquire()
                message = self._queue.popleft()
                await self.wire.send(
                    self._encode(message, self._expect_acknowledgement(message) if message.qos else None)
                )
        except ConnectionError as error:
            log.info("MQTT client %.80r is dropped: %s", self.session.client_id, error)
            self.wire.abort()
        finally:
            self._pump = None

    def _expect_acknowledgement(self, message: Message) -> int:
        """A packet id for ``message``; the window is far smaller than the 65535 there are."""
        while True:
            self._packet_id = self._packet_id % 65535 + 1
            if self._packet_id not in self._unacknowledged:
                break
        self._unacknowledged[self._packet_id] = message
        self._timers[self._packet_id] = asyncio.get_running_loop().call_later(
            self._limits.acknowledge_s, self.settle, self._packet_id
        )
        return self._packet_id

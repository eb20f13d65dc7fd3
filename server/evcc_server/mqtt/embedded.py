"""The embedded broker as a link: it lives in a thread of its own with its own asyncio loop, so that neither a slow login nor a
defect in it can stall the control loop; when it dies it is started again.

::

    trio:    publish -> outbox ..................> broker's loop -> clients
             receive <- memory channel <- token.run_sync_soon <.. commands of clients
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TypeVarTuple, Unpack

import trio

from evcc_server.mqtt.broker import Census, HardenedBroker, Listen, quieten_libraries
from evcc_server.mqtt.broker_link import Connected, LinkEvent, MqttError, MqttOptions, Publication, Received
from evcc_server.mqtt.outbox import Outbox
from evcc_server.mqtt.sessions import Limits, Message
from evcc_server.mqtt.who_may_write import WriteRules

log = logging.getLogger("evcc_server.mqtt")
Ts = TypeVarTuple("Ts")

COMMANDS_WAITING_MAX = 500
RESTART_PAUSE_S = 1.0
FLUSH_S = 0.3


class EmbeddedBroker:
    """A `BrokerLink` to a broker that it runs itself. Nobody but this link can write state topics."""

    def __init__(self, options: MqttOptions, limits: Limits | None = None) -> None:
        self._options = options
        self._limits = limits or Limits()
        self._access = WriteRules(
            root=options.root, user=options.user, password=options.password, allowed_origins=options.allowed_origins
        )
        self._ports: Mapping[str, int] = {}
        self._outbox = Outbox()
        self._lock = threading.Lock()  # guards the outbox and the loop that takes from it
        self._is_draining = False
        self._is_stopping = False
        self._has_listened = False
        self._task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
        self._loop: asyncio.AbstractEventLoop | None = None
        self._broker: HardenedBroker | None = None
        self._stop: asyncio.Event | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._send, self._receive = trio.open_memory_channel[LinkEvent](math.inf)

    @property
    def ports(self) -> Mapping[str, int]:
        """The ports in use, by listener: ``tcp``, ``websocket``."""
        return self._ports

    @property
    def census(self) -> Census:
        """What the broker holds at this moment."""
        broker = self._broker
        return Census() if broker is None else broker.census()

    async def run(self, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; started when the ports are open. Raises `MqttError` when they can't be had at start."""
        quieten_libraries()
        self._token = trio.lowlevel.current_trio_token()
        self._task_status = task_status
        while True:
            failure = await self._run_broker()
            if isinstance(failure, OSError):
                problem = f"MQTT broker can't listen on {self._address}: {failure.strerror or failure}"
            else:
                problem = f"MQTT broker ended unexpectedly ({failure!r})"
            if not self._has_listened:
                raise MqttError(problem)
            log.error("%s, it is started again", problem)
            await trio.sleep(RESTART_PAUSE_S)

    def publish(self, publication: Publication) -> None:
        """See `BrokerLink`."""
        with self._lock:
            if self._loop is None:
                return
            self._outbox.put(publication)
            if not self._is_draining:
                self._is_draining = True
                self._loop.call_soon_threadsafe(self._drain)

    async def receive(self) -> LinkEvent:
        """See `BrokerLink`."""
        return await self._receive.receive()

    async def flush(self) -> None:
        """See `BrokerLink`."""
        loop, broker = self._loop, self._broker
        if loop is None or broker is None:
            return
        token = trio.lowlevel.current_trio_token()
        is_done = trio.Event()

        def tell(_: Future[None]) -> None:
            token.run_sync_soon(is_done.set)

        asyncio.run_coroutine_threadsafe(broker.flush(within_s=FLUSH_S), loop).add_done_callback(tell)
        with trio.move_on_after(FLUSH_S):
            await is_done.wait()

    async def retained(self, filters: tuple[str, ...]) -> frozenset[str]:  # noqa: ARG002  # it always starts empty
        """See `BrokerLink`."""
        await trio.lowlevel.checkpoint()
        return frozenset()

    @property
    def _address(self) -> str:
        ports = (self._ports.get("tcp", self._options.port), self._ports.get("websocket", self._options.websocket_port))
        address = f"{self._options.host}:{ports[0]}"
        return address if ports[1] is None else f"{address} and ws://{self._options.host}:{ports[1]}"

    async def _run_broker(self) -> Exception | None:
        """Run one broker in a thread; what it failed with. When cancelled it is stopped and waited for."""
        self._is_stopping = False
        ended = trio.Event()
        failures: list[Exception] = []

        async def run_thread() -> None:
            try:
                await trio.to_thread.run_sync(self._thread, limiter=trio.CapacityLimiter(1))
            except Exception as error:  # noqa: BLE001  # whatever kills the broker, it is reported and started again
                failures.append(error)
            ended.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_thread)
            try:
                await ended.wait()
            finally:
                self._ask_to_stop()
        return failures[0] if failures else None

    def _ask_to_stop(self) -> None:
        with self._lock:
            self._is_stopping = True
            if self._loop is not None and self._stop is not None:
                self._loop.call_soon_threadsafe(self._stop.set)

    # In the broker's thread

    def _thread(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        """Run one broker until asked to stop. Raises `OSError` when it can't listen, `_BrokerDied` when it ends by itself."""
        listen = Listen(
            host=self._options.host,
            port=self._options.port,
            websocket_port=self._options.websocket_port,
        )
        stop = asyncio.Event()
        broker = HardenedBroker(listen, self._access, self._on_command, self._limits)
        await broker.start()
        with self._lock:
            self._outbox.clear()
            self._is_draining = False
            self._ports = broker.ports
            self._loop, self._broker, self._stop = asyncio.get_running_loop(), broker, stop
            if self._is_stopping:
                stop.set()
        self._tell(self._listening)
        tasks = [asyncio.create_task(stop.wait()), asyncio.create_task(broker.wait_dead())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            with self._lock:
                self._loop = self._broker = self._stop = None
            for task in tasks:
                task.cancel()
            await broker.shutdown()
        if not stop.is_set():
            raise _BrokerDied

    def _drain(self) -> None:
        broker = self._broker
        with self._lock:
            self._is_draining = False
            while (publication := self._outbox.take()) is not None:
                if broker is not None:
                    message = Message(
                        publication.topic, publication.payload, int(publication.qos), publication.is_retained
                    )
                    broker.publish(message)

    def _on_command(self, topic: str, data: bytes) -> None:
        self._tell(self._enqueue, Received(topic, data))

    def _tell(self, function: Callable[[Unpack[Ts]], object], *args: *Ts) -> None:
        """Call ``function`` in the trio thread; a server that has ended needs to know nothing more."""
        assert self._token is not None
        try:
            self._token.run_sync_soon(function, *args)
        except trio.RunFinishedError:
            log.debug("MQTT broker outlived the server for a moment")

    # In the trio thread again

    def _listening(self) -> None:
        if not self._has_listened:
            self._has_listened = True
            self._task_status.started(f"MQTT broker listens on {self._address}")
        self._send.send_nowait(Connected())

    def _enqueue(self, command: Received) -> None:
        if self._send.statistics().current_buffer_used >= COMMANDS_WAITING_MAX:
            log.warning("MQTT: too many commands at once, %.200r is dropped", command.topic)
            return
        self._send.send_nowait(command)


class _BrokerDied(Exception):
    """The broker ended without being asked to."""

"""One connection of the HTTP server: Hypercorn's, with an end to every wait, and requests that outlive their clients.

Hypercorn shields its sends from cancellation, so one client that stops reading would hold up the server's end for ever.
Here every send has a deadline, after which the connection is dropped.

A client that is seen to close may be gone, or may have ended its own side only and be waiting for the answer: nobody can tell
before the answer is sent. So what has arrived whole is carried out and answered in any case, and then the connection is closed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import h11
import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState, LifespanState
from hypercorn.utils import parse_socket_addr

from evcc_server.http.serving.callers import Caller
from evcc_server.http.serving.http1 import speak_http1

READ_SIZE = 65536
SEND_MAX_S = 10.0
"""A client that takes nothing for this long is dropped [WS-slow]."""
SILENCE_MAX_S = 65.0
"""Longer than two pings: a WebSocket that answers neither is dropped."""
READ_MAX_S = 125.0
"""For anything else that begins and does not go on; longer than any answer takes to make."""


class Sends:
    """The sends under way, so that the end of the server can shorten them."""

    def __init__(self) -> None:
        self._scopes: set[trio.CancelScope] = set()
        self._latest = float("inf")

    def leave_by(self, time: float) -> None:
        """No send may take longer than until ``time``."""
        self._latest = time
        for scope in self._scopes:
            scope.deadline = min(scope.deadline, time)

    async def send(self, stream: trio.abc.SendStream, data: bytes) -> bool:
        """False if it was not taken in time, or the peer is gone."""
        deadline = min(trio.current_time() + SEND_MAX_S, max(self._latest, trio.current_time() + 0.05))
        with trio.CancelScope(shield=True, deadline=deadline) as scope:
            self._scopes.add(scope)
            try:
                await stream.send_all(data)
                return True
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return False
            finally:
                self._scopes.discard(scope)
        return False


class _Tasks(TaskGroup):
    """The requests of a connection, which outlives them; ``helpers`` has the rest: pings, the idle timer."""

    def __init__(self, helpers: TaskGroup) -> None:
        super().__init__()
        self._helpers = helpers

    def spawn(self, func: Callable[..., Awaitable[object]], *args: object) -> None:
        self._helpers.spawn(func, *args)


class Connection(TCPServer):
    """Hypercorn's connection without TLS, for a `Caller` that may have gone already."""

    def __init__(
        self,
        app: AppWrapper,
        config: Config,
        context: WorkerContext,
        state: LifespanState,
        caller: Caller,
        sends: Sends,
    ) -> None:
        super().__init__(app, config, context, state, caller.stream)  # type: ignore[arg-type]  # declared for TLS, used for both
        self._caller = caller
        self._sends = sends
        self._has_given_up = False
        self._has_answered = False
        self._waits_since_s = trio.current_time()

    @property
    def waits(self) -> tuple[bool, float] | None:
        """See `evcc_server.places.Holder`: until a request has arrived whole the peer is waited for."""
        protocol = self.protocol.protocol
        if isinstance(protocol, H11Protocol):
            is_waiting = protocol.stream is None or protocol.connection.their_state is h11.SEND_BODY
        else:
            is_waiting = protocol.idle
        return (self._has_answered, self._waits_since_s) if is_waiting else None

    def give_up(self) -> None:
        """See `evcc_server.places.Holder`."""
        self.stream.socket.close()

    async def run(self) -> None:
        """Serve until the peer sends no more and has its answers; closed at once after that."""
        try:
            with trio.CancelScope() as over:
                async with TaskGroup() as helpers:
                    self._task_group = helpers
                    async with _Tasks(helpers) as requests:
                        self.protocol = self._new_protocol(requests)
                        await self.protocol.initiate()
                        await self.idle_task.restart(helpers, self._idle_timeout)
                        await self._read_data()
                    over.cancel()
        finally:
            await self._close()

    def _new_protocol(self, requests: TaskGroup) -> ProtocolWrapper:
        socket = self._caller.stream.socket
        wrapper = ProtocolWrapper(
            self.app,
            self.config,
            self.context,
            requests,
            ConnectionState(self.state),
            False,
            parse_socket_addr(socket.family, self._caller.address),
            parse_socket_addr(socket.family, socket.getsockname()),
            self.protocol_send,
        )
        speak_http1(wrapper)
        return wrapper

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, Updated) and event.idle:  # ready for the next request
            self._has_answered, self._waits_since_s = True, trio.current_time()
        if not isinstance(event, RawData):
            # The app's task calls this and is cancelled as soon as its request is over: a connection must still be closed
            # or made ready for the next request.
            with trio.CancelScope(shield=True):
                await super().protocol_send(event)
            return
        async with self.send_lock:
            was_taken = not self._has_given_up and await self._sends.send(self.stream, event.data)
            self._has_given_up = not was_taken
        if not was_taken:
            await trio.aclose_forcefully(self.stream)
            await self.protocol.handle(Closed())

    async def _read_data(self) -> None:
        while True:
            limit_s = SILENCE_MAX_S if self._is_websocket() else READ_MAX_S
            try:
                with trio.fail_after(limit_s):
                    data = await self.stream.receive_some(READ_SIZE)
            except (trio.ClosedResourceError, trio.BrokenResourceError, trio.TooSlowError):
                break
            await self.protocol.handle(RawData(bytes(data)))
            if not data:
                break
        await self.protocol.handle(Closed())

    def _is_websocket(self) -> bool:
        return isinstance(getattr(self.protocol.protocol, "stream", None), WSStream)

"""Hypercorn on trio, as a task of ours, with an end to every wait.

Hypercorn shields its sends from cancellation, so one client that stops reading would hold up the server's end for ever.
Here every send has a deadline, after which the connection is dropped.
"""

from __future__ import annotations

import logging
from functools import partial

import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState, LifespanState
from hypercorn.utils import wrap_app
from quart_trio import QuartTrio

from evcc_server.http.http1 import speak_http1

_log = logging.getLogger(__name__)

READ_SIZE = 65536
SEND_MAX_S = 10.0
"""A client that takes nothing for this long is dropped [WS-slow]."""
LEAVE_S = 0.5
"""How long open requests and connections may take when the server ends."""
PING_INTERVAL_S = 30.0
SILENCE_MAX_S = 65.0
"""Longer than two pings: a WebSocket that answers neither is dropped."""
IDLE_MAX_S = 120.0
READ_MAX_S = 125.0
"""For anything else that begins and does not go on; longer than any answer takes to make."""


async def serve_http(
    app: QuartTrio,
    *,
    host: str,
    port: int,
    stop: trio.Event,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve ``app`` until ``stop`` is set or the caller cancels; started with the port, of interest when it was 0.

    Raises `OSError` when the address cannot be had.
    """
    config = Config()
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.keep_alive_timeout = IDLE_MAX_S
    config.websocket_ping_interval = PING_INTERVAL_S
    config.websocket_max_message_size = 64 * 1024
    config.include_server_header = False

    listeners = await trio.open_tcp_listeners(port, host=host)
    wrapped = wrap_app(app, config.wsgi_max_body_size, "asgi")
    state: LifespanState = {}
    context = WorkerContext(None)
    lifespan = Lifespan(wrapped, config, state)
    sends = Sends()
    leaving = trio.Event()
    async with trio.open_nursery() as outside:
        outside.start_soon(_notice_end, stop, leaving)
        # Whoever cancels us waits for `LEAVE_S` at most: WebSockets are told, requests get their answer.
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as lifespan_nursery:
                await lifespan_nursery.start(lifespan.handle_lifespan)
                await lifespan.wait_for_startup()
                async with trio.open_nursery() as connections:
                    handler = partial(_serve_connection, wrapped, config, context, state, sends)
                    async with trio.open_nursery() as listening:
                        await listening.start(
                            partial(trio.serve_listeners, handler, listeners, handler_nursery=connections)
                        )
                        task_status.started(listeners[0].socket.getsockname()[1])
                        await leaving.wait()
                        listening.cancel_scope.cancel()
                    await context.terminated.set()
                    connections.cancel_scope.deadline = trio.current_time() + LEAVE_S
                    sends.leave_by(connections.cancel_scope.deadline)
                await lifespan.wait_for_shutdown()
                lifespan_nursery.cancel_scope.cancel()


async def _notice_end(stop: trio.Event, leaving: trio.Event) -> None:
    try:
        await stop.wait()
    finally:
        stop.set()
        leaving.set()


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


class _Connection(TCPServer):
    """Hypercorn's connection with a deadline for each send."""

    def __init__(
        self,
        app: AppWrapper,
        config: Config,
        context: WorkerContext,
        state: ConnectionState,
        stream: trio.SocketStream,
        sends: Sends,
    ) -> None:
        super().__init__(app, config, context, state, stream)  # type: ignore[arg-type]  # declared for TLS, used for both
        self._sends = sends
        self._has_given_up = False

    async def protocol_send(self, event: Event) -> None:
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
        speak_http1(self.protocol)
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


async def _serve_connection(
    app: AppWrapper,
    config: Config,
    context: WorkerContext,
    state: LifespanState,
    sends: Sends,
    stream: trio.SocketStream,
) -> None:
    try:
        await _Connection(app, config, context, ConnectionState(state.copy()), stream, sends).run()
    except* Exception as errors:  # noqa: BLE001  # whatever it is, the charging goes on
        # What a client sends can bring the protocol libraries out of step; that ends its connection and nothing else.
        _log.info("a connection was given up: %r", _innermost(errors))


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

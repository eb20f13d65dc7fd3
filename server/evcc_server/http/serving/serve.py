"""Hypercorn on trio, as a task of ours, with an end to every wait."""

from __future__ import annotations

import logging
from functools import partial

import trio
from hypercorn.config import Config
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, LifespanState
from hypercorn.utils import wrap_app
from quart_trio import QuartTrio

from evcc_server.http.serving.callers import Caller, Callers
from evcc_server.http.serving.connection import Connection, Sends
from evcc_server.http.serving.whole_requests import WholeRequests
from evcc_server.places import Places

_log = logging.getLogger(__name__)

LEAVE_S = 0.5
"""How long open requests and connections may take when the server ends."""
PING_INTERVAL_S = 30.0
IDLE_MAX_S = 120.0
PEER_CONNECTIONS_MAX = 200
"""As many as there may be WebSockets: behind a proxy the whole home is one peer."""
CONNECTIONS_MAX = 400
"""With everything else that is open well below the 1,024 descriptors that a process usually has."""


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

    callers = [Callers(listener) for listener in await trio.open_tcp_listeners(port, host=host)]
    wrapped = wrap_app(WholeRequests(app), config.wsgi_max_body_size, "asgi")
    state: LifespanState = {}
    context = WorkerContext(None)
    lifespan = Lifespan(wrapped, config, state)
    sends = Sends()
    places = Places("HTTP", each=PEER_CONNECTIONS_MAX, all_together=CONNECTIONS_MAX)
    leaving = trio.Event()
    async with trio.open_nursery() as outside:
        outside.start_soon(_notice_end, stop, leaving)
        # Whoever cancels us waits for `LEAVE_S` at most: WebSockets are told, requests get their answer.
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as lifespan_nursery:
                await lifespan_nursery.start(lifespan.handle_lifespan)
                await lifespan.wait_for_startup()
                async with trio.open_nursery() as connections:
                    handler = partial(_serve_connection, wrapped, config, context, state, sends, places)
                    async with trio.open_nursery() as listening:
                        await listening.start(
                            partial(trio.serve_listeners, handler, callers, handler_nursery=connections)
                        )
                        task_status.started(callers[0].port)
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


async def _serve_connection(
    app: AppWrapper,
    config: Config,
    context: WorkerContext,
    state: LifespanState,
    sends: Sends,
    places: Places,
    caller: Caller,
) -> None:
    connection = Connection(app, config, context, state.copy(), caller, sends)
    if not places.take(connection, caller.address[0]):
        return
    try:
        await connection.run()
    except* Exception as errors:  # noqa: BLE001  # whatever it is, the charging goes on
        # What a client sends can bring the protocol libraries out of step; that ends its connection and nothing else.
        _log.info("a connection was given up: %r", _innermost(errors))
    finally:
        places.leave(connection)


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

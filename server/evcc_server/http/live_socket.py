"""``/ws``: the whole state in the first frame, then what changes, as it changes [WS-first, WS-update]."""

from __future__ import annotations

from collections.abc import Mapping

import trio
from quart import Response, Websocket

from evcc_server.state.encode import Json, dumps, socket, socket_key
from evcc_server.state.hub import Hub, News, Subscription

GOING_AWAY = 1001
WATCHERS_MAX = 200
"""More than a home has; each costs an encoding per change."""


class LiveSocket:
    """Serves every connection of ``/ws`` until it ends or the server stops."""

    def __init__(self, hub: Hub, stop: trio.Event) -> None:
        self._hub = hub
        self._stop = stop
        self._watchers = 0

    async def serve(self, websocket: Websocket) -> Response | None:
        """One connection; what the client sends is discarded."""
        if self._watchers >= WATCHERS_MAX:
            return Response('{"error":"too many connections"}\n', 503, content_type="application/json; charset=UTF-8")
        self._watchers += 1
        try:
            await websocket.accept()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._discard, websocket)
                with self._hub.subscribe() as subscription:
                    nursery.start_soon(self._end, subscription)
                    await self._send_news(websocket, subscription)
                await websocket.close(GOING_AWAY)
                nursery.cancel_scope.cancel()
        finally:
            self._watchers -= 1
        return None

    async def _send_news(self, websocket: Websocket, subscription: Subscription) -> None:
        # A client that does not read blocks `send` until the connection's deadline closes it; meanwhile each key keeps its
        # newest value only.
        while not self._stop.is_set():
            try:
                news = await subscription.wait()
            except trio.EndOfChannel:
                return
            for frame in frames(news):
                await websocket.send(dumps(frame))

    async def _discard(self, websocket: Websocket) -> None:
        while True:
            await websocket.receive()

    async def _end(self, subscription: Subscription) -> None:
        await self._stop.wait()
        subscription.end()


def frames(news: News) -> tuple[Mapping[str, Json], ...]:
    """All values in one object; each message in one of its own, since they share a key."""
    values = {socket_key(loadpoint, key): socket(value) for (loadpoint, key), value in news.values.items()}
    messages: list[dict[str, Json]] = [{message.level.value: message.text} for message in news.messages]
    return (values, *messages) if values else tuple(messages)

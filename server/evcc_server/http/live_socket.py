"""``/ws``: the whole state in the first frame, then what changes, as it changes [WS-first, WS-update].

Clients tell the two apart by the number of keys, so later frames have one each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import trio
from quart import Response, Websocket

from evcc_server.state.encode import Json, dumps, socket, socket_key
from evcc_server.state.hub import Hub, News, Subscription
from evcc_server.state.values import Tree
from evcc_server.state.vocabulary import OF_2023, Vocabulary

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
                with self._hub.subscribe(repeats_measurements=self._hub.words.repeats) as subscription:
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
        has_picture, words = False, self._hub.words
        while not self._stop.is_set():
            try:
                news = await subscription.wait()
            except trio.EndOfChannel:
                return
            for frame in frames(news, words) if has_picture else picture(news, words):
                await websocket.send(dumps(frame))
            has_picture = has_picture or bool(news.values)

    async def _discard(self, websocket: Websocket) -> None:
        while True:
            await websocket.receive()

    async def _end(self, subscription: Subscription) -> None:
        await self._stop.wait()
        subscription.end()


def picture(news: News, words: Vocabulary = OF_2023) -> Iterator[Mapping[str, Json]]:
    """All values in one object, then what has frames of its own, and the messages."""
    apart = {place: value for place, value in news.values.items() if place[0] is None and place[1] in words.in_parts}
    first = {place: value for place, value in news.values.items() if place not in apart}
    if first:
        yield {name: value for frame in frames(News(first, ()), words) for name, value in frame.items()}
    yield from frames(News(apart, news.messages), words)


def frames(news: News, words: Vocabulary = OF_2023) -> Iterator[Mapping[str, Json]]:
    """Each value and each message in an object of its own; what is a vehicle's has none here."""
    for (place, key), value in news.values.items():
        if isinstance(place, str):
            continue
        if place is None and key in words.in_parts and isinstance(value, Tree):
            for part, each in value.members.items():
                yield {f"{key}.{part}": socket(each)}
        else:
            yield {socket_key(place, key): socket(value)}
    for message in news.messages:
        yield words.notice(message.level.value, message.text)

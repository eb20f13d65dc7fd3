"""A request that has arrived whole is carried out whole, whoever is still listening [http-whole].

Quart cancels a request as soon as it hears that the client has closed, be it in the midst of a commit. A client that sends its
request and closes wants it carried out; one that closes its sending side only wants the answer, too.
"""

from __future__ import annotations

from typing import Any

import trio


class WholeRequests:
    """ASGI: ``app`` does not hear that a client has left when its request was there before."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        is_whole = False

        async def receive_request() -> Any:
            nonlocal is_whole
            if is_whole:
                await trio.sleep_forever()  # until the answer is made, which ends the call
            message = await receive()
            is_whole = message["type"] == "http.request" and not message.get("more_body", False)
            return message

        await self._app(scope, receive_request if scope["type"] == "http" else receive, send)

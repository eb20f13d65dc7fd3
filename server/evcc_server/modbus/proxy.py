"""Share a link with other programs: they speak Modbus TCP to us and wait their turn behind everything of our own.

By default they may only read; a write is then answered with exception 1 (illegal function). What goes wrong at the device
becomes the exception that a gateway would send.
"""

from __future__ import annotations

import logging
from contextlib import suppress

import anyio
from anyio.abc import ByteStream, SocketAttribute, SocketStream, TaskStatus

from evcc_server.errors import DeviceDown, DeviceError, DeviceSilent
from evcc_server.modbus.link import Link, ModbusRefused
from evcc_server.modbus.turns import Priority
from evcc_server.modbus.wire import Answer, Inbox, Incoming, WireError, answer_frame, is_read
from evcc_server.places import Places

GUESTS_MAX = 16
PEER_GUESTS_MAX = 8
TIMEOUT_S = 3.0
ILLEGAL_FUNCTION, DEVICE_FAILURE, NO_PATH, NO_RESPONSE = 1, 4, 10, 11

_log = logging.getLogger(__name__)


async def serve_proxy(
    link: Link,
    *,
    port: int,
    is_read_only: bool = True,
    host: str | None = None,
    task_status: TaskStatus[int] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Listen on ``port`` until cancelled; starts with the port bound. Raises OSError when it is in use."""
    listener = await anyio.create_tcp_listener(local_host=host, local_port=port)
    places = Places(f"Modbus proxy for {link.name}", each=PEER_GUESTS_MAX, all_together=GUESTS_MAX)

    async def welcome(stream: SocketStream) -> None:
        guest = Guest(link, stream, is_read_only=is_read_only)
        if not places.take(guest, _address(stream)):
            await stream.aclose()
            return
        try:
            await guest.serve()
        finally:
            places.leave(guest)

    async with listener:
        bound = listener.extra(SocketAttribute.local_port)
        _log.info(
            "Modbus proxy for %s on port %d, %s", link.name, bound, "read only" if is_read_only else "read and write"
        )
        task_status.started(bound)
        await listener.serve(welcome)


class Guest:
    """One client of a link."""

    def __init__(self, link: Link, stream: ByteStream, *, is_read_only: bool = True) -> None:
        self._link = link
        self._stream = stream
        self._is_read_only = is_read_only
        self._scope = anyio.CancelScope()
        self._waits: tuple[bool, float] | None = (False, anyio.current_time())

    @property
    def waits(self) -> tuple[bool, float] | None:
        """See `evcc_server.places.Holder`."""
        return self._waits

    def give_up(self) -> None:
        """See `evcc_server.places.Holder`."""
        self._scope.cancel()

    async def serve(self) -> None:
        """Answer until it leaves, or sends something that is not Modbus TCP; what it asked before is carried out."""
        inbox = Inbox()
        with self._scope:
            async with self._stream:
                try:
                    while True:
                        for incoming in inbox.feed(await self._stream.receive(512)):
                            self._waits = None
                            await self._answer(incoming)
                            self._waits = (True, anyio.current_time())
                except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, WireError) as error:
                    _log.debug("guest of %s left: %s", self._link.name, error)

    async def _answer(self, incoming: Incoming) -> None:
        answer = answer_frame(incoming, await _carry_out(self._link, incoming, self._is_read_only))
        # It may be gone, or take nothing; what came together with this request is carried out all the same.
        with suppress(anyio.BrokenResourceError), anyio.move_on_after(TIMEOUT_S):
            await self._stream.send(answer)


def _address(stream: SocketStream) -> str:
    address = stream.extra(SocketAttribute.remote_address, None)
    return "" if address is None else str(address[0])  # None: it has gone again


async def _carry_out(link: Link, incoming: Incoming, is_read_only: bool) -> Answer:
    request = incoming.request
    if request is None or (is_read_only and not is_read(request.function)):
        return Answer(exception=ILLEGAL_FUNCTION)
    try:
        return Answer(values=await link.request(request, timeout_s=TIMEOUT_S, priority=Priority.GUEST))
    except ModbusRefused as refusal:
        return Answer(exception=refusal.code)
    except DeviceSilent:
        return Answer(exception=NO_RESPONSE)
    except DeviceDown:
        return Answer(exception=NO_PATH)
    except (DeviceError, ValueError):
        return Answer(exception=DEVICE_FAILURE)

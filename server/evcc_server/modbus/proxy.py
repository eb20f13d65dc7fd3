"""Share a link with other programs: they speak Modbus TCP to us and wait their turn behind everything of our own.

By default they may only read; a write is then answered with exception 1 (illegal function). What goes wrong at the device
becomes the exception that a gateway would send.
"""

from __future__ import annotations

import logging
from contextlib import suppress

import anyio
from anyio.abc import ByteStream, TaskStatus

from evcc_server.errors import DeviceDown, DeviceError, DeviceSilent
from evcc_server.modbus.link import Link, ModbusRefused
from evcc_server.modbus.turns import Priority
from evcc_server.modbus.wire import Answer, Inbox, Incoming, WireError, answer_frame, is_read

GUESTS_MAX = 16
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
    guests = anyio.CapacityLimiter(GUESTS_MAX)

    async def welcome(stream: ByteStream) -> None:
        try:
            guests.acquire_on_behalf_of_nowait(stream)
        except anyio.WouldBlock:
            await stream.aclose()
            return
        try:
            await serve_guest(link, stream, is_read_only=is_read_only)
        finally:
            guests.release_on_behalf_of(stream)

    async with listener:
        bound = listener.extra(anyio.abc.SocketAttribute.local_port)
        _log.info(
            "Modbus proxy for %s on port %d, %s", link.name, bound, "read only" if is_read_only else "read and write"
        )
        task_status.started(bound)
        await listener.serve(welcome)


async def serve_guest(link: Link, stream: ByteStream, *, is_read_only: bool = True) -> None:
    """Answer one client until it leaves, or sends something that is not Modbus TCP; what it asked before is carried out."""
    inbox = Inbox()
    async with stream:
        try:
            while True:
                for incoming in inbox.feed(await stream.receive(512)):
                    answer = answer_frame(incoming, await _carry_out(link, incoming, is_read_only))
                    with suppress(anyio.BrokenResourceError):  # gone; what came with this request is carried out, too
                        await stream.send(answer)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, WireError) as error:
            _log.debug("guest of %s left: %s", link.name, error)


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

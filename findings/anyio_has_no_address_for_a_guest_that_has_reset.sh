#!/usr/bin/env bash
# anyio: the remote address of an accepted connection that its peer has already reset is no OSError but a LookupError.
#
# One would guess: asking a socket stream for the address of a peer that is gone raises OSError (ENOTCONN), as getpeername() does, or
#   anyio's own BrokenResourceError, and a server that expects network errors goes on with the next guest.
# What happens: the attribute is left out of a stream whose getpeername() failed, so `stream.extra(SocketAttribute.remote_address)`
#   raises TypedAttributeLookupError, a LookupError. In a handler of `listener.serve` nobody expects it there; it goes up through the
#   task group, and the listener ends with it.
# What helps: `stream.extra(SocketAttribute.remote_address, None)`.
# Versions: anyio 4.16.0, trio 0.35.0, Python 3.11, on both backends. Date: 2026-11-30.
# Source: a proxy for Modbus that ended when a guest connected and reset at once.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anyio==4.16.0 trio==0.35.0
"$folder/venv/bin/python" - <<'PY'
import socket
import struct
from importlib.metadata import version

import anyio
from anyio.abc import SocketAttribute


async def asked(*, resets):
    """What comes of asking an accepted stream for its peer's address, and with a default."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(SocketAttribute.local_port)
    guest = socket.create_connection(("127.0.0.1", port))
    if resets:
        guest.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        guest.close()
    found, is_over = [], anyio.Event()

    async def handle(stream):
        async with stream:
            try:
                stream.extra(SocketAttribute.remote_address)
                found.append("an address")
            except Exception as error:
                kinds = [kind.__name__ for kind in type(error).__mro__]
                found.append(f"{kinds[0]}, a {'LookupError' if 'LookupError' in kinds else 'OSError'}")
            found.append(stream.extra(SocketAttribute.remote_address, None) is not None)
        is_over.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        await is_over.wait()
        tasks.cancel_scope.cancel()
    await listener.aclose()
    guest.close()
    return found


print(f"anyio {version('anyio')}, trio {version('trio')}")
for backend in ("trio", "asyncio"):
    for resets in (False, True):
        found = anyio.run(lambda: asked(resets=resets), backend=backend)
        print(f"{backend}: the guest {'has reset' if resets else 'is there'}: {found[0]}")
        assert found == (["TypedAttributeLookupError, a LookupError", False] if resets else ["an address", True]), found
print("The address of a guest that has reset is a LookupError; with a default it is that default.")
PY

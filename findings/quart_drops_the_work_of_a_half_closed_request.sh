#!/usr/bin/env bash
# Quart under Hypercorn: a client that closes its sending side after a whole request gets no answer, and the handler is cancelled
# in the midst of its work.
#
# One would guess: a request that has arrived whole is carried out and answered. Closing the sending side is how a client says that
#   no more will come (RFC 9112 section 9.6 has servers do the same); socat and shell scripts with netcat do it as a matter of course.
# What happens: Hypercorn reports the FIN as http.disconnect, and Quart cancels the handler at its next await: the value that was to
#   be stored is not, the client hears nothing, and nothing is logged. On trio and on asyncio alike.
# What helps: an ASGI layer that keeps http.disconnect from the application once the body is whole.
# Versions: Hypercorn 0.18.0, Quart 0.22.0, Quart-Trio 0.12.0, trio 0.35.0, Python 3.11. Date: 2026-11-30.
# Source: settings sent by `printf ... | socat -u - TCP:...` that were never stored.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  hypercorn==0.18.0 quart==0.22.0 quart-trio==0.12.0 trio==0.35.0
"$folder/venv/bin/python" - <<'PY'
import asyncio
import socket
from importlib.metadata import version

import hypercorn.asyncio
import hypercorn.trio
import trio
from hypercorn.config import Config
from quart import Quart
from quart_trio import QuartTrio

REQUEST = b"POST /setting HTTP/1.1\r\nHost: home\r\nContent-Length: 0\r\n\r\n"


def application(kind, sleep):
    """An application that takes a moment to store a setting, and what it has stored."""
    app, stored = kind(__name__), []

    @app.post("/setting")
    async def setting():
        await sleep(0.3)
        stored.append("mode")
        return "stored"

    return app, stored


def asked(port, *, half_closes):
    """The first line of the answer, or of there being none."""
    with socket.create_connection(("127.0.0.1", port), timeout=3) as line:
        line.sendall(REQUEST)
        if half_closes:
            line.shutdown(socket.SHUT_WR)
        try:
            return line.recv(4096).split(b"\r\n")[0].decode().strip() or "no answer"
        except TimeoutError:
            return "no answer"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def configured(port):
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.errorlog = None
    return config


async def on_trio():
    app, stored = application(QuartTrio, trio.sleep)
    port, is_over, found = free_port(), trio.Event(), []
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: hypercorn.trio.serve(
            app, configured(port), shutdown_trigger=is_over.wait, task_status=task_status))
        for half_closes in (False, True):
            told = await trio.to_thread.run_sync(lambda: asked(port, half_closes=half_closes))
            await trio.sleep(1)
            found.append((told, len(stored)))
            stored.clear()
        is_over.set()
    return found


async def on_asyncio():
    app, stored = application(Quart, asyncio.sleep)
    port, is_over, found = free_port(), asyncio.Event(), []
    server = asyncio.create_task(hypercorn.asyncio.serve(app, configured(port), shutdown_trigger=is_over.wait))
    await asyncio.sleep(1)
    for half_closes in (False, True):
        told = await asyncio.to_thread(asked, port, half_closes=half_closes)
        await asyncio.sleep(1)
        found.append((told, len(stored)))
        stored.clear()
    is_over.set()
    await server
    return found


print(", ".join(f"{name} {version(name)}" for name in ("hypercorn", "quart", "quart-trio", "trio")))
for name, found in (("trio", trio.run(on_trio)), ("asyncio", asyncio.run(on_asyncio()))):
    for way, (told, times) in zip(("stays", "closes its sending side"), found, strict=True):
        print(f"{name}: the client {way}: {told}; stored {times} times")
    assert found == [("HTTP/1.1 200", 1), ("no answer", 0)], found
print("A client that closes its sending side after a whole request is not answered, and its request is not carried out.")
PY

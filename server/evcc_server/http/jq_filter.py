"""``GET /api/state?jq=<filter>``: run a jq program over the state, with an end to it.

A jq program may loop for ever or eat all memory, and the library cannot be interrupted. So it runs in a process of its own with
limits on time and memory and without the environment's secrets.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import trio

from evcc_server.http.route import Refused

FILTER_LENGTH_MAX = 1000
TIME_MAX_S = 2.0
_AT_ONCE = 2

_CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (2, 2))
resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
import jq
program, _, document = sys.stdin.read().partition("\\0")
try:
    results = jq.compile(program).input_text(document)
    sys.stdout.write(results.text())
except ValueError as error:
    sys.stdout.write(str(error)[:200])
    sys.exit(3)
"""


class JqFilter:
    """Runs filters, at most two at a time."""

    def __init__(self) -> None:
        self._limit = trio.CapacityLimiter(_AT_ONCE)

    async def run(self, program: str, document: str) -> bytes:
        """The filter's outputs as JSON, one a line. Raises `Refused`: 501 without the library, 400 for a bad program."""
        if find_spec("jq") is None:
            raise Refused(501, "jq is not installed: install evcclib with its extra, [jq]")
        if len(program) > FILTER_LENGTH_MAX or "\0" in program or "import" in program or "include" in program:
            raise Refused(400, "invalid jq filter: too long or not allowed")
        async with self._limit:
            with trio.move_on_after(TIME_MAX_S):
                done = await trio.run_process(
                    [sys.executable, "-I", "-c", _CHILD],
                    stdin=f"{program}\0{document}".encode(),
                    capture_stdout=True,
                    stderr=subprocess.DEVNULL,
                    check=False,
                    env={"PATH": ""},
                )
                if done.returncode == 0:
                    return bytes(done.stdout)
                text = bytes(done.stdout).decode(errors="replace").strip()
                raise Refused(400, f"invalid jq filter: {text or 'it failed'}")
        raise Refused(400, "invalid jq filter: it takes too long")

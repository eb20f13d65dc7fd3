"""``GET /api/state?jq=<filter>``: run a jq program over the state, with an end to it.

A jq program may loop for ever, eat all memory or print without end, and the library cannot be interrupted. So it runs in a
process of its own with limits on time and memory and without the environment's secrets, and is read as far as an answer may go.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from functools import partial
from importlib.util import find_spec

import trio

from evcc_server.http.route import Refused

FILTER_LENGTH_MAX = 1000
OUTPUT_MAX = 256 * 1024
"""Several times the whole state."""
MEMORY_MAX = 256 << 20
CPU_MAX_S = 2
TIME_MAX_S = 3.0
"""Also what the process needs to start, next to everything else that the machine does."""
AT_ONCE = 2
WAITING_MAX = 8

_FILES = re.compile(r"\b(import|include)\b")
_WRONG, _OUT_OF_MEMORY = 3, 4
_CHILD = f"""
import json, resource, sys
for what, most in (resource.RLIMIT_CPU, int(sys.argv[1])), (resource.RLIMIT_AS, int(sys.argv[2])), (resource.RLIMIT_CORE, 0):
    resource.setrlimit(what, (most, most))
import jq
program, _, document = sys.stdin.read().partition("\\0")
try:
    for number, result in enumerate(jq.compile(program).input_text(document)):
        sys.stdout.write(("\\n" if number else "") + json.dumps(result))
except MemoryError:
    sys.exit({_OUT_OF_MEMORY})
except (ValueError, RecursionError) as error:
    sys.stderr.write(str(error)[:200])
    sys.exit({_WRONG})
"""


class JqFilter:
    """Runs filters, at most `AT_ONCE` at a time."""

    def __init__(self) -> None:
        self._limit = trio.CapacityLimiter(AT_ONCE)

    async def run(self, program: str, document: str) -> bytes:
        """The filter's outputs as JSON, one a line.

        Raises `Refused`: 501 without the library, 400 for a program that is wrong or asks for too much, 503 when too many wait.
        """
        if find_spec("jq") is None:
            raise Refused(501, "jq is not installed: install evcclib with its extra, [jq]")
        if len(program) > FILTER_LENGTH_MAX or "\0" in program or _FILES.search(program):
            raise Refused(400, "invalid jq filter: too long or not allowed")
        if self._limit.statistics().tasks_waiting >= WAITING_MAX:
            raise Refused(503, "too many jq filters at once")
        async with self._limit:
            with trio.move_on_after(TIME_MAX_S):
                return await _output(f"{program}\0{document}".encode())
        raise Refused(400, f"invalid jq filter: it takes too long (at most {TIME_MAX_S:g} s)")


async def _output(given: bytes) -> bytes:
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(
            partial(
                trio.run_process,
                [sys.executable, "-I", "-c", _CHILD, str(CPU_MAX_S), str(MEMORY_MAX)],
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                check=False,
                env={"PATH": ""},
            )
        )
        assert process.stdout is not None and process.stderr is not None
        output = await _read(process.stdout, OUTPUT_MAX)
        is_too_long = len(output) > OUTPUT_MAX
        if is_too_long:
            nursery.cancel_scope.cancel()
        words = await _read(process.stderr, 1000)
    if is_too_long:
        raise Refused(400, f"invalid jq filter: its output is too long (at most {OUTPUT_MAX} bytes)")
    if process.returncode:
        raise Refused(400, f"invalid jq filter: {_reason(process.returncode, words)}")
    return output


async def _read(stream: trio.abc.ReceiveStream, most: int) -> bytes:
    """What comes, but little more than ``most`` bytes of it."""
    data = bytearray()
    while len(data) <= most and (chunk := await stream.receive_some()):
        data += chunk
    return bytes(data)


def _reason(code: int, words: bytes) -> str:
    if code in (_OUT_OF_MEMORY, -signal.SIGABRT):  # the library aborts where it gets no more
        return f"it takes too much memory (at most {MEMORY_MAX >> 20} MiB)"
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"it takes too long (at most {CPU_MAX_S} s)"
    return words.decode(errors="replace").strip() if code == _WRONG and words else "it failed"

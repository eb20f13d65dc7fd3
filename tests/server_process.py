"""``evcc-server`` as its owner starts it: the console script in a folder with an ``evcc.yaml``, and what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

COMMAND = Path(sys.executable).parent / "evcc-server"
START_MAX_S = 40.0


class ServerProcess:
    """A server that has said where its API is; ``said`` is its log so far."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._said = b""

    @property
    def said(self) -> str:
        return self._said.decode()

    @property
    def number(self) -> int:
        """Of the process."""
        return self._process.pid

    async def up(self) -> None:
        await self.says("API on ", START_MAX_S)

    async def says(self, text: str, patience_s: float) -> None:
        """Return when ``text`` has been in the log."""
        with trio.fail_after(patience_s):
            while text not in self.said:
                assert await self._hear(), f"ended without {text!r}:\n{self.said}"

    async def end_by(self, number: int, patience_s: float) -> int:
        """Send a signal; the exit status, negative when the signal ended it."""
        self._process.send_signal(number)
        with trio.fail_after(patience_s):
            status: int = await self._process.wait()
        while await self._hear():
            pass
        return status

    async def _hear(self) -> bool:
        assert self._process.stderr is not None
        data = await self._process.stderr.receive_some()
        self._said += data
        return bool(data)


@asynccontextmanager
async def server_process(folder: Path, *arguments: str) -> AsyncIterator[ServerProcess]:
    """Run in ``folder`` until the block ends; it need not be up yet."""
    process = await trio.lowlevel.open_process(
        [str(COMMAND), *arguments], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=_environment()
    )
    try:
        yield ServerProcess(process)
    finally:
        if process.poll() is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def finished(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit status and errors of a call that is expected to end by itself."""
    with trio.fail_after(START_MAX_S):
        done = await trio.run_process(
            [str(COMMAND), *arguments], cwd=folder, capture_stderr=True, check=False, env=_environment()
        )
    return done.returncode, (done.stderr or b"").decode()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

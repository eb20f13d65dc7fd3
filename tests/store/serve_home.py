"""A program for a test: serve a home from a database, ask what the arguments say, and be killed at once."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import trio
from api_home import served


async def main(database: Path, asked: list[str]) -> None:
    """Ask each path, with what follows it as a body; then die without a chance to clean up."""
    async with served(database=database) as api:
        for each in asked:
            path, _, body = each.partition(" ")
            response = await api.post(f"/api/{path}", content=body)
            assert response.status_code == 200, response.text
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), sys.argv[2:])

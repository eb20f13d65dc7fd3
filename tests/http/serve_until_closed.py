"""A program for tests: serve a home, print its port, end when standard input does."""

from __future__ import annotations

import sys

import trio
from api_home import served


async def main() -> None:
    """Serve until whoever started this closes our standard input."""
    async with served() as api:
        print(api.port, flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)


if __name__ == "__main__":
    trio.run(main)

"""What a person sees of a command: tables as wide as they need to be, and how far a long run is."""

from __future__ import annotations

import sys
from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

SAYS_S = 60.0


def console() -> Console:
    """Standard output; wide where it is no terminal, so that nothing is cut off in logs."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=150)


class Progress:
    """A bar on a terminal, a line every ``says_s`` elsewhere, on standard error.

    As a call it takes what is done, 0..``total``, and a few more words for the line.
    """

    def __init__(self, what: str, total: float = 1.0, *, says_s: float = SAYS_S) -> None:
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
        )
        self._bar = Bar(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task(what, total=total)
        self._what = what
        self._total = total
        self._says_s = None if console.is_terminal else says_s
        self._began_s = self._said_s = perf_counter()

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()

    def __call__(self, done: float, more: str = "") -> None:
        self._bar.update(self._task, completed=done)
        now_s = perf_counter()
        if self._says_s is not None and now_s - self._said_s >= self._says_s:
            self._said_s = now_s
            share_pct, minutes = 100 * done / self._total, (now_s - self._began_s) / 60
            line = f"{self._what}: {share_pct:.0f} % after {minutes:.0f} min"
            print(f"{line}, {more}" if more else line, file=sys.stderr, flush=True)

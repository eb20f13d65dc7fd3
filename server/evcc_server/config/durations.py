"""Durations as evcc's users write them, in Go's notation: ``90s``, ``1m30s``, ``1.5h``."""

from __future__ import annotations

import re
from datetime import timedelta

from evcc_server.quoting import quoted

_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)", re.ASCII)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_LONGEST_S = 10 * 365 * 86_400.0


def parse_duration(text: str) -> timedelta:
    """``text`` as a duration, at most ten years and not negative. Raises ValueError."""
    stripped = text.strip()
    if stripped == "0":
        return timedelta(0)
    position, seconds = 0, 0.0
    while position < len(stripped):
        match = _PART.match(stripped, position)
        if match is None:
            raise ValueError(f"{quoted(text)} is no duration")
        seconds += float(match[1]) * _SECONDS[match[2]]
        position = match.end()
    if position == 0 or seconds > _LONGEST_S:
        raise ValueError(f"{quoted(text)} is no duration")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """``duration`` in the same notation."""
    seconds = duration.total_seconds()
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [f"{int(hours)}h" if hours else "", f"{int(minutes)}m" if minutes else "", f"{rest:g}s" if rest else ""]
    return "".join(parts) or "0s"

"""Logging as the configuration asks for it, with every secret taken out of every line."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping

from evcc_server.secrets import redact

TRACE = 5
LINES_MAX = 100
TRACES_MAX = 5
KINDS_MAX = 1000
LEFT_OUT = "left_out"
"""Attribute of a record: what the formatter says of lines that were not let through."""
_LEVELS = {
    "fatal": logging.CRITICAL,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": TRACE,
}
_NOISY = ("httpx", "httpcore", "hypercorn.access", "amqtt", "transitions", "pymodbus", "asyncio", "quart.app")


class KindLimit(logging.Filter):
    """At most `LINES_MAX` lines of one kind a minute, `TRACES_MAX` with a traceback; then it is said that more are left out.

    Of one kind is what has the same place, level and words, whatever is filled in. What is asked for by ``debug`` and ``trace``
    is not limited.
    """

    def __init__(self) -> None:
        super().__init__()
        self._minutes: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is let through; `LEFT_OUT` tells the formatter when it is the last, or how many were not."""
        if record.levelno < logging.INFO:
            return True
        kind = (record.name, record.levelno, str(record.msg))
        limit = TRACES_MAX if record.exc_info else LINES_MAX
        began, count = self._minutes.pop(kind, (record.created, 0))
        note = ""
        if not 0 <= record.created - began < 60:
            note = f" ({count - limit} more lines like this were left out)" if count > limit else ""
            began, count = record.created, 0
        count += 1
        if count == limit:
            note = " (more lines like this are left out for a minute)"
        self._minutes[kind] = (began, count)
        if len(self._minutes) > KINDS_MAX:
            del self._minutes[next(iter(self._minutes))]
        setattr(record, LEFT_OUT, note)
        return count <= limit


class RedactingFormatter(logging.Formatter):
    """A formatter whose output never holds a secret, also not in the text of an exception."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """The line, redacted."""
        return redact(super().format(record), self._secrets)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without a traceback."""
        return super().formatMessage(record) + getattr(record, LEFT_OUT, "")


def set_up_logging(level: str, levels: Mapping[str, str], secrets: Iterable[str] = ()) -> None:
    """Log to stderr. ``level`` is for everything of ours, ``levels`` for areas by name (``modbus``, ``mqtt``, ``control``)."""
    logging.addLevelName(TRACE, "TRACE")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(secrets))
    handler.addFilter(KindLimit())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("evcc_server").setLevel(_LEVELS[level])
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for area, area_level in levels.items():
        logging.getLogger(f"evcc_server.{area}").setLevel(_LEVELS[area_level])

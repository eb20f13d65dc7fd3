"""Logging as the configuration asks for it, with every secret taken out of every line."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping

from evcc_server.secrets import redact

TRACE = 5
_LEVELS = {
    "fatal": logging.CRITICAL,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": TRACE,
}
_NOISY = ("httpx", "httpcore", "hypercorn.access", "amqtt", "transitions", "pymodbus", "asyncio", "quart.app")


class RedactingFormatter(logging.Formatter):
    """A formatter whose output never holds a secret, also not in the text of an exception."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """The line, redacted."""
        return redact(super().format(record), self._secrets)


def set_up_logging(level: str, levels: Mapping[str, str], secrets: Iterable[str] = ()) -> None:
    """Log to stderr. ``level`` is for everything of ours, ``levels`` for areas by name (``modbus``, ``mqtt``, ``control``)."""
    logging.addLevelName(TRACE, "TRACE")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("evcc_server").setLevel(_LEVELS[level])
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for area, area_level in levels.items():
        logging.getLogger(f"evcc_server.{area}").setLevel(_LEVELS[area_level])

"""Warnings and errors of the log, told to whoever watches the hub [WS-messages]."""

from __future__ import annotations

import contextlib
import logging

import trio

from evcc_server.log import KindLimit
from evcc_server.secrets import redact
from evcc_server.state.hub import Hub, Level

OURS = "evcc_server"
NOT_TOLD = (f"{OURS}.loop.control", f"{OURS}.mqtt")
"""The loop tells what matters by itself; a message about MQTT that is sent over MQTT could cause the next one."""


async def tell_log_lines(
    hub: Hub, secrets: frozenset[str], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Let ``hub`` tell every warning and error that the server logs, without ``secrets``; until cancelled."""
    handler = _Teller(hub, secrets, trio.lowlevel.current_trio_token())
    logging.getLogger(OURS).addHandler(handler)
    try:
        task_status.started()
        await trio.sleep_forever()
    finally:
        logging.getLogger(OURS).removeHandler(handler)


class _Teller(logging.Handler):
    def __init__(self, hub: Hub, secrets: frozenset[str], token: trio.lowlevel.TrioToken) -> None:
        super().__init__(logging.WARNING)
        self._hub = hub
        self._secrets = secrets
        self._token = token
        self.addFilter(KindLimit())

    def emit(self, record: logging.LogRecord) -> None:
        """Called in any thread, maybe in the midst of a publication: the hub hears of it a moment later."""
        if record.name.startswith(NOT_TOLD):
            return
        level = Level.ERROR if record.levelno >= logging.ERROR else Level.WARN
        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._hub.tell, level, redact(record.getMessage(), self._secrets))

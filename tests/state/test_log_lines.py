"""Warnings and errors of the log reach clients [WS-messages]: once, in words, without secrets, from any thread."""

from __future__ import annotations

import logging
from zoneinfo import ZoneInfo

import pytest
import trio
from trio.testing import wait_all_tasks_blocked
from trio_test import in_virtual_time

from evcc_server import log
from evcc_server.state.document import Labels
from evcc_server.state.hub import Hub, Level, Notice
from evcc_server.state.log_lines import tell_log_lines

POLLING = logging.getLogger("evcc_server.loop.pollers")


@pytest.mark.api("WS-messages")
@in_virtual_time
async def test_warnings_and_errors_of_the_log_are_told() -> None:
    hub = Hub(Labels(version="test", time_zone=ZoneInfo("Europe/Berlin")))
    with hub.subscribe() as subscription:
        async with trio.open_nursery() as nursery:
            await nursery.start(tell_log_lines, hub, frozenset({"hemmelig"}))
            POLLING.warning("%s: not connected to http://a:b@b/, hemmelig", "grid")
            POLLING.info("nothing to worry about")
            await trio.to_thread.run_sync(POLLING.error, "worse")
            logging.getLogger("evcc_server.mqtt").warning("telling this over MQTT could cause the next one")
            logging.getLogger("evcc_server.loop.control").warning("the loop tells what matters itself")
            logging.getLogger("elsewhere").error("not ours")
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        POLLING.error("nobody is there any more")
        await wait_all_tasks_blocked()
        assert subscription.take().messages == (
            Notice(Level.WARN, "grid: not connected to http://***@b/, ***"),
            Notice(Level.ERROR, "worse"),
        )


@pytest.mark.api("WS-messages")
@in_virtual_time
async def test_a_flood_of_one_kind_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "LINES_MAX", 2)
    hub = Hub(Labels(version="test", time_zone=ZoneInfo("Europe/Berlin")))
    with hub.subscribe() as subscription:
        async with trio.open_nursery() as nursery:
            await nursery.start(tell_log_lines, hub, frozenset())
            for number in range(9):
                POLLING.warning("no answer to %s", number)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert [message.text for message in subscription.take().messages] == ["no answer to 0", "no answer to 1"]

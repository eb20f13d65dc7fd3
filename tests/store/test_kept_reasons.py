"""Histories of reasons on the disk: they go on by the next server's clock, and none is taken for another loadpoint's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from trio_test import in_virtual_time

from evcc_server.blocking import inline
from evcc_server.keeping.kept_reasons import KeptReasons, row_name
from evcc_server.keeping.persistence import SNAPSHOT
from evcc_server.keeping.restore import restored_reasons
from evcc_server.keeping.store import Snapshot, Store
from evcc_server.state.reason_log import ReasonLog
from evcclib.config import LoadpointConfig, SiteConfig
from evcclib.model import Now
from evcclib.reason_history import Spell
from evcclib.reasons import Reason, ReasonCode
from evcclib.units import Instant

HOME = SiteConfig(time_zone=UTC, loadpoints=(LoadpointConfig(title="Left"), LoadpointConfig(title="Right")))
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
S = timedelta(seconds=1)
LEFT = Now(Instant(1000 * S), NOON)
"""When the last server was last known to live."""
FOUND = Now(Instant(5 * S), NOON + 60 * S)
GUARD = Reason(ReasonCode.GUARD, {"wanted": "surplus", "watt": 1.5}, until=Instant(1030 * S), limit="main")
SWING = Spell(Instant(700 * S), Reason(ReasonCode.SURPLUS), 6.0, 3, 4140.0, Reason(ReasonCode.SURPLUS_MISSING), 5)
HISTORY = (SWING, Spell(Instant(990 * S), GUARD, 0.0, 3, None))


async def keep(store: Store, log: ReasonLog) -> KeptReasons:
    reasons = KeptReasons(HOME, log)
    changed = reasons.changed()
    await store.save(snapshots=[Snapshot(SNAPSHOT, {"version": 1}, LEFT.utc), *reasons.snapshots(changed, LEFT)])
    reasons.kept(changed)
    return reasons


@in_virtual_time
async def test_they_go_on_by_the_clock_of_the_next_server() -> None:
    async with Store.open(None, inline) as store:
        await keep(store, ReasonLog({0: HISTORY}))
        found = await restored_reasons(HOME, store, FOUND)
        by = -1055 * S  # the new clock says -55 s where the old one said 1000 s
        nothing = Spell(Instant(-55 * S), Reason(ReasonCode.STARTING), 0.0, 0, None)
        assert found.of(0) == (
            SWING._replace(since=Instant(700 * S + by)),
            HISTORY[1]._replace(since=Instant(990 * S + by), reason=replace(GUARD, until=Instant(1030 * S + by))),
            nothing,
        )
        assert found.of(1) == ()


@in_virtual_time
async def test_a_clock_that_was_ahead_puts_nothing_into_the_future() -> None:
    async with Store.open(None, inline) as store:
        await keep(store, ReasonLog({0: HISTORY}))
        found = await restored_reasons(HOME, store, Now(FOUND.instant, NOON - timedelta(days=1)))
        assert [spell.since for spell in found.of(0)] == [FOUND.instant] * 3


@in_virtual_time
async def test_only_those_that_have_changed_are_written() -> None:
    async with Store.open(None, inline) as store:
        log = ReasonLog({0: HISTORY, 1: HISTORY[:1]})
        reasons = await keep(store, log)
        assert reasons.changed() == {}
        again = KeptReasons(HOME, log)
        again.kept({0: HISTORY})
        assert again.changed() == {1: HISTORY[:1]}


@in_virtual_time
async def test_another_loadpoint_has_no_part_of_it() -> None:
    async with Store.open(None, inline) as store:
        await keep(store, ReasonLog({0: HISTORY, 1: HISTORY}))
        turned = replace(HOME, loadpoints=(HOME.loadpoints[0], LoadpointConfig(title="Middle")))
        found = await restored_reasons(turned, store, FOUND)
        assert (len(found.of(0)), found.of(1)) == (3, ())


@in_virtual_time
async def test_what_cannot_be_read_is_not_continued(caplog: pytest.LogCaptureFixture) -> None:
    async with Store.open(None, inline) as store:
        await keep(store, ReasonLog({0: HISTORY, 1: HISTORY}))
        unknown = {"title": "Left", "at": "PT1S", "spells": [["PT1S", {"code": "of a later version"}, 6, 3, None]]}
        await store.save(snapshots=[Snapshot(row_name(0), unknown, NOON)])
        found = await restored_reasons(HOME, store, FOUND)
        assert (found.of(0), len(found.of(1))) == ((), 3)
        assert "the history of reasons of loadpoint 1 is not continued" in caplog.text

"""Histories of reasons on the disk: a row for each loadpoint, written when its reason has changed since.

Instants are those of the server that wrote them; ``at`` is the instant at which the row was saved, so that whoever reads it, by
another clock, knows when they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec

from evcc_server.keeping.store import Snapshot
from evcc_server.state.reason_log import ReasonLog
from evcclib.config import SiteConfig
from evcclib.model import Now
from evcclib.reason_history import History, Spell, noted
from evcclib.reasons import Reason, ReasonCode
from evcclib.units import Instant

Changed = Mapping[int, History]
"""By loadpoint."""


class Row(msgspec.Struct):
    """What is on the disk of one loadpoint, which is known again by its ``title``."""

    title: str
    at: Instant
    spells: History


def row_name(loadpoint: int) -> str:
    """Of the stored state; loadpoints count from 1."""
    return f"reasons {loadpoint + 1}"


class KeptReasons:
    """Which histories of ``log`` have changed since they were written."""

    def __init__(self, site: SiteConfig, log: ReasonLog) -> None:
        self._site = site
        self._log = log
        self._since: dict[int, Instant] = {}

    def changed(self) -> Changed:
        """Those with another reason than when they were written; what was offered meanwhile is no change."""
        histories = {loadpoint: self._log.of(loadpoint) for loadpoint in range(len(self._site.loadpoints))}
        return {n: each for n, each in histories.items() if each and self._since.get(n) != each[-1].since}

    def snapshots(self, changed: Changed, now: Now) -> Iterator[Snapshot]:
        """To be written."""
        for loadpoint, history in changed.items():
            title = self._site.loadpoints[loadpoint].title
            document = msgspec.to_builtins(Row(title, now.instant, history))
            yield Snapshot(row_name(loadpoint), document, now.utc)

    def kept(self, changed: Changed) -> None:
        """They are on the disk."""
        self._since.update({loadpoint: history[-1].since for loadpoint, history in changed.items()})


def continued(document: Mapping[str, object], saved: datetime, title: str, *, left_at: datetime, now: Now) -> History:
    """The history on the disk, by the clock of ``now``; empty if it is another loadpoint's.

    From ``left_at`` on, when the server before this one was last known to live, nothing is known. Raises ValueError.
    """
    row = msgspec.convert(document, Row)
    if row.title != title or not row.spells:
        return ()
    by = _instant(saved, now) - row.at
    history = tuple(
        spell._replace(since=min(Instant(spell.since + by), now.instant), reason=_moved(spell.reason, by))
        for spell in row.spells  # what a wrong clock has put into the future has been by now
    )
    nothing = Spell(min(_instant(left_at, now), now.instant), Reason(ReasonCode.STARTING), 0.0, 0, None)
    return noted(history, nothing)


def _instant(utc: datetime, now: Now) -> Instant:
    return Instant(now.instant - (now.utc - utc))


def _moved(reason: Reason, by: timedelta) -> Reason:
    return reason if reason.until is None else replace(reason, until=Instant(reason.until + by))

"""The section ``operatorlimit``: where limits of the grid operator are read."""

from __future__ import annotations

from datetime import timedelta

from evcc_server.config.model import OperatorLimitEntry
from evcc_server.config.read_sources import optional_source, required_number
from evcc_server.config.section import Section
from evcc_server.config.sources import ConstSource, Source
from evcc_server.config.yaml_nodes import Scalar
from evcc_server.settings import OPERATOR_LIMIT_MAX_W

_INTERVAL_MIN = timedelta(seconds=1)


def read_operator_limit(section: Section, *, site_interval: timedelta) -> OperatorLimitEntry:
    """One of ``operatorlimit``."""
    interval = section.duration("interval", default=timedelta(seconds=10), low=_INTERVAL_MIN)
    entry = OperatorLimitEntry(
        name=section.required_text("name", allowed="the name by which this source is shown"),
        line=section.line,
        place=section.path,
        active=optional_source(section, "active"),
        limit=_limit(section),
        interval=interval,
        # one answer that is lost must not end a limit
        expiry=section.duration("expiry", default=timedelta(minutes=5), low=2 * min(interval, site_interval)),
        fallback_w=section.number("fallback", low=0, high=OPERATOR_LIMIT_MAX_W, unit="W"),
    )
    section.close()
    return entry


def _limit(section: Section) -> Source:
    if not isinstance(section.node("limit"), Scalar):
        return required_number(section, "limit")
    return ConstSource(value=str(section.number("limit", low=0, high=OPERATOR_LIMIT_MAX_W, unit="W")))

"""The section ``operatorlimit``: where limits of the grid operator are read."""

from __future__ import annotations

from datetime import timedelta

from evcc_server.config.model import Contact, OperatorLimitEntry
from evcc_server.config.read_sources import optional_source, required_number, required_source
from evcc_server.config.section import Section
from evcc_server.config.sources import ConstSource, Source
from evcc_server.config.yaml_nodes import Scalar
from evcc_server.settings import OPERATOR_LIMIT_MAX_W

_INTERVAL_MIN = timedelta(seconds=1)


def read_operator_limit(section: Section, *, site_interval: timedelta) -> OperatorLimitEntry:
    """One of ``operatorlimit``."""
    interval = section.duration("interval", default=timedelta(seconds=10), low=_INTERVAL_MIN)
    contacts = section.each("contacts", _contact)
    if contacts:
        for key in ("limit", "active"):
            if section.node(key) is not None:
                section.problem(key, "not beside contacts, each of which has a limit")
    entry = OperatorLimitEntry(
        name=section.required_text("name", allowed="the name by which this source is shown"),
        line=section.line,
        place=section.path,
        active=optional_source(section, "active"),
        limit=ConstSource(value="") if contacts else _limit(section),
        contacts=contacts,
        interval=interval,
        # one answer that is lost must not end a limit
        expiry=section.duration("expiry", default=timedelta(minutes=5), low=2 * min(interval, site_interval)),
        fallback_w=section.number("fallback", low=0, high=OPERATOR_LIMIT_MAX_W, unit="W"),
    )
    section.close()
    return entry


def _contact(section: Section) -> Contact:
    closed, opened = section.node("closed"), section.node("open")
    if (closed is None) is (opened is None):
        section.problem("", "expected closed or open, a plugin that says whether the contact is closed")
    state = required_source(section, "open" if closed is None and opened is not None else "closed")
    node = section.node("limit")
    is_none = isinstance(node, Scalar) and node.text.casefold() == "none"
    limit_w = None if is_none else section.number("limit", low=0, high=OPERATOR_LIMIT_MAX_W, unit="W")
    if not is_none and limit_w is None and node is None:
        section.problem("limit", f"missing, expected a number from 0 to {OPERATOR_LIMIT_MAX_W:g} W, or none")
    section.close()
    return Contact(state=state, when=opened is None, limit_w=limit_w)


def _limit(section: Section) -> Source:
    if not isinstance(section.node("limit"), Scalar):
        return required_number(section, "limit")
    return ConstSource(value=str(section.number("limit", low=0, high=OPERATOR_LIMIT_MAX_W, unit="W")))

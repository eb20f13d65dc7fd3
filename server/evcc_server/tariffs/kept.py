"""Lists on the disk, so that a restart does not ask a provider again who counts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from evcc_server.tariffs.source import Lists
from evcclib.errors import InvalidReadings
from evcclib.model import TariffKind
from evcclib.tariff import Rate, Rates


def to_document(lists: Lists, *, keep_as: str) -> dict[str, object]:
    """Plain values, for `from_document`."""
    return {
        "of": keep_as,
        "lists": {
            kind.value: {
                "unit": rates.unit,
                "rates": [[rate.start.isoformat(), rate.end.isoformat(), rate.price] for rate in rates.rates],
            }
            for kind, rates in lists.items()
        },
    }


def from_document(document: Mapping[str, object], *, keep_as: str) -> Lists | None:
    """None when it is another tariff's. Raises `ValueError` for what `to_document` would not say."""
    if document.get("of") != keep_as:
        return None
    try:
        lists = document["lists"]
        if not isinstance(lists, dict):
            raise ValueError("no lists")
        return {TariffKind(kind): _rates(kept) for kind, kept in lists.items()}
    except (KeyError, TypeError, InvalidReadings) as error:
        raise ValueError(repr(error)) from error


def _rates(kept: Mapping[str, object]) -> Rates:
    rows = kept["rates"]
    if not isinstance(rows, list):
        raise ValueError("no rates")
    rates = (Rate(_time(start), _time(end), float(price)) for start, end, price in rows)
    return Rates(tuple(rates), str(kept["unit"]))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)

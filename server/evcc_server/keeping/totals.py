"""What has been charged in the last days, this year and at all, from the sessions in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from evcc_server.keeping.store import StoredSession
from evcc_server.state.shown import Total
from evcclib.events import SessionRecord


def totals(sessions: Sequence[StoredSession], now: datetime, zone: tzinfo) -> Mapping[str, Total]:
    """Of each span; a session belongs to when it began."""
    this_year = datetime(now.astimezone(zone).year, 1, 1, tzinfo=zone)
    since = {
        "30d": now - timedelta(days=30),
        "365d": now - timedelta(days=365),
        "thisYear": this_year,
        "total": datetime.min.replace(tzinfo=UTC),
    }
    return {
        span: _total([stored.session for stored in sessions if stored.session.created >= begin])
        for span, begin in since.items()
    }


def _total(sessions: Sequence[SessionRecord]) -> Total:
    return Total(
        charged_kwh=sum(session.energy_charged_kwh for session in sessions),
        solar_pct=_mean([(session.solar_pct, session.energy_charged_kwh) for session in sessions]),
        price=_mean([(session.price_per_kwh, session.energy_charged_kwh) for session in sessions]),
        co2_g=_mean([(session.co2_g_per_kwh, session.energy_charged_kwh) for session in sessions]),
    )


def _mean(weighed: Sequence[tuple[float | None, float]]) -> float | None:
    """By energy, of those of which it is known."""
    known = [(value, energy_kwh) for value, energy_kwh in weighed if value is not None]
    energy_kwh = sum(energy for _, energy in known)
    return sum(value * energy for value, energy in known) / energy_kwh if energy_kwh > 0 else None

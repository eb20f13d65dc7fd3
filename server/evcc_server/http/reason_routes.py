"""How a loadpoint's reason has changed, and what its next change waits for. All times are UTC, those in sentences the home's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from evcc_server.http.home import Home
from evcc_server.http.route import Answer, Call, Enveloped, Parameter, Route, Schema
from evcc_server.http.setting_routes import LOADPOINT_ID
from evcc_server.state.awaited import Awaited, awaited, ends_at, to_second
from evcc_server.state.encode import Json, number, time_text
from evcc_server.state.reasons_text import awaited_text, reason_text, spell_text
from evcclib.model import Now
from evcclib.reason_history import SPELLS_MAX, History, Spell
from evcclib.reasons import Reason, ReasonCode
from evcclib.units import Instant


def _object(properties: dict[str, Schema]) -> Schema:
    described: dict[str, Json] = {**properties}
    return {"type": "object", "properties": described, "required": [*properties]}


_TIME: Schema = {"type": "string", "format": "date-time"}
_TIME_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
_REASON: dict[str, Schema] = {
    "code": {"type": "string", "enum": [code.value for code in ReasonCode]},
    "text": {"type": "string"},
    "params": {"type": "object"},
    "limit": {"type": ["string", "null"], "description": "what held the current down"},
}
_SPELL: dict[str, Schema] = {
    **_REASON,
    "since": _TIME,
    "ended": {**_TIME_OR_NULL, "description": "null: it holds now"},
    "until": {**_TIME_OR_NULL, "description": "when it would have ended by itself"},
    "inTurnWith": {
        **_object(_REASON),
        "type": ["object", "null"],
        "description": "the reason that took turns with this one",
    },
    "count": {"type": "integer", "minimum": 1, "description": "how often one of the two has held"},
    "chargeCurrent": {"type": ["number", "null"], "description": "what was offered last [A], 0 while disabled"},
    "phasesActive": {"type": "integer"},
    "chargePower": {"type": ["number", "null"], "description": "what was drawn last [W]"},
}
_NEXT: dict[str, Schema] = {
    "waitsFor": {"type": "string", "enum": [what.value for what in Awaited]},
    "until": {**_TIME_OR_NULL, "description": "null: no timer runs"},
    "text": {"type": "string"},
}


_RESULT = _object(
    {
        "next": _object(_NEXT),
        "reasons": {"type": "array", "items": _object(_SPELL), "maxItems": SPELLS_MAX},
    }
)
_EXAMPLE: Json = {
    "next": {
        "waitsFor": "stop",
        "until": "2023-03-06T11:16:20Z",
        "text": "Charging stops if the surplus stays too small. Until 12:16:20.",
    },
    "reasons": [
        {
            "since": "2023-03-06T11:13:20Z",
            "ended": None,
            "code": "surplus_wait_disable",
            "text": "There is too little surplus; charging stops if that lasts. Until 12:16:20.",
            "params": {},
            "limit": None,
            "until": "2023-03-06T11:16:20Z",
            "inTurnWith": None,
            "count": 1,
            "chargeCurrent": 6,
            "phasesActive": 1,
            "chargePower": 1380,
        }
    ],
}


def reason_routes(home: Home) -> Iterator[Route]:
    """The routes of this module."""

    async def reasons(call: Call) -> Answer:
        loadpoint = home.loadpoint(call.path)
        language = call.query.get("lang") or next(iter(call.languages), home.options.language)
        words = _Words(home, home.now(), language)
        view = home.gateway.view().loadpoints[loadpoint]
        history = home.hub.reasons.of(loadpoint)
        return Enveloped({"next": words.next(*awaited(view, words.now)), "reasons": words.history(history)})

    yield Route(
        method="GET",
        path="/api/loadpoints/{id}/reasons",
        group="loadpoint",
        summary="How the reason has changed, newest first, and what the next change waits for",
        handler=reasons,
        parameters=(LOADPOINT_ID,),
        query=(Parameter(name="lang", summary="Language of the texts", schema={"type": "string"}, example="en"),),
        result=_RESULT,
        result_example=_EXAMPLE,
        errors={404: "no such loadpoint"},
    )


@dataclass(frozen=True, slots=True)
class _Words:
    """Spells as JSON, in ``language``, by the clocks of ``now``."""

    home: Home
    now: Now
    language: str

    def next(self, what: Awaited, until: datetime | None) -> Json:
        return {
            "waitsFor": what.value,
            "until": _utc(until),
            "text": awaited_text(what, self.language, self._local(until)),
        }

    def history(self, history: History) -> list[Json]:
        """Newest first: each ended when the one after it began."""
        ends = [*(self._time(spell.since) for spell in history[1:]), None]
        return [self._spell(spell, ended) for spell, ended in reversed([*zip(history, ends, strict=True)])]

    def _spell(self, spell: Spell, ended: datetime | None) -> Json:
        until = ends_at(spell.reason, self.now) if spell.other is None else None  # of a swing each has had its own
        return {
            "since": _utc(self._time(spell.since)),
            "ended": _utc(ended),
            **self._reason(spell.reason, spell_text(spell, self.language, self._local(until))),
            "until": _utc(until),
            "inTurnWith": None
            if spell.other is None
            else self._reason(spell.other, reason_text(spell.other, self.language)),
            "count": spell.turns,
            "chargeCurrent": number(spell.offered_a),
            "phasesActive": spell.phases,
            "chargePower": None if spell.power_w is None else number(spell.power_w),
        }

    def _reason(self, reason: Reason, text: str) -> dict[str, Json]:
        params = {name: each if isinstance(each, str) else number(each) for name, each in reason.params.items()}
        return {"code": reason.code.value, "text": text, "params": params, "limit": reason.limit}

    def _time(self, instant: Instant) -> datetime:
        return to_second(self.now.utc + (instant - self.now.instant))

    def _local(self, time: datetime | None) -> datetime | None:
        return None if time is None else time.astimezone(self.home.site.time_zone)


def _utc(time: datetime | None) -> Json:
    return None if time is None else time_text(time.astimezone(UTC))

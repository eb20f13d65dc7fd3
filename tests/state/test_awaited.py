"""What the next change waits for: the timer that ends first, else what the reason says; a sentence for each."""

from __future__ import annotations

from datetime import timedelta

import pytest
from example_home import CARPORT, NOW

from evcc_server.state.awaited import OF_CODE, Awaited, awaited
from evcc_server.state.reasons_text import LANGUAGES, awaited_text
from evcclib.model import PhaseAction, PvAction
from evcclib.reasons import Reason, ReasonCode
from evcclib.units import ORIGIN, ZERO, Instant
from evcclib.view import LoadpointView

MINUTE = timedelta(minutes=1)
SURPLUS = Reason(ReasonCode.SURPLUS)
IDLE = CARPORT._replace(
    reason=SURPLUS, pv_action=PvAction.INACTIVE, phase_action=PhaseAction.INACTIVE, plan_projected_start=None
)
STOPS = IDLE._replace(pv_action=PvAction.DISABLE, pv_remaining=3 * MINUTE)
WIDENS = IDLE._replace(phase_action=PhaseAction.SCALE_3P, phase_remaining=2 * MINUTE)
RESTS = IDLE._replace(reason=Reason(ReasonCode.GUARD, until=Instant(NOW.instant + MINUTE)))
PLANNED = IDLE._replace(plan_projected_start=NOW.utc + 9 * MINUTE, plan_is_active=False)
HELD = IDLE._replace(reason=Reason(ReasonCode.SURPLUS, limit="main"))


@pytest.mark.parametrize(
    ("view", "what", "minutes"),
    [
        (IDLE, Awaited.SURPLUS, None),
        (STOPS, Awaited.STOP, 3),
        (STOPS._replace(pv_action=PvAction.ENABLE), Awaited.START, 3),
        (WIDENS, Awaited.THREE_PHASES, 2),
        (WIDENS._replace(phase_action=PhaseAction.SCALE_1P), Awaited.ONE_PHASE, 2),
        (STOPS._replace(phase_action=PhaseAction.SCALE_3P, phase_remaining=2 * MINUTE), Awaited.THREE_PHASES, 2),
        (RESTS, Awaited.CONTACTOR, 1),
        (STOPS._replace(reason=RESTS.reason), Awaited.CONTACTOR, 1),
        (PLANNED, Awaited.PLAN_START, 9),
        (PLANNED._replace(plan_is_active=True), Awaited.SURPLUS, None),
        (HELD, Awaited.LIMIT, None),
        (HELD._replace(reason=Reason(ReasonCode.SURPLUS, limit="main", until=RESTS.reason.until)), Awaited.LIMIT, 1),
        (IDLE._replace(reason=Reason(ReasonCode.PLAN_ACTIVE, until_utc=NOW.utc + MINUTE)), Awaited.PLAN_END, 1),
        # what is over is not waited for
        (STOPS._replace(pv_remaining=ZERO), Awaited.SURPLUS, None),
        (IDLE._replace(reason=Reason(ReasonCode.GUARD, until=ORIGIN)), Awaited.CONTACTOR, None),
    ],
)
def test_the_timer_that_ends_first(view: LoadpointView, what: Awaited, minutes: int | None) -> None:
    assert awaited(view, NOW) == (what, None if minutes is None else NOW.utc + minutes * MINUTE)


def test_every_reason_waits_for_something_and_everything_has_its_sentences() -> None:
    assert OF_CODE.keys() == set(ReasonCode)
    sentences = {awaited_text(what, language, None) for what in Awaited for language in LANGUAGES}
    assert len(sentences) == len(Awaited) * len(LANGUAGES)

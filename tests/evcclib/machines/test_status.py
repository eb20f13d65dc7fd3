"""What a change of status means."""

from __future__ import annotations

import pytest

from evcclib.machines.status import Transition, transitions
from evcclib.model import ChargerStatus

A, B, C = ChargerStatus.A, ChargerStatus.B, ChargerStatus.C
CONNECT, START, STOP, DISCONNECT = Transition


@pytest.mark.rule("EV-1", "EV-2", "LP-4")
@pytest.mark.parametrize(
    ("old", "new", "happened"),
    [
        (None, A, (DISCONNECT,)),
        (None, B, (CONNECT,)),
        (None, C, (CONNECT, START)),
        (A, A, ()),
        (A, B, (CONNECT,)),
        (A, C, (CONNECT, START)),
        (B, C, (START,)),
        (C, B, (STOP,)),
        (B, A, (DISCONNECT,)),
        (C, A, (STOP, DISCONNECT)),
        (B, B, ()),
    ],
)
def test_transitions(old: ChargerStatus | None, new: ChargerStatus, happened: tuple[Transition, ...]) -> None:
    assert transitions(old, new) == happened

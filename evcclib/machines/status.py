"""From one charger status to the next: what happened to the vehicle [EV-1..EV-5]."""

from __future__ import annotations

from enum import Enum

from evcclib.model import ChargerStatus


class Transition(Enum):
    """What a change of status means."""

    CONNECT = "connect"
    START = "start"
    STOP = "stop"
    DISCONNECT = "disconnect"


CONNECTED = frozenset((ChargerStatus.B, ChargerStatus.C))
FAULTS = frozenset((ChargerStatus.E, ChargerStatus.F))
"""The charger cannot say what the vehicle does; treated like no answer [DEF-29]."""


def transitions(old: ChargerStatus | None, new: ChargerStatus) -> tuple[Transition, ...]:
    """What happened between two valid states A, B, C, in order; ``old`` None: the first one seen [EV-2]."""
    if old is new:
        return ()
    happened: list[Transition] = []
    if new is not ChargerStatus.A and old in (None, ChargerStatus.A):
        happened.append(Transition.CONNECT)
    if new is ChargerStatus.C:
        happened.append(Transition.START)
    if old is ChargerStatus.C:
        happened.append(Transition.STOP)
    if new is ChargerStatus.A:
        happened.append(Transition.DISCONNECT)
    return tuple(happened)

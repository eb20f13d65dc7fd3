"""A law from outside the library: half of what is wanted, whatever the sun does."""

from __future__ import annotations

from evcclib.laws.law import Ask, Law, SiteSeen, Target
from evcclib.reasons import Reason, ReasonCode


class Halves(Law):
    name = "halves"

    def decide(self, seen: SiteSeen) -> tuple[None, Ask]:
        reason = Reason(ReasonCode.SURPLUS)
        targets = [Target(each.demand.wanted_a / 2, 0, False, reason) for each in seen.loadpoints]
        return None, lambda memory, turn: (targets[turn.loadpoint], memory)


ONE = Halves()
NO_LAW = object()

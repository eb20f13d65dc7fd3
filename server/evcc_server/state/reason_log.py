"""How each loadpoint's reason has changed, noted whenever a state is published."""

from __future__ import annotations

from collections.abc import Mapping

from evcclib.model import Now
from evcclib.reason_history import History, Spell, noted
from evcclib.view import SiteView


class ReasonLog:
    """The histories of all loadpoints by their 0-based number; ``begun`` with those of the server before this one."""

    def __init__(self, begun: Mapping[int, History] | None = None) -> None:
        self._histories = dict(begun or {})

    def note(self, view: SiteView, now: Now) -> None:
        """Take in ``view`` of ``now``."""
        for seen in view.loadpoints:
            spell = Spell(now.instant, seen.reason, seen.current_offered_a, seen.phases_active, seen.charge_power_w)
            self._histories[seen.loadpoint] = noted(self.of(seen.loadpoint), spell)

    def of(self, loadpoint: int) -> History:
        """Empty before anything has been noted."""
        return self._histories.get(loadpoint, ())

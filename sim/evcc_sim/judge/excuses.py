"""How long faults excuse what happens around them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from evcc_sim.plants.faults import Fault


@dataclass(frozen=True, slots=True)
class Grace:
    """A fault excuses what happens from so long before it begins until so long after it ends."""

    before_s: float
    after_s: float

    def excuses(self, faults: Iterable[Fault], second: float) -> bool:
        """Whether one of ``faults`` explains what happens at ``second``."""
        return any(fault.start_s - self.before_s <= second < fault.end_s + self.after_s for fault in faults)


SETTLED_AFTER_S = 600.0
SETTLING = Grace(60.0, SETTLED_AFTER_S)
"""Control, station and car have to come back to where they were."""
STARTING = Grace(60.0, 900.0)
"""And whoever waits for the sun has to wait for its delays once more."""
SHOWING = Grace(10.0, 60.0)
"""What is shown has to become what it was."""
CALMING = Grace(10.0, 120.0)
"""The last commands that a fault has caused have to be sent."""
SHARING_S = 180.0
"""After a fault, limits are shared out anew so long."""

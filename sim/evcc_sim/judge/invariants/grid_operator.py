"""What the grid operator allows during a run."""

from __future__ import annotations

from bisect import bisect_right

from evcc_sim.judge.trace import Trace
from evcc_sim.worlds.actions import OperatorSpan, operator_limit_w, operator_spans


class Operator:
    """What the grid operator allows, at the moments that an invariant asks for, on all days of the run."""

    def __init__(self, trace: Trace) -> None:
        self._spans: list[OperatorSpan] = operator_spans(trace.scenario, trace.days)
        edges = {edge for span in self._spans for edge in (span.start_s, span.end_s, span.expires_s)}
        self._edges = sorted(edges)

    @property
    def ever_limits(self) -> bool:
        """Whether it says anything in this run."""
        return bool(self._spans)

    def limit_w(self, second: float) -> float | None:
        """[W]; None: everything."""
        return operator_limit_w(self._spans, second) if self._spans else None

    def unchanged_since(self, second: float) -> float:
        """The last second up to ``second`` at which a limit began or ended."""
        position = bisect_right(self._edges, second)
        return self._edges[position - 1] if position else float("-inf")

    def is_limiting(self, second: float, *, after_s: float = 0.0) -> bool:
        """Whether it limits now, or did so up to ``after_s`` ago."""
        if not self._spans:
            return False
        return self.limit_w(second) is not None or second - self.unchanged_since(second) <= after_s

    @property
    def ends(self) -> list[float]:
        """The seconds at which the site is free again."""
        free = [edge for edge in self._edges if self.limit_w(edge) is None and self.limit_w(edge - 1e-3) is not None]
        return [edge for edge in free if edge != float("inf")]

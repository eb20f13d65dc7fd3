"""What the command line may override."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evcclib.laws.law import Law
from evcclib.model import Planner


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Values given at start that win over the file; None leaves the file's."""

    host: str | None = None
    port: int | None = None
    ui: Path | None = None  # serve these files instead of the built-in page
    database: str | None = None  # path, or ":memory:"
    log: str | None = None
    law: Law | None = None
    planner: Planner | None = None

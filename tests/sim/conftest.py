"""What tests of commands share."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import pytest

from evcc_sim.commands import cli
from evcc_sim.runs.result import RunResult


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], RunResult]:
    """Runs what was printed."""
    results: list[RunResult] = []
    monkeypatch.setattr(cli, "_print_result", results.append)

    def run(text: str) -> RunResult:
        program, *arguments = shlex.split(text)
        assert program == "evcc-sim"
        cli.main(arguments)
        return results[-1]

    return run

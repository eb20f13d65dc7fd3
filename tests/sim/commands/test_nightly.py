"""``evcc-sim nightly``: every part runs, the summary says how each went, and one that fails fails the night."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from evcc_sim.commands import cli
from evcc_sim.commands.nightly import CONSTANTS, PROPERTIES, Part, constants, parts, properties, run_parts
from evcc_sim.show.terminal import Progress
from evcc_sim.worlds import scenario


def test_a_night_has_kills_at_every_step_days_and_a_sweep() -> None:
    kills, short, long, sweep = parts(days=2, seeds=3)
    assert (str(kills), str(sweep)) == ("evcc-sim kills --every", "evcc-sim sweep --seeds 3")
    assert "hundred-chargers" in short.arguments
    assert long.arguments[:3] == ("days", "--days", "2")
    assert sorted((*short.arguments[1:], *long.arguments[3:])) == sorted(scenario.names())
    assert str(parts(every=False)[0]) == "evcc-sim kills"


def test_a_night_in_the_repository_draws_new_examples_of_every_property(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    (part,) = properties(root=root)
    assert str(part) == f"EVCC_EXAMPLES=4000 pytest -q {' '.join(PROPERTIES)}"
    assert "budget(1000)" in (root / PROPERTIES[1]).read_text(encoding="utf-8")
    assert properties(root=tmp_path) == ()


def test_a_night_in_the_repository_gives_every_constant_another_value(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    (part,) = constants(root=root)
    assert str(part) == f"pytest -q -n auto -m mutant {CONSTANTS}"
    assert constants(root=tmp_path) == ()


def test_a_part_that_is_no_command_of_ours_runs_with_its_budget(tmp_path: Path) -> None:
    test = tmp_path / "test_budget.py"
    test.write_text(
        'import os\n\ndef test_budget():\n    assert os.environ["EVCC_EXAMPLES"] == "7"\n', encoding="utf-8"
    )
    arguments = ("-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(test))
    assert run_parts([Part(arguments, "pytest", 7)], cli.main) == 0
    assert run_parts([Part(arguments, "pytest", 8)], cli.main) == 1


def test_a_failed_part_fails_the_night_and_the_others_still_run() -> None:
    statuses = {"one": 0, "two": 1, "three": 0}
    ran: list[str] = []
    said: list[str] = []

    def run(arguments: Sequence[str]) -> int:
        ran.append(arguments[0])
        return statuses[arguments[0]]

    chosen = [Part((name,)) for name in ("one", "two", "broken", "three")]
    assert run_parts(chosen, run, say=said.append) == 1
    assert ran == ["one", "two", "broken", "three"]
    summary = said[said.index("== summary") + 1 :]
    assert [line[:6] for line in summary] == ["ok    ", "FAILED", "FAILED", "ok    "]
    assert run_parts(chosen[:1], run, say=said.append) == 0


def test_a_part_that_is_typed_wrongly_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_parts([Part(("kills", "no-such-world"))], cli.main) == 1
    assert "no-such-world" in capsys.readouterr().err


def test_where_there_is_no_terminal_progress_is_told_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("work", 4, says_s=0.0) as progress:
        progress(1)
        progress(2, "1 failed")
    assert capsys.readouterr().err.splitlines() == ["work: 25 % after 0 min", "work: 50 % after 0 min, 1 failed"]

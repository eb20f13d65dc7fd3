"""What the models of other systems decide, against what those have decided; docs/rivals.md describes both."""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from changed_rules import CHANGED, Changed

from evcc_sim.rivals import check

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(__file__).parent / "recorded"
TRACES = check.traces(FOLDER)


@cache
def recorded(path: Path) -> dict[str, Any]:
    return check.read(path)


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.name.partition(".")[0])
def test_every_tick_is_decided_as_recorded(path: Path) -> None:
    trace = recorded(path)
    pairs = list(check.pairs(trace))
    assert len(pairs) == len(trace["ticks"]) > 100
    assert [(index, each) for index, each in enumerate(pairs) if each.wanted != each.got][:1] == []


@pytest.mark.parametrize("change", CHANGED, ids=str)
def test_a_changed_rule_is_noticed(change: Changed, monkeypatch: pytest.MonkeyPatch) -> None:
    change.apply(monkeypatch)
    paths = [path for path in TRACES if path.name.startswith(f"{change.rival}_")]
    assert any(each.wanted != each.got for path in paths for each in check.pairs(recorded(path)))


def test_the_page_says_of_each_rule_whether_a_changed_one_is_noticed() -> None:
    page = (ROOT / "docs" / "rivals.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([EOSP]\d+) \|.*\| (\w+) \|$", page, re.MULTILINE)
    assert {rule for rule, known in rows if known == "changed"} == {change.rule for change in CHANGED}
    assert {known for _, known in rows} == {"changed", "seen", "read"}


def test_every_rule_of_the_page_is_cited_where_it_is_followed() -> None:
    page = (ROOT / "docs" / "rivals.md").read_text(encoding="utf-8")
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "sim/evcc_sim/rivals").rglob("*.py"))
    for match in re.finditer(r"\[([EOSP])(\d+) to [EOSP](\d+)\]", code):
        code += "".join(f"[{match[1]}{number}]" for number in range(int(match[2]), int(match[3])))
    rules = re.findall(r"^\| ([EOSP]\d+) \|", page, re.MULTILINE)
    assert [rule for rule in rules if re.search(rf"[\[ ]{rule}[],]", code) is None] == []


@pytest.mark.parametrize("suffix", ["json", "json.gz"])
def test_the_command_tells_equal_from_unequal(suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = recorded(FOLDER / "evcc_a_ramp.json.gz")
    ticks = trace["ticks"][:40]
    wrong = [*ticks[:30], {**ticks[30], "commands": [[["current", 99]]]}, *ticks[31:]]
    for name, kept in (("right", ticks), ("wrong", wrong)):
        data = json.dumps({**trace, "ticks": kept}).encode()
        (tmp_path / f"{name}.{suffix}").write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    assert check.main([str(tmp_path)]) == 1
    right, unequal, first, *_ = capsys.readouterr().out.splitlines()
    assert right.split() == [f"right.{suffix}", "40", "equal", "0", "unequal"]
    assert unequal.split() == [f"wrong.{suffix}", "39", "equal", "1", "unequal"]
    assert first.startswith("  tick 30: recorded ([[['current', 99]]]")
    (tmp_path / f"wrong.{suffix}").unlink()
    assert check.main([str(tmp_path)]) == 0
    assert check.main([str(tmp_path / "nowhere")]) == 2


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(each, names) for name, each in value.items() if name not in names}
    return [_without(each, names) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        (
            "evcc_a_ramp",
            "state battery circuit_w circuit_a residual_w priority phases_configured milliamps enable_delay_s lp",
        ),
        ("openwb_a_ramp", "state battery phase_switch_running pv nominal_difference_a prio max_currents_a"),
        ("smartevse_a_ramp", "iset_da switching battery_da load_balancing node_max_da isum_da"),
        ("openems_a_ramp", "strategy ev_w ev_phases min max"),
    ],
)
def test_a_trace_need_not_tell_everything(name: str, absent: str) -> None:
    trace = recorded(FOLDER / f"{name}.json.gz")
    bare = _without(trace, frozenset(absent.split()))
    assert bare != trace
    assert all(each.wanted == each.got for each in check.pairs(bare))

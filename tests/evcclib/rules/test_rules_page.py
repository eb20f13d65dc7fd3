"""docs/rules.md is complete, true to the modules, and proven by tests."""

from __future__ import annotations

import re

import rules_index

PAGE = rules_index.PAGE.read_text(encoding="utf-8")
ROWS = rules_index.rows(PAGE)
CITED = rules_index.citations()

NUMBERS: dict[str, list[int]] = {
    "U": [*range(1, 13)],
    "N": [*range(1, 6)],
    "CUT": [*range(1, 7)],
    "SITE": [*range(1, 26)],
    "PRIO": [1, 2, 3],
    "LP": [1, 2, 3, 4, *range(10, 26)],
    "STR": [*range(1, 14)],
    "EV": [1, 2, 3, 4, 5, *range(10, 16)],
    "MEA": [*range(1, 8)],
    "PV": [*range(1, 13)],
    "PVT": [*range(1, 6)],
    "PH": [*range(1, 14)],
    "LIM": [*range(1, 10)],
    "SYN": [1, 2, 3, 4],
    "WAKE": [1, 2, 3],
    "GOAL": [*range(1, 6)],
    "SOC": [*range(6, 13)],
    "EST": [*range(1, 11)],
    "PLAN": [*range(1, 40)],
    "BAT": [*range(1, 10)],
    "CIR": [1, 2, 3],
    "VEH": [*range(1, 17), 20],
    "ACT": [*range(1, 7)],
    "MET": [*range(1, 7)],
    "SES": [*range(1, 7)],
    "SAV": [*range(1, 6)],
    "TAR": [*range(1, 11)],
    "GRN": [1],
    "SET": [*range(1, 7)],
    "RC": [1, 2, 3, 4],
    "DEF": [*range(1, 50)],
    "INV": [*range(1, 15)],
}
ALL = {"CLI", *(f"{prefix}-{number}" for prefix, numbers in NUMBERS.items() for number in numbers)}


def test_page_has_every_rule_once() -> None:
    ids = [row.id for row in ROWS]
    assert len(ids) == len(set(ids))
    assert set(ids) == ALL


def test_every_rule_has_a_test() -> None:
    proven = {citation.rule for citation in CITED}
    missing = [row.id for row in ROWS if row.is_applicable and row.id not in proven]
    assert not missing, " ".join(missing)


def test_every_test_cites_known_rules_only() -> None:
    unknown = [citation for citation in CITED if citation.rule not in ALL]
    assert not unknown, unknown


def test_rules_that_do_not_apply_say_why_and_are_cited_nowhere() -> None:
    without = {row.id for row in ROWS if not row.is_applicable}
    assert all(re.match(r"not applicable: \w", row.rule) for row in ROWS if row.id in without)
    assert not without & {citation.rule for citation in CITED}


def test_every_module_of_the_page_exists() -> None:
    missing = {name for row in ROWS if row.is_applicable for name in row.modules if not rules_index.module_exists(name)}
    assert not missing, missing
    assert all(row.modules for row in ROWS if row.is_applicable)


def test_column_of_tests_names_tests_that_cite_the_rule() -> None:
    """It may lag behind new tests, but never name one that is gone."""
    proven = {(citation.rule, citation.file) for citation in CITED}
    for row in ROWS:
        named = re.findall(r"`([^`]+)`", row.tests)
        assert bool(named) is row.is_applicable, f"{row.id}: run python tests/rules_index.py"
        stale = [file for file in named if (row.id, file) not in proven]
        assert not stale, f"{row.id}: {stale}, run python tests/rules_index.py"


def test_column_can_be_rewritten_again_and_again() -> None:
    once = rules_index.rewritten(PAGE, CITED)
    assert rules_index.rewritten(once, CITED) == once

"""docs/api.md against the tests: every line of the API has a test, and every cited line is on the page."""

from __future__ import annotations

import api_index


def test_every_line_of_the_page_has_a_test() -> None:
    cited = {citation.id for citation in api_index.citations()}
    unproven = [row.id for row in api_index.rows(_page()) if row.needs_proof and row.id not in cited]
    assert unproven == []


def test_every_cited_line_is_on_the_page() -> None:
    known = [row.id for row in api_index.rows(_page())]
    assert len(known) == len(set(known))
    assert sorted({citation.id for citation in api_index.citations()} - set(known)) == []


def test_the_page_has_every_line_of_the_api() -> None:
    known = {row.id for row in api_index.rows(_page())}
    assert {f"API-{number}" for number in range(1, 47)} <= known
    assert {f"row-{number}" for number in range(1, 37)} <= known


def test_the_page_names_the_tests_of_today() -> None:
    """If this fails: ``python tests/api_index.py``."""
    assert _page() == api_index.rewritten(_page(), api_index.citations())


def _page() -> str:
    return api_index.PAGE.read_text(encoding="utf-8")

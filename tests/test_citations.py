"""Comments and docstrings cite rules in brackets, like [PV-4] or [row-7]: each has its line in docs/rules.md or docs/api.md.

Those of other systems are like [E7] and have theirs in docs/rivals.md.
"""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import api_index
import pytest
import rules_index

ROOT = rules_index.ROOT
_ID = r"(?:[A-Z]+-\d+|(?:row|http|WS)-\w+|[EOSP]\d+)"
_CITED = re.compile(rf"\[({_ID}(?:(?:, |\.\.| to ){_ID})*)\]")
_RIVALS = ROOT / "docs" / "rivals.md"
_ELSEWHERE = re.compile(
    r"\[[^\[\]]*(?:\.md\b|\b(?:api|control|decision|row|section|spec) \d)[^\[\]]*\](?!\()|\b(?:api|control|spec) \d+\.\d+"
)
"""A chapter or a number of some page that is not here."""


def _written(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of the comments and of the strings of a program: a docstring is one, and a message is no harm."""
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in {tokenize.COMMENT, tokenize.STRING}:
                yield from enumerate(token.string.splitlines(), token.start[0])


def _known() -> set[str]:
    pages = (rules_index.rows(rules_index.PAGE.read_text("utf-8")), api_index.rows(api_index.PAGE.read_text("utf-8")))
    of_rivals = re.findall(rf"^\| ({_ID}) \|", _RIVALS.read_text("utf-8"), re.MULTILINE)
    return {row.id for rows in pages for row in rows} | set(of_rivals)


def _unknown(text: str, known: set[str]) -> list[str]:
    cited = [each for match in _CITED.finditer(text) for each in re.findall(_ID, match.group(1))]
    series = "|".join({each.partition("-")[0] for each in known if each.isupper() and "-" in each})
    named = re.findall(rf"(?<![\w-])(?:{series})-\d+\b(?!-)", text)  # in a sentence, too
    return [each for each in dict.fromkeys(cited + named) if each not in known] + _ELSEWHERE.findall(text)


@pytest.mark.parametrize("folder", ["evcclib", "server", "sim", "tests", "benchmarks"])
def test_every_rule_that_is_cited_is_on_a_page(folder: str) -> None:
    known = _known()
    unknown = [
        f"{path.relative_to(ROOT)}:{line}: {each}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != Path(__file__)
        for line, text in _written(path)
        for each in _unknown(text, known)
    ]
    assert not unknown, "\n".join(unknown)


@pytest.mark.parametrize("page", [rules_index.PAGE, api_index.PAGE, _RIVALS], ids=lambda page: page.name)
def test_every_rule_that_a_page_cites_is_on_a_page(page: Path) -> None:
    assert _unknown(page.read_text(encoding="utf-8"), _known()) == []


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("a table [PV-4], one row [row-7, WS-slow]", []),
        ("all of them [SES-1..SES-6]", []),
        ("of other systems [E7, O18, S9 to S16, P6]", []),
        ("[E99]", ["E99"]),
        ("[NO-1]", ["NO-1"]),
        ("[http-nothing]", ["http-nothing"]),
        ("[PV-4, NO-1]", ["NO-1"]),
        ("by table PV-99", ["PV-99"]),
        ("[SES-1..SES-99]", ["SES-99"]),
        ("[api 7.4]", ["[api 7.4]"]),
        ("[control.md 18.1, PV-4]", ["[control.md 18.1, PV-4]"]),
        ("[decision 9]", ["[decision 9]"]),
        ("in the forms of api 2.3", ["api 2.3"]),
        ("a power [W], a [link](rules.md), a range [0-9], an ignore[arg-type]", []),
    ],
)
def test_what_leads_nowhere_is_found(text: str, unknown: list[str]) -> None:
    assert _unknown(text, _known()) == unknown

"""The last column of docs/api.md: which tests prove which line. ``python tests/api_index.py`` rewrites it."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "api.md"
ROW = re.compile(r"^\| (?P<id>[A-Za-z0-9]+-[A-Za-z0-9]+) \| (?P<line>.+) \| (?P<tests>[^|]*)\|$")
NOT_SERVED = "not served"
"""How a row says that there is nothing to prove."""
NAMES_MAX = 3


class Row(NamedTuple):
    """A line of the page."""

    id: str
    line: str
    tests: str

    @property
    def needs_proof(self) -> bool:
        return not self.line.endswith(NOT_SERVED)


class Citation(NamedTuple):
    """A test that cites a line."""

    id: str
    file: str
    test: str


def rows(page: str) -> list[Row]:
    matches = (ROW.match(line) for line in page.splitlines())
    return [Row(match["id"], match["line"].strip(), match["tests"].strip()) for match in matches if match]


@functools.cache
def citations() -> list[Citation]:
    """Every ``pytest.mark.api(...)`` of every test: on the function, in its parameters, or on the whole module."""
    found: list[Citation] = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found.extend(_cited_in(tree, path.relative_to(ROOT / "tests").as_posix()))
    return found


def tests_column(identifier: str, cited: list[Citation]) -> str:
    """``file::test`` of the first tests that cite a line, and how many more do."""
    names = list(dict.fromkeys(f"`{each.file}::{each.test}`" for each in cited if each.id == identifier))
    more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    return ", ".join(names[:NAMES_MAX]) + more


def rewritten(page: str, cited: list[Citation]) -> str:
    lines = []
    for line in page.splitlines():
        match = ROW.match(line)
        if match and not match["line"].strip().endswith(NOT_SERVED):
            line = f"| {match['id']} | {match['line'].strip()} | {tests_column(match['id'], cited)} |"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _cited_in(tree: ast.Module, file: str) -> Iterator[Citation]:
    whole = [each for node in tree.body if isinstance(node, ast.Assign) for each in _marks(node)]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            cited = [each for decorator in node.decorator_list for each in _marks(decorator)]
            for identifier in dict.fromkeys(whole + cited):
                yield Citation(identifier, file, node.name)


def _marks(node: ast.AST) -> Iterator[str]:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "api":
            for argument in call.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), citations()), encoding="utf-8")

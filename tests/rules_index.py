"""The last column of docs/rules.md: which tests prove which rule. ``python tests/rules_index.py`` rewrites it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "rules.md"
ROW = re.compile(r"^\| (?P<id>[A-Z]+(?:-\d+)?) \| (?P<rule>[^|]+) \| (?P<module>[^|]+) \|(?P<tests>[^|]*)\|$")
NOT_APPLICABLE = "not applicable"


class Row(NamedTuple):
    """A line of the page. ``modules`` are names in backticks."""

    id: str
    rule: str
    modules: tuple[str, ...]
    tests: str

    @property
    def is_applicable(self) -> bool:
        return not self.rule.startswith(NOT_APPLICABLE)


class Citation(NamedTuple):
    """A test that cites a rule."""

    rule: str
    file: str
    test: str


def rows(page: str) -> list[Row]:
    found = [match for line in page.splitlines() if (match := ROW.match(line))]
    return [
        Row(
            match["id"], match["rule"].strip(), tuple(re.findall(r"`([^`]+)`", match["module"])), match["tests"].strip()
        )
        for match in found
    ]


def citations() -> list[Citation]:
    """Every ``@pytest.mark.rule(...)`` of every test, on the function, its class, or the whole module."""
    found: list[Citation] = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        found.extend(
            _cited_in(ast.parse(path.read_text(encoding="utf-8")), path.relative_to(ROOT / "tests").as_posix())
        )
    return found


def tests_column(rule: str, cited: list[Citation]) -> str:
    """The files whose tests cite ``rule``, below ``tests/``."""
    return ", ".join(f"`{file}`" for file in sorted({citation.file for citation in cited if citation.rule == rule}))


def rewritten(page: str, cited: list[Citation]) -> str:
    lines = []
    for line in page.splitlines():
        match = ROW.match(line)
        if match and not match["rule"].startswith(NOT_APPLICABLE):
            line = f"| {match['id']} | {match['rule']} | {match['module']} | {tests_column(match['id'], cited)} |"
        lines.append(line)
    return "\n".join(lines) + "\n"


def module_exists(name: str) -> bool:
    return any((ROOT / "evcclib").rglob(f"{name}.py")) or (ROOT / name).exists()


def _cited_in(tree: ast.Module, file: str) -> Iterator[Citation]:
    for scope in tree.body:
        if isinstance(scope, ast.ClassDef):
            for rule in _rules(scope.decorator_list):
                yield Citation(rule, file, scope.name)
        for node in ast.walk(scope):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for rule in _rules(node.decorator_list):
                    yield Citation(rule, file, node.name)
        if isinstance(scope, ast.Assign):
            for rule in _rules(scope.value.elts if isinstance(scope.value, ast.List | ast.Tuple) else [scope.value]):
                yield Citation(rule, file, file.rpartition("/")[2].removesuffix(".py"))


def _rules(marks: list[ast.expr]) -> Iterator[str]:
    for mark in marks:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.rule":
            for argument in mark.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), citations()), encoding="utf-8")

"""A pytest plugin that changes one constant of the library before anything imports it.

    pytest -p mutant --mutant "machines.charger.SYNC_GRACE: value * 0.5" tests/evcclib/test_constants.py

A suite that passes nevertheless has no witness for the constant. `tests/evcclib/test_mutants.py` does this for all of them.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

import pytest

LIBRARY = Path(__file__).parent.parent / "evcclib"


@dataclass(frozen=True, slots=True)
class Constant:
    """A name that a module of the library gives a number, a time or a tuple of them."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True)
class Mutant:
    """``constant`` with another value; ``change`` is an expression of its ``value``."""

    constant: Constant
    change: str

    def __str__(self) -> str:
        return f"{self.constant}: {self.change}"

    @classmethod
    def parse(cls, text: str) -> Mutant:
        """The opposite of ``str``."""
        where, _, change = text.partition(": ")
        module, _, name = where.rpartition(".")
        return cls(Constant(module, name), change)


def constants(library: Path = LIBRARY) -> dict[Constant, object]:
    """Every constant of the library with its value."""
    found: dict[Constant, object] = {}
    for path in sorted(library.rglob("*.py")):
        module = ".".join(path.relative_to(library).with_suffix("").parts)
        for name in _assigned(ast.parse(path.read_text(encoding="utf-8"))):
            value = getattr(importlib.import_module(f"{library.name}.{module}"), name)
            if name.isupper() and _is_numeric(value):
                found[Constant(module, name)] = value
    return found


def _assigned(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        yield from (target.id for target in targets if isinstance(target, ast.Name) and _value(node) is not None)


def _value(node: ast.stmt) -> ast.expr | None:
    """The value that an assignment assigns."""
    return node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None


def _is_numeric(value: object) -> bool:
    if isinstance(value, tuple):
        return len(value) > 0 and type(value) is tuple and all(_is_numeric(each) for each in value)
    return isinstance(value, int | float | timedelta | datetime) and not isinstance(value, bool)


def mutants(constant: Constant, value: object) -> tuple[Mutant, ...]:
    """``constant`` a little smaller and a little greater, as far as there is less than it."""
    if isinstance(value, tuple):
        is_range = all(isinstance(each, float) for each in value)
        changes = ["value[1:]", "value[:-1]"]
        if is_range and any(value):
            changes = [f"tuple(each * {by} for each in value)" for by in (0.5, 2)]
        elif is_range:
            changes = ["(1.0, *value[1:])", "(*value[:-1], 1.0)"]
    elif isinstance(value, datetime):
        changes = ["value.replace(year=value.year - 1)", "value.replace(year=value.year + 1)"]
    elif isinstance(value, int):
        changes = ["value - 1", "value + 1"]
    elif value == timedelta(0):
        changes = ["value + type(value)(seconds=1)"]
    elif value == timedelta.resolution:
        changes = ["value * 2"]
    else:
        changes = ["value * 0.5", "value * 2"]
    return tuple(Mutant(constant, change) for change in changes)


class _Loader(SourceFileLoader):
    """Compiles a module anew each time, the value of one assignment wrapped in the change; no bytecode is kept."""

    def __init__(self, fullname: str, path: str, mutant: Mutant) -> None:
        super().__init__(fullname, path)
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        tree = ast.parse(self.get_data(self.path), self.path)
        found = 0
        for node in tree.body:
            value = _value(node)
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AnnAssign)
                else []
            )
            if value is None or [each.id for each in targets if isinstance(each, ast.Name)] != [
                self._mutant.constant.name
            ]:
                continue
            changed = ast.parse(f"(lambda value: {self._mutant.change})(0)", mode="eval").body
            assert isinstance(changed, ast.Call) and isinstance(node, ast.Assign | ast.AnnAssign)
            changed.args[0] = value
            node.value = changed
            found += 1
        assert found == 1, f"{found} assignments to {self._mutant.constant}"
        return compile(ast.fix_missing_locations(tree), self.path, "exec")


class _Finder(MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self.module = f"{LIBRARY.name}.{mutant.constant.module}"

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.module:
            return None
        found = PathFinder.find_spec(fullname, path)
        assert found is not None and found.origin is not None
        return spec_from_file_location(fullname, found.origin, loader=_Loader(fullname, found.origin, self._mutant))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mutant", help="module.NAME: an expression of its value")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    text = early_config.known_args_namespace.mutant
    if text is None:
        return
    finder = _Finder(Mutant.parse(text))
    if finder.module in sys.modules:
        raise pytest.UsageError(f"{finder.module} is imported already by another plugin")
    sys.meta_path.insert(0, finder)

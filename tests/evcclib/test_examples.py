"""The examples of docs/examples run as printed, and use public names of evcclib only."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import pytest

import evcclib

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"

EXPECTED = {
    "allocate_surplus.py": """\
10:05  sun 6500 W  Carport 10 A  Garage 16 A  surplus
10:10  sun 6500 W  Carport 10 A  Garage 16 A  surplus
10:15  sun 6500 W  Carport 10 A  Garage 16 A  surplus
10:20  sun 6500 W  Carport 10 A  Garage 16 A  surplus
10:25  sun 3000 W  Carport  0 A  Garage 10 A  surplus_missing
10:30  sun 3000 W  Carport  0 A  Garage 10 A  surplus_missing
10:35  sun 3000 W  Carport  0 A  Garage 10 A  surplus_missing
10:40  sun 3000 W  Carport  0 A  Garage 10 A  surplus_missing
""",
    "plan_night_charge.py": """\
2:24:56 at 11040 W, in time: True
00:35:04 - 01:00:00  0.24 EUR/kWh
01:00:00 - 02:00:00  0.22 EUR/kWh
02:00:00 - 03:00:00  0.22 EUR/kWh
""",
}


def test_every_example_is_tried() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} >= set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_example_prints_what_it_promises(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / name))
    assert capsys.readouterr().out == EXPECTED[name]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_example_uses_public_names_only(name: str) -> None:
    imported = [
        node
        for node in ast.walk(ast.parse((EXAMPLES / name).read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("evcclib")
    ]
    assert {node.module for node in imported} == {"evcclib"}
    assert {alias.name for node in imported for alias in node.names} <= set(evcclib.__all__)


def test_allocating_takes_about_thirty_lines() -> None:
    code = (EXAMPLES / "allocate_surplus.py").read_text(encoding="utf-8")
    _, _, program = code.partition(")\n\n")
    assert len(program.splitlines()) <= 36

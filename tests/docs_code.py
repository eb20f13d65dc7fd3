"""Strict mypy over the Python that a newcomer copies: docs/examples, README, docs. `make check` runs it."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(page: str) -> list[str]:
    """The programs in a page of Markdown, each on the lines on which it stands there."""
    return ["\n" * (page.count("\n", 0, found.start()) + 1) + found[1] for found in BLOCK.finditer(page)]


def pages() -> list[Path]:
    """The pages that have programs."""
    every = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    return [page for page in every if blocks(page.read_text(encoding="utf-8"))]


def check(page: Path, folder: Path) -> tuple[int, str]:
    """What mypy says of ``page`` and the examples beside it: exit code and report, by the names they have in the repository."""
    programs = [folder / f"block_{number}.py" for number, _ in enumerate(blocks(page.read_text(encoding="utf-8")))]
    for program, code in zip(programs, blocks(page.read_text(encoding="utf-8")), strict=True):
        program.write_text(code, encoding="utf-8")
    examples = sorted((ROOT / "docs" / "examples").glob("*.py"))
    command = [sys.executable, "-m", "mypy", "--strict", *map(str, (*examples, *programs))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    # mypy remembers a program by its module's name, and may tell of it where an earlier run had it
    return done.returncode, re.sub(r"\S*\bblock_\d+\.py", page.name, done.stdout + done.stderr)


if __name__ == "__main__":
    codes = []
    for each in pages():
        with tempfile.TemporaryDirectory() as name:
            code, report = check(each, Path(name))
        print(report, end="")
        codes.append(code)
    sys.exit(max(codes))

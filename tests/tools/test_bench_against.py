"""`benchmarks.against`: what two builds say in turns, as a table; only what both say counts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as runner
from benchmarks import against

RUNNER = Path(runner.__file__)


def a_build(folder: Path, *, step_us: float) -> against.Build:
    """A build whose only benchmark says the same every time."""
    package = folder / "benchmarks"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(RUNNER.read_text(encoding="utf-8"), encoding="utf-8")
    (package / "step.py").write_text(
        f"def run():\n    return {{'one_loadpoint_p50_us': {step_us}}}\n", encoding="utf-8"
    )
    return against.Build(folder, Path(sys.executable))


def test_each_build_runs_its_own_benchmarks(tmp_path: Path) -> None:
    build = a_build(tmp_path, step_us=42.0)
    assert build.figures("step") == {"one_loadpoint_p50_us": 42.0}
    assert build.figures("garage") == {}


def test_medians_of_the_rounds_are_compared_where_both_builds_have_a_figure() -> None:
    before = against.medians([{"a_ms": 4.0, "old_ms": 1.0}, {"a_ms": 2.0, "old_ms": 1.0}, {"a_ms": 9.0, "old_ms": 1.0}])
    after = against.medians([{"a_ms": 1.0}, {"a_ms": 3.0}, {"a_ms": 2.0}])
    assert [line.split() for line in against.table("step", before, after)] == [
        ["step.a_ms", "4.000", "2.000", "0.500", "x"]
    ]


def test_an_unknown_benchmark_is_refused_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["against", "HEAD", "stepp", "--place", str(tmp_path)])
    with pytest.raises(SystemExit):
        against.main()
    assert "no such benchmark: stepp" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

"""``evcc-sim days``: one line for each scenario, and how to run a failing one again."""

from pathlib import Path

import pytest

from evcc_sim.runs.days import run_days

CALM = """
title = "Ten minutes of nothing"
hours = 0.17
household = { constant_w = 400.0 }
[[charger]]
box = { name = "garage" }
"""
BROKEN = f"""{CALM}
loadpoint = {{ mode = "now" }}
[[car]]
visits = [{{ charger = "garage", arrive = "00:00:30", depart = "01:00", soc_pct = 20 }}]
[site]
fuse_a = 3.0
"""  # no circuit tells the control of the fuse


def test_a_calm_world_is_ok(tmp_path: Path) -> None:
    world = tmp_path / "calm.toml"
    world.write_text(CALM)
    lines: list[str] = []
    assert run_days([str(world)], say=lines.append) == 0
    assert lines[0].startswith("ok")
    assert lines[-1].startswith("1 of 1 scenarios ok")


def test_a_violated_world_fails_and_says_how_to_see_it_again(tmp_path: Path) -> None:
    calm, broken = tmp_path / "calm.toml", tmp_path / "broken.toml"
    calm.write_text(CALM)
    broken.write_text(BROKEN)
    lines: list[str] = []
    assert run_days([str(calm), str(broken)], seed=5, say=lines.append) == 1
    text = "\n".join(lines)
    assert "FAILED" in text
    assert "fuse_never_trips" in text
    assert f"again: evcc-sim run {broken} --seed 5 --full-stack" in text
    assert lines[-1].startswith("1 of 2 scenarios ok")


def test_an_unknown_scenario_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_days(["no-such-world"]) == 2
    assert "no-such-world" in capsys.readouterr().err

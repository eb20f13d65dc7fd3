"""`GET /api/loadpoints/<id>/reasons` of a whole server: an afternoon of clouds, a limit and changes of mode, and a restart."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from evcc_server.app import Server
from evcc_server.http.app import build_app
from evcc_sim.runs.fullstack import FullStack
from evcc_sim.runs.virtual_time import run_virtually
from evcc_sim.worlds import scenario

SITE = """
title = "An afternoon"
household = { constant_w = 400.0 }
pv = [{ name = "roof", series = "sun.csv" }]

[[charger]]
box = { name = "garage", current_step_a = 0.001 }
loadpoint = { title = "Garage", guard_duration_s = 0 }

[[car]]
name = "blue"
capacity_kwh = 77
visits = [{ charger = "garage", arrive = "00:01", depart = "23:00", soc_pct = 30 }]
"""
PEOPLE = """
[[action]]
at = "00:50"
operator_limit_w = 4600
lasts = "5m"

[[action]]
at = "01:00"
loadpoint = 0
setting = "mode"
value = "now"

[[action]]
at = "01:10"
loadpoint = 0
setting = "mode"
value = "off"
"""
CLOUDS = ((600, 90), (780, 60), (900, 60), (1800, 600))
"""From when on [s] and for how long: three of a minute, one of ten."""
DAY = "2026-06-14"
LOOKS_S = 5.0
"""So long before the end somebody asks."""


def sky() -> str:
    """The sun with its clouds, as a file."""
    rows = [(0, 6700), *(row for start, lasts in CLOUDS for row in ((start, 900), (start + lasts, 6700)))]
    return "\n".join(["second,watt", *(f"{second},{watt}" for second, watt in rows)])


@dataclass(slots=True)
class Asked(FullStack):
    """Somebody asks shortly before the end."""

    answer: dict[str, Any] = field(default_factory=dict)

    async def _look(self, server: Server) -> None:
        await trio.sleep(self.scenario.length_s() - self._clock.now_s - LOOKS_S)
        client = build_app(server.home, stop=trio.Event()).test_client()
        with trio.CancelScope(shield=True):  # the test client does not survive being cancelled
            answer = await client.get("/api/loadpoints/1/reasons", headers={"Accept-Language": "de"})
            self.answer = json.loads(await answer.get_data())["result"]


def asked(text: str, folder: Path, *, minutes: float) -> dict[str, Any]:
    (folder / "sun.csv").write_text(sky(), encoding="utf-8")
    (folder / "world.toml").write_text(text, encoding="utf-8")
    world = scenario.load(str(folder / "world.toml")).with_changes(hours=minutes / 60)
    run = Asked(world, database=folder / "evcc.db")
    run_virtually(run.main, seed=1)
    return run.answer


def told(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Oldest first, without what the tests below ask for by itself."""
    return [
        (each["since"][11:19], each["code"], each["limit"], each["count"], round(each["chargeCurrent"], 1))
        for each in reversed(answer["reasons"])
    ]


MORNING = [
    ("22:00:00", "starting", None, 1, 0),
    ("22:00:00", "not_connected", None, 1, 0),
    ("22:01:00", "surplus", None, 1, 9.1),
    ("22:10:00", "surplus_wait_disable", None, 5, 6),  # three clouds, two gaps
]


def test_an_afternoon(tmp_path: Path) -> None:
    answer = asked(SITE + PEOPLE, tmp_path, minutes=75)
    assert told(answer) == [
        *MORNING,
        ("22:16:00", "surplus", None, 1, 9.1),
        ("22:30:00", "surplus_wait_disable", None, 1, 6),
        ("22:33:00", "surplus_missing", None, 1, 0),
        ("22:40:00", "surplus_wait_enable", None, 1, 0),
        ("22:41:00", "surplus", None, 1, 9.1),
        ("22:50:00", "surplus", "operator", 1, 6.7),
        ("22:55:00", "surplus", None, 1, 9.1),
        ("23:00:00", "mode_now", None, 1, 16),
        ("23:10:00", "mode_off", None, 1, 0),
    ]
    newest_first = answer["reasons"]
    assert newest_first[0]["ended"] is None
    assert [each["ended"] for each in newest_first[1:]] == [each["since"] for each in newest_first[:-1]]
    swing, wait = newest_first[9], newest_first[7]
    assert (swing["inTurnWith"]["code"], swing["until"]) == ("surplus", None)
    assert (wait["inTurnWith"], wait["until"], wait["phasesActive"], wait["chargePower"]) == (
        None,
        f"{DAY}T22:33:00Z",
        3,
        4140,
    )
    assert wait["text"] == "Der Überschuss reicht nicht; das Laden endet, wenn das anhält. Bis 00:33:00."
    assert newest_first[3]["text"] == "Das Laden folgt dem Überschuss (begrenzt durch operator)."
    assert answer["next"] == {
        "waitsFor": "owner",
        "until": None,
        "text": "Warten auf einen anderen Modus oder ein anderes Ziel.",
    }


def test_in_a_cloud_the_next_change_is_the_end_of_charging(tmp_path: Path) -> None:
    assert asked(SITE, tmp_path, minutes=32)["next"] == {
        "waitsFor": "stop",
        "until": f"{DAY}T22:33:00Z",
        "text": "Das Laden endet, wenn der Überschuss zu klein bleibt. Bis 00:33:00.",
    }


KILLED = """
[[fault]]
kind = "kill"
device = "site"
at = "00:24"
lasts = "2m"
"""


def test_after_a_kill_the_history_goes_on_and_nothing_is_known_of_the_time_between(tmp_path: Path) -> None:
    *before, starting, now = asked(SITE + KILLED, tmp_path, minutes=28)["reasons"][::-1]
    assert told({"reasons": before[::-1]}) == [*MORNING, ("22:16:00", "surplus", None, 1, 9.1)]
    assert starting["code"] == "starting"
    assert "22:23:00" <= starting["since"][11:19] <= "22:24:00"  # a checkpoint is at most a minute old
    assert (now["code"], now["since"][11:16]) == ("surplus", "22:26")

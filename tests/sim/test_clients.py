"""Requests in the words of REST and MQTT mean what they meant; what somebody has seen and is gone is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from api_home import SITE, VERSION

from evcc_server.mqtt.topics import aim, value
from evcc_server.settings import Context
from evcc_server.settings import request as setting_request
from evcc_server.state.document import Labels, document
from evcc_sim.runs.clients import MQTT, Seen, Spelt, spelt, words
from evcclib import Site
from evcclib.model import ChargeMode, Now
from evcclib.requests import (
    AssignVehicle,
    ChangeLoadpointSetting,
    ChangeSiteSetting,
    ChangeVehicleSetting,
    DetectVehicle,
    Request,
)
from evcclib.units import ORIGIN

NOW = Now(ORIGIN, datetime(2023, 3, 6, 17, tzinfo=UTC))
FACTS = Labels(version=VERSION, time_zone=UTC)


@pytest.mark.parametrize(
    ("request_", "path", "topic"),
    [
        (ChangeSiteSetting("residual_power_w", 150.0), "POST /api/residualpower/150.0", "site/residualPower/set"),
        (ChangeLoadpointSetting(1, "mode", ChargeMode.NOW), "POST /api/loadpoints/2/mode/now", "loadpoints/2/mode/set"),
        (
            ChangeLoadpointSetting(0, "enable_delay", timedelta(seconds=90)),
            "POST /api/loadpoints/1/enable/delay/90.0",
            "loadpoints/1/enableDelay/set",
        ),
        (
            ChangeLoadpointSetting(0, "target_time", datetime(2023, 3, 7, 6, tzinfo=UTC)),
            "POST /api/loadpoints/1/target/time/2023-03-07T06:00:00+00:00",
            "loadpoints/1/targetTime/set",
        ),
        (
            ChangeLoadpointSetting(0, "target_time", None),
            "DELETE /api/loadpoints/1/target/time",
            "loadpoints/1/targetTime/set",
        ),
        (
            ChangeVehicleSetting("golf", "soc_target_pct", 80),
            "POST /api/vehicles/golf/limitsoc/80",
            "vehicles/golf/limitSoc/set",
        ),
        (AssignVehicle(0, "model3"), "POST /api/loadpoints/1/vehicle/model3", "loadpoints/1/vehicle/set"),
        (AssignVehicle(0, None), "DELETE /api/loadpoints/1/vehicle", "loadpoints/1/vehicle/set"),
    ],
)
def test_a_request_is_spelt_so_that_the_server_reads_the_same_one(request_: Request, path: str, topic: str) -> None:
    spelling = spelt(request_)
    assert (f"{spelling.method} {spelling.path}", spelling.topic) == (path, f"evcc/{topic}")
    context = Context(site=SITE, has_unset_words=True)
    target = aim("evcc", spelling.topic, context)
    wanted = value(target, spelling.payload.encode(), context)
    assert wanted is not ...
    assert setting_request(target.setting, target.owner, wanted) == request_


def test_what_cannot_be_cleared_is_asked_for_all_the_same_and_what_is_no_setting_not() -> None:
    assert spelt(ChangeLoadpointSetting(0, "soc_min_pct", None)) == Spelt(
        "POST", "/api/loadpoints/1/minsoc/null", "evcc/loadpoints/1/minSoc/set", "null"
    )
    with pytest.raises(LookupError):
        spelt(DetectVehicle(0))


def test_what_was_seen_and_is_not_there_any_more_is_lost_unless_it_was_about_to_become_so() -> None:
    site = Site(SITE, now=NOW)
    before = document(site.view(now=NOW), FACTS, NOW)
    site.submit(ChangeLoadpointSetting(0, "current_max_a", 20.0), now=NOW)
    after = document(site.view(now=NOW), FACTS, NOW)

    def seen_after() -> Seen:
        seen = Seen()
        seen.message("evcc/loadpoints/1/maxCurrent", b"20")
        seen.frame('{"loadpoints.0.maxCurrent": 20, "loadpoints.0.chargePower": 7}')
        return seen

    lost = seen_after().check(before)
    assert lost == [
        "WebSocket: loadpoints.0.maxCurrent is 16, 20 was seen",
        "MQTT: evcc/loadpoints/1/maxCurrent is '16', '20' was seen",
    ]
    seen = seen_after()
    assert seen.check(after) == []
    assert seen.check(before) == []  # what the last server has shown counts, and nobody has looked at it
    seen = seen_after()
    seen.ended(after, before)  # it was just being set back
    assert seen.check(before) == []
    assert (MQTT, "evcc/loadpoints/1/chargePower") not in words(before)
    assert words(replace(before, loadpoints=())).keys() < words(before).keys()

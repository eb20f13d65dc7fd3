#!/usr/bin/env bash
# ocpp (The Mobility House): OCPP 2.1's limits per phase (limit_L2, limit_L3) can be built, but no message with them can be sent.
#
# One would guess: what the library's own dataclasses have (ChargingSchedulePeriodType.limit_l2) comes out under the standard's name.
# What happens: names are made by dropping every underscore, so limit_l2 becomes "limitL2" where the standard and the library's own schema say
#   "limit_L2"; the call is refused before it is sent. With skip_schema_validation=True it does go out, under the wrong
#   name, and a station that ignores what it does not know charges all phases with the limit of the first. The same holds
#   for setpoint_L2, dischargeLimit_L2 and their like, and for what a station answers to GetCompositeSchedule.
# What helps: one limit for all phases (`limit`), or a Link that puts the names right after skip_schema_validation.
# Versions: ocpp 2.1.0, Python 3.11. Date: 2026-12-01. Source: every name of the library's schemas taken there and back, then run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ocpp==2.1.0 jsonschema==4.26.0
"$folder/venv/bin/python" - <<'PY'
import asyncio
import json
from importlib.metadata import version
from pathlib import Path

import ocpp
from ocpp.exceptions import OCPPError
from ocpp.v21 import ChargePoint, call
from ocpp.v21.datatypes import ChargingProfileType, ChargingSchedulePeriodType, ChargingScheduleType


class Link:
    """A station that keeps what it hears and accepts it."""

    def __init__(self):
        self.heard, self.station = [], None

    async def send(self, message):
        _, name, _, payload = json.loads(message)
        self.heard.append(payload["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"][0])
        await self.station.route_message(json.dumps([3, name, {"status": "Accepted"}]))


async def sent(period, **how):
    """What a station hears of a schedule with one period, or why it hears nothing."""
    link = Link()
    link.station = ChargePoint("station", link)
    schedule = ChargingScheduleType(id=1, charging_rate_unit="A", charging_schedule_period=[period])
    profile = ChargingProfileType(
        id=1,
        stack_level=0,
        charging_profile_purpose="TxDefaultProfile",
        charging_profile_kind="Absolute",
        charging_schedule=[schedule],
    )
    try:
        await link.station.call(call.SetChargingProfile(evse_id=1, charging_profile=profile), **how)
    except OCPPError as error:
        return f"{type(error).__name__}: {error.details['cause']}"
    return link.heard[0]


schema = json.loads((Path(ocpp.__file__).parent / "v21/schemas/SetChargingProfileRequest.json").read_text("utf-8-sig"))
names = [name for name in schema["definitions"]["ChargingSchedulePeriodType"]["properties"] if name.startswith("limit")]
phases = ChargingSchedulePeriodType(start_period=0, limit=16, limit_l2=10, limit_l3=8)
one, refused, unchecked = (
    asyncio.run(sent(ChargingSchedulePeriodType(start_period=0, limit=16))),
    asyncio.run(sent(phases)),
    asyncio.run(sent(phases, skip_schema_validation=True)),
)
print(f"ocpp {version('ocpp')}: limits of 16, 10 and 8 A on the three phases; the library's schema has {names}")
print(f"one limit for all: the station hears {one}")
print(f"a limit per phase: {refused}")
print(f"with skip_schema_validation=True: the station hears {unchecked}")
assert names == ["limit", "limit_L2", "limit_L3"]
assert one == {"startPeriod": 0, "limit": 16}
assert refused.startswith("FormatViolationError") and "'limitL2', 'limitL3' were unexpected" in refused
assert unchecked == {"startPeriod": 0, "limit": 16, "limitL2": 10, "limitL3": 8}
PY

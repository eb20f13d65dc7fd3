#!/usr/bin/env bash
# dlms-cosem: the time of a meter that runs in UTC comes without a zone, as if the meter had not said one; all other meters' times have theirs.
#
# One would guess: a deviation of 0 minutes from UTC is a zone as -60 is one; only 0x8000, "not specified", gives a time without.
# What happens: 0 counts as nothing, and the datetime is naive. A meter in UTC (the usual choice for load profiles) is read as the clock of the
#   machine: in Berlin its quarter hours are priced with those of one or two hours before. A meter in Lisbon or London has a zone in
#   summer and none in winter, so on the last Sunday of October its readings cannot even be compared. What the library itself wrote
#   as an aware time in UTC it reads back naive.
# What helps: time.replace(tzinfo=UTC) where there is none, for meters that are known to give a deviation.
# Versions: dlms-cosem 25.1.0, Python 3.11. Date: 2026-12-01. Source: read in a comparison of meter parsers, then run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dlms-cosem==25.1.0
TZ=Europe/Berlin "$folder/venv/bin/python" - <<'PY'
import struct
from datetime import UTC, datetime
from importlib.metadata import version

from dlms_cosem.time import datetime_from_bytes, datetime_to_bytes

UNSPECIFIED = -0x8000


def read(month, day, hour, deviation):
    """The time that a meter gives as date, time, minutes from local time to UTC, and status."""
    return datetime_from_bytes(struct.pack(">HBBBBBBBhB", 2026, month, day, 0xFF, hour, 0, 0, 0, deviation, 0))[0]


def instant(time):
    return datetime.fromtimestamp(time.timestamp(), UTC).strftime("%H:%M UTC")


berlin, utc, unknown = (read(12, 1, 12, deviation) for deviation in (-60, 0, UNSPECIFIED))
print(f"dlms-cosem {version('dlms-cosem')}, on a machine in Berlin: 12:00 of December 1 with the deviations -60, 0 and 'not specified'")
for time in (berlin, utc, unknown):
    print(f"{time!r}, that is {instant(time)}")
written = datetime(2026, 12, 1, 12, tzinfo=UTC)
again = datetime_from_bytes(datetime_to_bytes(written))[0]
print(f"written {written}, read {again}")
try:
    said = str(read(10, 25, 1, -60) < read(10, 25, 1, 0))
except TypeError as error:
    said = f"{type(error).__name__}: {error}"
print(f"in London, is 01:00 in summer time before 01:00 in winter time? {said}")
assert [instant(time) for time in (berlin, utc, unknown)] == ["11:00 UTC", "11:00 UTC", "11:00 UTC"]
assert berlin.tzinfo is not None and utc.tzinfo is None and utc == unknown
assert again.tzinfo is None and said.startswith("TypeError")
PY

#!/usr/bin/env bash
# dlms-cosem: a value that a meter leaves out of its load profile because it has not changed is dropped from the row, and the next moves up.
#
# One would guess: a row of ProfileGenericBufferParser has a column for every capture object, in their order (a row that is too short is
#   refused). Where the meter sends null-data, which stands for "as in the row before", the value is repeated, or None stands there.
# What happens: only the clock is filled in. Every other null vanishes without a trace: a row for clock, import and export that has no new import
#   has two columns, and the reading of export stands where import is looked for. On a sunny day every row is of that kind.
# What helps: look for values by `column.attribute`, never by their place, and keep the last one of each.
# Versions: dlms-cosem 25.1.0, Python 3.11. Date: 2026-12-01. Source: read in a comparison of meter parsers, then run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dlms-cosem==25.1.0
"$folder/venv/bin/python" - <<'PY'
import struct
from importlib.metadata import version

from dlms_cosem.cosem import CosemAttribute, Obis
from dlms_cosem.enumerations import CosemInterface
from dlms_cosem.parsers import ProfileGenericBufferParser

NAMES = ("clock", "import", "export")
COLUMNS = [
    CosemAttribute(interface=kind, instance=Obis.from_string(obis), attribute=2)
    for kind, obis in (
        (CosemInterface.CLOCK, "0.0.1.0.0.255"),
        (CosemInterface.REGISTER, "1.0.1.8.0.255"),
        (CosemInterface.REGISTER, "1.0.2.8.0.255"),
    )
]
NOON = struct.pack(">HBBBBBBBhB", 2026, 6, 1, 0xFF, 12, 0, 0, 0, -120, 0x80)  # 12:00 in summer, two hours from UTC


def encoded(rows):
    """The rows in A-XDR: an array of structures of a time, or a reading [Wh] as double-long-unsigned, or null-data."""
    data = bytes((1, len(rows)))
    for row in rows:
        data += bytes((2, len(row)))
        for value in row:
            if value is None:
                data += b"\x00"
            elif isinstance(value, bytes):
                data += bytes((9, len(value))) + value
            else:
                data += b"\x06" + struct.pack(">I", value)
    return data


def parsed(rows):
    """The rows as the library has them: what each column is said to be, and its value."""
    parser = ProfileGenericBufferParser(capture_objects=COLUMNS, capture_period=15)
    found = [
        [(NAMES[COLUMNS.index(column.attribute)], column.value) for column in row]
        for row in parser.parse_bytes(encoded(rows))
    ]
    return [[f"{clock[1]:%H:%M}", *readings] for clock, *readings in found]


whole = parsed([[NOON, 70000, 9000], [None, 70000, 9500], [None, 70100, 9500]])
short = parsed([[NOON, 70000, 9000], [None, None, 9500], [None, 70100, None]])
print(f"dlms-cosem {version('dlms-cosem')}: clock, import and export [Wh] at 12:00, 12:15 and 12:30")
print(f"all of them sent: {whole}")
print(f"what has not changed sent as null: {short}")
assert whole == [
    ["12:00", ("import", 70000), ("export", 9000)],
    ["12:15", ("import", 70000), ("export", 9500)],
    ["12:30", ("import", 70100), ("export", 9500)],
]
assert short == [
    ["12:00", ("import", 70000), ("export", 9000)],
    ["12:15", ("export", 9500)],
    ["12:30", ("import", 70100)],
]
PY

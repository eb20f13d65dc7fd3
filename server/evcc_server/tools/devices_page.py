"""Writes ``docs/devices.md`` from the profiles: ``python -m evcc_server.tools.devices_page > docs/devices.md``.

How a device was verified is read from the tests of the source tree the command runs in.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evcc_server.profiles import profile as profiles
from evcc_server.profiles.profile import Profile
from evcc_server.tools.devices_list import features

INTRODUCTION = """\
# Supported devices

Made from the device profiles in `server/evcc_server/profiles/` by `python -m evcc_server.tools.devices_page`; do not edit.

`template:` in [evcc.yaml](configuration.md) takes the device's own name (first column) or one of the template names that users of
evcc know. `evcc-server devices NAME` prints an entry to start from and what is not confirmed about a device.

**Verified** says how: *emulated*, the driver reads and commands an emulator that is built from the same register table but
encodes by itself; *frames*, requests and answers computed by hand from the register facts; *hardware*, a real device: none yet.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Ids of the devices that tests drive against an emulator, and of those with frames computed by hand."""

    emulated: frozenset[str] = frozenset()
    frames: frozenset[str] = frozenset()

    def of(self, profile: Profile) -> str:
        """How ``profile`` was verified."""
        return (
            ", ".join(word for word, ids in (("emulated", self.emulated), ("frames", self.frames)) if profile.id in ids)
            or "not yet"
        )


def gather_evidence(tests: Path) -> Evidence:
    """What the tests in this folder prove."""
    emulated: set[str] = set()
    for kind, name in (("charger", "test_every_charger.py"), ("meter", "test_every_meter.py")):
        if any(tests.rglob(name)):
            emulated |= {p.id for p in profiles.all_profiles() if (p.kind == "charger") == (kind == "charger")}
    everywhere = "\n".join(path.read_text(encoding="utf-8") for path in sorted(tests.glob("sim_wire/**/*.py")))
    emulated |= {name for name in profiles.names() if f'"{name}"' in everywhere}
    by_hand = "\n".join(
        path.read_text(encoding="utf-8") for path in sorted(tests.glob("devices/profiles/recordings/*.yaml"))
    )
    frames = set(re.findall(r"^profile: *(\S+)$", by_hand, re.MULTILINE))
    stations = tests / "devices" / "stations.py"
    if stations.is_file():
        frames |= set(re.findall(r'^ +profile="([^"]+)"', stations.read_text(encoding="utf-8"), re.MULTILINE))
    return Evidence(emulated=frozenset(emulated), frames=frozenset(frames))


def page(evidence: Evidence) -> str:
    """The whole page."""
    drivable = [p for p in profiles.all_profiles() if p.charger is not None or p.usages]
    chargers = [profile for profile in drivable if profile.charger is not None]
    others = [profile for profile in drivable if profile.charger is None]
    parts = [
        INTRODUCTION,
        f"## Chargers ({len(chargers)})\n\n{_table(chargers, evidence)}",
        f"## Meters, inverters, hybrids and batteries ({len(others)})\n\n{_table(others, evidence)}",
    ]
    missing = [profile for profile in profiles.all_profiles() if profile not in drivable]
    if missing:
        lines = [f"* {profile.vendor} ({profile.id}): {'; '.join(profile.open_points)}" for profile in missing]
        parts.append("## Known, but not safe to drive\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _table(rows: Iterable[Profile], evidence: Evidence) -> str:
    lines = ["| device | vendor and products | templates | transports | can | verified |", "|---|---|---|---|---|---|"]
    for profile in rows:
        cells = (
            f"`{profile.id}`",
            "; ".join([f"**{profile.vendor}**", *profile.products]),
            ", ".join(f"`{template}`" for template in profile.templates),
            ", ".join(profile.connection.transports),
            ", ".join(features(profile)),
            evidence.of(profile),
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(gather_evidence(Path("tests"))))

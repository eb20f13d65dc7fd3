"""docs/devices.md is what the profiles say."""

from __future__ import annotations

from pathlib import Path

from evcc_server.tools.devices_page import gather_evidence, page

ROOT = Path(__file__).parents[3]


def test_the_page_of_devices_is_not_stale() -> None:
    written = (ROOT / "docs" / "devices.md").read_text(encoding="utf-8")
    assert written == page(gather_evidence(ROOT / "tests")), (
        "run: python -m evcc_server.tools.devices_page > docs/devices.md"
    )

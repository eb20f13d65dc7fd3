"""``GET /api/state?jq=``: a filter over the state that cannot hurt."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import trio
import trio.testing
from api_home import served
from trio_test import in_real_time

from evcc_server.http import jq_filter

pytestmark = [pytest.mark.wire, pytest.mark.api("state-jq")]
pytest.importorskip("jq")


class Pieces(trio.abc.ReceiveStream):
    """Gives what another stream has, 60 bytes at a time."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return bytes(await self._stream.receive_some(60))

    async def aclose(self) -> None:
        await self._stream.aclose()


@in_real_time
async def test_a_filter_picks_values() -> None:
    async with served() as api:
        for program, expected in (
            (".gridPower", -412.5),
            (".result.gridPower", -412.5),
            ("[.loadpoints[].title]", ["Carport", "Garage"]),
            ("{a: .pvPower, b: .siteTitle}", {"a": 6240, "b": "Zuhause"}),
            (".nothing", None),
        ):
            response = await api.get("/api/state", params={"jq": program})
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("application/json")
            assert json.loads(response.text) == expected
        lines = (await api.get("/api/state", params={"jq": ".loadpoints[].title"})).text
        assert lines == '"Carport"\n"Garage"\n'


@in_real_time
async def test_a_filter_that_is_wrong_endless_or_nosy_is_refused() -> None:
    async with served() as api:
        for program in (".a[", "error", ".gridPower.x", "x" * 2000, 'import "a" as $a; $a', 'include "x"; 1'):
            await api.refuses("GET", "/api/state", 400, "invalid jq filter", params={"jq": program})
        began = time.perf_counter()
        await api.refuses("GET", "/api/state", 400, "invalid jq filter", params={"jq": "def f: f; f"})
        await api.refuses("GET", "/api/state", 400, "invalid jq filter", params={"jq": "[range(1e12)]|length"})
        assert time.perf_counter() - began < 15
        environment = await api.get("/api/state", params={"jq": "env|keys"})
        assert set(environment.json()) <= {"PATH", "LC_CTYPE"}


@pytest.mark.parametrize(
    ("limit", "value", "program", "text"),
    [
        ("OUTPUT_MAX", 100, ".loadpoints", "its output is too long (at most 100 bytes)"),
        (
            "OUTPUT_MAX",
            100,
            ".loadpoints[]|.title,.mode,.title,.mode,.title,.mode,.title,.mode,.title,.mode",
            "too long",
        ),
        ("MEMORY_MAX", 128 << 20, '"x" * 2e8 | length', "it takes too much memory (at most 128 MiB)"),
        ("TIME_MAX_S", 0.0, ".gridPower", "it takes too long (at most 0 s)"),
        ("CPU_MAX_S", 0, "[range(1e5)]|length", "it takes too long (at most 0 s)"),
    ],
)
@in_real_time
async def test_a_filter_that_asks_for_too_much_is_refused(
    limit: str, value: float, program: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jq_filter, limit, value)
    async with served() as api:
        await api.refuses("GET", "/api/state", 400, text, params={"jq": program})


@in_real_time
async def test_a_filter_reads_no_file_and_is_not_long_and_brings_no_state_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text('"of the owner"')
    reading = f'import "notes" as $notes {{search: "{tmp_path}"}}; $notes'
    async with served() as api:
        for program in (reading, ".|" * jq_filter.FILTER_LENGTH_MAX + ".", '.gridPower\0{"gridPower": 1}'):
            await api.refuses("GET", "/api/state", 400, "too long or not allowed", params={"jq": program})


@in_real_time
async def test_of_output_without_end_no_more_is_read_than_may_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jq_filter, "OUTPUT_MAX", 100)
    async with served() as api:  # 200 kB: more than a pipe holds
        await api.refuses("GET", "/api/state", 400, "its output is too long", params={"jq": "range(40000)"})
    sent, received = trio.testing.memory_stream_one_way_pair()
    for _ in range(9):
        await sent.send_all(b"x" * 60)
    await sent.aclose()
    assert 100 < len(await jq_filter._read(Pieces(received), 100)) <= 160


@in_real_time
async def test_a_value_that_is_called_imported_is_no_import() -> None:
    async with served() as api:
        assert (await api.get("/api/state", params={"jq": ".gridImported"})).json() is None


@in_real_time
async def test_more_filters_than_may_wait_are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jq_filter, "AT_ONCE", 1)
    monkeypatch.setattr(jq_filter, "WAITING_MAX", 2)
    statuses: list[int] = []
    async with served() as api:

        async def ask() -> None:
            statuses.append((await api.get("/api/state", params={"jq": ".gridPower"}, timeout=30)).status_code)

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(ask)
    assert set(statuses) == {200, 503}
    assert statuses.count(200) >= 3


@in_real_time
async def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jq_filter, "find_spec", lambda name: None)
    async with served() as api:
        await api.refuses("GET", "/api/state", 501, "install evcclib with its extra, [jq]", params={"jq": ".gridPower"})

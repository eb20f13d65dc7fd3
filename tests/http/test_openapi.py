"""The OpenAPI document is valid, complete and true: schemathesis asks the server what it promises."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jsonschema
import openapi_spec_validator
import pytest
from api_home import SITE, served
from trio_test import in_real_time

from evcc_server.http.setting_routes import PREFIXES
from evcc_server.settings import TABLE
from evcclib.commands import BatteryMode
from evcclib.config import BatteryConfig

pytestmark = [pytest.mark.wire, pytest.mark.api("openapi-31")]


@in_real_time
async def test_the_document_is_valid_and_holds_every_setting() -> None:
    async with served() as api:
        document = (await api.get("/api/openapi.json")).json()
        openapi_spec_validator.validate(document)
        for setting in TABLE:
            for path in setting.paths:
                assert "post" in document["paths"][f"{PREFIXES[setting.scope]}/{path}/{{value}}"]
        identifiers = [
            operation["operationId"] for operations in document["paths"].values() for operation in operations.values()
        ]
        assert len(identifiers) == len(set(identifiers))


@in_real_time
async def test_every_example_of_the_document_is_served() -> None:
    async with served(replace(SITE, batteries=(BatteryConfig(modes=frozenset(BatteryMode)),))) as api:
        document = (await api.get("/api/openapi.json")).json()
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if path.startswith(("/api/session/", "/api/config/test")):
                    continue
                values = {each["name"]: each["example"] for each in operation["parameters"] if each["in"] == "path"}
                url = path.format_map(values)
                body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
                response = await api.client.request(method, url, json=body)
                assert response.status_code == 200, (method, url, response.text)


@pytest.mark.api("S-1")
@in_real_time
async def test_the_state_is_as_its_schema_says() -> None:
    async with served() as api:
        document = (await api.get("/api/openapi.json")).json()
        content = document["paths"]["/api/state"]["get"]["responses"]["200"]["content"]["application/json"]
        described = content["schema"]["anyOf"][0]
        for value in ((await api.get("/api/state")).json(), content["example"]):
            jsonschema.validate(value, described)


@pytest.fixture
def running_home() -> Iterator[int]:
    """The port of a home in a process of its own."""
    program = Path(__file__).parent / "serve_until_closed.py"
    with subprocess.Popen(
        [sys.executable, str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.stdin.close()
        assert process.wait(10) == 0


def test_schemathesis_finds_nothing(running_home: int, tmp_path: Path) -> None:
    """Some values that fit the document are refused for reasons it cannot express (times past, phases of this charger), so
    acceptance is not among the checks; and one path answers 501, as it says."""
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "st"),
            "run",
            f"http://127.0.0.1:{running_home}/api/openapi.json",
            "--max-examples=5",
            "--seed=1",
            "--exclude-checks=positive_data_acceptance",
            "--exclude-path=/api/config/test/{class}",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]

"""Secrets never appear: not in errors, not in a printed configuration, not in a log line, not in a traceback."""

from __future__ import annotations

import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcc_server.config.load import parse_config
from evcc_server.config.problems import ConfigError
from evcc_server.log import RedactingFormatter
from evcc_server.secrets import is_secret, redact

TEMPLATE = """
site:
  meters: {{grid: grid}}
meters:
- name: grid
  type: custom
  power:
    source: http
    uri: http://192.0.2.1/
    user: {secret}
    password: {secret}
    headers: {{Authorization: "{secret}", X-Api-Key: "{secret}"}}
chargers:
- {{name: box, type: template, template: keba-modbus, host: 192.0.2.2}}
loadpoints:
- charger: box
mqtt: {{broker: broker.local, user: "{secret}", password: "{secret}"}}
tariffs: {{grid: {{type: tibber, token: "{secret}"}}}}
auth: {{token: "{secret}"}}
"""
SECRETS = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!$%&/()=+*~-_.;", min_size=6, max_size=24
)


@given(SECRETS.map(lambda text: f"S3c{text}"))
def test_a_printed_configuration_shows_no_secret(secret: str) -> None:
    config = parse_config(TEMPLATE.format(secret="${SECRET}"), environment={"SECRET": secret})
    assert config.mqtt.password == secret
    assert config.auth.token == secret
    assert secret not in repr(config)
    assert secret in config.secrets


@given(SECRETS.map(lambda text: f"S3c{text}"), st.sampled_from(["minCurrent: x", "chargr: y", "priority: ${SECRET}"]))
def test_errors_show_no_secret_wherever_it_was_put(secret: str, mistake: str) -> None:
    text = TEMPLATE.format(secret="${SECRET}").replace("- charger: box", f"- charger: box\n  {mistake}")
    text = text.replace("source: http", "source: http\n    timeout: ${SECRET}")
    try:
        parse_config(text, environment={"SECRET": secret})
    except ConfigError as error:
        assert secret not in str(error)
        return
    raise AssertionError("the mistake was not found")


@given(SECRETS.map(lambda text: f"S3c{text}"))
def test_log_lines_and_tracebacks_show_no_secret(secret: str) -> None:
    formatter = RedactingFormatter([secret])
    try:
        raise OSError(f"cannot log in with {secret}")
    except OSError:
        trouble = sys.exc_info()
    record = logging.LogRecord(
        "evcc_server", logging.ERROR, "x.py", 1, "request to %s", (f"http://h/{secret}",), trouble
    )
    assert secret not in formatter.format(record)


@given(SECRETS.map(lambda text: f"S3c{text}".replace(";", "")))
def test_well_known_keys_are_hidden_without_knowing_the_value(secret: str) -> None:
    plain = "".join(c for c in secret if c.isalnum())
    for text in (
        f"password: {plain}",
        f"password={plain}",
        f'{{"password": "{plain}", "host": "h"}}',
        f"mqtt_password: '{plain}'",
        f"mqttPassword={plain}",
        f"GET http://host/path?sponsor_token={plain}&x=1",
        f"http://name:{plain}@host/path",
        f"GET http://host/path?token={plain}&x=1",
        f"Authorization: Bearer {plain}",
        f"accessToken: {plain}",
        f"GET http://host/cm?user=x&pass={plain}",
        f"GET http://host/cm?pw={plain}&x=1",
        f"GET http://host/cm?admin_pwd={plain}&api_key={plain}",
        f"passwd={plain}",
        f"api-key: {plain}",
    ):
        assert plain not in redact(text), text


def test_what_is_not_secret_stays_readable() -> None:
    line = "192.0.2.1:502: unit 1: read 2 from 52 (function 4): no answer within 1 s"
    assert redact(line) == line
    assert redact("mode: pv, host: 192.0.2.1, title: Users' car") == "mode: pv, host: 192.0.2.1, title: Users' car"
    assert not is_secret("host")
    assert is_secret("clientSecret")


@pytest.mark.parametrize("secret", ["", "a", "pv", "1", "evcc", "12345", "Installer", "modbus", "charger"])
def test_a_secret_that_is_none_does_not_turn_the_log_into_stars_and_its_key_hides_it(secret: str) -> None:
    line = "evcc: charger 1: pv 12345 W, modbus: no answer to the Installer"
    assert redact(line, [secret]) == line
    for text in (f"password: {secret or 'x'}", f"user={secret or 'x'}", f'"apiToken": "{secret}"'):
        assert redact(text, [secret]).endswith("***")
    assert redact(f"mqtt://{secret}:{secret}@host", [secret]) == "mqtt://***@host"


def test_other_secrets_are_hidden_wherever_they_stand() -> None:
    assert redact("log in with abcdef or abcdefgh", ["abcdef", "abcdefgh"]) == "log in with *** or ***"

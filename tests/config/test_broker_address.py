"""Where an outside MQTT broker is, as its owner writes it."""

from __future__ import annotations

import pytest

from evcc_server.config.read_address import broker_address
from evcc_server.mqtt.broker_link import BrokerAddress


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("broker", BrokerAddress("broker", 1883, False)),
        ("broker:1884", BrokerAddress("broker", 1884, False)),
        ("tls://broker", BrokerAddress("broker", 8883, True)),
        ("tls://broker:8884", BrokerAddress("broker", 8884, True)),
        ("mqtts://broker", BrokerAddress("broker", 8883, True)),
        ("mqtt://broker", BrokerAddress("broker", 1883, False)),
        ("[::1]:1884", BrokerAddress("::1", 1884, False)),
        ("192.168.0.9", BrokerAddress("192.168.0.9", 1883, False)),
    ],
)
def test_addresses_of_brokers(text: str, expected: BrokerAddress) -> None:
    assert broker_address(text) == expected


@pytest.mark.parametrize(
    "text", ["", "http://broker", "broker:port", "broker:99999", "broker/path", "user@broker", "tls://"]
)
def test_impossible_addresses_of_brokers(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        broker_address(text)

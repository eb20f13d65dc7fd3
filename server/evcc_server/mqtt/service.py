"""MQTT as `evcc_server.app` starts it: the embedded broker or a client of an outside one, with the bridge on top."""

from __future__ import annotations

from collections.abc import Iterator

import trio

from evcc_server.clock import Clock
from evcc_server.gateway import Gateway
from evcc_server.mqtt.bridge import Bridge
from evcc_server.mqtt.broker_link import MqttError, MqttOptions
from evcc_server.mqtt.client import BrokerClient
from evcc_server.mqtt.embedded import EmbeddedBroker
from evcc_server.state.hub import Hub
from evcclib.config import SiteConfig


async def run_mqtt(
    options: MqttOptions,
    *,
    gateway: Gateway,
    hub: Hub,
    clock: Clock,
    site: SiteConfig,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve MQTT until cancelled; then ``offline`` is published and the broker stopped, in less than a second.

    Started when the embedded broker listens, or at once with an outside broker, which may be away; ``task_status`` gets one
    line for the owner. Raises `MqttError` when the embedded broker can't listen or the options make no sense.
    """
    if not options.root:
        task_status.started("MQTT is off")
        await trio.sleep_forever()
    link = BrokerClient(options.broker, options) if options.broker else EmbeddedBroker(options)
    bridge = Bridge(link, options, gateway=gateway, hub=hub, clock=clock, site=site)
    failures: list[MqttError] = []
    try:
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()
            try:
                description = await nursery.start(_run_in, scope, link)
                scope.shield = True  # the link outlives the bridge, whose last word is "offline"
                task_status.started(description)
                await bridge.run()
            finally:
                scope.cancel()
    except* MqttError as group:
        failures.extend(_leaves(group))
    if failures:
        raise failures[0]


async def _run_in(
    scope: trio.CancelScope, link: BrokerClient | EmbeddedBroker, *, task_status: trio.TaskStatus[str]
) -> None:
    with scope:
        await link.run(task_status=task_status)


def _leaves(group: ExceptionGroup[MqttError]) -> Iterator[MqttError]:
    for each in group.exceptions:
        if isinstance(each, ExceptionGroup):
            yield from _leaves(each)
        else:
            yield each

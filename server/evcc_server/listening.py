"""Where the server listens, and whether it can.

Asked before anything else is done: a server that is started twice must not touch the first one's devices before it finds out.
"""

from __future__ import annotations

import errno
import socket

from evcc_server.config.model import Config
from evcc_server.config.options import Options


class CannotListen(OSError):
    """An address cannot be had. ``str(error)`` is one line that says why and where it is set, ``reason`` only why."""

    def __init__(self, reason: str, place: str) -> None:
        self.reason = reason
        super().__init__(f"{reason} ({place})")


def refuse_taken_addresses(config: Config, options: Options) -> None:
    """Raises `CannotListen` for the first address of the configuration on which nobody could listen now."""
    for place, host, port in _listeners(config, options):
        try:
            socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
        except socket.gaierror:
            continue  # a name that may yet have an address of another family; whoever listens there will find out
        except OSError as error:
            what = "the port is already in use" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
            raise CannotListen(f"cannot listen on {host or '*'}:{port}: {what}", place) from error


def _listeners(config: Config, options: Options) -> list[tuple[str, str, int]]:
    """Everything that listens: where it is set, host and port."""
    host = options.host or config.network.host
    port = config.network.port if options.port is None else options.port
    found = [("network.port or --port", host, port)]
    if config.mqtt.root and not config.mqtt.broker:
        found.append(("mqtt.port", config.mqtt.host, config.mqtt.port))
        if config.mqtt.websocket_port is not None:
            found.append(("mqtt.websocketPort", config.mqtt.host, config.mqtt.websocket_port))
    return found + [(f"modbusproxy[{i}].port", host, proxy.port) for i, proxy in enumerate(config.proxies)]

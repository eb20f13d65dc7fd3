"""The command ``evcc-server``: run the server, or one of the tools to commission a site.

Exit status: 0 all is well, 1 a device or the machine has a problem, 2 the configuration or the command line is wrong.
"""

from __future__ import annotations

import argparse
import functools
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import trio

from evcc_server.config.links import check_ports
from evcc_server.config.load import LOG_LEVELS, load_config
from evcc_server.config.model import Config
from evcc_server.config.options import Options
from evcc_server.config.problems import ConfigError
from evcc_server.errors import StoreError
from evcc_server.installed import installed_version
from evcc_server.log import set_up_logging
from evcc_server.mqtt.broker_link import MqttError
from evcc_server.tools.commands import CONFIG_PROBLEM, DEVICE_PROBLEM, OK, add_tools
from evcclib.errors import InvalidConfig
from evcclib.laws.by_name import LAWS, by_name
from evcclib.model import Planner


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the console script."""
    parser = _parser()
    options = parser.parse_args(_with_default(list(sys.argv[1:] if arguments is None else arguments)))
    try:
        status: int = options.run(options)
    except (ConfigError, KeyboardInterrupt, BrokenPipeError, BaseExceptionGroup) as error:
        cause = _first(error)  # tools work in nurseries
        if isinstance(cause, ConfigError):
            print(cause, file=sys.stderr)
            return CONFIG_PROBLEM
        if isinstance(cause, BrokenPipeError):  # who reads what we print has seen enough, as `head` has
            sys.stderr.close()
            return OK
        if isinstance(cause, KeyboardInterrupt):
            return OK
        raise
    return status


def _with_default(arguments: list[str]) -> list[str]:
    """``run`` may be left out."""
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help", "--version")):
        return ["run", *arguments]
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evcc-server",
        description="Charging control for homes with PV, battery and EV chargers.",
        epilog="Exit status: 0 ok, 1 a device has a problem, 2 the configuration is wrong.",
    )
    parser.add_argument("--version", action="version", version=f"evcc-server {installed_version()}")
    commands = parser.add_subparsers(metavar="command", required=True)
    run = commands.add_parser("run", help="run the server (the default)")
    add_config(run)
    run.add_argument("--host", type=_word, help="address on which to serve HTTP")
    run.add_argument("--port", type=_port, help="port on which to serve HTTP")
    run.add_argument("--ui", type=_folder, metavar="DIR", help="serve these files instead of the built-in page")
    run.add_argument("--database", type=_word, metavar="FILE", help="SQLite file, or :memory:")
    run.add_argument("--log", choices=LOG_LEVELS, help="log level")
    run.add_argument("--law", choices=tuple(LAWS), help="who decides between demands and limits")
    run.add_argument("--planner", choices=tuple(Planner), type=Planner, help="who makes charging plans")
    run.set_defaults(run=_run)
    add_tools(commands, add_config)
    return parser


def add_config(parser: argparse.ArgumentParser) -> None:
    """The option that every command with a configuration has."""
    parser.add_argument(
        "-c", "--config", type=Path, default=Path("evcc.yaml"), metavar="FILE", help="default: ./evcc.yaml"
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port, expected 0 to 65535")
    return int(text)


def _word(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("expected more than nothing")
    return text


def _folder(text: str) -> Path:
    if not text or not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no folder")
    return Path(text)


def _run(options: argparse.Namespace) -> int:
    config = load_config(options.config)
    if options.port is not None:
        taken = list(check_ports(config, options.port))
        if taken:
            raise ConfigError(taken)
    set_up_logging(options.log or config.log, config.levels, config.secrets)
    for warning in config.warnings:
        logging.getLogger("evcc_server.config").warning("%s", warning)
    overrides = Options(
        host=options.host,
        port=options.port,
        ui=options.ui,
        database=options.database,
        log=options.log,
        law=None if options.law is None else by_name(options.law),
        planner=options.planner,
    )
    return run_server(config, overrides)


def run_server(config: Config, overrides: Options) -> int:
    """Serve until interrupted. One clear line when the machine refuses something, such as a port in use."""
    from evcc_server.app import serve  # the web stack is slow to import, and tools do not need it

    try:
        trio.run(functools.partial(serve, config, options=overrides))
    except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:  # re-raised unless it is one of the expected
        cause = _first(error)
        if isinstance(cause, KeyboardInterrupt):
            return OK
        if isinstance(cause, ConfigError):
            raise cause from None
        if isinstance(cause, InvalidConfig):
            print(f"{config.file}: {cause}", file=sys.stderr)
            return CONFIG_PROBLEM
        if isinstance(cause, OSError | MqttError | StoreError):
            print(f"evcc-server: {str(cause) or type(cause).__name__}", file=sys.stderr)
            return DEVICE_PROBLEM
        raise
    return OK


def _first(error: BaseException) -> BaseException:
    """The error inside nested groups; of several the one that is not an interrupt."""
    while isinstance(error, BaseExceptionGroup):
        error = min(error.exceptions, key=lambda inner: isinstance(inner, KeyboardInterrupt))
    return error


if __name__ == "__main__":
    sys.exit(main())

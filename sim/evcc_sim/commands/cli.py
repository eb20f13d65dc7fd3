"""``evcc-sim``: run, compare and sweep simulated days, serve a simulated site, start the demo.

The runners of the full stack and of the wire are imported only by the commands that need them.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import time
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from evcc_sim.quiet import quiet
from evcc_sim.runs.controls import BrokenControl
from evcc_sim.worlds.scenario import InvalidScenario
from evcc_sim.worlds.variants import Files
from evcclib.model import Planner

OK, FAILED, WRONG_USE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0 fine, 1 something did not hold, 2 wrong use."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (BrokenControl, InvalidScenario) as error:
        print(f"evcc-sim: {error}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # who reads what we print has seen enough, as `head` has
        sys.stderr.close()
        return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="evcc-sim", description="A simulated home for charging control.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_runs(commands)
    _add_leaderboard(commands)
    _add_homes(commands)
    _add_whole_servers(commands)
    _add_recordings(commands)
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class _Named(argparse.Action):
    """Takes a name; the empty one, of a variable that a script has not set, is none."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        _option: str | None = None,
    ) -> None:
        if not values:
            raise argparse.ArgumentError(self, "'': expected a name")
        setattr(namespace, self.dest, values)


def _add_law(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--law",
        action=_Named,
        default="",
        metavar="NAME",
        help="another law than the scenario's: a name, or MODULE:LAW",
    )


def _add_control(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--control",
        action=_Named,
        default="",
        metavar="NAME",
        help="another control than the library's: a name, or MODULE:FACTORY",
    )


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a value, e.g. site.interval_s=30"
    )


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")


def _add_files(parser: argparse.ArgumentParser) -> None:
    for option, help_text in (
        ("sun", "a recorded sun (format: docs/simulator.md)"),
        ("load", "a recorded household"),
        ("price", "recorded prices of the grid"),
    ):
        parser.add_argument(f"--{option}", action=_Named, default="", metavar=f"{option}.csv", help=help_text)


def _add_runs(commands: Commands) -> None:
    run = commands.add_parser("run", help="run a scenario and show its numbers")
    run.add_argument(
        "scenario", help="a name from `evcc-sim scenarios`, a .toml file, or @generator[:parameter=value,...]"
    )
    run.add_argument("--days", type=_length, help="how many days (default: the scenario's)")
    run.add_argument("--seed", type=_count, help="the seed of its chances (default: the scenario's)")
    _add_set(run)
    run.add_argument(
        "--allow", type=_invariant, action="append", default=[], metavar="INVARIANT", help="it need not hold here"
    )
    run.add_argument("--full-stack", action="store_true", help="through the whole server, in virtual time")
    _add_files(run)
    _add_law(run)
    run.add_argument("--planner", choices=tuple(Planner), type=Planner, help="another planner than the scenario's")
    _add_control(run)
    run.add_argument("--plot", type=_picture, metavar="day.png", help="write a picture")
    run.add_argument("--html", type=_new_file, metavar="report.html", help="write a report")
    run.add_argument("--reasons", action="store_true", help="and how the reasons of the loadpoints have changed")
    _add_json(run)
    run.set_defaults(command=_run)

    compare = commands.add_parser("compare", help="compare two worlds, laws or controls over seeds")
    compare.add_argument("first", help="a scenario, with changes after commas: clear-day,site.interval_s=30")
    compare.add_argument(
        "second", nargs="?", help="the other one (default: the same, with --second-law or --second-control)"
    )
    compare.add_argument("--seeds", type=_seeds, default=list(range(1, 6)), help="a number of seeds, or a range 3-12")
    compare.add_argument("--days", type=_length)
    _add_files(compare)
    _add_law(compare)
    compare.add_argument("--second-law", action=_Named, default="", metavar="NAME")
    _add_control(compare)
    compare.add_argument("--second-control", action=_Named, default="", metavar="NAME")
    compare.add_argument("--workers", type=_positive)
    compare.set_defaults(command=_compare)

    sweep = commands.add_parser("sweep", help="many runs on all cores or on a Dask cluster")
    sweep.add_argument("scenarios", nargs="*", help="default: the whole library and all generators")
    sweep.add_argument("--seeds", type=_seeds, default=list(range(1, 11)), help="a number of seeds, or a range 3-12")
    sweep.add_argument(
        "--set", action="append", default=[], metavar="KEY=A|B|C", help="every combination of these values"
    )
    sweep.add_argument("--days", type=_length)
    _add_law(sweep)
    _add_control(sweep)
    sweep.add_argument("--workers", type=_positive, help="processes (default: all cores)")
    sweep.add_argument(
        "--scheduler", type=_scheduler, metavar="tcp://HOST:PORT", help="a Dask scheduler (extra `cluster`)"
    )
    sweep.add_argument("--regret", action="store_true", help="and what perfect foresight could have done: 0.1 s a day")
    sweep.add_argument("--json", type=_new_file, metavar="FILE", help="write every outcome")
    sweep.set_defaults(command=_sweep)


def _add_leaderboard(commands: Commands) -> None:
    board = commands.add_parser("leaderboard", help="laws and other systems in the same worlds: docs/leaderboard.md")
    board.add_argument("--seeds", type=_seeds, default=list(range(1, 21)), help="a number of seeds, or a range 3-12")
    board.add_argument(
        "--controls",
        type=_names,
        default=[],
        metavar="NAME,NAME",
        help="laws, controls, MODULE:FACTORY, law:MODULE:LAW",
    )
    board.add_argument("--worlds", type=_names, default=[], metavar="NAME,NAME", help="some of the pack only")
    board.add_argument("--workers", type=_positive, help="processes (default: all cores)")
    board.add_argument("--scheduler", type=_scheduler, metavar="tcp://HOST:PORT", help="a Dask scheduler")
    board.add_argument("--out", type=_new_file, default="docs/leaderboard.md", help="default: %(default)s")
    board.add_argument(
        "--kept", type=_new_file, metavar="FILE", help="where runs are remembered, to go on after a stop"
    )
    board.set_defaults(command=_leaderboard)


def _add_homes(commands: Commands) -> None:
    serve = commands.add_parser("serve", help="a scenario as devices on the network, in real time")
    serve.add_argument("scenario")
    serve.add_argument("--seed", type=_count)
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument(
        "--first-port",
        type=first_port_number,
        default=0,
        help="consecutive TCP ports from here (default: any free ones)",
    )
    serve.add_argument("--at", type=_time, default=time(12), metavar="HH:MM", help="when its day begins")
    serve.add_argument("--factor", type=_factor, default=1.0, help="how much faster sun and household live")
    serve.add_argument("--serial", action="store_true", help="RTU devices on pseudo terminals too")
    serve.set_defaults(command=_serve)

    demo = commands.add_parser("demo", help="a simulated home and the server, in one command")
    demo.add_argument("--host", default="127.0.0.1", help="address for API and broker (default %(default)s)")
    demo.add_argument("--port", type=port_number, default=7070, help="port of the API (default %(default)s)")
    demo.add_argument(
        "--mqtt-port", type=port_number, default=1883, help="port of the MQTT broker (default %(default)s)"
    )
    demo.add_argument(
        "--compat", default="0.114", help="generation of clients: 0.114, 0.127, today (default %(default)s)"
    )
    demo.add_argument("--duration", type=duration, metavar="SECONDS", help="end by itself")
    demo.set_defaults(command=_demo)


def _add_whole_servers(commands: Commands) -> None:
    days = commands.add_parser("days", help="scenarios through the whole server, in virtual time")
    days.add_argument("scenarios", nargs="*", help="default: the whole library")
    days.add_argument("--days", type=_length, help="how many days (default: one)")
    days.add_argument("--seed", type=_count)
    _add_law(days)
    days.add_argument("--workers", type=_positive)
    days.set_defaults(command=_days)

    kills = commands.add_parser("kills", help="kill the server at its await points and judge what is left")
    kills.add_argument("scenario", nargs="?", default="short-visit", help="default: %(default)s")
    kills.add_argument("--every", action="store_true", help="at every step (default: once at every await point)")
    kills.add_argument("--step", type=_positive, action="append", default=[], help="only before this step")
    kills.add_argument("--more", type=_count, default=0, metavar="N", help="and at N other steps")
    kills.add_argument("--seed", type=_count)
    kills.add_argument("--workers", type=_positive)
    kills.set_defaults(command=_kills)

    night = commands.add_parser(
        "nightly", help="kills at every step, days full stack, a wide sweep; what `make nightly` runs"
    )
    night.add_argument("--days", type=_length, default=7, help="for the full-stack days (default %(default)s)")
    night.add_argument("--seeds", type=_positive, default=200, help="for the sweep (default %(default)s)")
    night.add_argument(
        "--examples", type=_positive, default=4000, help="of each of the library's properties (default %(default)s)"
    )
    night.add_argument("--quick-kills", action="store_true", help="once at every await point, not at every step")
    night.set_defaults(command=_nightly)


def _add_recordings(commands: Commands) -> None:
    listing = commands.add_parser("scenarios", help="what there is")
    listing.set_defaults(command=_scenarios)

    recording = commands.add_parser("record", help="record a real site from its API")
    recording.add_argument("url", type=_url, help="for example http://192.168.1.20:7070")
    recording.add_argument("file", type=_new_file, help="the CSV file to write")
    recording.add_argument("--for", dest="duration", type=duration, default=86_400.0, help="how long: 600, 10m, 24h")
    recording.add_argument("--interval", type=duration, default=10.0)
    recording.set_defaults(command=_record)

    replay = commands.add_parser("replay", help="live through a recording again, charging decided anew")
    replay.add_argument("file", type=Path)
    replay.add_argument("--time-zone", type=_time_zone, default="Europe/Berlin")
    _add_set(replay)
    _add_law(replay)
    _add_control(replay)
    replay.add_argument("--plot", type=_picture)
    replay.add_argument("--html", type=_new_file)
    _add_json(replay)
    replay.set_defaults(command=_replay)


# -- values on the command line -----------------------------------------------------------------------------------------------


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 1 on")
    return int(text)


def _length(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= DAYS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number of days from 1 to {DAYS_MAX}")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 0 on")
    return int(text)


def _seeds(text: str) -> list[int]:
    first, separator, last = text.partition("-")
    seeds: list[int] = []
    if first.isdecimal() and (last.isdecimal() or not separator):
        wanted = range(int(first), int(last) + 1) if separator else range(1, int(first) + 1)
        seeds = list(wanted) if wanted.stop - wanted.start <= SEEDS_MAX else []
    if not seeds:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a number of seeds from 1 to {SEEDS_MAX}, or a range such as 3-12"
        )
    return seeds


def _names(text: str) -> list[str]:
    names = text.split(",")
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r}: expected names with commas between them")
    return names


def duration(text: str) -> float:
    """A length of time above 0 [s], for argparse."""
    from evcc_sim.worlds.scenario import seconds_of

    try:
        seconds = seconds_of(float(text) if text.replace(".", "", 1).isdecimal() else text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected more than 0")
    return seconds


def _factor(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0, at most 10000")
    return factor


def _time(text: str) -> time:
    from evcc_sim.worlds.scenario import wall_time

    try:
        return wall_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a time of day such as 12:30") from error


def _time_zone(text: str) -> str:
    from evcc_sim.worlds.scenario import is_time_zone

    if not is_time_zone(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no time zone, expected for example 'Europe/Berlin'")
    return text


def _invariant(text: str) -> str:
    from evcc_sim.judge.invariants import INVARIANTS

    if text not in INVARIANTS:
        near = difflib.get_close_matches(text, INVARIANTS, n=1, cutoff=0.0)
        raise argparse.ArgumentTypeError(f"there is no invariant {text!r}, but for example {near[0]!r}")
    return text


def _url(text: str) -> str:
    if not _is_address(text, ("http", "https")):
        raise argparse.ArgumentTypeError(f"{text!r}: expected an address such as http://192.168.1.20:7070")
    return text


def _scheduler(text: str) -> str:
    if not _is_address(text, ("tcp", "tls", "ws", "wss"), needs_port=True):
        raise argparse.ArgumentTypeError(f"{text!r}: expected an address such as tcp://192.168.1.20:8786")
    return text


def _is_address(text: str, schemes: tuple[str, ...], *, needs_port: bool = False) -> bool:
    try:
        parts = urlsplit(text)
        has_port = parts.port is not None and parts.port > 0
    except ValueError:  # a port out of range, or half an IPv6 address
        return False
    is_whole = parts.scheme in schemes and bool(parts.hostname) and not any(each.isspace() for each in text)
    return is_whole and (has_port or (parts.port is None and not needs_port))


def _new_file(text: str) -> Path:
    """Where something will be written, told before a long run and not after it."""
    path = Path(text)
    try:
        if path.is_dir():
            raise argparse.ArgumentTypeError(f"{text!r}: this is a folder, expected a file to write")
        if not path.parent.is_dir():
            raise argparse.ArgumentTypeError(f"{text!r}: there is no folder {str(path.parent)!r} to write a file to")
        is_new = not path.exists()
        path.open("ab").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written: {error.strerror}") from error
    return path


def _picture(text: str) -> Path:
    path = _new_file(text)
    if path.suffix.lower() not in PICTURES:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a name that ends in {', '.join(PICTURES)}")
    return path


PICTURES = (".png", ".svg", ".pdf")
DAYS_MAX = 3660
SEEDS_MAX = 1_000_000


# -- commands ---------------------------------------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> int:
    from evcc_sim.runs.replay import command
    from evcc_sim.show.report import hidden
    from evcc_sim.show.terminal import Progress
    from evcc_sim.worlds.laws import with_law
    from evcc_sim.worlds.variants import resolve, with_files

    scenario = resolve(options.scenario, seed=options.seed, changes=options.set)
    scenario = with_files(scenario, _files(options))
    scenario = with_law(scenario, options.law, control=options.control)
    if options.planner is not None:
        scenario = replace(scenario, site=replace(scenario.site, planner=options.planner))
    scenario = replace(scenario, allowed=(*scenario.allowed, *options.allow))
    with Progress(f"{scenario.name}") as progress:
        if options.full_stack:
            if options.control:
                raise InvalidScenario("--control goes without --full-stack: the server has the library's own control")
            fullstack = importlib.import_module("evcc_sim.runs.fullstack")
            with quiet():
                result = fullstack.run_scenario(scenario, options.seed, days=options.days, progress=progress)
        else:
            from evcc_sim.runs.controls import control_of
            from evcc_sim.runs.inprocess import simulate

            control = control_of(options.control)
            result = simulate(scenario, options.seed, days=options.days, control=control, progress=progress)
            again = command(scenario, result.trace.seed, days=options.days, control=options.control)
            result = replace(result, typed=again)
    if options.json:
        told = {"reasons": [*_reasons(result.trace)]} if options.reasons else {}
        print(json.dumps({**_numbers(result), **told}, indent=2))
    else:
        _print_result(result)
        if options.reasons:
            _print_reasons(result.trace)
    for place, file in scenario.files.items():
        if not place.startswith("tariff") and (words := hidden(file.apart_s)):
            print(f"{file.path}: {words}", file=sys.stderr)
    _write_pictures(result, options)
    return OK if result.ok else FAILED


def _numbers(result: Any) -> dict[str, Any]:
    return {
        **result.summary.as_dict(),
        **result.regret.as_dict(),
        "regret_missing": result.regret.missing,
        "violations": [str(violation) for violation in result.violations],
        "not_judged": [*result.not_judged],
    }


def _files(options: argparse.Namespace) -> Files:
    return Files(options.sun, options.load, options.price)


def _print_result(result: Any) -> None:
    from rich.table import Table

    from evcc_sim.show.report import remarks, rows
    from evcc_sim.show.terminal import console

    scenario = result.trace.scenario
    table = Table(title=f"{scenario.title or scenario.name}, {result.days:g} days, seed {result.trace.seed}")
    table.add_column("")
    table.add_column("", justify="right")
    for label, value in rows(result.summary, result.regret):
        table.add_row(label, value)
    out = console()
    out.print(table)
    if result.ok:
        out.print("Every invariant holds.")
    for violation in result.violations:
        out.print(f"[red]VIOLATED[/red] {violation}", soft_wrap=True)
    for remark in remarks(result):
        out.print(remark, soft_wrap=True, markup=False)
    if not result.ok:
        out.print(f"again: {result.replay}", soft_wrap=True, markup=False)


def _reasons(trace: Any) -> Iterator[dict[str, str]]:
    """How the reasons of all loadpoints have changed, oldest first: `GET /api/loadpoints/<id>/reasons` for a person."""
    reasons_text = importlib.import_module("evcc_server.state.reasons_text")
    base = trace.scenario.base
    spells = [(spell.since, index, spell) for index, history in enumerate(trace.reasons) for spell in history]
    for since, index, spell in sorted(spells, key=lambda each: each[:2]):
        charger = trace.scenario.charger[index]
        yield {
            "time": base.utc(since.total_seconds()).astimezone(base.zone).isoformat(" ", "seconds"),
            "loadpoint": charger.loadpoint.title or charger.box.name,
            "text": reasons_text.spell_text(spell, "en"),
        }


def _print_reasons(trace: Any) -> None:
    from rich.table import Table

    from evcc_sim.show.terminal import console

    table = Table(title="reasons")
    for heading in ("time", "loadpoint", "text"):
        table.add_column(heading, no_wrap=heading != "text")
    for row in _reasons(trace):
        table.add_row(*row.values())
    console().print(table)


def _write_pictures(result: Any, options: argparse.Namespace) -> None:
    if options.plot is not None:
        from evcc_sim.show import plots

        plots.save(result, options.plot)
        print(f"picture: {options.plot}", file=sys.stderr)
    if options.html is not None:
        from evcc_sim.show import html_report

        html_report.save(result, options.html)
        print(f"report: {options.html}", file=sys.stderr)


def _compare(options: argparse.Namespace) -> int:
    from evcc_sim.commands.many_runs import Side, compare

    second = options.second or options.first
    return compare(
        Side(options.first, options.law, options.control),
        Side(second, options.second_law, options.second_control),
        seeds=options.seeds,
        days=options.days,
        workers=options.workers,
        files=_files(options),
    )


def _sweep(options: argparse.Namespace) -> int:
    from evcc_sim.commands.many_runs import sweep

    return sweep(
        options.scenarios,
        seeds=options.seeds,
        days=options.days,
        values=options.set,
        law=options.law,
        control=options.control,
        workers=options.workers,
        scheduler=options.scheduler,
        regrets=options.regret,
        file=options.json,
    )


def _leaderboard(options: argparse.Namespace) -> int:
    from evcc_sim.commands.leaderboard import leaderboard

    return leaderboard(
        seeds=options.seeds,
        controls=options.controls,
        worlds=options.worlds,
        workers=options.workers,
        scheduler=options.scheduler,
        file=options.out,
        kept=options.kept,
    )


def _serve(options: argparse.Namespace) -> int:
    import trio

    from evcc_sim.worlds.variants import resolve

    wire = importlib.import_module("evcc_sim.runs.wire")
    spec = resolve(options.scenario, seed=options.seed)

    async def serve() -> None:
        await wire.serve(
            spec,
            seed=options.seed,
            host=options.host,
            first_port=options.first_port,
            factor=options.factor,
            at=options.at,
            serial=options.serial,
        )

    try:
        trio.run(serve)
    except (KeyboardInterrupt, OSError, BaseExceptionGroup) as error:
        cause = _first_cause(error)
        if isinstance(cause, KeyboardInterrupt):
            return OK
        if isinstance(cause, OSError):
            print(f"evcc-sim: {cause}", file=sys.stderr)
            return FAILED
        raise
    return OK


def _first_cause(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _days(options: argparse.Namespace) -> int:
    whole_days = importlib.import_module("evcc_sim.runs.days")
    status: int = whole_days.run_days(
        options.scenarios or None, days=options.days, seed=options.seed, law=options.law, workers=options.workers
    )
    return status


def _kills(options: argparse.Namespace) -> int:
    kills = importlib.import_module("evcc_sim.commands.kills")
    status: int = kills.run_kills(
        options.scenario,
        steps=options.step,
        every=options.every,
        more=options.more,
        seed=options.seed,
        workers=options.workers,
    )
    return status


def _nightly(options: argparse.Namespace) -> int:
    from evcc_sim.commands.nightly import constants, parts, properties, run_parts

    night = parts(days=options.days, seeds=options.seeds, every=not options.quick_kills)
    return run_parts((*properties(examples=options.examples), *constants(), *night), main)


def port_number(text: str) -> int:
    """A TCP port, for argparse."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port, expected 1 to 65535")
    return int(text)


def first_port_number(text: str) -> int:
    """A TCP port, or 0 for any free ones, for argparse."""
    return 0 if text == "0" else port_number(text)


def _demo(options: argparse.Namespace) -> int:
    demo = importlib.import_module("evcc_sim.commands.demo")
    status: int = demo.run_demo(
        host=options.host,
        port=options.port,
        mqtt_port=options.mqtt_port,
        compat=options.compat,
        duration_s=options.duration,
    )
    return status


def _scenarios(_options: argparse.Namespace) -> int:
    from evcc_sim.worlds import generators, scenario

    for name in scenario.names():
        spec = scenario.load(name)
        print(f"{name:<26} {spec.title}")
    print("\ngenerated, with parameters drawn from the seed or given:")
    for pack in generators.PACKS.values():
        summary = (pack.make.__doc__ or "").partition("\n")[0]
        print(f"@{pack.name:<25} {summary}\n{'':<27}{', '.join(pack.parameters)}")
    return OK


def _record(options: argparse.Namespace) -> int:
    import trio

    from evcc_sim.commands import record

    async def run() -> int:
        return await record.record(
            options.url,
            options.file,
            interval_s=options.interval,
            duration_s=options.duration,
            said=lambda text: print(text, file=sys.stderr),
        )

    rows = trio.run(run)
    print(f"{rows} rows in {options.file}")
    return OK if rows > 1 else FAILED


def _replay(options: argparse.Namespace) -> int:
    from evcc_sim.commands import record, replayed
    from evcc_sim.runs.controls import control_of
    from evcc_sim.runs.inprocess import simulate
    from evcc_sim.show.report import hidden
    from evcc_sim.show.terminal import Progress
    from evcc_sim.worlds.laws import with_law

    looks = record.read(options.file)
    world = replayed.replayed(looks, name=options.file.stem, time_zone=options.time_zone, changes=options.set)
    spec = with_law(world.scenario, options.law, control=options.control)
    with Progress(spec.name) as progress:
        result = simulate(spec, control=control_of(options.control), progress=progress)
    words = ["--time-zone", options.time_zone]
    words += [word for change in options.set for word in ("--set", change)]
    words += ["--law", options.law] if options.law else []
    words += ["--control", options.control] if options.control else []
    result = replace(result, typed=shlex.join(["evcc-sim", "replay", str(options.file), *words]))
    told = {"seen": world.seen, "assumed": world.assumed, "hidden": tuple(filter(None, [hidden(world.apart_s)]))}
    if options.json:
        print(json.dumps({**_numbers(result), **told}, indent=2))
    else:
        _print_result(result)
        for word, sentences in told.items():
            for text in sentences:
                print(f"{word}: {text}", file=sys.stderr)
    _write_pictures(result, options)
    return OK if result.ok else FAILED


if __name__ == "__main__":
    sys.exit(main())

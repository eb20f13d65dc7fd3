"""The arrows of docs/architecture.md, checked from the source itself: who may import whom, and each library's one door."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from evcclib.laws.by_name import LAWS

ROOT = Path(__file__).resolve().parent.parent
LIBRARY, SERVER, SIM = ROOT / "evcclib", ROOT / "server" / "evcc_server", ROOT / "sim" / "evcc_sim"

BANNED_IN_LIBRARY = frozenset(
    {
        "asyncio",
        "concurrent",
        "ctypes",
        "faulthandler",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "platform",
        "random",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "socketserver",
        "sqlite3",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "uuid",
        "warnings",
        "weakref",
    }
)
"""Modules of the standard library that touch the world or remember something."""

STDLIB_OF_LIBRARY = frozenset(
    {
        "__future__",
        "bisect",
        "collections",
        "contextlib",
        "dataclasses",
        "datetime",
        "enum",
        "functools",
        "heapq",
        "itertools",
        "math",
        "operator",
        "re",
        "typing",
        "types",
        "zoneinfo",  # the rules of clocks by their names
    }
)

DOORS = {
    "pymodbus": ("server/evcc_server/modbus/wire.py", "sim/evcc_sim/"),
    "amqtt": ("server/evcc_server/mqtt/broker.py",),
    "quart": ("server/evcc_server/http/",),
    "quart_trio": ("server/evcc_server/http/",),
    "hypercorn": ("server/evcc_server/http/", "server/evcc_server/app.py"),
    "sqlite3": ("server/evcc_server/keeping/",),
    "simpy": ("sim/evcc_sim/",),
    "pvlib": ("sim/evcc_sim/",),
    "numpy": (
        "server/evcc_server/optimize/highs.py",
        "sim/evcc_sim/bound/",
        "sim/evcc_sim/plants/sky.py",
        "sim/evcc_sim/plants/sunshine.py",
    ),
    "highspy": ("server/evcc_server/optimize/highs.py", "sim/evcc_sim/bound/joint.py"),
}

PYTEST_PLUGIN = "sim/evcc_sim/pytest_plugin.py"

STARTS_THE_SERVER = ("clients", "fullstack", "hashed_link", "life", "demo", "cli")
"""Modules or packages of the simulator that may import more of the server than its tables: the full-stack
runner with its parts, the demo and the commands that start them."""


@dataclass(frozen=True)
class Import:
    """One import statement: ``module`` is what it reaches, ``file`` where it stands, relative to the repository."""

    file: str
    line: int
    module: str

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def python_files(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.rglob("*.py")))


def imports(path: Path) -> Iterator[Import]:
    file = path.relative_to(ROOT).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = list(path.relative_to(ROOT).parts[:-1])
                package = package[: len(package) - (node.level - 1)]
                base = ".".join([*package, *([base] if base else [])]).removeprefix("server.").removeprefix("sim.")
            for alias in node.names:
                yield Import(file, node.lineno, f"{base}.{alias.name}" if base else alias.name)


def all_imports(*folders: Path) -> list[Import]:
    return [found for folder in folders for path in python_files(folder) for found in imports(path)]


def report(bad: list[Import]) -> str:
    return "\n".join(str(found) for found in bad)


def reaches(found: Import, module: str) -> bool:
    return found.module == module or found.module.startswith(f"{module}.")


def calls(path: Path, *names: str) -> list[str]:
    """Where a dotted name like ``datetime.now`` is used, by its last two parts."""
    file = path.relative_to(ROOT).as_posix()
    return [
        f"{file}:{node.lineno} uses {node.value.id}.{node.attr}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and f"{node.value.id}.{node.attr}" in names
    ]


def test_the_packages_are_where_this_test_looks() -> None:
    assert all(any(python_files(folder)) for folder in (LIBRARY, SERVER, SIM))


def test_library_imports_itself_and_harmless_parts_of_the_standard_library() -> None:
    bad = [found for found in all_imports(LIBRARY) if found.top not in STDLIB_OF_LIBRARY | {"evcclib"}]
    assert not bad, report(bad)
    assert not BANNED_IN_LIBRARY & STDLIB_OF_LIBRARY


@dataclass(frozen=True)
class House:
    """The rooms of one package, from the ground up. A room is a folder or a file beside folders; one imports only rooms of floors
    below its own, and no other of its own floor."""

    folder: Path
    floors: tuple[tuple[str, ...], ...]

    @property
    def package(self) -> str:
        return self.folder.name

    @property
    def modules(self) -> dict[str, Path]:
        """Files by dotted name; without the package's door, which stands above all floors and lets in nobody from inside."""
        return {self._dotted(path): path for path in python_files(self.folder) if path != self._door}

    @property
    def _door(self) -> Path:
        return self.folder / "__init__.py"

    def _dotted(self, path: Path) -> str:
        return ".".join((self.package, *path.relative_to(self.folder).with_suffix("").parts)).removesuffix(".__init__")

    def room(self, module: str) -> str:
        """Where ``module``, the dotted name of a file or of something in it, is: a folder, or a file beside folders."""
        parts = module.split(".")[1:]
        while parts and not self.folder.joinpath(*parts).is_dir():
            last = parts.pop()
            if not parts:
                return last
        return ".".join(parts)

    def imports(self) -> Iterator[tuple[str, Import]]:
        """What is imported from within the package, and where from."""
        for module, path in self.modules.items():
            for found in imports(path):
                if reaches(found, self.package):
                    yield module, found


HOUSES = (
    House(
        LIBRARY,
        (
            ("errors", "units"),
            ("allowed", "reasons"),
            ("commands", "measured", "model", "reason_history", "tariff", "timetable"),
            ("fixed_tariff", "readings", "settings"),
            ("config",),
            ("events", "requests"),
            ("machines", "planning"),
            ("decision", "view"),
            ("ledger", "machines.limits", "planning.joint"),
            ("laws",),
            ("pipeline",),
            ("deciding", "lasting"),
            ("site",),
        ),
    ),
    House(
        SERVER,
        (
            (
                "blocking",
                "clock",
                "errors",
                "gateway",
                "installed",
                "optimize",
                "places",
                "plan_texts",
                "quoting",
                "secrets",
            ),
            ("http.serving", "json_path", "log", "settings"),
            ("modbus", "profiles", "state", "texts"),
            ("devices", "keeping", "mqtt"),
            ("config", "devices.template", "http", "loop"),
            ("devices.plugin", "listening"),
            ("wiring",),
            ("tariffs",),
            ("app", "tools"),
            ("cli",),
            ("__main__",),
        ),
    ),
    House(
        SIM,
        (
            ("quiet", "timebase"),
            ("plants", "recorded"),
            ("worlds",),
            ("devices", "judge", "scenario"),
            ("bound", "judge.invariants"),
            ("rivals.models", "runs"),
            ("inprocess", "pytest_plugin", "rivals.traces", "show"),
            ("board", "rivals"),
            ("commands",),
            ("__main__",),
        ),
    ),
)
EVERY_HOUSE = pytest.mark.parametrize("house", HOUSES, ids=lambda house: house.package)


@EVERY_HOUSE
def test_every_room_has_its_floor(house: House) -> None:
    listed = [room for floor in house.floors for room in floor]
    assert len(listed) == len(set(listed))
    assert {house.room(module) for module, path in house.modules.items() if path.stat().st_size > 0} <= set(listed)


@EVERY_HOUSE
def test_arrows_between_rooms_run_down(house: House) -> None:
    """So there is no circle of rooms either."""
    floor_of = {room: number for number, floor in enumerate(house.floors) for room in floor}
    bad = []
    for module, found in house.imports():
        here, there = house.room(module), house.room(found.module)
        if here != there and floor_of[there] >= floor_of[here]:
            bad.append(f"{found}: {here} -> {there}")
    assert not bad, "\n".join(bad)


@EVERY_HOUSE
def test_modules_do_not_import_in_a_circle(house: House) -> None:
    modules = house.modules
    needs: dict[str, set[str]] = {module: set() for module in modules}
    for module, found in house.imports():
        there = found.module if found.module in modules else found.module.rpartition(".")[0]
        needs[module] |= {there} & modules.keys() - {module}
    while free := [name for name, needed in needs.items() if not needed & needs.keys()]:
        for name in free:
            del needs[name]
    assert not needs, f"a circle among {sorted(needs)}"


FILES_MAX = 20


def test_a_folder_can_be_seen_at_a_glance() -> None:
    files = [
        path for folder in (LIBRARY, SERVER, SIM, ROOT / "tests", ROOT / "benchmarks") for path in python_files(folder)
    ]
    sizes = Counter(path.parent.relative_to(ROOT).as_posix() for path in files)
    assert {folder: size for folder, size in sizes.items() if size > FILES_MAX} == {}


FUNCTION_LINES_MAX = 60
TABLES = frozenset(
    {
        "evcclib/pipeline/viewing.py:_loadpoint_view",
        "server/evcc_server/http/session_routes.py:session_routes",
        "server/evcc_server/http/setting_routes.py:_combined",
        "server/evcc_server/state/document.py:_loadpoint",
        "tests/sim/test_scenario_fields.py:everything",
    }
)
"""Functions that are a table with a name: one row after the other, nothing to follow."""
LONG = frozenset(
    {
        "evcclib/machines/charger.py:confirm",
    }
)
"""Functions that are too long and no table: none may be added."""


def test_only_tables_are_longer_than_a_screen() -> None:
    long = {
        f"{path.relative_to(ROOT).as_posix()}:{node.name}"
        for folder in (LIBRARY, SERVER, SIM, ROOT / "tests", ROOT / "benchmarks")
        for path in python_files(folder)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES_MAX
    }
    assert long <= TABLES | LONG, long - TABLES - LONG


def test_nobody_reaches_into_the_state_of_a_site() -> None:
    bad = [
        f"{path.relative_to(ROOT).as_posix()}:{node.lineno}"
        for folder in (SERVER, SIM)
        for path in python_files(folder)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr == "state"
        and getattr(node.value, "attr", getattr(node.value, "id", None)) in ("site", "_site")
    ]
    assert not bad, bad


MACHINES = (
    "surplus",
    "phases",
    "charger",
    "rousing",
    "detection",
    "asking",
    "soc",
    "meter_ledger",
    "session",
    "savings",
)


@pytest.mark.parametrize("machine", [*MACHINES, "plan_follow", "planner"])
def test_a_machine_never_imports_another_machine(machine: str) -> None:
    allowed = {"planner"} if machine == "plan_follow" else set()  # it reads the planner's result type
    others = set(MACHINES) | {"plan_follow", "planner"}
    bad = [
        found
        for found in imports(next(LIBRARY.rglob(f"{machine}.py")))
        if found.top == "evcclib" and set(found.module.split(".")) & (others - allowed - {machine})
    ]
    assert not bad, report(bad)


def test_a_law_is_known_by_its_name_only() -> None:
    laws = [type(law).__module__ for law in LAWS.values()]
    bad = [
        found
        for found in all_imports(LIBRARY, SERVER, SIM)
        if any(reaches(found, law) for law in laws) and found.file != "evcclib/laws/by_name.py"
    ]
    assert not bad, report(bad)


def test_server_knows_nothing_of_the_simulator() -> None:
    bad = [found for found in all_imports(SERVER) if found.top in {"evcc_sim", "simpy", "tests", "benchmarks"}]
    assert not bad, report(bad)


def test_simulator_sees_only_the_tables_of_the_server() -> None:
    """Device profiles, and what a file calls settings."""
    bad = [
        found
        for found in all_imports(SIM)
        if found.top == "evcc_server"
        and not reaches(found, "evcc_server.profiles.profile")
        and not reaches(found, "evcc_server.settings")
        and not any(part.removesuffix(".py") in STARTS_THE_SERVER for part in Path(found.file).parts[2:])
    ]
    assert not bad, report(bad)


def test_nothing_imports_tests_or_benchmarks() -> None:
    bad = [found for found in all_imports(LIBRARY, SERVER, SIM) if found.top in {"tests", "benchmarks", "hypothesis"}]
    assert not bad, report(bad)


def test_pytest_is_needed_by_the_plugin_only() -> None:
    bad = [
        found for found in all_imports(LIBRARY, SERVER, SIM) if found.top == "pytest" and found.file != PYTEST_PLUGIN
    ]
    assert not bad, report(bad)


@pytest.mark.parametrize("library", sorted(DOORS))
def test_each_library_comes_in_through_its_door(library: str) -> None:
    bad = [
        found
        for found in all_imports(LIBRARY, SERVER, SIM)
        if found.top == library and not found.file.startswith(DOORS[library])
    ]
    assert not bad, report(bad)


def test_wall_time_is_read_in_one_place() -> None:
    clock = SERVER / "clock.py"
    bad = [
        use
        for folder in (LIBRARY, SERVER, SIM)
        for path in python_files(folder)
        if path != clock
        for use in calls(
            path, "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.sleep"
        )
    ]
    assert not bad, "\n".join(bad)

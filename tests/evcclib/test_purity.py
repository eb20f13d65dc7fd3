"""evcclib needs nothing but the standard library, and importing it touches nothing."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORLD = {
    "asyncio",
    "concurrent.futures",
    "logging",
    "multiprocessing",
    "random",
    "select",
    "selectors",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "zoneinfo",
}

IMPORT_ALL = """
import json, pkgutil, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import evcclib
for module in pkgutil.iter_modules(evcclib.__path__):
    __import__(f"evcclib.{module.name}")
print(json.dumps(sorted(set(sys.modules) - before)))
"""

WATCHED_IMPORT = """
import sys
sys.path.insert(0, sys.argv[1])
import threading
touched = []
def watch(event, args):
    if event.startswith(("socket.", "subprocess.", "os.system", "sqlite3.", "time.sleep", "_thread.start")):
        touched.append(event)
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        touched.append(f"open {args[0]}")
sys.addaudithook(watch)
sys.dont_write_bytecode = True
import evcclib
print(touched, threading.active_count())
"""


def run_alone(code: str) -> str:
    """Run ``code`` in a Python that sees the standard library and the repository, and nothing that is installed."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_evcclib_needs_nothing_that_is_installed() -> None:
    loaded = set(json.loads(run_alone(IMPORT_ALL)))
    assert "evcclib" in loaded
    assert "evcclib.planning.planner" in loaded
    assert {module.partition(".")[0] for module in loaded} <= set(sys.stdlib_module_names) | {"evcclib"}


def test_importing_evcclib_loads_no_clock_socket_thread_log_or_random_number() -> None:
    loaded = set(json.loads(run_alone(IMPORT_ALL)))
    assert not loaded & WORLD


def test_importing_evcclib_opens_and_starts_nothing() -> None:
    assert run_alone(WATCHED_IMPORT).strip() == "[] 1"


@pytest.mark.rule("INV-11", "N-5")
def test_no_module_of_evcclib_keeps_something_that_changes() -> None:
    """What a function changes outside itself would be memory between two steps."""
    for path in sorted((ROOT / "evcclib").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Global)], path

"""What commands cost a user: the CPU of whole processes, from their start to their end.

Also run as a file by the interpreter of another build (`benchmarks.against`), so it needs nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

REPEATS = 5
COMMANDS: Mapping[str, Sequence[str]] = {
    "nothing": ("-c", "pass"),
    "import_site": ("-c", "from evcclib import Site"),
    "server_version": ("-m", "evcc_server", "--version"),
    "first_clear_day": ("-m", "evcc_sim", "run", "clear-day", "--seed", "1"),
}
"""By name, what an interpreter is told; all of them compiled before."""


def run() -> Mapping[str, float]:
    """CPU of the quickest of some runs [ms]: other programs can only make one slower."""
    with tempfile.TemporaryDirectory() as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        found = {}
        for name, arguments in COMMANDS.items():
            _cpu_ms(arguments, environment)
            found[f"{name}_ms"] = min(_cpu_ms(arguments, environment) for _ in range(REPEATS))
    return found


def _cpu_ms(arguments: Sequence[str], environment: Mapping[str, str]) -> float:
    before = _children_s()
    subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)
    return (_children_s() - before) * 1e3


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    print(json.dumps(run()))

"""``python -m benchmarks [NAME ...]``: run, print a table, write ``benchmarks/results/latest.json``.

Absolute times belong to this machine; compare ratios, or two results of one machine with ``python -m benchmarks.compare``.
"""

from __future__ import annotations

import argparse
import json
import platform
from importlib import import_module
from pathlib import Path

NAMES = ("commands", "step", "garage", "control_loop", "api", "mqtt", "day", "plans", "home_plans", "planner_worlds")
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run the named benchmarks, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], default=[], help="which ones; all by default")
    parser.add_argument("--json", type=Path, default=RESULTS / "latest.json", help="where the numbers go")
    arguments = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    for name in arguments.names or NAMES:
        print(f"== {name}", flush=True)
        results[name] = dict(import_module(f"benchmarks.{name}").run())
        for key, value in results[name].items():
            print(f"   {key:<44} {value:>14,.3f}", flush=True)
    document = {"python": platform.python_version(), "machine": platform.machine(), "results": results}
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    print(f"written to {arguments.json}")


if __name__ == "__main__":
    main()

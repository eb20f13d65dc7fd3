"""``python -m evcc_sim.rivals.check FOLDER``: recorded decisions of rivals against their models, tick by tick.

A trace is a JSON file, or one in gzip, as docs/rivals.md describes it.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from evcc_sim.rivals.traces import evcc, openems, openwb, smartevse
from evcc_sim.rivals.traces.pair import Pair

REPLAYED: Mapping[str, Callable[[dict[str, Any]], Iterator[Pair]]] = {
    "evcc": evcc.replayed,
    "openwb": openwb.replayed,
    "openems": openems.replayed,
    "smartevse": smartevse.replayed,
}


def traces(folder: Path) -> list[Path]:
    """The recorded traces of a folder."""
    return sorted(path for path in folder.iterdir() if path.name.endswith((".json", ".json.gz")))


def read(path: Path) -> dict[str, Any]:
    """A trace."""
    data = path.read_bytes()
    trace: dict[str, Any] = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    return trace


def pairs(trace: dict[str, Any]) -> Iterator[Pair]:
    """Each tick of a trace, lived through by the model of its rival."""
    return REPLAYED[trace["rival"]](trace)


def main(arguments: list[str]) -> int:
    """Prints ticks equal and unequal of each file, and the first unequal one; 1 if there is any."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -m evcc_sim.rivals.check FOLDER", file=sys.stderr)
        return 2
    is_wrong = False
    for path in traces(Path(arguments[0])):
        found = list(pairs(read(path)))
        unequal = [(index, each) for index, each in enumerate(found) if each.wanted != each.got]
        print(f"{path.name:<36} {len(found) - len(unequal):>6} equal {len(unequal):>6} unequal")
        for index, each in unequal[:1]:
            print(f"  tick {index}: recorded {each.wanted}\n  {'':>{5 + len(str(index))}}  the model {each.got}")
        is_wrong |= bool(unequal)
    return 1 if is_wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

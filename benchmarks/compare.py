"""``python -m benchmarks.compare OLD.json NEW.json``: how many times faster or slower each number became."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    """Print the two results side by side."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    old, new = (json.loads(Path(name).read_text())["results"] for name in sys.argv[1:])
    for subject in sorted(old.keys() & new.keys()):
        for key in sorted(old[subject].keys() & new[subject].keys()):
            before, after = old[subject][key], new[subject][key]
            ratio = f"{after / before:8.3f} x" if before else "       -"
            print(f"{subject + '.' + key:<56} {before:>14,.3f} {after:>14,.3f} {ratio}")


if __name__ == "__main__":
    main()

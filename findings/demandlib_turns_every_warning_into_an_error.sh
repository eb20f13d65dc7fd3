#!/usr/bin/env bash
# demandlib: making one BDEW load profile turns every later warning of the whole process into an exception.
#
# One would guess: bdew.ElecSlp(year) computes a table and touches nothing else.
# What happens: in the midst of it stands warnings.simplefilter("error"), for the process and for good. Whatever only warned before raises from
#   then on, far from demandlib: a deprecated call in a driver, numpy's division by zero in the slot without sun. Filters set before
#   are overruled; only those set after count. With pandas 3.1, which warns of `inplace`, it hits demandlib itself: no profile at all.
# What helps: `with warnings.catch_warnings():` around ElecSlp, and pandas below 3.1; or the profiles of 2025 (bdew.H25 and its like).
# Versions: demandlib 0.2.2, pandas 2.3.3 and 3.1.1, numpy 2.2.6, Python 3.11. Date: 2026-12-01.
# Source: read in a comparison of household profiles, then run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cat >"$folder/profile.py" <<'PY'
import sys
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
from demandlib import bdew


def outcome(do):
    try:
        do()
    except Warning as warning:
        return f"{type(warning).__name__} raised"
    return "done"


def share_of_sun():
    """Solar power over household power in a slot where neither is."""
    return np.array([0.0]) / np.array([0.0])


def old_call():
    warnings.warn("use charge_limit_w", DeprecationWarning, stacklevel=2)


print(f"demandlib {version('demandlib')}, pandas {version('pandas')}, numpy {version('numpy')}")
found = {}
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    found["before"] = outcome(share_of_sun), outcome(old_call)
    with warnings.catch_warnings():
        quarters = pd.date_range("2026-01-01", periods=96, freq="15min")
        found["H25"] = outcome(lambda: bdew.H25(quarters)), outcome(share_of_sun), outcome(old_call)
    with warnings.catch_warnings():
        found["ElecSlp, guarded"] = (outcome(lambda: bdew.ElecSlp(2026)),)
    found["after it"] = outcome(share_of_sun), outcome(old_call)
    found["ElecSlp"] = outcome(lambda: bdew.ElecSlp(2026)), outcome(share_of_sun), outcome(old_call)
for what, outcomes in found.items():
    print(f"{what}: {', '.join(outcomes)}")
profile = "done" if sys.argv[1] == "old" else "Pandas4Warning raised"
assert found == {
    "before": ("done", "done"),
    "H25": ("done", "done", "done"),
    "ElecSlp, guarded": (profile,),
    "after it": ("done", "done"),
    "ElecSlp": (profile, "RuntimeWarning raised", "DeprecationWarning raised"),
}, found
PY
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check demandlib==0.2.2 pandas==2.3.3 numpy==2.2.6
"$folder/venv/bin/python" "$folder/profile.py" old
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check demandlib==0.2.2 pandas==3.1.1 numpy==2.2.6
"$folder/venv/bin/python" "$folder/profile.py" new

#!/usr/bin/env bash
# HiGHS: mip_heuristic_effort=0 does not keep the solver from running its sub-MIP heuristics.
#
# One would guess: the effort for heuristics is a share of all the work, so with 0 none is spent; that is how one measures what they give.
# What happens: at the root the sub-MIPs (root reduced cost, RENS, RINS) are run as before, and the simplex
#   iterations of heuristics in the final report are the same to the last one; only the options that name one (mip_heuristic_run_root_reduced_cost,
#   mip_heuristic_run_rens, mip_heuristic_run_rins) switch them off.
# Versions: highspy 1.16.0, Python 3.11. Date: 2026-12-01. Source: charging plans with start costs, where these took half of the time.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check highspy==1.16.0 numpy==2.2.6
"$folder/venv/bin/python" - <<'PY'
import random
import re
from importlib.metadata import version

import highspy


def solve(options):
    """A charge with sun and start costs: cost, simplex iterations, those of heuristics among them."""
    chance = random.Random(1)
    model = highspy.Highs()
    model.setOptionValue("output_flag", True)
    model.setOptionValue("log_to_console", False)
    lines = []
    model.cbLogging += lambda event: lines.append(event.message)
    model.setOptionValue("threads", 1)
    model.setOptionValue("mip_rel_gap", 0.0)
    for name, value in options.items():
        assert model.setOptionValue(name, value) == highspy.HighsStatus.kOk, name
    slots = range(96)
    prices = [0.2 + 0.2 * chance.random() for _ in slots]
    suns = [max(0.0, 6 * chance.random() - 1) for _ in slots]
    bought = [model.addVariable(0, 11, 0.25 * price) for price in prices]
    own = [model.addVariable(0, sun, 0.25 * 0.08) for sun in suns]
    on = [model.addBinary(obj=0) for _ in slots]
    begins = [model.addBinary(obj=0.05) for _ in slots]
    for slot in slots:
        power = bought[slot] + own[slot]
        model.addConstr(power <= 11 * on[slot])
        model.addConstr(power >= 4.1 * on[slot])
        model.addConstr(on[slot] - (on[slot - 1] if slot else 0) <= begins[slot])
    model.addConstr(0.25 * sum(bought) + 0.25 * sum(own) == 60)
    model.run()
    log = "".join(lines)
    found = re.search(r"LP iterations\s+(\d+)(?:.*?(\d+) \(heuristics\))", log, re.DOTALL)
    assert found, log
    return model.getInfo().objective_function_value, int(found[1]), int(found[2])


NAMES = ("root_reduced_cost", "rens", "rins")
usual = solve({})
without = solve({"mip_heuristic_effort": 0.0})
named = solve({"mip_heuristic_effort": 0.0} | {f"mip_heuristic_run_{name}": False for name in NAMES})
print(f"highspy {version('highspy')}: one charge of 60 kWh in 96 slots; cost, simplex iterations, those of heuristics among them")
print(f"as it is:                    {usual}")
print(f"mip_heuristic_effort=0:      {without}")
print(f"and the three by their name: {named}")
assert abs(usual[0] - named[0]) < 1e-6 and abs(usual[0] - without[0]) < 1e-6
assert usual == without and without[2] > 0
assert named[2] == 0
PY

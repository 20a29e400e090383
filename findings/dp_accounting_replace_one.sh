#!/usr/bin/env bash
# dp-accounting 0.6.0: with the relation REPLACE_ONE, its two accountants read the same Gaussian event differently.
#
# GaussianDpEvent(noise_multiplier) is the sum of values whose norms are at most C, with noise of standard deviation
# noise_multiplier * C. Replacing one value changes the sum by up to 2 C. PLDAccountant doubles the sensitivity for
# REPLACE_ONE. RdpAccountant accepts the same relation and gives the epsilon of ADD_OR_REMOVE_ONE, for which the sum
# changes by at most C. Both are used through one interface, so an epsilon from one cannot replace that of the other.
#
# Exits with 0 where PLDAccountant's epsilon differs between the relations and RdpAccountant's does not, else 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet dp-accounting==0.6.0
cat >"$folder/relations.py" <<'PYTHON'
import sys

import dp_accounting
from dp_accounting import pld, rdp

MULTIPLIER, DELTA = 0.5, 1e-5
relations = dp_accounting.NeighboringRelation
found = {}
for relation in (relations.ADD_OR_REMOVE_ONE, relations.REPLACE_ONE):
    for accountant in (pld.PLDAccountant, rdp.RdpAccountant):
        made = accountant(neighboring_relation=relation).compose(dp_accounting.GaussianDpEvent(MULTIPLIER))
        found[accountant.__name__, relation.name] = made.get_epsilon(DELTA)
        print(f"{accountant.__name__:14} {relation.name:18} epsilon {made.get_epsilon(DELTA):.3f}")
for multiplier in (MULTIPLIER, MULTIPLIER / 2):
    exact = dp_accounting.get_epsilon_gaussian(multiplier, DELTA)
    print(f"exact, noise {multiplier} times the change of the sum: epsilon {exact:.3f}")
doubles = found["PLDAccountant", "REPLACE_ONE"] > 1.5 * found["PLDAccountant", "ADD_OR_REMOVE_ONE"]
same = found["RdpAccountant", "REPLACE_ONE"] == found["RdpAccountant", "ADD_OR_REMOVE_ONE"]
sys.exit(0 if doubles and same else 1)
PYTHON
"$folder/venv/bin/python" "$folder/relations.py"

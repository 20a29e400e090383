#!/usr/bin/env bash
# sumo-rl 1.4.5 with pettingzoo 1.24.4 and later: sumo_rl.parallel_env cannot be made.
#
# sumo_rl imports `agent_selector` from `pettingzoo.utils` and calls it. Up to pettingzoo 1.24.3 this name is a class.
# From 1.24.4 on the class is called AgentSelector, and `agent_selector` is the module that defines it, so that the
# import still succeeds, and the call raises TypeError: 'module' object is not callable. sumo_rl.SumoEnvironment with its
# dictionaries (reset returns observations, step returns observations, rewards, dones and infos) is not affected.
#
# Exits with 0 where parallel_env can be made with pettingzoo 1.24.3 and not with 1.24.4 and 1.27.0, while the
# dictionary interface works with all three, and with 1 otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet \
    sumo-rl==1.4.5 eclipse-sumo==1.28.0 traci==1.28.0 sumolib==1.28.0 pandas setuptools
SUMO_HOME=$("$folder/venv/bin/python" -c 'import sumo; print(sumo.SUMO_HOME)')
export SUMO_HOME
cat >"$folder/made.py" <<'PYTHON'
import sys
from importlib.metadata import version
from pathlib import Path

import sumo_rl

nets = Path(sumo_rl.__file__).parent / "nets" / "single-intersection"
files = {"net_file": str(nets / "single-intersection.net.xml"), "route_file": str(nets / "single-intersection.rou.xml")}
dictionaries = sumo_rl.SumoEnvironment(**files, num_seconds=10)
observations = dictionaries.reset(seed=1)
*_, dones, _ = dictionaries.step({name: 0 for name in observations})
dictionaries.close()
try:
    sumo_rl.parallel_env(**files, num_seconds=10)
    said = "made"
except TypeError as error:
    said = str(error)
with open(sys.argv[1], "a") as file:
    print(f"pettingzoo {version('pettingzoo')}: dictionaries {len(dones) - 1} signal, parallel_env {said}", file=file)
PYTHON
for release in 1.24.3 1.24.4 1.27.0; do
    "$folder/venv/bin/python" -m pip install --quiet "pettingzoo==$release"
    (cd "$folder" && venv/bin/python made.py found.txt >printed.txt 2>&1) || { cat "$folder/printed.txt" && exit 1; }
done
cat "$folder/found.txt"
diff "$folder/found.txt" - <<'EXPECTED' || exit 1
pettingzoo 1.24.3: dictionaries 1 signal, parallel_env made
pettingzoo 1.24.4: dictionaries 1 signal, parallel_env 'module' object is not callable
pettingzoo 1.27.0: dictionaries 1 signal, parallel_env 'module' object is not callable
EXPECTED

#!/usr/bin/env bash
# vmas 1.5.2: torch.manual_seed does not determine a reset, and one environment's seed changes another's episodes.
#
# VMAS draws from a random state of its own, which is an attribute of the class Environment and thus common to all
# environments of a process. torch.manual_seed before reset or reset_at therefore has no effect, although the scenarios
# call functions of torch. Only the environment's own seed(...) sets that state, for every other environment as well, so
# the draws of two environments in turn depend on their order. Whoever needs an episode that its seed determines calls
# seed(...) directly before each reset_at(...).
#
# Exits with 0 where all of this is so, else 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet "numpy<3" torch==2.13.0 vmas==1.5.2
cat >"$folder/seeds.py" <<'PYTHON'
import sys

import torch
import vmas

one, other = (vmas.make_env(scenario="balance", num_envs=2, device="cpu") for _ in range(2))


def reset(environment, seed, index=0):
    """The first agent's observation after a reset, directly after this call."""
    seed()
    environment.reset_at(index, return_observations=False)
    return environment.get_from_scenario(True, False, False, False)[0][0][index]


by_torch = [reset(one, lambda: torch.manual_seed(5)) for _ in range(2)]
by_itself = [reset(one, lambda: one.seed(5), index) for index in (0, 1, 0)]
by_the_other = [reset(one, lambda: other.seed(5)) for _ in range(2)]
ignored = not torch.equal(*by_torch)
determined = all(torch.equal(by_itself[0], each) for each in by_itself)
common = torch.equal(by_itself[0], by_the_other[0]) and torch.equal(*by_the_other)
print("two resets, each directly after torch.manual_seed(5):", "differ" if ignored else "are equal")
print("three resets, each directly after the environment's seed(5):", "are equal" if determined else "differ")
print("resets directly after seed(5) of another environment:", "are the same ones" if common else "are others")
sys.exit(0 if ignored and determined and common else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seeds.py"

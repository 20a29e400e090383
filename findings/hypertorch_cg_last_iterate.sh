#!/usr/bin/env bash
# hypertorch at commit 6241dfa: hypergrad.CG returns the iterate before the one that has met its tolerance.
#
# The loop of `hypergrad.CG_torch.cg` ends when the residual of the new iterate is below `epsilon`, and then returns the
# iterate before it. Where the last step makes the difference, as for a Hessian with few distinct eigenvalues or for
# few unknowns, the adjoint is far off. For a multiple of the identity, as in g = |y - x|^2 / 2, the first step solves
# the system, and the returned adjoint is 0: the hypergradient lacks all that passes through y. With a tolerance of 0 and
# as many steps as distinct eigenvalues, or by `hypergrad.fixed_point`, it is right. Copies of this file are in the
# scripts of several papers.
#
# The package is installed from GitHub; HYPERTORCH names another source for pip, such as git+file:///FOLDER@COMMIT.
#
# Exits with 0 where the hypergradient is 0 in place of x, and one step too early for two eigenvalues; else with 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
commit=6241dfafcf37ddaf14e152ba5e5a3aa7165396d3
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet setuptools torch==2.14.1 numpy
"$folder/venv/bin/python" -m pip install --quiet --no-build-isolation \
    "${HYPERTORCH:-git+https://github.com/prolearner/hypertorch@$commit}"
cat >"$folder/toy.py" <<'PYTHON'
import sys

import hypergrad
import torch

torch.set_default_dtype(torch.float64)
x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
outer = lambda y, x: (y[0] ** 2).sum() / 2  # y* = x, so the hypergradient is x
found = {}
for curvatures in ([1.0, 1.0, 1.0], [1.0, 1.0, 2.0]):
    inner = lambda y, x, c=torch.tensor(curvatures): (c * (y[0] - x[0]) ** 2).sum() / 2
    step = hypergrad.GradientDescent(inner, 0.5)
    distinct = len(set(curvatures))
    for name, arguments in (("10 steps", (10, step, outer)), ("tolerance 0", (distinct, step, outer, 0.0))):
        gradient = hypergrad.CG([x.detach().clone()], [x], *arguments, set_grad=False)[0]
        found[distinct, name] = gradient
        print(f"curvatures {curvatures}, {name:11}: hypergradient {gradient.tolist()}")
right = all(torch.allclose(found[distinct, "tolerance 0"], x) for distinct in (1, 2))
early = not torch.allclose(found[2, "10 steps"], x, rtol=0.1)
sys.exit(0 if right and early and not found[1, "10 steps"].any() else 1)
PYTHON
"$folder/venv/bin/python" "$folder/toy.py"
